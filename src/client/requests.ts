// Requests of one thread of the application: each gets a number, goes to the gateway that leads it (here, or
// on a node), and is answered once: by the gateway, by an abort, or at the latest shortly after its deadline.

import { type ErrorCode, errorTable, RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { NumberMap } from '../base/number-map.js'
import type { Millis, NodeId, RequestId } from '../base/units.js'
import { type Address, singleAddress } from '../protocol/address.js'
import {
  type ClientMessage,
  type Envelope,
  type GatewayMessage,
  Letter,
  type Message,
  type Protocol,
} from '../protocol/envelope.js'
import { now } from '../runtime/threads/clock.js'

export type Answer = Exclude<
  ClientMessage,
  { readonly type: 'put-failed' | 'get-failed' | 'scan-failed' | 'audit-failed' | 'membership-refused' }
>

/** What an answer is for whoever asked. What it throws rejects the request. */
export type Read<M, R> = (answer: Answer, message: M) => R

/** By a constructor, as `Letter`. */
class Open {
  readonly resolve: (result: never) => void
  readonly reject: (error: unknown) => void
  readonly read: Read<never, unknown>
  readonly envelope: Envelope
  readonly signal: AbortSignal | undefined

  constructor(
    resolve: (result: never) => void,
    reject: (error: unknown) => void,
    read: Read<never, unknown>,
    envelope: Envelope,
    signal: AbortSignal | undefined,
  ) {
    this.resolve = resolve
    this.reject = reject
    this.read = read
    this.envelope = envelope
    this.signal = signal
  }

  get gateway(): NodeId {
    return this.envelope.to.node
  }
}

const asIs: Read<unknown, Answer> = (answer) => answer

/** One listener a signal, however many requests share it: a batch has a thousand open. */
interface Aborts {
  readonly requests: Set<RequestId>
  readonly listener: () => void
}

export interface RequestPath {
  /** Delivers to a gateway on this thread, or sends to one on another. */
  readonly deliver: (envelope: Envelope) => void
  /** Thread of the gateway that leads the next request. */
  readonly gateway: () => NodeId
  /** A request that the gateway of another thread led has ended: with an answer, or with its deadline. */
  readonly ended: (gateway: NodeId, isInTime: boolean) => void
}

/** The gateway answers at the deadline; this much later the wait ends even if it was lost. */
const graceMs = 200
const sweepMs = 100

export class Requests {
  private readonly self: Address<'client'>
  private readonly path: RequestPath
  private readonly open = new NumberMap<Open>()
  private readonly aborts = new Map<AbortSignal, Aborts>()
  private last: RequestId = 0
  private sweep: NodeJS.Timeout | undefined
  private closed: RingspunError | undefined

  constructor(thread: NodeId, path: RequestPath) {
    this.self = singleAddress('client', thread)
    this.path = path
  }

  /** True when a request of this signal would be refused as it is. */
  refuses(signal: AbortSignal | undefined): boolean {
    return this.closed !== undefined || signal?.aborted === true
  }

  /** Throws what a request of this signal would be refused with. */
  check(signal: AbortSignal | undefined): void {
    if (this.closed !== undefined) throw this.closed
    if (signal?.aborted) throw error('aborted', 'the request was aborted before it was sent')
  }

  get inFlight(): number {
    return this.open.size
  }

  send(message: GatewayMessage, timeoutMs: Millis, signal: AbortSignal | undefined): Promise<Answer> {
    return this.ask(singleAddress('gateway', this.path.gateway()), message, timeoutMs, signal)
  }

  /** The same, with what `read` makes of the answer: without a second promise. */
  sendFor<M extends GatewayMessage, R>(
    message: M,
    timeoutMs: Millis,
    signal: AbortSignal | undefined,
    read: Read<M, R>,
  ): Promise<R> {
    return this.begin(singleAddress('gateway', this.path.gateway()), message, timeoutMs, signal, read)
  }

  /** Asks another actor than a gateway. */
  ask<K extends 'gateway' | 'gossip'>(
    to: Address<K>,
    message: Protocol[K],
    timeoutMs: Millis,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    return this.begin(to, message, timeoutMs, signal, asIs)
  }

  private begin<K extends 'gateway' | 'gossip', M extends Protocol[K], R>(
    to: Address<K>,
    message: M,
    timeoutMs: Millis,
    signal: AbortSignal | undefined,
    read: Read<M, R>,
  ): Promise<R> {
    if (this.closed !== undefined) return refused(this.closed)
    if (signal?.aborted) return refused(error('aborted', 'the request was aborted before it was sent'))
    if (this.open.size >= limits.requestsInFlightMax) {
      const reason = `${this.open.size} requests are open, the limit is ${limits.requestsInFlightMax}`
      return refused(error('overloaded', reason, { limit: limits.requestsInFlightMax }))
    }
    return new Promise((resolve, reject) => {
      const request = this.nextRequest()
      const envelope = new Letter<Message>(to, this.self, request, now() + timeoutMs, message)
      if (signal !== undefined) this.listen(signal, request)
      this.open.set(request, new Open(resolve, reject, read, envelope, signal))
      this.armSweep()
      this.path.deliver(envelope)
    })
  }

  private nextRequest(): RequestId {
    do {
      this.last = this.last >= 0xffff_ffff ? 1 : this.last + 1
    } while (this.open.has(this.last))
    return this.last
  }

  /** An answer from a gateway. One that nobody waits for any more is dropped. */
  answer(envelope: Envelope): void {
    const open = this.take(envelope.request)
    if (open === undefined) return
    const message = envelope.message as ClientMessage
    if (open.gateway !== this.self.node)
      this.path.ended(open.gateway, !('code' in message && message.code === 'deadline'))
    switch (message.type) {
      case 'put-failed':
      case 'get-failed':
      case 'scan-failed':
      case 'membership-refused':
        open.reject(error(message.code, reasonOf(message.code, message.details), message.details))
        return
      case 'audit-failed':
        open.reject(error(message.code, reasonOf(message.code, {})))
        return
      default:
        try {
          open.resolve(open.read(message, open.envelope.message as never) as never)
        } catch (reason) {
          open.reject(reason)
        }
    }
  }

  /** The node is gone, and with it the gateway that led these requests. */
  nodeLost(node: NodeId): void {
    for (const [request, open] of this.open) {
      if (open.gateway !== node) continue
      this.take(request)
      const code = isWrite(open) ? 'coordinator-lost' : 'unavailable'
      open.reject(error(code, `node ${node}, which led the request, is down`, { node }))
    }
  }

  /** Refuses later requests with `closed`; those that are open go on. */
  refuseNew(): RingspunError {
    this.closed ??= error('closed', 'the cluster is closed')
    return this.closed
  }

  /** Ends every open request, and refuses later ones. */
  close(): void {
    const closed = this.refuseNew()
    clearInterval(this.sweep)
    for (const [request] of this.open) {
      const open = this.take(request)
      open?.reject(isWrite(open) ? error('coordinator-lost', 'the cluster was closed meanwhile') : closed)
    }
  }

  private abort(request: RequestId): void {
    const open = this.take(request)
    if (open === undefined) return
    if (isWrite(open)) open.reject(error('aborted-in-flight', 'the write was aborted after it was sent'))
    else open.reject(error('aborted', 'the request was aborted'))
  }

  private take(request: RequestId): Open | undefined {
    const open = this.open.get(request)
    if (open === undefined) return undefined
    this.open.delete(request)
    if (open.signal !== undefined) this.unlisten(open.signal, request)
    return open
  }

  private listen(signal: AbortSignal, request: RequestId): void {
    let aborts = this.aborts.get(signal)
    if (aborts === undefined) {
      const requests = new Set<RequestId>()
      const listener = () => {
        for (const each of [...requests]) this.abort(each)
      }
      aborts = { requests, listener }
      this.aborts.set(signal, aborts)
      signal.addEventListener('abort', listener, { once: true })
    }
    aborts.requests.add(request)
  }

  private unlisten(signal: AbortSignal, request: RequestId): void {
    const aborts = this.aborts.get(signal)
    if (aborts === undefined) return
    aborts.requests.delete(request)
    if (aborts.requests.size > 0) return
    signal.removeEventListener('abort', aborts.listener)
    this.aborts.delete(signal)
  }

  private armSweep(): void {
    if (this.sweep !== undefined) return
    this.sweep = setInterval(() => this.sweepDeadlines(), sweepMs)
    this.sweep.unref()
  }

  private sweepDeadlines(): void {
    const at = now()
    for (const [request, open] of this.open) {
      if (at < open.envelope.deadline + graceMs) continue
      this.take(request)
      if (open.gateway !== this.self.node) this.path.ended(open.gateway, false)
      open.reject(error('deadline', 'no answer by the deadline'))
    }
  }
}

function isWrite({ envelope }: Open): boolean {
  return envelope.message.type === 'put'
}

function error(code: ErrorCode, reason: string, details = {}): RingspunError {
  return new RingspunError(code, reason, details)
}

function reasonOf(code: ErrorCode, details: RingspunError['details']): string {
  const numbers = Object.entries(details).map(([name, value]) => `${name} ${String(value)}`)
  const effect = errorTable[code].outcome === 'refused' ? 'no effect' : 'may have happened'
  return `${code.replaceAll('-', ' ')} (${[...numbers, effect].join(', ')})`
}

/** Not at once: whoever tries again at once would keep the event loop from ever bringing what he waits for. */
function refused(reason: RingspunError): Promise<never> {
  return new Promise((_, reject) => setImmediate(reject, reason))
}
