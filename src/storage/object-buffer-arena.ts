// The arena of an object buffer: segments of equal size, filled one after the other, and runs of segments
// that hold one large entry each. It counts what is alive and unflushed in each segment and says which is
// best to reclaim; it copies nothing and knows no keys.
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

const free = 0
/** Entries are appended to it: one segment of each kind. */
const open = 1
const sealed = 2
/** First segment of a run. */
const run = 3
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
  private readonly state: Uint8Array
  private readonly kinds: Uint8Array
  /** Units from the start of the segment to the end of its last entry. */
  private readonly used: Int32Array
  private readonly live: Int32Array
  private readonly dirty: Int32Array
  /** When the segment was opened, in openings: the age of its entries in their queue. */
  private readonly born: Float64Array
  /** Segments of a run, at its first. */
  private readonly length: Int32Array
  private openings = 0
  /** Open segment of each kind, -1 for none. */
  private readonly opened: [number, number] = [-1, -1]
  /** Where the next entry of each kind goes, and where its segment ends. */
  private readonly next: [number, number] = [0, 0]
  private readonly end: [number, number] = [0, 0]
  /** No segment below is free. */
  private freeFrom = 0
  /** No segment from here on was ever used. */
  private touched = 0
  private freshSegments = 0
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
    // Two atomics: on ARM a plain store may pass an earlier atomic store, but not an earlier atomic load.
    const generation = this.tableWord + segment * 2
    Atomics.add(this.words, generation, 1)
    Atomics.load(this.words, generation)
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

  // ---- what to reclaim

  /** True when never used memory would be touched although half of what was used is dead. */
  get wasteful(): boolean {
    const { touched, segmentUnits } = this
    if (touched < 8 || touched === this.segments) return false
    for (let segment = this.freeFrom; segment < touched; segment++) {
      if (this.state[segment] === free) return false
    }
    return this.liveUnits * 2 < touched * segmentUnits
  }

  /** The sealed segment with the least live units, if they are at most `unitsMax`; otherwise -1. */
  emptiest(unitsMax: number): number {
    let best = -1
    let least = unitsMax
    for (let segment = 0; segment < this.touched; segment++) {
      if (this.state[segment] !== sealed || (this.live[segment] as number) > least) continue
      if (best >= 0 && this.live[segment] === least) continue
      best = segment
      least = this.live[segment] as number
    }
    return best
  }

  /**
   * The next segment or run to evict from: the oldest of the new ones while they are more than a tenth of
   * all, otherwise the oldest of the kept ones. Skips what is mostly unflushed, unless nothing else is left.
   */
  oldest(): number {
    const preferred = this.freshSegments * 10 > this.segments ? fresh : kept
    const half = this.segmentUnits >>> 1
    let best = this.oldestOf(preferred, half)
    if (best < 0) best = this.oldestOf(preferred === fresh ? kept : fresh, half)
    if (best >= 0) return best
    let least = this.segmentUnits - (this.segmentUnits >>> 3)
    for (let segment = 0; segment < this.touched; segment++) {
      if (this.state[segment] !== sealed || (this.dirty[segment] as number) > least) continue
      least = this.dirty[segment] as number
      best = segment
    }
    return best
  }

  private oldestOf(kind: Kind, dirtyMax: number): number {
    let best = -1
    let least = Number.POSITIVE_INFINITY
    for (let segment = 0; segment < this.touched; segment++) {
      if (this.kinds[segment] !== kind) continue
      const state = this.state[segment]
      if (state === sealed ? (this.dirty[segment] as number) > dirtyMax : state !== run) continue
      if (state === run && this.dirty[segment] !== 0) continue
      if ((this.born[segment] as number) >= least) continue
      least = this.born[segment] as number
      best = segment
    }
    return best
  }

  /** A run that was used moves to the kept ones, as their youngest, where it lies. */
  promote(first: number): void {
    if (this.kinds[first] === fresh) this.freshSegments -= this.length[first] as number
    this.kinds[first] = kept
    this.born[first] = this.openings++
  }

  /** Sets a sealed segment aside while it is emptied. */
  hold(segment: number): void {
    assert(this.state[segment] === sealed, 'only a sealed segment is emptied')
    this.state[segment] = held
  }

  letGo(segment: number): void {
    assert(this.live[segment] === 0, 'a segment is given back empty')
    this.free(segment)
  }
}
