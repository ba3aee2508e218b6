// The checkers: they know what clients asked and were answered, and what lies on the nodes; nothing of the actors
// is believed. Each has a name; a run that breaks a promise says which, when, and of what key.

import { errorTable } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Millis, NodeId } from '../base/units.js'
import type { ClientMessage, Envelope } from '../protocol/envelope.js'
import { partitionOf } from '../ring/ring.js'
import type { StoredObject } from '../versions/object.js'
import { decodeObject } from '../versions/object-codec.js'
import type { CheckName } from './check-name.js'
import type { SimRequest } from './client.js'
import { Eyes } from './eyes.js'
import type { Nemesis } from './nemesis.js'
import { type Found, idOf, Oracle, type SimWritten } from './oracle.js'
import type { SimOperation } from './plan.js'
import type { World } from './world.js'

export interface Violation {
  readonly check: CheckName
  readonly at: Millis
  readonly text: string
}

/** After its deadline a request may take this long to be answered: how exact sweeps are, and a queue. */
const answerMarginMs = 1_000
const violationsMax = 20

export class Checks {
  readonly violations: Violation[] = []
  private readonly world: World
  private readonly oracle: Oracle
  private readonly nemesis: Nemesis
  private readonly copies: number
  private readonly dots = new Map<string, string>()

  constructor(world: World, oracle: Oracle, nemesis: Nemesis, copies: number) {
    this.world = world
    this.oracle = oracle
    this.nemesis = nemesis
    this.copies = copies
    const { damages, counts } = nemesis
    const eyes = new Eyes(
      world,
      (check, text) => this.fail(check, text),
      () => damages.length === 0 && !counts.has('rot') && nemesis.ringIsFixed,
    )
    world.watch = (envelope) => {
      this.watch(envelope)
      eyes.see(envelope)
    }
  }

  fail(check: CheckName, text: string): void {
    if (this.violations.length < violationsMax) this.violations.push({ check, at: this.world.now(), text })
  }

  /** What a read of this key that begins now must see: with strict quorums that overlap, and a ring that stays or nothing else. */
  dueTo(operation: Pick<SimOperation, 'isStrict' | 'r'>, key: string): SimWritten[] {
    if (!this.nemesis.ringIsFixed && !this.nemesis.isCalm) return []
    return this.oracle.writesOf(key).filter((write) => {
      const isStrict = write.isStrict && operation.isStrict
      // As long as nothing has happened nobody stands in for anybody.
      if (!isStrict && !this.nemesis.isCalm) return false
      return operation.r + write.w > this.copies && this.oracle.survives(write)
    })
  }

  answered(request: SimRequest, answer: ClientMessage, via: NodeId): void {
    // Between a client and a gateway elsewhere answers are lost as other messages are.
    if (
      via === 0 &&
      request.answeredAt !== undefined &&
      request.answeredAt > request.deadline + answerMarginMs
    ) {
      this.fail('a request was answered late or never', `${request.message.type} #${request.id}`)
    }
    if ('code' in answer && errorTable[answer.code] === undefined) {
      this.fail('an error without a code', `${answer.type} ${String(answer.code)}`)
    }
  }

  read(found: Found, object: StoredObject | undefined, due: readonly SimWritten[], isStrict: boolean): void {
    this.found(found, object)
    if (!isStrict && !this.nemesis.isCalm) return
    const missing = due.filter((write) => this.oracle.survives(write) && this.isMissing(write, found))
    if (missing.length === 0) return
    const names = missing.map(({ id }) => id).join(' ')
    this.fail('a read missed what it must see', `${found.key}: ${describe(found)} lacks ${names}`)
  }

  /** Of two `absent` writes that were done, one knew of a delete of the other: as long as nodes live and hear each other. */
  decided(write: SimWritten): void {
    if (!write.isFirst || write.fate !== 'ok' || !this.nemesis.isOnlyLate) return
    const writes = this.oracle.writesOf(write.key)
    const isOver = ({ id }: SimWritten, before: Millis) =>
      writes.some(
        (each) => each.isDelete && each.fate !== 'refused' && each.at < before && each.covered.has(id),
      )
    for (const other of writes) {
      if (other === write || !other.isFirst || other.fate !== 'ok') continue
      if (isOver(other, write.answeredAt) || isOver(write, other.answeredAt)) continue
      this.fail('two have won', `${write.key}: ${other.id} and ${write.id}`)
    }
  }

  /** True when neither the write nor anything that replaces it is there. */
  isMissing(write: SimWritten, found: Found): boolean {
    if (!Oracle.isLatest(write.key)) return !this.oracle.coveredBy(found).has(write.id)
    // Of concurrent ones the latest stays; which that is the cluster decides, but it is none that came before.
    const candidates: SimWritten[] = []
    for (const id of found.ids) {
      const other = this.oracle.writes.get(id)
      if (other !== undefined) candidates.push(other)
    }
    if (found.isDead)
      candidates.push(...this.oracle.writesOf(write.key).filter((each) => this.oracle.mayBeDead(each)))
    return !candidates.some((other) => !this.isBefore(other, write))
  }

  private isBefore(earlier: SimWritten, later: SimWritten): boolean {
    if (earlier === later) return false
    if (later.history.has(earlier.id)) return true
    // By the clock that all nodes share, as long as nobody moves it.
    return this.nemesis.clockIsTrue && earlier.fate === 'ok' && earlier.answeredAt + 1 < later.at
  }

  /** Every value was written to this key and not refused, stands once, and replaces none of the others. */
  found(found: Found, object: StoredObject | undefined): void {
    const { oracle } = this
    const { key, ids } = found
    if (new Set(ids).size !== ids.length) this.fail('a value stands twice', `${key}: ${describe(found)}`)
    if (ids.length > limits.siblingsMax) this.fail('a limit is passed', `${key}: ${ids.length} siblings`)
    for (const id of ids) {
      const write = oracle.writes.get(id)
      if (write === undefined || write.key !== key) {
        this.fail('a value from nowhere', `${key}: ${id}`)
        continue
      }
      if (write.fate === 'refused') this.fail('a refused write is seen', `${key}: ${id}`)
      const sibling = object?.siblings.find((each) => !each.deleted && idOf(each.value) === id)
      if (sibling !== undefined && sibling.expires !== write.expires) {
        this.fail('a value from nowhere', `${key}: ${id} has the expiry of another`)
      }
      for (const other of ids) {
        if (other !== id && oracle.writes.get(other)?.history.has(id)) {
          this.fail('siblings of which one replaces the other', `${key}: ${other} replaces ${id}`)
        }
      }
    }
  }

  /** A dot is issued once: whatever passes on the way is compared with whatever passed before. */
  private watch(envelope: Envelope): void {
    const { message } = envelope
    if (message.type === 'replicate') this.dotsOf(message.key, message.hash, message.object)
    else if (message.type === 'keep') this.dotsOf(message.key, message.hash, message.object)
  }

  private dotsOf(key: string, hash: number, bytes: Uint8Array): void {
    let object: StoredObject
    try {
      object = decodeObject(bytes, hash)
    } catch {
      return
    }
    const partition = partitionOf(this.world.ring, hash)
    for (const { dot, deleted, stamp, value } of object.siblings) {
      // With the partition an actor is one vnode in one life.
      const name = `${partition}.${dot.actor}.${dot.counter}`
      const what = `${key} ${deleted ? `deleted ${stamp}` : idOf(value)}`
      const known = this.dots.get(name)
      if (known === undefined) this.dots.set(name, what)
      else if (known !== what)
        this.fail('a dot names two writes', `${printable(known)} and ${printable(what)}`)
    }
  }

  /** What must hold at any moment. */
  limits(): void {
    const { world } = this
    this.oracle.wallMax = Math.max(this.oracle.wallMax, world.wall())
    for (const { node, host, storage } of world.nodes.values()) {
      if (host === undefined || storage === undefined) continue
      if (host.queued > queuedMax)
        this.fail('a limit is passed', `node ${node}: ${host.queued} messages wait`)
      const { dirtyBytes, capacityBytes } = storage.memory
      if (dirtyBytes > capacityBytes)
        this.fail('a limit is passed', `node ${node}: ${dirtyBytes} unflushed bytes`)
      for (const { owner, bytes } of host.hints) {
        if (bytes > limits.hintBytesMax) this.fail('a limit is passed', `node ${node}: hints for ${owner}`)
      }
    }
  }
}

/** Messages that may wait at one node: far more than a run can have under way when all is well. */
const queuedMax = 20_000

export function describe(found: Found): string {
  return [...found.ids, ...(found.isDead ? ['dead'] : [])].join(' ') || 'nothing'
}

function printable(text: string): string {
  return text.replaceAll('\0', '/')
}
