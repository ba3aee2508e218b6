// Version vectors: which write events somebody has seen. Sorted arrays, a handful of entries, merged by
// walking both at once. Dynamo 4.4.
//
// Invariant: sorted by actor, each actor once. An entry covers every event of its actor up to its counter,
// for the key that the vector belongs to.

import type { Incarnation } from '../base/units.js'
import type { ClockEntry, Dot, VersionVector } from './object.js'

/** True when the vector covers this event. */
export function seen(clock: VersionVector, dot: Dot): boolean {
  for (const entry of clock) if (entry.actor === dot.actor) return entry.counter >= dot.counter
  return false
}

/** True when everything that `b` has seen, `a` has too. */
export function covers(a: VersionVector, b: VersionVector): boolean {
  for (const entry of b) if (!seen(a, entry)) return false
  return true
}

/** What either has seen; `a` or `b` itself when it covers the other. */
export function join(a: VersionVector, b: VersionVector): VersionVector {
  const joined: ClockEntry[] = []
  let same = 3
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const left = a[i]
    const right = b[j]
    if (right === undefined || (left !== undefined && left.actor < right.actor)) {
      joined.push(left as ClockEntry)
      same &= 1
      i++
    } else if (left === undefined || right.actor < left.actor) {
      joined.push(right)
      same &= 2
      j++
    } else {
      const order = left.counter - right.counter || left.time - right.time
      joined.push(order >= 0 ? left : right)
      if (order > 0) same &= 1
      else if (order < 0) same &= 2
      i++
      j++
    }
  }
  if ((same & 1) !== 0) return a
  return (same & 2) !== 0 ? b : joined
}

/** The vector with this event added, and noted as the latest of its actor. */
export function advance(clock: VersionVector, dot: Dot, time: number): VersionVector {
  return join(clock, [{ actor: dot.actor, counter: dot.counter, time }])
}

/**
 * Removes the entries with the oldest time until at most `entriesMax` are left, never one that `keep` names
 * (Dynamo 4.4, "the oldest pair is removed"). What is forgotten may come back as a sibling, never be lost.
 * Only a coordinating put cuts: a merge that did would not be a semilattice.
 */
export function cut(
  clock: VersionVector,
  entriesMax: number,
  keep: (actor: Incarnation) => boolean,
): VersionVector {
  if (clock.length <= entriesMax) return clock
  const removable = clock.filter((entry) => !keep(entry.actor))
  removable.sort((a, b) => a.time - b.time || a.actor - b.actor)
  const removed = new Set(removable.slice(0, clock.length - entriesMax))
  return clock.filter((entry) => !removed.has(entry))
}
