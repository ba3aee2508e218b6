// A store in memory, for clusters without a directory and for the simulated world, where it is a disk: it
// knows what was applied, what the log holds, and what is fsynced, and can be crashed to any of them.
// State changes at once, in the order of the calls; callbacks come through `schedule`, so that whoever runs
// the world decides when. Values that were read are the store's own: nobody writes into them.
//
// Invariant: `before` undone from `rows` is what a power cut leaves for sure; `unsynced`, applied to that in
// order, gives `rows` again.

import { RingspunError } from '../base/errors.js'
import { OrderedRows } from './ordered-rows.js'
import type { CommitLevel, Done, Row, RowKey, Store, Write } from './store.js'

export interface MemoryStore extends Store {
  /**
   * What is left after a crash, as a new store; this one is dead, and what was not answered yet is answered
   * with an error. A process that dies loses nothing that was committed ('os' is the least level). A power cut
   * loses what was not fsynced, but for a part, oldest batches first, that had reached the disk by itself:
   * `keep`, drawn by the caller, 0 <= keep < 1, says how large that part is, every size equally likely.
   */
  crash(kind: 'process' | 'power', keep?: number): MemoryStore
  /** A backup: the same rows, all of them fsynced, in a store of its own. */
  copy(): MemoryStore
  /** Rows that are there. */
  readonly size: number
  /** A row as it is now, past every queue: for whoever watches from outside. */
  look(row: RowKey): Uint8Array | undefined
}

/** `schedule` runs a task later, never at once, and tasks in the order in which it was given them. */
export function createMemoryStore(schedule: (task: () => void) => void): MemoryStore {
  return new SortedStore(schedule)
}

/** Kernels write back by themselves within seconds; here what is not fsynced is bounded by its size. */
const unsyncedBytesMax = 16 * 1024 * 1024
/** Counted per row on top of its bytes. */
const rowOverheadBytes = 64

class SortedStore implements MemoryStore {
  private readonly schedule: (task: () => void) => void
  /** Everything applied. */
  private readonly rows = new Map<RowKey, Uint8Array>()
  private readonly order = new OrderedRows()
  /** Batches since the last fsync, oldest first. */
  private unsynced: (readonly Write[])[] = []
  private unsyncedBytes = 0
  /** What the rows of `unsynced` were at the last fsync. */
  private readonly before = new Map<RowKey, Uint8Array | undefined>()
  private closed = false
  private crashed = false

  constructor(schedule: (task: () => void) => void) {
    this.schedule = schedule
  }

  get size(): number {
    return this.rows.size
  }

  look(row: RowKey): Uint8Array | undefined {
    return this.rows.get(row)
  }

  commit(writes: readonly Write[], level: CommitLevel, done: Done): void {
    if (!this.closed) {
      const copies: Write[] = []
      for (const { row, value } of writes) copies.push({ row, value: value && Uint8Array.from(value) })
      this.applyUnsynced(copies)
      if (level === 'disk' || this.unsyncedBytes > unsyncedBytesMax) this.sync()
    }
    this.answer(this.closed, done)
  }

  private applyUnsynced(batch: readonly Write[]): void {
    for (const { row, value } of batch) {
      if (!this.before.has(row)) this.before.set(row, this.rows.get(row))
      this.unsyncedBytes += row.length + (value?.length ?? 0) + rowOverheadBytes
      this.apply(row, value)
    }
    this.unsynced.push(batch)
  }

  private apply(row: RowKey, value: Uint8Array | undefined): void {
    if (value === undefined) {
      if (this.rows.delete(row)) this.order.remove(row)
    } else {
      if (!this.rows.has(row)) this.order.add(row)
      this.rows.set(row, value)
    }
  }

  private sync(): void {
    this.unsynced = []
    this.unsyncedBytes = 0
    this.before.clear()
  }

  read(
    rows: readonly RowKey[],
    done: (error: Error | undefined, values: readonly (Uint8Array | Error | undefined)[]) => void,
  ): void {
    const values = this.closed ? [] : rows.map((row) => this.rows.get(row))
    this.answer(this.closed, (error) => done(error, error === undefined ? values : []))
  }

  walk(
    after: RowKey,
    before: RowKey,
    limit: number,
    done: (error: Error | undefined, rows: readonly Row[]) => void,
  ): void {
    const found: Row[] = []
    if (!this.closed) {
      // The least row that is larger than `after`.
      for (const row of this.order.range(`${after}\0`, before, limit)) {
        found.push({ row, value: this.rows.get(row) as Uint8Array })
      }
    }
    this.answer(this.closed, (error) => done(error, error === undefined ? found : []))
  }

  deleteRange(from: RowKey, to: RowKey, done: Done): void {
    const rows = this.order.range(from, to, Number.POSITIVE_INFINITY)
    this.commit(
      rows.map((row) => ({ row, value: undefined })),
      'os',
      done,
    )
  }

  close(done: Done): void {
    const refused = this.closed
    this.closed = true
    this.answer(refused, done)
  }

  crash(kind: 'process' | 'power', keep = 0): MemoryStore {
    const next = new SortedStore(this.schedule)
    for (const [row, value] of this.rows) {
      if (!this.before.has(row)) next.apply(row, value)
    }
    for (const [row, value] of this.before) next.apply(row, value)
    // After the death of a process its log is in the page cache: a later power cut may still take that.
    const kept = kind === 'process' ? this.unsynced.length : Math.floor(keep * (this.unsynced.length + 1))
    for (const batch of this.unsynced.slice(0, kept)) next.applyUnsynced(batch)
    if (kind === 'power') next.sync()
    this.closed = true
    this.crashed = true
    return next
  }

  copy(): MemoryStore {
    const copy = new SortedStore(this.schedule)
    for (const [row, value] of this.rows) copy.apply(row, value)
    return copy
  }

  /** A call that was accepted before `close` is answered with its result; after a crash nothing is. */
  private answer(refused: boolean, done: Done): void {
    this.schedule(() => {
      if (this.crashed) done(new RingspunError('storage-failed', 'the store has crashed'))
      else done(refused ? new RingspunError('closed', 'the store is closed') : undefined)
    })
  }
}
