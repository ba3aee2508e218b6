// The coordinator's step: a new version that replaces exactly what its writer had seen. Dynamo 4.3 and 4.4.
// Invariant: the clock that comes out has seen every sibling, and has every actor of a sibling; it has at most
// `clockEntriesMax` entries unless the siblings need more. Left to the caller: a fresh dot, and a limit on
// the number of siblings.

import { limits } from '../base/limits.js'
import type { Millis } from '../base/units.js'
import { byDot } from './merge.js'
import type { Conflicts, Context, Sibling, Stamp, StoredObject } from './object.js'
import { nextStamp } from './stamp.js'
import { advance, cut, join, seen } from './vector.js'

/**
 * The object after a put: siblings that `context` has not seen stay beside the new one; without a context
 * all stay. `sibling.dot` must be new, and `local` must hold all of its actor's earlier writes of this key:
 * the clock that comes out covers them.
 */
export function write(
  local: StoredObject | undefined,
  context: Context | undefined,
  sibling: Sibling,
  conflicts: Conflicts,
  timeSeconds: number,
): StoredObject {
  const { actor, counter } = sibling.dot
  if (conflicts === 'last-write-wins') {
    return { clock: [{ actor, counter, time: timeSeconds }], siblings: [sibling] }
  }
  const siblings = (local?.siblings ?? []).filter(
    (present) => context === undefined || !seen(context.clock, present.dot),
  )
  siblings.push(sibling)
  siblings.sort(byDot)
  const known = join(local?.clock ?? [], context?.clock ?? [])
  const present = new Set(siblings.map(({ dot }) => dot.actor))
  const clock = cut(advance(known, sibling.dot, timeSeconds), limits.clockEntriesMax, (of) => present.has(of))
  return { clock, siblings }
}

/** A stamp later than everything that the writer, the coordinator and the stored object have seen. */
export function nextWriteStamp(
  local: StoredObject | undefined,
  context: Context | undefined,
  last: Stamp,
  wall: Millis,
): Stamp {
  let latest = Math.max(last, context?.stamp ?? 0)
  for (const { stamp } of local?.siblings ?? []) if (stamp > latest) latest = stamp
  return nextStamp(latest, wall)
}
