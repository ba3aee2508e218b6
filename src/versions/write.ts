// The coordinator's step: a new version that replaces exactly what its writer had seen. Dynamo 4.3 and 4.4.
// Invariant: the clock that comes out has seen every sibling, and has every actor of a sibling; it has at most
// `clockEntriesMax` entries unless the siblings need more, or those that were just replaced. Left to the
// caller: a fresh dot, and a limit on the number of siblings.

import { limits } from '../base/limits.js'
import type { Millis } from '../base/units.js'
import { byDot } from './merge.js'
import type { Conflicts, Context, Dot, Sibling, Stamp, StoredObject, VersionVector } from './object.js'
import { contextOf } from './read.js'
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
  return { clock: shortened(advance(known, sibling.dot, timeSeconds), local, context, siblings), siblings }
}

/**
 * Dynamo 4.4: the oldest entries go. Never one of a sibling; and none of what this very write replaces, here or, known
 * from the writer alone, on other nodes: a copy that misses this write has it still, and it would stand beside the
 * version that replaced it. The next write may cut those.
 */
function shortened(
  clock: VersionVector,
  local: StoredObject | undefined,
  context: Context | undefined,
  siblings: readonly Sibling[],
): VersionVector {
  const most = limits.clockEntriesMax
  if (clock.length <= most) return clock
  const present = new Set(siblings.map(({ dot }) => dot.actor))
  const replaced = new Set((local?.siblings ?? []).map(({ dot }) => dot.actor))
  for (const { actor, counter } of context?.clock ?? []) {
    if (!seen(local?.clock ?? [], { actor, counter })) replaced.add(actor)
  }
  const shorter = cut(clock, most, (of) => present.has(of) || replaced.has(of))
  return cut(shorter, limits.siblingsMax + most, (of) => present.has(of))
}

/**
 * What the writer has seen after its write, for the answer: its own context and the new version, never a
 * sibling that it has not read. Where a version vector cannot say that (an unread sibling is an earlier event
 * of the same actor), it is the writer's context alone: a later write with it may leave a sibling too many,
 * and loses none.
 */
export function contextAfter(object: StoredObject, context: Context | undefined, own: Dot): Context {
  const { stamp } = contextOf(object)
  if (object.siblings.length === 1) return { clock: object.clock, stamp }
  const before = context?.clock ?? []
  const time = object.clock.find((entry) => entry.actor === own.actor)?.time ?? 0
  const after = advance(before, own, time)
  const overreaches = object.siblings.some(
    ({ dot }) => dot.counter !== own.counter && seen(after, dot) && !seen(before, dot),
  )
  return { clock: overreaches ? before : after, stamp }
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
