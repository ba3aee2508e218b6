// A store in memory, for clusters without a directory and for the simulated world, where it is a disk: it
// knows what was applied, what the log holds, and what is fsynced, and can be crashed to any of them.
// State changes at once; callbacks come through `schedule`, so that whoever runs the world decides when.

import type { CommitLevel, Done, Row, RowKey, Store, Write } from './store.js'

interface Batch {
  readonly writes: readonly Write[]
}

export interface MemoryStore extends Store {
  /**
   * What is left after a crash, as a new store; this one is dead. A process that dies loses nothing that was
   * committed ('os' is the least level). A power cut loses what was not fsynced, but for a part of it, oldest
   * first, that `keep` (0 to 1) says had reached the disk by itself.
   */
  crash(kind: 'process' | 'power', keep?: number): MemoryStore
  readonly size: number
}

export function createMemoryStore(schedule: (task: () => void) => void): MemoryStore {
  return new SortedStore(schedule, new Map(), [])
}

class SortedStore implements MemoryStore {
  private readonly schedule: (task: () => void) => void
  /** Everything applied. */
  private readonly rows: Map<RowKey, Uint8Array>
  /** Row keys in order, or undefined after a new or deleted key. */
  private order: RowKey[] | undefined
  /** What the disk holds for sure, as of the last fsync, and the batches since. */
  private synced: Map<RowKey, Uint8Array>
  private readonly unsynced: Batch[]
  private closed: Error | undefined

  constructor(schedule: (task: () => void) => void, rows: Map<RowKey, Uint8Array>, unsynced: Batch[]) {
    this.schedule = schedule
    this.rows = rows
    this.synced = new Map(rows)
    this.unsynced = unsynced
  }

  get size(): number {
    return this.rows.size
  }

  commit(writes: readonly Write[], level: CommitLevel, done: Done): void {
    if (this.closed === undefined) {
      const copy = writes.map(({ row, value }) => ({ row, value: value && Uint8Array.from(value) }))
      for (const { row, value } of copy) this.apply(row, value)
      this.unsynced.push({ writes: copy })
      if (level === 'disk') this.sync()
    }
    this.answer(() => done(this.closed))
  }

  private apply(row: RowKey, value: Uint8Array | undefined): void {
    if (value === undefined) {
      if (this.rows.delete(row)) this.order = undefined
    } else {
      if (!this.rows.has(row)) this.order = undefined
      this.rows.set(row, value)
    }
  }

  private sync(): void {
    applyAll(this.synced, this.unsynced.splice(0))
  }

  read(
    rows: readonly RowKey[],
    done: (error: Error | undefined, values: readonly (Uint8Array | Error | undefined)[]) => void,
  ): void {
    this.answer(() =>
      done(this.closed, this.closed === undefined ? rows.map((row) => this.rows.get(row)) : []),
    )
  }

  walk(
    after: RowKey,
    before: RowKey,
    limit: number,
    done: (error: Error | undefined, rows: readonly Row[]) => void,
  ): void {
    this.answer(() => {
      const found: Row[] = []
      const order = this.sorted()
      for (let i = firstAfter(order, after); i < order.length && found.length < limit; i++) {
        const row = order[i] as RowKey
        if (row >= before) break
        found.push({ row, value: this.rows.get(row) as Uint8Array })
      }
      done(this.closed, this.closed === undefined ? found : [])
    })
  }

  private sorted(): RowKey[] {
    this.order ??= [...this.rows.keys()].sort((a, b) => (a < b ? -1 : 1))
    return this.order
  }

  deleteRange(from: RowKey, to: RowKey, done: Done): void {
    const writes = this.sorted()
      .filter((row) => row >= from && row < to)
      .map((row) => ({ row, value: undefined }))
    this.commit(writes, 'os', done)
  }

  close(done: Done): void {
    const before = this.closed
    this.closed ??= new Error('the store is closed')
    this.answer(() => done(before))
  }

  crash(kind: 'process' | 'power', keep = 0): MemoryStore {
    this.closed = new Error('the store has crashed')
    const left = kind === 'process' ? this.unsynced.length : Math.floor(this.unsynced.length * keep)
    const survived = new Map(this.synced)
    applyAll(survived, this.unsynced.slice(0, left))
    const next = new SortedStore(this.schedule, survived, [])
    if (kind === 'process') {
      // The log is in the page cache: a later power cut may still take it.
      next.synced = new Map(this.synced)
      next.unsynced.push(...this.unsynced)
    }
    return next
  }

  private answer(task: () => void): void {
    this.schedule(task)
  }
}

function applyAll(rows: Map<RowKey, Uint8Array>, batches: readonly Batch[]): void {
  for (const { writes } of batches) {
    for (const { row, value } of writes) {
      if (value === undefined) rows.delete(row)
      else rows.set(row, value)
    }
  }
}

function firstAfter(order: readonly RowKey[], after: RowKey): number {
  let low = 0
  let high = order.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((order[middle] as RowKey) <= after) low = middle + 1
    else high = middle
  }
  return low
}
