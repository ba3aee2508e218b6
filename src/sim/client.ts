// A client of the simulated world: asks the gateway of its own thread (client-driven) or one on a node
// (server-driven), and keeps the answers. The tests' hand in the world.

import { GatewaysInTurn } from '../actors/gateway/in-turn.js'
import { isUp } from '../actors/gateway/state.js'
import { crc32 } from '../base/crc.js'
import type { Key, Millis, NodeId, RequestId } from '../base/units.js'
import { singleAddress, supervisorThread } from '../protocol/address.js'
import type { ClientMessage, Envelope, GatewayMessage } from '../protocol/envelope.js'
import type { Scan } from '../protocol/walk.js'
import type { Put } from '../protocol/write.js'
import { hashOf, type Ring } from '../ring/ring.js'
import type { Host } from '../runtime/host.js'
import type { Conflicts, Context, StoredObject } from '../versions/object.js'

export interface SimRequest {
  readonly id: RequestId
  readonly message: GatewayMessage
  /** Whose gateway leads it. */
  readonly via: NodeId
  answer: ClientMessage | undefined
  answeredAt: Millis | undefined
  /** When an answer is due at the latest. */
  readonly deadline: Millis
  /** The process died with whoever asked: nobody will ever know. */
  forgotten: boolean
  /** Told once, when there is an answer. */
  heard: ((answer: ClientMessage) => void) | undefined
}

export interface SimWrite {
  readonly conflicts?: Conflicts
  readonly context?: Context
  readonly n?: number
  readonly w?: number
  readonly dw?: number
  readonly pw?: number
  readonly level?: Put['level']
  readonly change?: Put['change']
  readonly condition?: Put['condition']
  readonly expires?: Millis
  readonly keepExpiry?: boolean
  readonly returnPrevious?: boolean
  readonly coordinator?: NodeId
  readonly timeoutMs?: Millis
  /** Node whose gateway leads the request, or that of each in turn; left out: the client's own. */
  readonly via?: NodeId | 'turn'
}

export interface SimRead {
  readonly conflicts?: Conflicts
  readonly n?: number
  readonly r?: number
  readonly pr?: number
  readonly timeoutMs?: Millis
  readonly via?: NodeId | 'turn'
}

export class SimClient {
  private readonly ring: Ring
  private readonly deliver: (envelope: Envelope) => void
  private readonly now: () => Millis
  private readonly open = new Map<RequestId, SimRequest>()
  private last: RequestId = 0
  /** Of its thread: it notes who was asked and has not answered. */
  private host: Host | undefined
  private wake: () => void = () => {}
  private readonly gateways = new GatewaysInTurn()

  constructor(ring: Ring, deliver: (envelope: Envelope) => void, now: () => Millis) {
    this.ring = ring
    this.deliver = deliver
    this.now = now
  }

  join(host: Host, wake: () => void): void {
    this.host = host
    this.wake = wake
  }

  /** To an actor on a node. */
  sendTo(envelope: Envelope): void {
    this.host?.send(envelope)
    this.wake()
  }

  get unanswered(): number {
    return this.open.size
  }

  put(key: string, value: string, options: SimWrite = {}): SimRequest {
    const internal = internalKey(key)
    const hash = hashOf(this.ring, internal)
    const bytes = Buffer.from(value)
    const conflicts = options.conflicts ?? 'siblings'
    const level = options.level ?? 'disk'
    const message: Put = {
      type: 'put',
      key: internal,
      hash,
      change: options.change ?? 'value',
      value: bytes,
      encoding: 1,
      checksum: crc32(bytes, hash),
      context: options.context,
      coordinator: options.coordinator ?? 0,
      expires: options.expires ?? 0,
      keepExpiry: options.keepExpiry ?? false,
      condition: options.condition ?? 'none',
      returnPrevious: options.returnPrevious ?? false,
      conflicts,
      n: options.n ?? this.ring.copies,
      w: options.w ?? 2,
      dw: options.dw ?? 0,
      level,
      pw: options.pw ?? 0,
      standsInFor: 0,
      looked: false,
      seen: undefined,
      seenUntil: 0,
    }
    return this.send(message, options.timeoutMs, options.via)
  }

  get(key: string, options: SimRead = {}): SimRequest {
    const internal = internalKey(key)
    const message = {
      type: 'get',
      key: internal,
      hash: hashOf(this.ring, internal),
      conflicts: options.conflicts ?? 'siblings',
      n: options.n ?? this.ring.copies,
      r: options.r ?? 2,
      pr: options.pr ?? 0,
    } as const
    return this.send(message, options.timeoutMs, options.via)
  }

  /** A page of the keys of a partition, as a listing of a bucket asks for it. */
  scan(question: Omit<Scan, 'type' | 'n'>, timeoutMs?: Millis, via?: NodeId): SimRequest {
    return this.send({ type: 'scan', n: this.ring.copies, ...question }, timeoutMs, via)
  }

  /** Compares all replicas of a partition. */
  audit(partition: number, how: { readonly mends: boolean; readonly deep: boolean }): SimRequest {
    return this.send({ type: 'audit', partition, n: this.ring.copies, ...how }, 60_000)
  }

  private send(
    message: GatewayMessage,
    timeoutMs: Millis = 5_000,
    wanted: NodeId | 'turn' = supervisorThread,
  ): SimRequest {
    const via = wanted === 'turn' ? this.nextGateway() : wanted
    const deadline = this.now() + timeoutMs
    const request: SimRequest = {
      id: ++this.last,
      message,
      via,
      answer: undefined,
      answeredAt: undefined,
      deadline,
      forgotten: false,
      heard: undefined,
    }
    this.open.set(request.id, request)
    const envelope: Envelope = {
      to: singleAddress('gateway', via),
      from: singleAddress('client', supervisorThread),
      request: request.id,
      deadline,
      message,
    }
    if (via === supervisorThread) this.deliver(envelope)
    else this.sendTo(envelope)
    return request
  }

  private nextGateway(): NodeId {
    const gateway = this.host?.gateway
    if (gateway === undefined) return supervisorThread
    return this.gateways.next(gateway, this.now(), (each) => isUp(gateway, each)) ?? supervisorThread
  }

  /** Nobody waits for it any longer. */
  giveUp(request: SimRequest): void {
    if (this.open.delete(request.id)) this.ended(request, false)
  }

  private ended({ via }: SimRequest, isInTime: boolean): void {
    if (this.host !== undefined) this.gateways.ended(this.host.gateway, via, isInTime, this.now())
  }

  answer(envelope: Envelope): void {
    const request = this.open.get(envelope.request)
    if (request === undefined) return
    this.open.delete(envelope.request)
    const message = envelope.message as ClientMessage
    this.ended(request, !('code' in message && message.code === 'deadline'))
    request.answer = message
    request.answeredAt = this.now()
    request.heard?.(request.answer)
  }

  /** What is open will never be answered. */
  forget(): void {
    for (const request of this.open.values()) request.forgotten = true
    this.open.clear()
  }
}

export function internalKey(key: string): Key {
  return `test\0${key}` as Key
}

/** The texts of an object's siblings that are no tombstones, sorted. */
export function textsOf(object: StoredObject | undefined): string[] {
  if (object === undefined) return []
  return object.siblings
    .filter((sibling) => !sibling.deleted)
    .map((sibling) => Buffer.from(sibling.value).toString())
    .sort()
}
