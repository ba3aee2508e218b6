// The disk of a simulated node, with its faults: slow for a while, or stalled; failing, after which nothing is
// accepted until the store is opened again; full; answering reads with errors or flipped bits. One per life of a
// node, over what the disk holds; the faults are the node's and outlast its lives.

import { RingspunError } from '../base/errors.js'
import { type Random, randomBelow } from '../base/random.js'
import type { Millis } from '../base/units.js'
import type { CommitLevel, Done, Row, RowKey, Store, Write } from '../storage/store.js'

/** Instants until which each fault lasts; 0 for none. */
export interface DiskFaults {
  slowUntil: Millis
  slowMs: Millis
  stalledUntil: Millis
  failingUntil: Millis
  fullUntil: Millis
  rottenUntil: Millis
}

export function noDiskFaults(): DiskFaults {
  return { slowUntil: 0, slowMs: 0, stalledUntil: 0, failingUntil: 0, fullUntil: 0, rottenUntil: 0 }
}

export interface DiskPorts {
  readonly random: Random
  now(): Millis
  schedule(delay: Millis, run: () => void): void
  /** True when the life that asks is over: nothing is answered any more. */
  isOver(): boolean
  /** The longest that a commit takes when all is well. */
  readonly commitMsMax: Millis
}

/** Rows of objects alone rot: of a hint there is no second copy to mend it from. */
const objectRows = 'o'
const rotChance = 0.5

export class FaultyDisk implements Store {
  private readonly inner: Store
  private readonly faults: DiskFaults
  private readonly ports: DiskPorts
  private failed: string | undefined
  /** When the last commit that is under way happens: none overtakes another. */
  private busyUntil: Millis = 0

  constructor(inner: Store, faults: DiskFaults, ports: DiskPorts) {
    this.inner = inner
    this.faults = faults
    this.ports = ports
  }

  commit(writes: readonly Write[], level: CommitLevel, done: Done): void {
    this.change(done, (at, answer) => this.inner.commit(writes, at === 'failing' ? 'os' : level, answer))
  }

  private change(done: Done, change: (at: 'failing' | 'well', answer: Done) => void): void {
    const now = this.ports.now()
    const { faults } = this
    const answer = this.late(done)
    if (this.failed === undefined && now < faults.fullUntil) this.failed = 'ENOSPC'
    else if (this.failed === undefined && now < faults.failingUntil) {
      this.failed = 'EIO'
      // What fails may have landed all the same.
      if (this.ports.random() < 0.5) return change('failing', () => answer(this.failure()))
    }
    if (this.failed !== undefined) this.ports.schedule(0, () => answer(this.failure()))
    else this.inTurn(() => change('well', answer))
  }

  /** A change happens somewhere between the call and the answer; who dies meanwhile never knows whether it did. */
  private inTurn(change: () => void): void {
    const { ports } = this
    const now = ports.now()
    this.busyUntil = Math.max(this.busyUntil, now + ports.commitMsMax * ports.random())
    ports.schedule(this.busyUntil - now, change)
  }

  deleteRange(from: RowKey, to: RowKey, done: Done): void {
    this.change(done, (_at, answer) => this.inner.deleteRange(from, to, answer))
  }

  private failure(): RingspunError {
    const reason = `injected: ${this.failed}`
    return new RingspunError('storage-failed', reason, { reason })
  }

  read(
    rows: readonly RowKey[],
    done: (error: Error | undefined, values: readonly (Uint8Array | Error | undefined)[]) => void,
  ): void {
    const answer = this.late(done)
    this.inner.read(rows, (error, values) => {
      if (!this.isRotten) return answer(error, values)
      const seen = values.map((value, at) =>
        value instanceof Uint8Array ? this.damage(rows[at] as RowKey, value) : value,
      )
      answer(error, seen)
    })
  }

  walk(
    after: RowKey,
    before: RowKey,
    limit: number,
    done: (error: Error | undefined, rows: readonly Row[]) => void,
  ): void {
    const answer = this.late(done)
    this.inner.walk(after, before, limit, (error, rows) => {
      if (!this.isRotten) return answer(error, rows)
      const seen: Row[] = []
      for (const { row, value } of rows) {
        const damaged = this.damage(row, value)
        if (damaged instanceof Error) return answer(damaged, [])
        seen.push({ row, value: damaged })
      }
      answer(error, seen)
    })
  }

  close(done: Done): void {
    this.inner.close(done)
  }

  private get isRotten(): boolean {
    return this.ports.now() < this.faults.rottenUntil
  }

  private damage(row: RowKey, value: Uint8Array): Uint8Array | Error {
    const { random } = this.ports
    if (!row.startsWith(objectRows) || value.length === 0 || random() >= rotChance) return value
    if (random() < 0.3) return new RingspunError('storage-failed', 'injected: EIO', { reason: 'EIO' })
    const seen = Uint8Array.from(value)
    const at = randomBelow(random, seen.length)
    seen[at] = (seen[at] as number) ^ (1 << randomBelow(random, 8))
    return seen
  }

  /** The answer, as late as the disk is slow. */
  private late<A extends unknown[]>(done: (...answer: A) => void): (...answer: A) => void {
    const { faults, ports } = this
    const now = ports.now()
    let delay = 0
    if (now < faults.slowUntil) delay = faults.slowMs * ports.random()
    if (now < faults.stalledUntil) delay = Math.max(delay, faults.stalledUntil - now)
    const told = (...answer: A) => {
      if (!ports.isOver()) done(...answer)
    }
    if (delay === 0) return told
    return (...answer) => ports.schedule(delay, () => told(...answer))
  }
}
