// Fills the object buffer from the store after a restart, behind everything else: requests are served from the first
// moment (what is not in memory is read for them), and soon without the disk, from shared memory. A page at a time,
// none while requests wait, and never more than there is room for: nothing is evicted for it.
//
// Invariant: what it puts into memory is what the store has now. A page may be older than what happened since it was
// asked for. What was written since is in memory, and stays as it is; and when anything was evicted or deleted since,
// or a deletion was on its way, the page is not used.

import type { Key, Millis } from '../base/units.js'
import { keyOfRow } from '../storage/layout.js'
import type { Row, RowKey } from '../storage/store.js'
import { looksWhole } from '../versions/object-codec.js'
import type { Journal } from './journal.js'
import type { HostPorts, HostStorage } from './ports.js'

/** Rows of all objects, of whatever partition. */
const firstRow: RowKey = 'o'
const endRow: RowKey = 'p'
const pageRowsMax = 256
const pageBytes = 256 * 1024
/** Pause between two pages, so that most of the node's time is left to others. */
const pauseMs: Millis = 5
/** As long as more messages than this wait, no page is asked for. */
const queuedMax = 64
/** This part of memory is left to what is written. */
const roomShare = 1 / 8

export class Warming {
  private readonly ports: HostPorts
  private readonly storage: HostStorage
  private readonly journal: Journal
  private readonly hashOf: (key: Key) => number
  private after: RowKey = firstRow
  private due: Millis
  private reading = false
  /** So few first, since rows can be large; then as many as are a page, by what they are like. */
  private pageRows = 16
  private evictions: number
  isOver = false

  constructor(ports: HostPorts, storage: HostStorage, journal: Journal, hashOf: (key: Key) => number) {
    this.ports = ports
    this.storage = storage
    this.journal = journal
    this.hashOf = hashOf
    this.due = ports.now() + pauseMs
    this.evictions = storage.memory.evictions
    this.isOver = storage.memory.complete || ports.warms === false
  }

  nextDue(): Millis | undefined {
    return this.isOver || this.reading ? undefined : this.due
  }

  /** Asks for the next page when it is time and nobody waits. */
  pump(now: Millis, queued: number): void {
    if (this.isOver || this.reading || now < this.due) return
    const { memory, store } = this.storage
    if (memory.evictions !== this.evictions || !this.hasRoom()) {
      this.isOver = true
      return
    }
    this.due = now + pauseMs
    if (queued > queuedMax || memory.forgetting) return
    const { forgets } = this.journal
    this.reading = true
    store.walk(this.after, endRow, this.pageRows, (error, rows) => {
      this.reading = false
      this.due = this.ports.now() + pauseMs
      if (error !== undefined) this.isOver = true
      else if (memory.evictions === this.evictions && this.journal.forgets === forgets) this.take(rows)
      this.ports.wake()
    })
  }

  private hasRoom(): boolean {
    const { memory } = this.storage
    return memory.freeBytes >= memory.capacityBytes * roomShare
  }

  private take(rows: readonly Row[]): void {
    const { memory } = this.storage
    let largest = 1
    for (const { row, value } of rows) {
      if (!this.hasRoom()) {
        this.isOver = true
        return
      }
      const key = keyOfRow(row)
      const hash = this.hashOf(key)
      // What is damaged is found, and mended, when it is asked for.
      if (!memory.has(key, hash) && looksWhole(value, hash)) memory.put(key, hash, value, 'clean')
      largest = Math.max(largest, value.length)
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < this.pageRows) this.isOver = true
    else this.after = last.row
    this.pageRows = Math.min(pageRowsMax, Math.max(1, Math.floor(pageBytes / largest)))
  }
}
