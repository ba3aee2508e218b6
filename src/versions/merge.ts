// The one merge rule: what two replicas know of a key becomes what both should know. Commutative,
// associative, idempotent, so it does not matter who hears what from whom, in what order, or how often.
//
// A sibling stays when both have it, or when the other has not seen its event. With last-write-wins only the
// latest of those stays: greatest (stamp, actor, counter), a total order that grows along causality.

import type { Conflicts, Dot, Sibling, StoredObject } from './object.js'
import { stampSeconds } from './stamp.js'
import { join, seen } from './vector.js'

/**
 * Returns `local` itself when nothing changes and `incoming` itself when it replaces `local` wholly, so that
 * bytes at hand are used again: nearly every merge is one of the two.
 */
export function merge(
  local: StoredObject | undefined,
  incoming: StoredObject,
  conflicts: Conflicts,
): StoredObject {
  if (conflicts === 'last-write-wins') return mergeLatest(local, incoming)
  if (local === undefined) return incoming
  const clock = join(local.clock, incoming.clock)
  const siblings: Sibling[] = []
  let lost = false
  let gained = false
  for (const sibling of local.siblings) {
    if (hasDot(incoming.siblings, sibling.dot) || !seen(incoming.clock, sibling.dot)) siblings.push(sibling)
    else lost = true
  }
  for (const sibling of incoming.siblings) {
    if (hasDot(local.siblings, sibling.dot) || seen(local.clock, sibling.dot)) continue
    siblings.push(sibling)
    gained = true
  }
  if (!lost && !gained && clock === local.clock) return local
  // Where `incoming` has seen everything, whatever stayed is one of its own.
  if (clock === incoming.clock && siblings.length === incoming.siblings.length) return incoming
  if (gained) siblings.sort(byDot)
  return { clock, siblings }
}

function mergeLatest(local: StoredObject | undefined, incoming: StoredObject): StoredObject {
  const latest = latestOf(incoming)
  if (local === undefined) return alone(incoming, latest)
  const mine = latestOf(local)
  return later(latest, mine) ? alone(incoming, latest) : alone(local, mine)
}

/** The sibling with the greatest (stamp, actor, counter). */
export function latestOf(object: StoredObject): Sibling {
  let latest = object.siblings[0] as Sibling
  for (let i = 1; i < object.siblings.length; i++) {
    const sibling = object.siblings[i] as Sibling
    if (later(sibling, latest)) latest = sibling
  }
  return latest
}

export function later(a: Sibling, b: Sibling): boolean {
  if (a.stamp !== b.stamp) return a.stamp > b.stamp
  return byDot(a, b) > 0
}

/** The object with this sibling alone, and a clock of its event alone: the object itself where it is that. */
function alone(object: StoredObject, sibling: Sibling): StoredObject {
  const { clock, siblings } = object
  const { actor, counter } = sibling.dot
  if (
    siblings.length === 1 &&
    clock.length === 1 &&
    clock[0]?.actor === actor &&
    clock[0].counter === counter
  ) {
    return object
  }
  // The time that its write gave it: the entry's may be that of a later event.
  const time = stampSeconds(sibling.stamp)
  return { clock: [{ actor, counter, time }], siblings: [sibling] }
}

export function byDot(a: Sibling, b: Sibling): number {
  return a.dot.actor - b.dot.actor || a.dot.counter - b.dot.counter
}

function hasDot(siblings: readonly Sibling[], dot: Dot): boolean {
  for (const sibling of siblings) {
    if (sibling.dot.counter === dot.counter && sibling.dot.actor === dot.actor) return true
  }
  return false
}
