// The clients of a simulated run: each remembers what it has read of a key and writes with that, or without; and
// everything it asks is in the oracle's books before it is sent. What comes back goes to the checkers first.

import { errorTable } from '../base/errors.js'
import type { Millis, NodeId, Partition } from '../base/units.js'
import type { ClientMessage } from '../protocol/envelope.js'
import type { Scan } from '../protocol/walk.js'
import { hashOf, partitionOf } from '../ring/ring.js'
import { absent } from '../storage/object-buffer-reader.js'
import { merge } from '../versions/merge.js'
import type { Context, StoredObject } from '../versions/object.js'
import { decodeObject } from '../versions/object-codec.js'
import { contextOf } from '../versions/read.js'
import type { Checks } from './checks.js'
import { internalKey, type SimRequest, type SimWrite } from './client.js'
import { foundOf, Oracle, type SimWritten } from './oracle.js'
import type { SimOperation } from './plan.js'
import { throughToken } from './tokens.js'
import type { World } from './world.js'

/** What a client knows of a key. */
export interface Memory {
  readonly context: Context | undefined
  /** What the context covers for sure, and what it may cover. */
  readonly history: ReadonlySet<string>
  readonly covered: ReadonlySet<string>
}

export const nothingSeen: Memory = { context: undefined, history: new Set(), covered: new Set() }

/** After a node has lost what it had: how many keys are looked at, how often, and how soon after each other. */
const looksMax = 10
const lookMs: Millis = 3
const looking: SimOperation = {
  index: 1,
  at: 0,
  client: 9,
  style: 'register',
  key: '',
  w: 0,
  r: 1,
  dw: 0,
  level: 'disk',
  isStrict: true,
  timeoutMs: 500,
  via: 0,
  seed: 0,
}

type PageAt = Pick<Scan, 'partition' | 'prefix' | 'after' | 'limit' | 'begunAt'>

export interface Writing {
  readonly body?: string
  readonly isDelete?: boolean
  readonly condition?: SimWrite['condition']
  readonly expires?: Millis
  readonly seen: Memory
  readonly done?: (write: SimWritten) => void
}

export class Sessions {
  readonly world: World
  readonly oracle: Oracle
  /** Requests that have no answer yet. */
  readonly open = new Map<SimRequest, SimOperation>()
  readonly outcomes = { ok: 0, refused: 0, unknown: 0, reads: 0, failedReads: 0, glances: 0 }
  private readonly checks: Checks
  private readonly memories = new Map<string, Memory>()
  private readonly padding: string

  constructor(world: World, oracle: Oracle, checks: Checks, paddingBytes: number) {
    this.world = world
    this.oracle = oracle
    this.checks = checks
    this.padding = '.'.repeat(paddingBytes)
  }

  memoryOf(operation: SimOperation, key = operation.key): Memory {
    return this.memories.get(`${operation.client} ${key}`) ?? nothingSeen
  }

  write(operation: SimOperation, key: string, writing: Writing): SimWritten {
    const { world, oracle } = this
    const { w, dw, level, isStrict, timeoutMs, via, client } = operation
    const { seen, isDelete = false, expires = 0 } = writing
    const id = oracle.nextId()
    const history = new Set(seen.history).add(id)
    const covered = new Set(seen.covered).add(id)
    const write: SimWritten = {
      id,
      key,
      isDelete,
      isFirst: writing.condition === 'absent',
      history,
      covered,
      w,
      dw,
      level,
      isStrict,
      expires,
      at: world.now(),
      answeredAt: 0,
      fate: 'open',
    }
    oracle.begin(write)
    const request = world.client.put(key, isDelete ? '' : `${id} ${writing.body ?? ''} ${this.padding}`, {
      conflicts: Oracle.isLatest(key) ? 'last-write-wins' : 'siblings',
      change: isDelete ? 'delete' : 'value',
      w,
      dw,
      level,
      pw: isStrict ? w : 0,
      timeoutMs,
      via,
      expires,
      condition: writing.condition ?? 'none',
      ...(seen.context && { context: this.outside(operation, key, seen.context) }),
    })
    this.open.set(request, operation)
    request.heard = (answer) => {
      this.settle(request, write, answer, via)
      this.glance(operation, key)
      if (answer.type === 'put-answered') {
        // A context that says no more than before: the write itself is not in it.
        const isNew = JSON.stringify(answer.context.clock) !== JSON.stringify(seen.context?.clock ?? [])
        const known = isNew ? { history, covered } : { history: seen.history, covered }
        this.memories.set(`${client} ${key}`, { context: answer.context, ...known })
      }
      writing.done?.(write)
      // Whoever has been told asks at once: what it was told must be there.
      if (write.fate === 'ok' && operation.index % 3 === 0) this.read(operation, key, () => {})
    }
    return write
  }

  private outside(operation: SimOperation, key: string, context: Context): Context {
    const complain = (text: string) => this.checks.fail('a forged context was taken', text)
    return throughToken(this.world.ring, key, context, operation.index, complain)
  }

  private settle(request: SimRequest, write: SimWritten, answer: ClientMessage, via: NodeId): void {
    this.open.delete(request)
    write.answeredAt = this.world.now()
    if (answer.type === 'put-answered') write.fate = 'ok'
    else if (answer.type === 'put-failed')
      write.fate = errorTable[answer.code]?.outcome === 'refused' ? 'refused' : 'unknown'
    this.outcomes[write.fate === 'open' ? 'unknown' : write.fate]++
    this.checks.decided(write)
    this.checks.answered(request, answer, via)
  }

  read(
    operation: SimOperation,
    key: string,
    then: (object: StoredObject | undefined, seen: Memory) => void,
  ): void {
    const { world, checks } = this
    const { r, isStrict, timeoutMs, via, client } = operation
    this.glance(operation, key)
    const due = checks.dueTo(operation, key)
    const request = world.client.get(key, {
      r,
      pr: isStrict ? r : 0,
      timeoutMs,
      via,
      conflicts: Oracle.isLatest(key) ? 'last-write-wins' : 'siblings',
    })
    this.open.set(request, operation)
    request.heard = (answer) => {
      this.open.delete(request)
      checks.answered(request, answer, via)
      if (answer.type !== 'get-answered') {
        this.outcomes.failedReads++
        return
      }
      this.outcomes.reads++
      const { object } = answer
      const found = foundOf(key, object)
      checks.read(found, object, due, isStrict)
      const context = object && contextOf(object)
      const seen = { context, history: this.oracle.historyOf(found), covered: this.oracle.coveredBy(found) }
      this.memories.set(`${client} ${key}`, seen)
      then(object, seen)
    }
  }

  /** All pages of a partition, one after the other: what was there when it began is seen. */
  list(operation: SimOperation, partition: Partition, limit: number): void {
    const { world, checks, oracle } = this
    const prefix = internalKey(operation.key.slice(0, 2))
    const due = new Map<string, readonly SimWritten[]>()
    for (const key of oracle.keys) {
      const internal = internalKey(key)
      const isHere = partitionOf(world.ring, hashOf(world.ring, internal)) === partition
      if (isHere && internal.startsWith(prefix)) due.set(key, checks.dueTo(operation, key))
    }
    const begunAt = world.now()
    this.page(operation, { partition, prefix, after: '', limit, begunAt }, due)
  }

  /** Each row is a read of its key, and so is each key that is not there. */
  private page(operation: SimOperation, at: PageAt, due: Map<string, readonly SimWritten[]>): void {
    const { world, checks } = this
    const { r, timeoutMs, via, isStrict, key: named } = operation
    const conflicts = Oracle.isLatest(named) ? 'last-write-wins' : 'siblings'
    const request = world.client.scan({ ...at, conflicts, r }, timeoutMs, via)
    this.open.set(request, operation)
    request.heard = (answer) => {
      this.open.delete(request)
      checks.answered(request, answer, via)
      if (answer.type !== 'scan-answered') {
        this.outcomes.failedReads++
        return
      }
      this.outcomes.reads++
      const { rows, next } = answer
      for (const { key, object } of rows) {
        const name = key.slice(internalKey('').length)
        checks.read(foundOf(name, object), object, due.get(name) ?? [], isStrict)
        due.delete(name)
      }
      for (const [name, writes] of due) {
        if (next !== undefined && internalKey(name) > next) continue
        checks.read(foundOf(name, undefined), undefined, writes, isStrict)
        due.delete(name)
      }
      if (next !== undefined) this.page(operation, { ...at, after: next }, due)
    }
  }

  /** What R replicas have in memory, without a message. */
  glance(operation: SimOperation, key: string): void {
    const { world, checks } = this
    const { ring } = world
    const internal = internalKey(key)
    const hash = hashOf(ring, internal)
    const looked = world.shared.read(internal, hash, world.copies, operation.r)
    if (looked === undefined) return
    this.outcomes.glances++
    const conflicts = Oracle.isLatest(key) ? 'last-write-wins' : 'siblings'
    let object: StoredObject | undefined
    try {
      if (looked !== absent) {
        object = merge(undefined, decodeObject(Buffer.from(world.shared.copy.value), hash), conflicts)
      }
    } catch {
      // It fails its checksum: a client leaves it to messages.
      return
    }
    const due = checks.dueTo({ r: operation.r, isStrict: true }, key)
    checks.read(foundOf(key, object), object, due, true)
  }

  /** Clients come back to what they know: the latest keys are read again and again, by whoever has just begun too. */
  lookAround(): void {
    const { world, oracle } = this
    const keys = [...oracle.keys].slice(-looksMax)
    const r = Math.max(1, world.copies - 1)
    const operation = { ...looking, r }
    for (let look = 1; look <= looksMax; look++) {
      world.schedule(lookMs * look, () => {
        for (const key of keys) this.read({ ...operation, key }, key, () => {})
      })
    }
  }

  /** The process has died: nobody will ever know. */
  forgotten(): void {
    for (const request of this.open.keys()) if (request.forgotten) this.open.delete(request)
    for (const write of this.oracle.writes.values()) if (write.fate === 'open') write.fate = 'unknown'
    this.memories.clear()
  }
}
