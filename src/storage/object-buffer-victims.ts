// Which segments of an arena are best to reclaim: the emptiest when nothing shall be lost, the oldest of the
// right queue when something must be (S3-FIFO; see object-buffer-reclaim), neighbours when one large entry
// needs several. Plain scans over a few numbers per segment: a thousand segments take a microsecond, and
// whoever asks is about to copy a segment.
//
// Invariant: nothing is changed here. Segments that are set aside are never chosen, open ones only for a run.

import { type Arena, free, fresh, type Kind, kept, open, run, sealed } from './object-buffer-arena.js'

/** True when memory that was never used would be touched although half of what was used is dead. */
export function isWasteful(arena: Arena): boolean {
  const { touched, state } = arena
  if (touched < 8 || touched === arena.segments) return false
  for (let segment = arena.freeFrom; segment < touched; segment++) if (state[segment] === free) return false
  return arena.liveUnits * 2 < touched * arena.segmentUnits
}

/** The sealed segment with the least live units, if they are at most `unitsMax`; otherwise -1. */
export function emptiest(arena: Arena, unitsMax: number): number {
  const { touched, state, live } = arena
  let best = -1
  let least = unitsMax + 1
  for (let segment = 0; segment < touched; segment++) {
    if (state[segment] !== sealed || (live[segment] as number) >= least) continue
    best = segment
    least = live[segment] as number
  }
  return best
}

/**
 * The next segment or run to evict from: the oldest of the new ones while they are more than a tenth of all,
 * otherwise the oldest of the kept ones. Passes over what is mostly unflushed unless nothing else is left;
 * -1 when even that would yield less than an eighth.
 */
export function oldest(arena: Arena): number {
  const preferred = arena.freshSegments * 10 > arena.segments ? fresh : kept
  const half = arena.segmentUnits >>> 1
  let best = oldestOf(arena, preferred, half)
  if (best < 0) best = oldestOf(arena, preferred === fresh ? kept : fresh, half)
  if (best >= 0) return best
  best = driest(arena)
  return best >= 0 && arena.dirtyIn(best) <= arena.segmentUnits - (arena.segmentUnits >>> 3) ? best : -1
}

function oldestOf(arena: Arena, kind: Kind, dirtyMax: number): number {
  const { touched, state, kinds, dirty, born } = arena
  let best = -1
  let least = Number.POSITIVE_INFINITY
  for (let segment = 0; segment < touched; segment++) {
    if (kinds[segment] !== kind || (born[segment] as number) >= least) continue
    const most = state[segment] === sealed ? dirtyMax : state[segment] === run ? 0 : -1
    if ((dirty[segment] as number) > most) continue
    best = segment
    least = born[segment] as number
  }
  return best
}

/** The segment or run with the least unflushed units, -1 when there is none. */
export function driest(arena: Arena): number {
  const { touched, state, dirty } = arena
  let best = -1
  let least = Number.POSITIVE_INFINITY
  for (let segment = 0; segment < touched; segment++) {
    if (state[segment] !== sealed && state[segment] !== run) continue
    if ((dirty[segment] as number) >= least) continue
    best = segment
    least = dirty[segment] as number
  }
  return best
}

/** The sealed segment with the most room behind its last entry, -1 when there is none. */
export function roomiest(arena: Arena): number {
  let best = -1
  for (let segment = 0; segment < arena.touched; segment++) {
    if (arena.state[segment] !== sealed) continue
    if (
      best < 0 ||
      arena.endUnit(segment) - arena.firstUnit(segment) < arena.endUnit(best) - arena.firstUnit(best)
    ) {
      best = segment
    }
  }
  return best
}

/** The first of `count` neighbours that are free, while one more is free elsewhere; -1 when there are none. */
export function freeRun(arena: Arena, count: number): number {
  const { segments, state } = arena
  if (arena.freeSegments <= count) return -1
  let found = 0
  for (let segment = arena.freeFrom; segment < segments; segment++) {
    found = state[segment] === free ? found + 1 : 0
    if (found === count) return segment - count + 1
  }
  return -1
}

/** The first of `count` neighbours that can be emptied with the least loss; -1 when there are none. */
export function cheapestRun(arena: Arena, count: number): number {
  let best = -1
  let least = Number.POSITIVE_INFINITY
  let sum = 0
  let blocked = -1
  for (let segment = 0; segment < arena.segments; segment++) {
    const cost = costOf(arena, segment)
    if (cost < 0) blocked = segment
    sum += cost
    if (segment >= count) sum -= costOf(arena, segment - count)
    const first = segment - count + 1
    if (first <= blocked || first < 0 || sum >= least) continue
    least = sum
    best = first
  }
  return best
}

/** Live units, those that must be copied counted four times; -1 for what cannot be emptied now. */
function costOf(arena: Arena, segment: number): number {
  const state = arena.state[segment]
  if (state === free) return 0
  if (state === sealed || state === open) return arena.liveIn(segment) + 3 * arena.dirtyIn(segment)
  const first = arena.firstOfRun(segment)
  return first >= 0 && arena.dirtyIn(first) === 0 ? arena.segmentUnits : -1
}
