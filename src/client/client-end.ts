// What every thread of the application has that uses a cluster: a host with a gateway, mailboxes to all nodes, the
// requests that are open, and reads out of shared memory. The thread that opened the cluster has more around it
// (cluster.ts), one that was attached has little (attached.ts).

import { randomBytes } from 'node:crypto'
import { GatewaysInTurn } from '../actors/gateway/in-turn.js'
import { seededRandom } from '../base/random.js'
import type { NodeId } from '../base/units.js'
import { singleAddress } from '../protocol/address.js'
import type { Envelope } from '../protocol/envelope.js'
import type { NodesChanged, RingChanged } from '../protocol/life.js'
import { hashOf, type Ring } from '../ring/ring.js'
import { Host } from '../runtime/host.js'
import type { HostPorts, Life } from '../runtime/ports.js'
import { ServingTable } from '../runtime/serving-table.js'
import { SharedReads } from '../runtime/shared-reads.js'
import { StatusTable } from '../runtime/status-table.js'
import { now, wall } from '../runtime/threads/clock.js'
import { newIncarnation } from '../runtime/threads/incarnation.js'
import { Links } from '../runtime/threads/links.js'
import { Loop } from '../runtime/threads/loop.js'
import type { SharedState } from '../runtime/threads/shared.js'
import { Transport } from '../runtime/threads/transport.js'
import type { Stamp } from '../versions/object.js'
import type { ClusterCore } from './core.js'
import { Pace } from './pace.js'
import { Requests } from './requests.js'

export interface ClientEndOptions {
  readonly shared: SharedState
  readonly thread: NodeId
  /** The life of this thread's place. */
  readonly generation: number
  readonly messageBytesMax: number
  readonly ring: Ring
  readonly routing: 'client' | 'server'
  readonly isSupervisor: boolean
  readonly travelMsMax: number
  readonly propertiesOf: ClusterCore['propertiesOf']
  readonly valueBytesMax: number
  readonly log: (level: 'info' | 'warn' | 'error', text: string) => void
  /** What comes for others than the client of this thread. */
  readonly outside?: (envelope: Envelope) => void
  readonly more?: Partial<HostPorts>
}

export class ClientEnd {
  readonly host: Host
  readonly transport: Transport
  readonly core: ClusterCore
  readonly status: StatusTable
  private readonly loop: Loop
  private readonly options: ClientEndOptions
  private readonly gateways = new GatewaysInTurn()

  constructor(options: ClientEndOptions) {
    const { shared, thread, generation, messageBytesMax, ring } = options
    this.options = options
    this.status = new StatusTable(shared.status)
    this.transport = new Transport(shared, thread, generation, messageBytesMax)
    const requests = new Requests(thread, {
      deliver: (envelope) => this.deliver(envelope),
      gateway: () => this.gateway(),
      ended: (gateway, isInTime) => this.gateways.ended(this.host.gateway, gateway, isInTime, now()),
    })
    this.host = new Host(this.ports(requests), { supervisor: options.isSupervisor })
    this.core = {
      requests,
      shared: options.routing === 'client' ? this.sharedReads() : undefined,
      pace: new Pace(),
      secret: ring.seed,
      valueBytesMax: options.valueBytesMax,
      partitions: ring.partitions,
      hash: (key, head) => hashOf(ring, key, head),
      propertiesOf: options.propertiesOf,
    }
    this.loop = new Loop(shared, thread, this.host, this.transport, (error) => {
      options.log('error', `the client's host stopped: ${error.stack ?? error.message}`)
      requests.close()
    })
    this.hear({ type: 'ring-changed', ring })
  }

  private ports(requests: Requests): HostPorts {
    const { thread, travelMsMax, outside, more } = this.options
    return {
      thread,
      now,
      wall,
      random: seededRandom(randomBytes(4).readUInt32LE(0)),
      post: (envelope) => this.transport.post(envelope),
      outside: (envelope) =>
        envelope.to.kind === 'client' ? requests.answer(envelope) : outside?.(envelope),
      wake: () => this.loop.wake(),
      fatal: () => {},
      heard: () => {},
      mendEveryMs: 0,
      travelMsMax,
      reapAfterMs: 0,
      life: new ClientLife(this.status),
      storage: undefined,
      peers: () => [],
      ...more,
    }
  }

  private sharedReads(): SharedReads {
    const { shared, thread } = this.options
    const links = new Links(shared.links)
    return new SharedReads(this.host.gateway, {
      serving: new ServingTable(shared.serving, shared.partitions),
      status: this.status,
      memoryOf: (node) => shared.memories[node],
      isCut: (node) => links.isCut(thread, node),
    })
  }

  /** News for the actors of this thread. */
  hear(message: NodesChanged | RingChanged): void {
    const self = singleAddress('host', this.options.thread)
    this.receive({ to: self, from: self, request: 0, deadline: 0, message })
  }

  /** Something for an actor of this thread, from this thread. */
  receive(envelope: Envelope): void {
    this.host.receive(envelope)
    this.loop.wake()
  }

  private deliver(envelope: Envelope): void {
    if (envelope.to.node === this.options.thread) this.host.receive(envelope)
    else this.host.send(envelope)
    this.loop.wakeNow()
  }

  /** Client-driven: the gateway of this thread. Server-driven: that of the next node which answers, in turn. */
  private gateway(): NodeId {
    const { routing, thread } = this.options
    if (routing === 'client') return thread
    const isAlive = (node: NodeId) => this.status.isAlive(node, this.status.generation(node))
    return this.gateways.next(this.host.gateway, now(), isAlive) ?? thread
  }

  /** Lets what is in flight come to its end, for a bounded time, and refuses what comes later. */
  async settle(msMax: number): Promise<void> {
    const { requests } = this.core
    // Whoever goes on asking must not hold up the end.
    requests.refuseNew()
    const until = now() + msMax
    while (requests.inFlight > 0 && now() < until) await new Promise((resolve) => setTimeout(resolve, 5))
    requests.close()
  }

  stop(): void {
    this.loop.stop()
  }
}

/** One life of a thread of the application: it makes versions, and keeps nothing. */
class ClientLife implements Life {
  readonly incarnation = newIncarnation()
  readonly catchUp = undefined
  readonly volatile = []
  private readonly status: StatusTable

  constructor(status: StatusTable) {
    this.status = status
  }

  /** What any node that has begun may have stamped in an earlier life. */
  get stampFloor(): Stamp {
    return this.status.greatest('stampFloor')
  }
}
