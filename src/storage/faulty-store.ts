// A store that fails as disks do, by plan: put before any store, in tests and in the simulated world. The plan
// is data, so that a failing run can print it and be run again; randomness is handed in.
//
// What is true of real disks and is kept here: a commit that fails may have landed all the same; after one
// failure no later commit is accepted; a lost commit is answered like any other; a rotten row looks like a row.
// It invents nothing else: without faults it passes the contract suite of every store.

import { RingspunError } from '../base/errors.js'
import { type Random, randomBelow } from '../base/random.js'
import type { Millis } from '../base/units.js'
import type { CommitLevel, Done, Row, RowKey, Store, Write } from './store.js'

/** `sync` is a commit at level 'disk', counted by itself: its batch is written, its fsync fails. */
export type FaultyCall = 'commit' | 'sync' | 'read' | 'walk'

/** The calls of a kind from the `first` to the `last`, counted from 1, or each with a chance (0 to 1). */
export type FaultTime = { readonly first: number; readonly last: number } | { readonly chance: number }

export type Fault =
  /** Answers with an error. `lands`: a commit is applied all the same. */
  | {
      readonly type: 'fail'
      readonly call: FaultyCall
      readonly when: FaultTime
      readonly error: 'EIO' | 'ENOSPC'
      readonly lands?: boolean
    }
  /** Commits fail with ENOSPC, without effect, when this many bytes were written. */
  | { readonly type: 'full'; readonly bytes: number }
  /** Commits are answered as done and never happen. */
  | { readonly type: 'lose'; readonly when: FaultTime }
  /** One bit of a value is flipped in what a read or walk answers, in rows that begin with `rows`. */
  | { readonly type: 'rot'; readonly rows: string; readonly chance: number }
  /** A read has an Error in the row's place; a walk over it fails. */
  | { readonly type: 'unreadable'; readonly rows: string; readonly chance: number }
  /** The answer comes late. */
  | {
      readonly type: 'delay'
      readonly call: 'commit' | 'read' | 'walk'
      readonly when: FaultTime
      readonly delay: Millis
    }

export interface FaultyPorts {
  readonly random: Random
  /** Runs the task later, never at once. */
  after(delay: Millis, task: () => void): void
}

export interface FaultyStore extends Store {
  /** The plan in words, one fault a line, with how often each has happened. */
  describe(): string
  /** No more faults, and commits are accepted again: as after a repair and a reopening. */
  heal(): void
}

export function createFaultyStore(inner: Store, plan: readonly Fault[], ports: FaultyPorts): FaultyStore {
  return new PlannedStore(inner, plan, ports)
}

type Answer<T> = (error: Error | undefined, result: T) => void

class PlannedStore implements FaultyStore {
  private readonly inner: Store
  private readonly planned: readonly Fault[]
  private active: readonly Fault[]
  private readonly ports: FaultyPorts
  private readonly calls: Record<FaultyCall, number> = { commit: 0, sync: 0, read: 0, walk: 0 }
  private readonly happened = new Map<Fault, number>()
  private bytes = 0
  private failed: string | undefined

  constructor(inner: Store, plan: readonly Fault[], ports: FaultyPorts) {
    this.inner = inner
    this.planned = plan
    this.active = plan
    this.ports = ports
  }

  commit(writes: readonly Write[], level: CommitLevel, done: Done): void {
    this.calls.commit++
    if (level === 'disk') this.calls.sync++
    for (const { row, value } of writes) this.bytes += row.length + (value?.length ?? 0)
    const answer = this.late('commit', (error: Error | undefined) => done(error))
    if (this.failed !== undefined) return this.refuse(answer)
    const fault = this.commitFault(level)
    if (fault === undefined) return this.inner.commit(writes, level, answer)
    if (fault.type === 'lose') return this.ports.after(0, () => answer(undefined))
    this.failed = fault.type === 'full' ? 'ENOSPC' : fault.error
    const { failed } = this
    const lands = fault.type === 'fail' && (fault.lands === true || fault.call === 'sync')
    if (lands) this.inner.commit(writes, 'os', () => answer(storageFailed(failed)))
    else this.ports.after(0, () => answer(storageFailed(failed)))
  }

  deleteRange(from: RowKey, to: RowKey, done: Done): void {
    if (this.failed !== undefined) this.refuse(done)
    else this.inner.deleteRange(from, to, done)
  }

  private refuse(answer: Done): void {
    const error = storageFailed(`the store failed before, ${this.failed}`)
    this.ports.after(0, () => answer(error))
  }

  private commitFault(level: CommitLevel) {
    for (const fault of this.active) {
      if (fault.type === 'full' && this.bytes > fault.bytes) return this.note(fault)
      if (fault.type === 'lose' && this.isTime('commit', fault.when)) return this.note(fault)
      if (fault.type !== 'fail') continue
      const concerned = fault.call === 'commit' || (fault.call === 'sync' && level === 'disk')
      if (concerned && this.isTime(fault.call, fault.when)) return this.note(fault)
    }
    return undefined
  }

  read(rows: readonly RowKey[], done: Answer<readonly (Uint8Array | Error | undefined)[]>): void {
    this.calls.read++
    const answer = this.late('read', done)
    const failure = this.failure('read')
    if (failure !== undefined) return this.ports.after(0, () => answer(failure, []))
    this.inner.read(rows, (error, values) => {
      if (error !== undefined) return answer(error, values)
      const seen = values.map((value, at) =>
        value instanceof Uint8Array ? this.damage(rows[at] as RowKey, value) : value,
      )
      answer(undefined, seen)
    })
  }

  walk(after: RowKey, before: RowKey, limit: number, done: Answer<readonly Row[]>): void {
    this.calls.walk++
    const answer = this.late('walk', done)
    const failure = this.failure('walk')
    if (failure !== undefined) return this.ports.after(0, () => answer(failure, []))
    this.inner.walk(after, before, limit, (error, rows) => {
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

  private failure(call: 'read' | 'walk'): Error | undefined {
    for (const fault of this.active) {
      if (fault.type !== 'fail' || fault.call !== call || !this.isTime(call, fault.when)) continue
      this.note(fault)
      return storageFailed(fault.error)
    }
    return undefined
  }

  private damage(row: RowKey, value: Uint8Array): Uint8Array | Error {
    let seen = value
    for (const fault of this.active) {
      if (fault.type !== 'rot' && fault.type !== 'unreadable') continue
      if (!row.startsWith(fault.rows) || this.ports.random() >= fault.chance) continue
      if (fault.type === 'unreadable') {
        this.note(fault)
        return storageFailed('EIO')
      }
      if (value.length === 0) continue
      this.note(fault)
      // What the store holds stays as it is: rot on the way out, or in a block that is read from disk again.
      seen = Uint8Array.from(seen)
      const at = randomBelow(this.ports.random, seen.length)
      seen[at] = (seen[at] as number) ^ (1 << randomBelow(this.ports.random, 8))
    }
    return seen
  }

  /** The answer, after all delays that are due for this call. */
  private late<A extends unknown[]>(
    call: 'commit' | 'read' | 'walk',
    done: (...answer: A) => void,
  ): (...answer: A) => void {
    let delay = 0
    for (const fault of this.active) {
      if (fault.type !== 'delay' || fault.call !== call || !this.isTime(call, fault.when)) continue
      this.note(fault)
      delay += fault.delay
    }
    if (delay === 0) return done
    return (...answer) => this.ports.after(delay, () => done(...answer))
  }

  private isTime(call: FaultyCall, when: FaultTime): boolean {
    if ('chance' in when) return this.ports.random() < when.chance
    return this.calls[call] >= when.first && this.calls[call] <= when.last
  }

  private note<F extends Fault>(fault: F): F {
    this.happened.set(fault, (this.happened.get(fault) ?? 0) + 1)
    return fault
  }

  describe(): string {
    if (this.planned.length === 0) return 'no faults'
    return this.planned
      .map((fault) => `${faultText(fault)}: ${this.happened.get(fault) ?? 0} so far`)
      .join('\n')
  }

  heal(): void {
    this.active = []
    this.failed = undefined
  }
}

function storageFailed(reason: string): RingspunError {
  return new RingspunError('storage-failed', `injected: ${reason}`, { reason })
}

function faultText(fault: Fault): string {
  switch (fault.type) {
    case 'fail': {
      const commits = fault.call === 'commit' || fault.call === 'sync'
      const lands = commits && (fault.lands === true || fault.call === 'sync') ? ', but lands' : ''
      return `${fault.call} ${timeText(fault.when)} fails with ${fault.error}${lands}`
    }
    case 'full':
      return `the disk is full after ${fault.bytes} bytes`
    case 'lose':
      return `commit ${timeText(fault.when)} is lost in silence`
    case 'rot':
      return `a bit rots in rows that begin with ${JSON.stringify(fault.rows)}, chance ${fault.chance}`
    case 'unreadable':
      return `rows that begin with ${JSON.stringify(fault.rows)} are unreadable, chance ${fault.chance}`
    case 'delay':
      return `${fault.call} ${timeText(fault.when)} is answered ${fault.delay} ms late`
  }
}

function timeText(when: FaultTime): string {
  if ('chance' in when) return `with chance ${when.chance}`
  if (when.first === when.last) return `${when.first}`
  return when.last === Number.POSITIVE_INFINITY ? `from ${when.first}` : `${when.first} to ${when.last}`
}
