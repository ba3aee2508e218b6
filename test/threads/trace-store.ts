// The disk of a replayed node: the simulated disk (storage/memory-store), which answers when the thread's store did.
// A batch takes effect when it was answered, or before, when an answer to something else shows that it had. What it
// answers to a read must be what RocksDB answered.

import type { MemoryStore } from '../../dist/storage/memory-store.js'
import type { CommitLevel, Done, Row, RowKey, Store, Write } from '../../dist/storage/store.js'
import { digestOfRows, digestOfWrites } from './trace-digest.mjs'

export interface Call {
  readonly number: number
  readonly kind: 'commit' | 'delete-range' | 'read' | 'walk'
  readonly level?: CommitLevel
  readonly asked: unknown
}

export interface Answer {
  readonly number: number
  readonly error?: string
  readonly rows?: string
}

type Flat = readonly (RowKey | Uint8Array | Error | undefined)[]

interface Change {
  readonly apply: () => void
  readonly done: Done
  applied: boolean
}

interface Look {
  readonly look: () => void
  readonly seen: { readonly flat: Flat; readonly done: () => void }[]
}

export class HeldStore implements Store {
  private readonly inner: MemoryStore
  /** Notes a call, and answers its number on the thread. */
  private readonly called: (call: Omit<Call, 'number'>) => number
  /** Lets the inner store answer. */
  private readonly pump: () => void
  private readonly changes = new Map<number, Change>()
  private readonly looks = new Map<number, Look>()
  private readonly counts: { read: number; overtaken: number }

  constructor(
    inner: Store,
    called: (call: Omit<Call, 'number'>) => number,
    pump: () => void,
    counts: { read: number; overtaken: number },
  ) {
    this.counts = counts
    this.inner = inner as MemoryStore
    this.called = called
    this.pump = pump
  }

  commit(writes: readonly Write[], level: CommitLevel, done: Done): void {
    const number = this.called({ kind: 'commit', level, asked: digestOfWrites(writes) })
    const apply = () => this.inner.commit(writes, level, () => {})
    this.changes.set(number, { apply, done, applied: false })
  }

  deleteRange(from: RowKey, to: RowKey, done: Done): void {
    const number = this.called({ kind: 'delete-range', asked: [from, to] })
    const apply = () => this.inner.deleteRange(from, to, () => {})
    this.changes.set(number, { apply, done, applied: false })
  }

  read(
    rows: readonly RowKey[],
    done: (error: Error | undefined, values: readonly (Uint8Array | Error | undefined)[]) => void,
  ): void {
    const look: Look = {
      seen: [],
      look: () =>
        this.inner.read(rows, (error, values) =>
          look.seen.push({ flat: values, done: () => done(error, values) }),
        ),
    }
    this.begin(this.called({ kind: 'read', asked: rows }), look)
  }

  walk(
    after: RowKey,
    before: RowKey,
    limit: number,
    done: (error: Error | undefined, rows: readonly Row[]) => void,
  ): void {
    const look: Look = {
      seen: [],
      look: () =>
        this.inner.walk(after, before, limit, (error, rows) => {
          const flat = rows.flatMap(({ row, value }) => [row, value])
          look.seen.push({ flat, done: () => done(error, rows) })
        }),
    }
    this.begin(this.called({ kind: 'walk', asked: [after, before, limit] }), look)
  }

  close(done: Done): void {
    this.inner.close(done)
  }

  private begin(number: number, look: Look): void {
    this.looks.set(number, look)
    look.look()
    this.pump()
  }

  /**
   * What was under way takes effect, in order, until the disk is as it should be; who reads meanwhile may have seen it or
   * not.
   */
  apply(isThere = () => false): void {
    for (const change of this.changes.values()) {
      if (change.applied) continue
      if (isThere()) break
      change.applied = true
      change.apply()
    }
    for (const { look } of this.looks.values()) look()
    this.pump()
  }

  /** The thread's store has answered. */
  answer({ number, error, rows }: Answer): void {
    // At an orderly end what still looks is told so; the life is over, and nobody waits for it.
    if (error === 'the store is closed' && this.looks.delete(number)) return
    if (error !== undefined) throw new Error(`call ${number} failed on the thread: ${error}`)
    const change = this.changes.get(number)
    if (change !== undefined) {
      if (!change.applied) this.apply()
      this.changes.delete(number)
      change.done(undefined)
      return
    }
    const look = this.looks.get(number)
    if (look === undefined) throw new Error(`call ${number} was answered on the thread and never made here`)
    let found = look.seen.find(({ flat }) => digestOfRows(flat) === rows)
    if (found === undefined) {
      this.apply()
      found = look.seen.find(({ flat }) => digestOfRows(flat) === rows)
    }
    if (found === undefined)
      throw new Error(`call ${number}: RocksDB answered otherwise than the simulated disk`)
    this.counts.read++
    if (found !== look.seen[0]) this.counts.overtaken++
    this.looks.delete(number)
    found.done()
  }
}
