// A store that answers only when the test says so, and ports with a clock that the test moves: everything
// that a journal, an aside or a whole host needs, with nothing happening by itself.

import { seededRandom } from '../../src/base/random.js'
import type { Key, Millis } from '../../src/base/units.js'
import type { Envelope } from '../../src/protocol/envelope.js'
import type { HighWater, HostPorts, HostStorage, Life } from '../../src/runtime/ports.js'
import { Trees } from '../../src/runtime/trees.js'
import { ObjectBuffer } from '../../src/storage/object-buffer.js'
import { createObjectBuffer } from '../../src/storage/object-buffer-layout.js'
import type { CommitLevel, Done, Row, RowKey, Store, Write } from '../../src/storage/store.js'

export interface PendingCommit {
  readonly writes: readonly Write[]
  readonly level: CommitLevel
  /** Ends the commit: applied, or failed and not applied. */
  readonly end: (error?: Error) => void
}

export interface PendingRead {
  readonly rows: readonly RowKey[]
  /** Answers with what the store holds, or with errors in the place of rows. */
  readonly end: (damaged?: ReadonlyMap<RowKey, Error | Uint8Array>, error?: Error) => void
}

export class HandDrivenStore implements Store {
  readonly rows = new Map<RowKey, Uint8Array>()
  readonly commits: PendingCommit[] = []
  readonly deletions: {
    readonly from: RowKey
    readonly to: RowKey
    readonly end: (error?: Error) => void
  }[] = []
  readonly reads: PendingRead[] = []
  readonly walks: {
    readonly after: RowKey
    readonly before: RowKey
    readonly end: (error?: Error) => void
  }[] = []

  commit(writes: readonly Write[], level: CommitLevel, done: Done): void {
    const copy = writes.map(({ row, value }) => ({ row, value: value && Uint8Array.from(value) }))
    this.commits.push({
      writes: copy,
      level,
      end: (error) => {
        if (error === undefined) {
          for (const { row, value } of copy) {
            if (value === undefined) this.rows.delete(row)
            else this.rows.set(row, value)
          }
        }
        done(error)
      },
    })
  }

  read(
    rows: readonly RowKey[],
    done: (error: Error | undefined, values: readonly (Uint8Array | Error | undefined)[]) => void,
  ): void {
    const end: PendingRead['end'] = (damaged, error) =>
      done(error, error === undefined ? rows.map((row) => damaged?.get(row) ?? this.rows.get(row)) : [])
    this.reads.push({ rows, end })
  }

  walk(
    after: RowKey,
    before: RowKey,
    limit: number,
    done: (error: Error | undefined, rows: readonly Row[]) => void,
  ): void {
    const end = (error?: Error) => {
      const found = [...this.rows]
        .filter(([row]) => row > after && row < before)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .slice(0, limit)
      done(error, error === undefined ? found.map(([row, value]) => ({ row, value })) : [])
    }
    this.walks.push({ after, before, end })
  }

  deleteRange(from: RowKey, to: RowKey, done: Done): void {
    const end = (error?: Error) => {
      if (error === undefined)
        for (const row of this.rows.keys()) if (row >= from && row < to) this.rows.delete(row)
      done(error)
    }
    this.deletions.push({ from, to, end })
  }

  close(done: Done): void {
    done(undefined)
  }

  nextCommit(): PendingCommit {
    const commit = this.commits.shift()
    if (commit === undefined) throw new Error('no commit is under way')
    return commit
  }

  nextRead(): PendingRead {
    const read = this.reads.shift()
    if (read === undefined) throw new Error('no read is under way')
    return read
  }
}

export interface HandDriven {
  readonly ports: HostPorts
  readonly storage: HostStorage
  readonly store: HandDrivenStore
  readonly memory: ObjectBuffer
  readonly clock: { now: Millis; wall: Millis }
  /** What left the thread, in order. */
  readonly posted: Envelope[]
  readonly outside: Envelope[]
  readonly fatal: Error[]
  /** Batch numbers, as the high-water mark heard of them. */
  readonly marks: number[]
  wakes: number
}

export function handDriven(
  options: { readonly complete?: boolean; readonly life?: Partial<Life>; readonly memoryBytes?: number } = {},
): HandDriven {
  const store = new HandDrivenStore()
  const memory = new ObjectBuffer(createObjectBuffer(options.memoryBytes ?? 1024 * 1024))
  memory.complete = options.complete ?? true
  const clock = { now: 1_000, wall: 1_700_000_000_000 }
  const posted: Envelope[] = []
  const outside: Envelope[] = []
  const fatal: Error[] = []
  const marks: number[] = []
  const highWater: HighWater = { note: (_incarnation, sequence) => void marks.push(sequence) }
  const storage: HostStorage = { memory, store, highWater, trees: new Trees(16), sequence: 10, logged: true }
  const ports: HostPorts = {
    thread: 1,
    now: () => clock.now,
    wall: () => clock.wall,
    random: seededRandom(1),
    post: (envelope) => {
      posted.push(envelope)
      return 'sent'
    },
    outside: (envelope) => void outside.push(envelope),
    wake: () => {
      driven.wakes++
    },
    fatal: (error) => void fatal.push(error),
    life: { incarnation: 77, stampFloor: 0, catchUp: undefined, volatile: [], ...options.life },
    storage,
    heard: () => {},
    mendEveryMs: 0,
    travelMsMax: 60_000,
    reapAfterMs: 0,
    peers: () => [0, 3, 4],
  }
  const driven: HandDriven = { ports, storage, store, memory, clock, posted, outside, fatal, marks, wakes: 0 }
  return driven
}

export function key(text: string): Key {
  return `test\0${text}` as Key
}
