// The arena of an object buffer: segments of equal size, filled one after the other, and runs of segments
// that hold one large entry each. It counts what is alive and unflushed in each segment; it copies nothing
// and knows no keys. Left to others: which segment to reclaim (object-buffer-victims), and how.
//
// Invariants: 0 <= dirty <= live <= used of each segment, in units; one segment at least is free whenever a
// put returns, so that the survivors of a segment always have a place to go; a segment's generation changes
// after its last entry died and before anything is written to it again. Low segments are used first, so
// that memory which was never needed is never resident.

import { assert } from '../base/assert.js'
import type { Geometry } from './object-buffer-layout.js'

/** Where an entry goes: among the new ones, or among those that proved their worth (S3-FIFO's two queues). */
export type Kind = 0 | 1
export const fresh: Kind = 0
export const kept: Kind = 1

// States of a segment.
export const free = 0
/** Entries are appended to it: one segment of each kind. */
export const open = 1
export const sealed = 2
/** First segment of a run. */
export const run = 3
/** Later segment of a run. */
const runRest = 4
/** Being emptied, or set aside for a run. */
const held = 5

export class Arena {
  readonly segments: number
  readonly segmentUnits: number
  private readonly words: Int32Array
  private readonly tableWord: number
  private readonly arenaUnit: number
  private readonly shift: number
  readonly state: Uint8Array
  readonly kinds: Uint8Array
  /** Units from the start of the segment to the end of its last entry. */
  private readonly used: Int32Array
  readonly live: Int32Array
  readonly dirty: Int32Array
  /** When the segment was opened, in openings: the age of its entries in their queue. */
  readonly born: Float64Array
  /** Segments of a run, at its first. */
  private readonly length: Int32Array
  private openings = 0
  /** Open segment of each kind, -1 for none. */
  private readonly opened: [number, number] = [-1, -1]
  /** Where the next entry of each kind goes, and where its segment ends. */
  private readonly next: [number, number] = [0, 0]
  private readonly end: [number, number] = [0, 0]
  /** No segment below is free. */
  freeFrom = 0
  /** No segment from here on was ever used. */
  touched = 0
  freshSegments = 0
  freeSegments: number
  liveUnits = 0
  dirtyUnits = 0

  constructor(words: Int32Array, geometry: Geometry) {
    const { segments } = geometry
    this.words = words
    this.segments = segments
    this.segmentUnits = geometry.segmentUnits
    this.tableWord = geometry.tableWord
    this.arenaUnit = geometry.arenaUnit
    this.shift = geometry.segmentUnitsShift
    this.state = new Uint8Array(segments)
    this.kinds = new Uint8Array(segments)
    this.used = new Int32Array(segments)
    this.live = new Int32Array(segments)
    this.dirty = new Int32Array(segments)
    this.born = new Float64Array(segments)
    this.length = new Int32Array(segments)
    this.freeSegments = segments
  }

  get unitsMax(): number {
    return (this.segments * this.segmentUnits) >>> 2
  }

  segmentOf(unit: number): number {
    return (unit - this.arenaUnit) >> this.shift
  }

  firstUnit(segment: number): number {
    return this.arenaUnit + segment * this.segmentUnits
  }

  endUnit(segment: number): number {
    return this.firstUnit(segment) + (this.used[segment] as number)
  }

  kindOf(unit: number): Kind {
    return this.kinds[this.segmentOf(unit)] as Kind
  }

  kind(segment: number): Kind {
    return this.kinds[segment] as Kind
  }

  /** Live units of the segments from `first` up to `end`. */
  liveIn(first: number, end = first + 1): number {
    let live = 0
    for (let segment = first; segment < end; segment++) live += this.live[segment] as number
    return live
  }

  dirtyIn(segment: number): number {
    return this.dirty[segment] as number
  }

  isRun(segment: number): boolean {
    return this.state[segment] === run
  }

  /** Units that an entry takes away from others: a large one takes whole segments. */
  footprint(units: number): number {
    const { segmentUnits } = this
    return units <= segmentUnits ? units : Math.ceil(units / segmentUnits) * segmentUnits
  }

  hasRoom(units: number, kind: Kind): boolean {
    return (this.end[kind] as number) - (this.next[kind] as number) >= units
  }

  /** The place of the next entry. There must be room; it is dead until `born` is called. */
  place(kind: Kind): number {
    return this.next[kind] as number
  }

  /** The entry at `place` is whole and about to be named by the index. */
  append(units: number, kind: Kind): void {
    const segment = this.opened[kind] as number
    this.next[kind] = (this.next[kind] as number) + units
    this.used[segment] = (this.used[segment] as number) + units
    this.live[segment] = (this.live[segment] as number) + units
    this.liveUnits += units
  }

  /** An entry of so many units died: nothing names it any more. */
  release(unit: number, units: number): void {
    const segment = this.segmentOf(unit)
    const footprint = this.footprint(units)
    this.live[segment] = (this.live[segment] as number) - footprint
    this.liveUnits -= footprint
    if (this.live[segment] !== 0) return
    if (this.state[segment] === sealed) this.free(segment)
    else if (this.state[segment] === run) this.freeRun(segment)
  }

  /** Counts an entry as unflushed (`by` its units) or as flushed (minus its units). */
  countDirty(unit: number, by: number): void {
    const segment = this.segmentOf(unit)
    const footprint = by < 0 ? -this.footprint(-by) : this.footprint(by)
    this.dirty[segment] = (this.dirty[segment] as number) + footprint
    this.dirtyUnits += footprint
  }

  /** Opens a free segment of this kind and seals the one before. */
  openNext(kind: Kind): void {
    this.seal(kind)
    const segment = this.lowestFree()
    assert(segment >= 0, 'one segment is always free for survivors')
    this.state[segment] = open
    this.freeSegments--
    this.freeFrom = segment + 1
    this.begin(segment, kind, 1)
    this.opened[kind] = segment
    this.next[kind] = this.firstUnit(segment)
    this.end[kind] = this.firstUnit(segment) + this.segmentUnits
  }

  /** Opens a sealed segment again, behind its last live entry, for those that are kept. */
  reopen(segment: number): void {
    assert(this.state[segment] === sealed && this.opened[kept] < 0, 'only a sealed segment is opened again')
    // A reader may be copying what lies dead there: it shall look again.
    this.renew(segment)
    this.state[segment] = open
    this.opened[kept] = segment
    this.next[kept] = this.endUnit(segment)
    this.end[kept] = this.firstUnit(segment) + this.segmentUnits
  }

  /** Gives a segment a new generation, before anything is written over what it held. */
  private renew(segment: number): void {
    // Two atomics: on ARM a plain store may pass an earlier atomic store, but not an earlier atomic load.
    const generation = this.tableWord + segment * 2
    Atomics.add(this.words, generation, 1)
    Atomics.load(this.words, generation)
  }

  private begin(segment: number, kind: Kind, length: number): void {
    this.used[segment] = 0
    this.live[segment] = 0
    this.dirty[segment] = 0
    this.length[segment] = length
    this.kinds[segment] = kind
    this.born[segment] = this.openings++
    this.words[this.tableWord + segment * 2 + 1] = kind
    if (kind === fresh) this.freshSegments += length
    this.touched = Math.max(this.touched, segment + length)
  }

  private seal(kind: Kind): void {
    const segment = this.opened[kind] as number
    if (segment < 0) return
    this.state[segment] = sealed
    this.opened[kind] = -1
    this.next[kind] = 0
    this.end[kind] = 0
    if (this.live[segment] === 0) this.free(segment)
  }

  private lowestFree(): number {
    for (let segment = this.freeFrom; segment < this.segments; segment++) {
      if (this.state[segment] === free) return segment
    }
    return -1
  }

  private free(segment: number): void {
    this.renew(segment)
    if (this.kinds[segment] === fresh) this.freshSegments--
    this.kinds[segment] = kept
    this.state[segment] = free
    this.used[segment] = 0
    this.freeSegments++
    if (segment < this.freeFrom) this.freeFrom = segment
  }

  private freeRun(first: number): void {
    const kind = this.kinds[first] as Kind
    for (let segment = first + (this.length[first] as number) - 1; segment >= first; segment--) {
      this.kinds[segment] = kind
      this.free(segment)
    }
  }

  /** A run that was used moves to the kept ones, as their youngest, where it lies. */
  promote(first: number): void {
    if (this.kinds[first] === fresh) this.freshSegments -= this.length[first] as number
    this.kinds[first] = kept
    this.words[this.tableWord + first * 2 + 1] = kept
    this.born[first] = this.openings++
  }

  /** Sets a segment aside, to be emptied or to become part of a run. False for a run. */
  hold(segment: number): boolean {
    if (this.opened[fresh] === segment) this.seal(fresh)
    else if (this.opened[kept] === segment) this.seal(kept)
    if (this.state[segment] === free) this.freeSegments--
    else if (this.state[segment] !== sealed) return false
    this.state[segment] = held
    return true
  }

  /** Ends what `hold` began: free when nothing in it is alive, otherwise sealed as before. */
  letGo(segment: number): void {
    if (this.state[segment] !== held) return
    this.state[segment] = sealed
    if (this.live[segment] === 0) this.free(segment)
  }

  // ---- runs

  /** The first segment of the run that this one belongs to, or -1. */
  firstOfRun(segment: number): number {
    let first = segment
    while (this.state[first] === runRest) first--
    return this.state[first] === run ? first : -1
  }

  /** Makes neighbours that are held one run with one entry, dead until the index names it. */
  openRun(first: number, count: number, kind: Kind): number {
    this.begin(first, kind, count)
    for (let segment = first; segment < first + count; segment++) {
      assert(this.state[segment] === held, 'a run is made of segments that were set aside')
      this.renew(segment)
      this.state[segment] = segment === first ? run : runRest
    }
    const units = count * this.segmentUnits
    this.used[first] = units
    this.live[first] = units
    this.liveUnits += units
    return this.firstUnit(first)
  }

  // ---- the memory of a dead writer

  /** True when an entry of so many bytes can begin here: in a segment, or from the start of one over several. */
  holds(unit: number, bytes: number): boolean {
    const segment = this.segmentOf(unit)
    if (unit < this.arenaUnit || segment >= this.segments) return false
    const inSegment = unit - this.firstUnit(segment)
    const units = (bytes + 7) >>> 3
    if (units <= this.segmentUnits) return inSegment + units <= this.segmentUnits
    return inSegment === 0 && unit + units <= this.firstUnit(this.segments)
  }

  /** Counts an entry that is alive. `age` orders segments as their opening did. */
  restore(unit: number, units: number, age: number): void {
    const segment = this.segmentOf(unit)
    const count = Math.ceil(units / this.segmentUnits)
    const footprint = this.footprint(units)
    if (this.live[segment] === 0) {
      this.born[segment] = age
      this.length[segment] = count
      this.state[segment] = count === 1 ? sealed : run
      const kind = this.words[this.tableWord + segment * 2 + 1] === fresh ? fresh : kept
      this.kinds[segment] = kind
      if (kind === fresh) this.freshSegments += count
      for (let rest = segment + 1; rest < segment + count; rest++) this.state[rest] = runRest
    }
    this.born[segment] = Math.min(this.born[segment] as number, age)
    const used = unit + footprint - this.firstUnit(segment)
    this.used[segment] = Math.max(this.used[segment] as number, used)
    this.live[segment] = (this.live[segment] as number) + footprint
    this.liveUnits += footprint
    this.touched = Math.max(this.touched, segment + count)
  }

  /** After the last `restore`: what holds nothing alive is free, whatever a reader may think of it. */
  restored(): void {
    this.freeSegments = 0
    this.freeFrom = 0
    for (let segment = 0; segment < this.segments; segment++) {
      if (this.state[segment] !== free) continue
      this.kinds[segment] = kept
      this.free(segment)
    }
  }
}
