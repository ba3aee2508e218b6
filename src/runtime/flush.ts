// When what is unflushed in memory becomes rows, how far that has come, who waits for it, and what of the log it makes
// superfluous (Dynamo 6.1, the writer thread of the object buffer). The batches themselves are the journal's.
//
// Invariants: a flush takes as many objects as were unflushed when it began, the longest unflushed first, so
// everything that was written before it has its row when it has ended. Only then may what was logged before it go.

import type { Millis } from '../base/units.js'
import type { Memory } from './ports.js'

/** The longest that an unflushed object waits for its row. Longer coalesces more overwrites, and is more to read at a start. */
const flushEveryMs = 10_000
/** Unflushed bytes that start a flush before its time. */
const flushBytes = 32 * 1024 * 1024
/** Logged bytes that do the same: what a new life reads before it begins, at about 200 MB a second. */
const redoBytesMax = 64 * 1024 * 1024

export class Flush {
  /** Objects still to be flushed in the flush that is going on. */
  left = 0
  /** What was received before this has its rows. */
  flushedTo: Millis
  private readonly memory: Memory
  private isGoing = false
  private begunAt: Millis = 0
  private due: Millis
  private isHurried = false
  private readonly barriers: { readonly begunAt: Millis; readonly done: () => void }[] = []
  /** Logged since the last flush began, and the last batch before that. */
  private loggedBytes = 0
  private begunSequence = 0
  /** Earlier batches have nothing in the log any more. Of earlier lives nobody knows where theirs began. */
  private loggedFrom = 0

  constructor(memory: Memory, now: Millis) {
    this.memory = memory
    const isEmpty = memory.dirtyObjects === 0
    // What came over is flushed at once: the log that it is in grows with each life that ends early.
    this.due = isEmpty ? now + flushEveryMs : now
    this.flushedTo = isEmpty ? now : 0
  }

  /** Calls back when everything received before `begunAt` has its row. */
  barrier(begunAt: Millis, done: () => void): void {
    if (this.flushedTo >= begunAt) return done()
    this.barriers.push({ begunAt, done })
    this.due = 0
  }

  /** As soon as possible, from now on: one flush after another. */
  hurry(): void {
    this.isHurried = true
    this.due = 0
  }

  nextDue(): Millis {
    return this.memory.dirtyObjects > 0 ? this.due : Number.POSITIVE_INFINITY
  }

  noteLogged(bytes: number): void {
    this.loggedBytes += bytes
  }

  /** Begins when it is time; `sequence` is the last batch so far. True: it has ended as well, with nothing to do. */
  begin(now: Millis, sequence: number): boolean {
    const { memory } = this
    if (this.isGoing) return false
    const isLarge =
      memory.dirtyBytes >= Math.min(flushBytes, memory.capacityBytes / 8) || this.loggedBytes >= redoBytesMax
    if (now < this.due && !isLarge) return false
    this.isGoing = true
    this.begunAt = now
    this.begunSequence = sequence
    this.loggedBytes = 0
    this.left = memory.dirtyObjects
    return this.left === 0
  }

  /** So many were handed out; none: the rest was overwritten or written through meanwhile. */
  took(count: number): void {
    this.left = count === 0 ? 0 : this.left - count
  }

  /** True when the batch that is being made is the last of a flush. */
  get endsHere(): boolean {
    return this.isGoing && this.left === 0
  }

  ended(now: Millis): void {
    this.isGoing = false
    this.flushedTo = this.begunAt
    this.due = this.isHurried ? 0 : now + flushEveryMs
    for (let i = this.barriers.length - 1; i >= 0; i--) {
      const waiting = this.barriers[i]
      if (waiting === undefined || waiting.begunAt > this.flushedTo) continue
      this.barriers.splice(i, 1)
      waiting.done()
    }
    if (this.barriers.length > 0) this.due = 0
  }

  /**
   * The batches whose log is superfluous since the last flush, for who deletes it: up to the one before that began, or
   * to `all` when nothing is unflushed any more.
   */
  superfluous(all: number | undefined): { readonly from: number; readonly to: number } | undefined {
    const from = this.loggedFrom
    const to = all ?? this.begunSequence
    if (to < from) return undefined
    this.loggedFrom = to + 1
    return { from, to }
  }
}
