// How an object buffer makes room. First without loss: the segment with the least live entries is emptied
// into another. When all segments are well filled, by eviction after S3-FIFO (Yang et al., SOSP 2023): new
// entries form a small queue of segments, those that were used more than once in it move to the main queue,
// the others are dropped and remembered as ghosts, which enter the main queue when they come back. In the
// main queue an entry that was used since its last pass is appended again, with one use less.
//
// Scans pass through the small queue and leave the main one alone. Invariants: unflushed entries always
// survive; each emptied segment yields an eighth of itself at least, so the work of a put is bounded.

import { assert } from '../base/assert.js'
import { fresh, type Kind, kept } from './object-buffer-arena.js'
import { entryState, entryWord } from './object-buffer-layout.js'
import type { ObjectTable } from './object-buffer-table.js'
import {
  cheapestRun,
  driest,
  emptiest,
  freeRun,
  isWasteful,
  oldest,
  roomiest,
} from './object-buffer-victims.js'

/** Segments emptied for one put without loss: what is too large to be packed together gains nothing by it. */
const losslessTriesMax = 8
/** Segments reclaimed for one put before used entries are evicted like the others. */
const mercyTriesMax = 16
/** Segments reclaimed for one put before it is refused. */
const triesMax = 64

/** Who survives the emptying of a segment, besides the unflushed. */
type Survivors = 'all' | 'used' | 'none'

/** Makes room for `units` in the open segment of this kind. False: too much is unflushed. */
export function makeRoom(table: ObjectTable, units: number, kind: Kind): boolean {
  const { arena } = table
  for (let tries = 0; tries < triesMax; tries++) {
    if (arena.hasRoom(units, kind)) return true
    if (arena.freeSegments > 1) {
      const victim = isWasteful(arena) ? emptiest(arena, arena.segmentUnits >>> 1) : -1
      if (victim < 0) arena.openNext(kind)
      else empty(table, victim, 'all', arena.kind(victim))
    } else if (!reclaim(table, tries)) return false
  }
  return arena.hasRoom(units, kind)
}

/** Makes a place for one more key in the index. */
export function makePlace(table: ObjectTable): boolean {
  for (let tries = 0; tries < triesMax && table.objects >= table.objectsMax; tries++) {
    if (!evictOldest(table, tries < mercyTriesMax)) return false
  }
  return table.objects < table.objectsMax
}

/** Makes a run for one large entry: its unit, or 0 when too much is unflushed. */
export function makeRun(table: ObjectTable, units: number): number {
  const { arena } = table
  const count = Math.ceil(units / arena.segmentUnits)
  let first = freeRun(arena, count)
  const isFree = first >= 0
  if (!isFree) first = cheapestRun(arena, count)
  if (first < 0) return 0
  for (let segment = first; segment < first + count; segment++) {
    const head = arena.firstOfRun(segment)
    if (head >= 0) evictRun(table, head)
    assert(arena.hold(segment), 'a run is made of segments that can be emptied')
  }
  if (!isFree && !emptyHeld(table, first, count)) {
    for (let segment = first; segment < first + count; segment++) arena.letGo(segment)
    return 0
  }
  return arena.openRun(first, count, fresh)
}

/** Empties the segments that were set aside for a run. Their survivors go elsewhere. */
function emptyHeld(table: ObjectTable, first: number, count: number): boolean {
  const { arena } = table
  for (let segment = first; segment < first + count; segment++) {
    const live = arena.liveIn(segment, first + count)
    if (live === 0) break
    const roomy = (arena.freeSegments - 1) * arena.segmentUnits > live
    if (!makeFree(table, 2)) return false
    emptyInto(table, segment, roomy ? 'all' : 'none', kept)
  }
  return makeFree(table, 1)
}

/** Sees to it that so many segments are free, outside of those that are set aside. */
function makeFree(table: ObjectTable, wanted: number): boolean {
  const { arena } = table
  if (arena.freeSegments === 0) {
    // Even the one that is kept for survivors was set aside: empty one that needs no more than there is.
    const victim = driest(arena)
    if (victim < 0 || !arena.hasRoom(arena.dirtyIn(victim), kept)) return false
    if (arena.isRun(victim)) evictRun(table, victim)
    else empty(table, victim, 'none', kept)
  }
  for (let tries = 0; arena.freeSegments < wanted; tries++) {
    if (tries === triesMax || !reclaim(table, tries)) return false
  }
  return true
}

/**
 * After an adoption: a writer that died while it emptied the last segment that it could left none free. The
 * rest of those survivors fits behind the ones that it had copied.
 */
export function regainFree(table: ObjectTable): void {
  const { arena } = table
  if (arena.freeSegments > 0) return
  const target = roomiest(arena)
  arena.reopen(target)
  const victim = emptiest(arena, arena.segmentUnits)
  assert(victim >= 0 && arena.hasRoom(arena.liveIn(victim), kept), 'a death leaves room for what it moved')
  empty(table, victim, 'all', kept)
}

function reclaim(table: ObjectTable, tries: number): boolean {
  const { arena } = table
  const victim = tries < losslessTriesMax ? emptiest(arena, (arena.segmentUnits * 3) >>> 2) : -1
  if (victim < 0) return evictOldest(table, tries < mercyTriesMax)
  empty(table, victim, 'all', arena.kind(victim))
  return true
}

function evictOldest(table: ObjectTable, mercy: boolean): boolean {
  const { arena, index, words } = table
  const victim = oldest(arena)
  if (victim < 0) return false
  if (!arena.isRun(victim)) {
    empty(table, victim, mercy ? 'used' : 'none', kept)
    return true
  }
  const unit = arena.firstUnit(victim)
  const slot = index.findUnit(words[unit * 2 + entryWord.hash] as number, unit)
  if (!mercy || !wasUsed(table, slot, unit)) {
    table.evict(slot, unit)
    return true
  }
  index.setUses(slot, arena.kind(victim) === fresh ? 0 : index.uses(slot) - 1)
  arena.promote(victim)
  return true
}

function evictRun(table: ObjectTable, first: number): void {
  const unit = table.arena.firstUnit(first)
  table.evict(table.index.findUnit(table.words[unit * 2 + entryWord.hash] as number, unit), unit)
}

function wasUsed(table: ObjectTable, slot: number, unit: number): boolean {
  return table.index.uses(slot) > (table.arena.kindOf(unit) === fresh ? 1 : 0)
}

function empty(table: ObjectTable, segment: number, survivors: Survivors, kind: Kind): void {
  table.arena.hold(segment)
  emptyInto(table, segment, survivors, kind)
  table.arena.letGo(segment)
}

/** Copies the survivors of a segment to the open one of `kind`, and evicts the others. */
function emptyInto(table: ObjectTable, segment: number, survivors: Survivors, kind: Kind): void {
  const { arena, index, words } = table
  const end = arena.endUnit(segment)
  // Used entries survive up to three quarters, so that every segment yields something.
  let allowance = (arena.segmentUnits * 3) >>> 2
  for (let unit = arena.firstUnit(segment); unit < end && arena.liveIn(segment) > 0; ) {
    const units = table.units(unit)
    assert(unit + units <= end, 'entries follow each other to the end of what is used')
    const slot = index.findUnit(words[unit * 2 + entryWord.hash] as number, unit)
    if (slot >= 0) {
      const isDirty = (table.state(unit) & entryState.dirty) !== 0
      const isUsed = survivors === 'used' && allowance >= units && wasUsed(table, slot, unit)
      if (isDirty || isUsed || survivors === 'all') {
        if (isUsed) index.setUses(slot, arena.kind(segment) === fresh ? 0 : index.uses(slot) - 1)
        allowance -= units
        if (!arena.hasRoom(units, kind)) arena.openNext(kind)
        table.move(slot, unit, units, kind)
      } else table.evict(slot, unit)
    }
    unit += units
  }
}
