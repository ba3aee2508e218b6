// What a reader sees of an object: the values that live now, and the context of all that it has seen.
// Dynamo 4.1 and 4.4. Deleted and expired values are versions that are not shown; the context covers them,
// so that a write with it replaces them too.

import type { Millis } from '../base/units.js'
import type { Context, Sibling, StoredObject } from './object.js'

/** Neither deleted nor expired. */
export function liveSiblings(object: StoredObject, wall: Millis): readonly Sibling[] {
  const { siblings } = object
  for (const sibling of siblings)
    if (!isLive(sibling, wall)) return siblings.filter((each) => isLive(each, wall))
  return siblings
}

function isLive(sibling: Sibling, wall: Millis): boolean {
  return !sibling.deleted && (sibling.expires === 0 || sibling.expires > wall)
}

/** Covers tombstones and expired values too: a write with it replaces them. */
export function contextOf(object: StoredObject): Context {
  let stamp = 0
  for (const sibling of object.siblings) if (sibling.stamp > stamp) stamp = sibling.stamp
  return { clock: object.clock, stamp }
}

/** When the first of the live values expires, 0 when none does. */
export function earliestExpiry(object: StoredObject, wall: Millis): Millis {
  let earliest = 0
  for (const { expires } of liveSiblings(object, wall)) {
    if (expires !== 0 && (earliest === 0 || expires < earliest)) earliest = expires
  }
  return earliest
}

/** Canonical equality: the same clock and the same siblings, to the byte. */
export function sameObject(a: StoredObject | undefined, b: StoredObject | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  if (a.clock.length !== b.clock.length || a.siblings.length !== b.siblings.length) return false
  for (let i = 0; i < a.clock.length; i++) {
    const left = a.clock[i]
    const right = b.clock[i]
    if (left?.actor !== right?.actor || left?.counter !== right?.counter) return false
  }
  return a.siblings.every((sibling, i) => sameSibling(sibling, b.siblings[i] as Sibling))
}

function sameSibling(a: Sibling, b: Sibling): boolean {
  return (
    a.dot.actor === b.dot.actor &&
    a.dot.counter === b.dot.counter &&
    a.stamp === b.stamp &&
    a.expires === b.expires &&
    a.deleted === b.deleted &&
    a.encoding === b.encoding &&
    Buffer.compare(a.value, b.value) === 0
  )
}
