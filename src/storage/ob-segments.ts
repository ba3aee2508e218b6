// The segments of an object buffer: where the next entry goes, which segment is cleaned next, how much lives
// in each. A segment is filled from its beginning; `used` is published after an entry is whole, so what lies
// beyond it never was. An entry larger than a segment has a run of whole segments to itself.

import { type BufferShape, entryWord, segmentRow, segmentRowWords, segmentStates } from './ob-layout.js'

/** Free segments that only cleaning may use: what it copies on must always find a place. */
const reserve = 2

export class Segments {
  readonly count: number
  readonly segmentBytes: number
  /** A larger entry would leave too little beside it. */
  readonly entryBytesMax: number
  liveBytes = 0
  private readonly table: Int32Array
  private readonly words: Int32Array
  private readonly firstAt: number
  private freeCount: number
  private filling = -1
  private order = 0
  /** Segments in the order in which they were filled, oldest first. */
  private readonly filled: number[] = []

  constructor(memory: SharedArrayBuffer, shape: BufferShape) {
    this.count = shape.segments
    this.segmentBytes = shape.segmentBytes
    this.entryBytesMax = Math.max(shape.segmentBytes, Math.floor(shape.segments / 4) * shape.segmentBytes)
    this.table = new Int32Array(memory, shape.tableAt, shape.segments * segmentRowWords)
    this.words = new Int32Array(memory)
    this.firstAt = shape.segmentsAt
    this.freeCount = shape.segments
  }

  private cell(segment: number, column: number): number {
    return this.table[segment * segmentRowWords + column] as number
  }

  private setCell(segment: number, column: number, value: number): void {
    Atomics.store(this.table, segment * segmentRowWords + column, value)
  }

  private segmentOf(at: number): number {
    return Math.floor((at - this.firstAt) / this.segmentBytes)
  }

  private startOf(segment: number): number {
    return this.firstAt + segment * this.segmentBytes
  }

  isFree(segment: number): boolean {
    return this.cell(segment, segmentRow.state) === segmentStates.free
  }

  private fitsInFilling(bytes: number): boolean {
    return this.filling >= 0 && this.cell(this.filling, segmentRow.used) + bytes <= this.segmentBytes
  }

  /** Whether an entry finds room without cleaning, and without what cleaning needs. */
  fits(bytes: number): boolean {
    if (bytes > this.segmentBytes) return this.freeCount > reserve && this.freeRun(bytes) >= 0
    return this.fitsInFilling(bytes) || this.freeCount > reserve
  }

  fitsWhileCleaning(bytes: number): boolean {
    if (bytes > this.segmentBytes) return this.freeRun(bytes) >= 0
    return this.fitsInFilling(bytes) || this.freeCount > 0
  }

  /** Where an entry of this size begins; it is there once `commit` has been called. */
  place(bytes: number): number {
    if (bytes > this.segmentBytes) return this.placeRun(bytes)
    if (!this.fitsInFilling(bytes)) this.openNext()
    return this.startOf(this.filling) + this.cell(this.filling, segmentRow.used)
  }

  private openNext(): void {
    if (this.filling >= 0) {
      this.setCell(this.filling, segmentRow.state, segmentStates.full)
      this.filled.push(this.filling)
    }
    let segment = 0
    while (!this.isFree(segment)) {
      segment++
      if (segment === this.count) throw new Error('invariant broken: no free segment')
    }
    this.begin(segment, segmentStates.filling)
    this.filling = segment
  }

  private begin(segment: number, state: number): void {
    this.setCell(segment, segmentRow.used, 0)
    this.setCell(segment, segmentRow.live, 0)
    this.setCell(segment, segmentRow.order, ++this.order)
    this.setCell(segment, segmentRow.state, state)
    this.freeCount--
  }

  private placeRun(bytes: number): number {
    const first = this.freeRun(bytes)
    if (first < 0) throw new Error('invariant broken: no free run of segments')
    // The rest before the first: whoever sees the head of a run sees a whole one.
    for (let i = this.runLength(bytes) - 1; i > 0; i--) this.begin(first + i, segmentStates.runRest)
    this.begin(first, segmentStates.run)
    this.filled.push(first)
    return this.startOf(first)
  }

  private runLength(bytes: number): number {
    return Math.ceil(bytes / this.segmentBytes)
  }

  private freeRun(bytes: number): number {
    const wanted = this.runLength(bytes)
    let length = 0
    for (let segment = 0; segment < this.count; segment++) {
      length = this.isFree(segment) ? length + 1 : 0
      if (length === wanted) return segment - wanted + 1
    }
    return -1
  }

  /** The entry at this place is whole: counts it, and moves the end of its segment behind it. */
  commit(at: number, bytes: number): void {
    const segment = this.segmentOf(at)
    this.setCell(segment, segmentRow.live, this.cell(segment, segmentRow.live) + bytes)
    this.liveBytes += bytes
    this.setCell(segment, segmentRow.used, at - this.startOf(segment) + bytes)
  }

  died(at: number, bytes: number): void {
    const segment = this.segmentOf(at)
    this.setCell(segment, segmentRow.live, this.cell(segment, segmentRow.live) - bytes)
    this.liveBytes -= bytes
  }

  sizeOf(segment: number): number {
    if (this.cell(segment, segmentRow.state) !== segmentStates.run) return this.segmentBytes
    return this.runLength(this.cell(segment, segmentRow.used)) * this.segmentBytes
  }

  mostlyDead(segment: number): boolean {
    return this.cell(segment, segmentRow.live) * 2 < this.segmentBytes
  }

  /** The segment to clean next, -1 for none: one that is mostly dead if there is one, else the oldest. */
  victim(mustEvict: boolean): number {
    let best = -1
    if (!mustEvict) {
      let least = this.segmentBytes / 2
      for (const segment of this.filled) {
        const live = this.cell(segment, segmentRow.live)
        if (live < least) {
          least = live
          best = segment
        }
      }
    }
    const at = best < 0 ? 0 : this.filled.indexOf(best)
    const victim = this.filled[at]
    if (victim === undefined) return -1
    // To the end: when it cannot be freed the next one is tried.
    this.filled.splice(at, 1)
    this.filled.push(victim)
    return victim
  }

  /** Segments that would make a run for this entry, with the least that lives in them. */
  *window(bytes: number): Generator<number> {
    const wanted = this.runLength(bytes)
    let best = -1
    let least = Number.POSITIVE_INFINITY
    for (let first = 0; first + wanted <= this.count; first++) {
      let live = 0
      for (let i = 0; i < wanted; i++) {
        const state = this.cell(first + i, segmentRow.state)
        const usable = state === segmentStates.free || state === segmentStates.full
        live += usable ? this.cell(first + i, segmentRow.live) : Number.POSITIVE_INFINITY
      }
      if (live < least) {
        least = live
        best = first
      }
    }
    if (best >= 0) for (let i = 0; i < wanted; i++) yield best + i
  }

  free(segment: number): void {
    const length = this.sizeOf(segment) / this.segmentBytes
    const at = this.filled.indexOf(segment)
    if (at >= 0) this.filled.splice(at, 1)
    // The head first: a run without its head is nothing to whoever adopts.
    for (let i = 0; i < length; i++) {
      this.setCell(segment + i, segmentRow.state, segmentStates.free)
      this.setCell(segment + i, segmentRow.used, 0)
      this.setCell(segment + i, segmentRow.live, 0)
      this.freeCount++
    }
  }

  forEachEntry(segment: number, visit: (at: number) => void): void {
    const start = this.startOf(segment)
    const end = start + this.cell(segment, segmentRow.used)
    for (let at = start; at < end; ) {
      const bytes = this.words[at / 4 + entryWord.bytes] as number
      if (bytes < 32 || at + bytes > end || bytes % 8 !== 0) return
      visit(at)
      at += bytes
    }
  }

  /** Finds out what an owner that died has left, and shows every entry. */
  recover(visit: (at: number) => void): void {
    this.filled.length = 0
    this.filling = -1
    this.freeCount = 0
    const held: number[] = []
    for (let segment = 0; segment < this.count; segment++) {
      const state = this.cell(segment, segmentRow.state)
      const headed = state !== segmentStates.runRest || this.belongsToRun(segment)
      if (
        state === segmentStates.free ||
        !headed ||
        (state === segmentStates.run && this.cell(segment, segmentRow.used) === 0)
      ) {
        this.setCell(segment, segmentRow.state, segmentStates.free)
        this.setCell(segment, segmentRow.used, 0)
        this.freeCount++
        continue
      }
      if (state === segmentStates.runRest) continue
      if (state === segmentStates.filling) this.setCell(segment, segmentRow.state, segmentStates.full)
      held.push(segment)
    }
    held.sort((a, b) => this.cell(a, segmentRow.order) - this.cell(b, segmentRow.order))
    this.filled.push(...held)
    this.order = held.reduce(
      (most, segment) => Math.max(most, this.cell(segment, segmentRow.order)),
      this.order,
    )
    for (const segment of held) this.forEachEntry(segment, visit)
  }

  private belongsToRun(segment: number): boolean {
    let head = segment
    while (head > 0 && this.cell(head, segmentRow.state) === segmentStates.runRest) head--
    if (this.cell(head, segmentRow.state) !== segmentStates.run) return false
    return head + this.runLength(this.cell(head, segmentRow.used)) > segment
  }

  /** Counts anew what lives. */
  recount(lives: (at: number) => boolean): void {
    this.liveBytes = 0
    for (const segment of this.filled) {
      let live = 0
      this.forEachEntry(segment, (at) => {
        if (lives(at)) live += this.words[at / 4 + entryWord.bytes] as number
      })
      this.setCell(segment, segmentRow.live, live)
      this.liveBytes += live
    }
  }
}
