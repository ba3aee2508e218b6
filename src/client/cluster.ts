// Opens a cluster in this process: data directory, ring, shared memory, node threads, and in this thread a
// host with the supervisor and the gateway that leads this thread's requests. Closing drains it all.

import { randomBytes } from 'node:crypto'
import { gossipDefaults } from '../actors/gossip/state.js'
import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { seededRandom } from '../base/random.js'
import type { NodeId } from '../base/units.js'
import type { Change } from '../membership/change.js'
import { encodeHistory } from '../membership/history-codec.js'
import { singleAddress, supervisorThread } from '../protocol/address.js'
import type { ClaimantMessage, Envelope, SupervisorMessage } from '../protocol/envelope.js'
import { travelMsOf } from '../protocol/reap.js'
import { hashOf, type Ring } from '../ring/ring.js'
import { Host } from '../runtime/host.js'
import type { HostPorts } from '../runtime/ports.js'
import { now, wall } from '../runtime/threads/clock.js'
import { Links } from '../runtime/threads/links.js'
import { Loop } from '../runtime/threads/loop.js'
import { Machine, type MachineEvents } from '../runtime/threads/machine.js'
import { createSharedState, type SharedState, type Wire } from '../runtime/threads/shared.js'
import { Transport } from '../runtime/threads/transport.js'
import type { DataDirectory } from '../storage/data-directory.js'
import { objectBytesMaxOf } from '../storage/object-buffer-layout.js'
import { version } from '../version.js'
import { LocalAdmin } from './admin.js'
import type {
  Bucket,
  BucketOptions,
  BucketProperties,
  Cluster as ClusterApi,
  Comparison,
  Faults,
  RequestOptions,
} from './api.js'
import type { ClusterStatus } from './api-status.js'
import { ClusterBucket } from './bucket.js'
import { Buckets } from './buckets.js'
import type { ClusterCore } from './core.js'
import { LocalFaults } from './faults.js'
import { type Kept, Membership } from './membership.js'
import { type ClusterSettings, checkBucketOptions, publicOptions } from './options.js'
import { Requests } from './requests.js'
import { readStatus } from './status.js'

/** What a message has beside its object: addresses, the key, contexts. */
const messageOverheadBytes = 1024 * 1024

export class LocalCluster implements ClusterApi {
  readonly options: ClusterApi['options']
  /** For tests and fault injection: the threads under this cluster. */
  readonly machine: Machine
  readonly faults: Faults
  readonly admin: LocalAdmin
  private readonly settings: ClusterSettings
  private readonly membership: Membership
  private readonly directory: DataDirectory | undefined
  private readonly id: string
  private readonly buckets_: Buckets
  private readonly host: Host
  private readonly loop: Loop
  private readonly core: ClusterCore
  private readonly transport: Transport
  private readonly openedAt = now()
  private closing: Promise<void> | undefined

  constructor(settings: ClusterSettings, directory: DataDirectory | undefined, kept: Kept, id: string) {
    const { ring } = kept
    this.settings = settings
    this.directory = directory
    this.id = id
    this.buckets_ = new Buckets(settings, directory)
    this.options = publicOptions(settings, ring)
    const shared = createSharedState(ring.nodes, settings.memory)
    // No larger message is ever sent: an answer may carry what n replicas hold, each as much as its buffer takes.
    const copies = Math.min(settings.nodes, limits.copiesMax)
    const messageBytesMax = objectBytesMaxOf(settings.memory) * copies + messageOverheadBytes
    this.machine = this.makeMachine(shared, messageBytesMax)
    this.membership = new Membership(kept, {
      machine: this.machine,
      directory,
      copies: () => this.buckets_.copiesMax(),
      bytes: () => this.status().nodes.reduce((sum, node) => sum + node.bufferBytes, 0),
      begin: (owners) => this.beginChange(owners),
      issue: (changes) => this.issue(changes),
      left: (node) => void this.left(node),
      log: settings.log,
    })
    this.faults = new LocalFaults(this.machine, new Links(shared.links), () => this.ring.nodes)
    const generation = this.machine.status.begin(supervisorThread)
    this.machine.status.setState(supervisorThread, 'up')
    this.transport = new Transport(shared, supervisorThread, generation, messageBytesMax)
    const requests = new Requests(supervisorThread, {
      deliver: (envelope) => this.deliver(envelope),
      gateway: () => this.gateway(),
    })
    this.core = {
      requests,
      secret: ring.seed,
      valueBytesMax: settings.valueBytesMax,
      partitions: ring.partitions,
      hash: (key) => hashOf(ring, key),
      propertiesOf: (bucket) => this.buckets_.get(bucket),
    }
    this.admin = new LocalAdmin(
      this.machine,
      this.core,
      this.membership,
      () => this.buckets_.copiesMax(),
      () => this.host.transfers,
    )
    this.host = new Host(this.ports(this.transport), { supervisor: true })
    this.loop = new Loop(shared, supervisorThread, this.host, this.transport, (error) => {
      settings.log('error', `the client's host stopped: ${error.stack ?? error.message}`)
      requests.close()
    })
    const self = singleAddress('host', supervisorThread)
    this.host.receive({
      to: self,
      from: self,
      request: 0,
      deadline: 0,
      message: { type: 'ring-changed', ring },
    })
    this.loop.wake()
  }

  private ports(transport: Transport): HostPorts {
    return {
      thread: supervisorThread,
      now,
      wall,
      random: seededRandom(randomBytes(4).readUInt32LE(0)),
      post: (envelope) => transport.post(envelope),
      outside: (envelope) => this.outside(envelope),
      wake: () => this.loop.wake(),
      fatal: () => {},
      heard: () => {},
      mendEveryMs: 0,
      gossip: {
        ...gossipDefaults,
        everyMs: this.settings.gossipEveryMs,
        fanout: 0,
        history: this.membership.history,
        seeds: [],
      },
      membershipHeard: (history) => this.membership.heard(history),
      travelMsMax: travelMsOf(this.settings.reapAfterMs),
      reapAfterMs: 0,
      life: { incarnation: 0, stampFloor: 0, catchUp: undefined, volatile: [] },
      storage: undefined,
      peers: () => [],
    }
  }

  private makeMachine(shared: SharedState, messageBytesMax: number): Machine {
    const { settings, directory } = this
    const events: MachineEvents = {
      ready: (node, generation, report) => {
        const text = `node ${node} is up, life ${generation}: ${report.reason}`
        settings.log(report.amnesia ? 'error' : 'info', text)
        this.tellSupervisor({ type: 'node-ready', node, generation })
        this.admin.begun(node)
      },
      exited: (node, generation, error) => {
        settings.log('warn', `node ${node} ended: ${error?.message ?? 'without a reason'}`)
        this.core.requests.nodeLost(node)
        const reason = error?.message ?? 'ended'
        this.tellSupervisor({ type: 'node-exited', node, generation, reason, failure: true })
      },
      slow: (node, silentMs) => {
        settings.log(
          'warn',
          `node ${node} is slow: its event loop has been blocked for ${Math.round(silentMs)} ms`,
        )
        this.tellSupervisor({ type: 'node-slow', node, silentMs })
      },
      brisk: (node) => this.tellSupervisor({ type: 'node-brisk', node }),
    }
    const options = {
      ring: () => this.ring,
      copies: () => this.buckets_.copiesMax(),
      nodeDirectory: directory && ((node: NodeId) => directory.nodeDirectory(node)),
      newborn: directory === undefined || directory.created,
      messageBytesMax,
      memoryBytes: settings.memory,
      history: () => encodeHistory(this.membership.history),
      gossipEveryMs: settings.gossipEveryMs,
      mendEveryMs,
      reapAfterMs: settings.reapAfterMs,
      connect: (wire: Wire) => this.transport.connect(wire),
    }
    return new Machine(shared, options, events)
  }

  private tellSupervisor(message: SupervisorMessage): void {
    const to = singleAddress('supervisor', supervisorThread)
    this.host.receive({
      to,
      from: singleAddress('machine', supervisorThread),
      request: 0,
      deadline: 0,
      message,
    })
    this.loop.wake()
  }

  private deliver(envelope: Envelope): void {
    if (envelope.to.node === supervisorThread) this.host.receive(envelope)
    else this.host.send(envelope)
    this.loop.wakeNow()
  }

  /** Client-driven: the gateway of this thread. Server-driven: the next node that is up, in turn. */
  private gateway(): NodeId {
    if (this.settings.routing === 'client') return supervisorThread
    const { nodes } = this.ring
    for (let i = 0; i < nodes.length; i++) {
      this.lastGateway = (this.lastGateway + 1) % nodes.length
      const node = nodes[this.lastGateway] as NodeId
      if (this.machine.status.isAlive(node, this.machine.status.generation(node))) return node
    }
    return supervisorThread
  }

  private lastGateway = 0

  private outside(envelope: Envelope): void {
    const { message } = envelope
    if (envelope.to.kind === 'client') this.core.requests.answer(envelope)
    else if (message.type === 'spawn') void this.machine.spawn(message.node)
    else if (message.type === 'give-up') {
      this.machine.giveUp(message.node)
      this.settings.log('error', `node ${message.node} is given up: it failed too often in a row`)
    } else if (message.type === 'keep-ring') {
      this.membership.keep(message.ring)
      this.tell('claimant', { type: 'ring-kept', epoch: message.ring.epoch })
    }
  }

  /** The ring as it is, or is on its way to be. */
  private get ring(): Ring {
    return this.membership.ring
  }

  keepRing(): void {
    this.membership.write()
  }

  private beginChange(owners: Uint16Array): void {
    const copies = this.buckets_.copiesMax()
    this.tell('claimant', { type: 'begin-change', owners: Array.from(owners), copies })
  }

  /** Any node will do: it tells the others. */
  private issue(changes: readonly Change[]): Promise<unknown> {
    const { nodes } = this.ring
    const node = nodes.find((each) => this.machine.status.state(each) === 'up') ?? (nodes[0] as NodeId)
    const to = singleAddress('gossip', node)
    return this.core.requests.ask(to, { type: 'change-membership', changes }, issueMsMax, undefined)
  }

  private tell(kind: 'claimant', message: ClaimantMessage): void {
    const to = singleAddress(kind, supervisorThread)
    const from = singleAddress('machine', supervisorThread)
    this.host.receive({ to, from, request: 0, deadline: 0, message })
    this.loop.wake()
  }

  /** A node that has left has nothing to do any more. */
  private async left(node: NodeId): Promise<void> {
    const { status } = this.machine
    const until = now() + hintsMsMax
    const keeps = () => status.counter(node, 'hints') > 0 && status.state(node) === 'up'
    while (keeps() && now() < until && this.closing === undefined) {
      await new Promise((resolve) => setTimeout(resolve, lookMs))
    }
    if (keeps()) this.settings.log('warn', `node ${node} leaves with hints that could not be delivered`)
    const generation = this.machine.status.generation(node)
    const reason = 'left the cluster'
    this.tellSupervisor({ type: 'node-exited', node, generation, reason, failure: false })
    await this.machine.remove(node)
    this.tellSupervisor({ type: 'node-removed', node })
    this.settings.log('info', `node ${node} has left the cluster`)
  }

  /** Begins all nodes; when it fails, nothing is left running. */
  async start(): Promise<void> {
    try {
      await this.machine.openAll()
      while (!this.everybodyKnows()) await new Promise((resolve) => setImmediate(resolve))
    } catch (error) {
      await this.abandon()
      throw error
    }
  }

  /** True when every thread knows that all nodes are up: before that a request could be refused for no reason. */
  private everybodyKnows(): boolean {
    const { view } = this.host
    const { nodes } = this.ring
    const up = view?.nodes.filter(({ state }) => state === 'up' || state === 'slow') ?? []
    if (view === undefined || up.length < nodes.length) return false
    return nodes.every((node) => this.machine.status.counter(node, 'view') >= view.version)
  }

  private async abandon(): Promise<void> {
    this.core.requests.close()
    await this.machine.destroyAll()
    this.loop.stop()
    this.directory?.close()
  }

  bucket<T = unknown>(name: string, options: BucketOptions<T> = {}): Bucket<T> {
    const properties = checkBucketOptions(options)
    this.buckets_.set(name, properties)
    return new ClusterBucket<T>(this.core, name, options)
  }

  buckets(): readonly { readonly name: string; readonly properties: BucketProperties }[] {
    return this.buckets_.list()
  }

  async setBucket(name: string, properties: Partial<BucketProperties>): Promise<BucketProperties> {
    return this.buckets_.set(name, checkBucketOptions(properties))
  }

  verify(options: RequestOptions & { readonly deep?: boolean } = {}): Promise<Comparison> {
    return this.admin.verify(options)
  }

  status(): ClusterStatus {
    const { settings, ring } = this
    const { n, r, w, dw, durability } = settings.defaults
    return {
      version,
      id: this.id,
      partitions: ring.partitions,
      epoch: ring.epoch,
      n,
      r,
      w,
      dw,
      durability,
      uptimeMs: Math.round(now() - this.openedAt),
      requestsInFlight: this.core.requests.inFlight,
      readRepairs: ring.nodes.reduce(
        (sum, node) => sum + this.machine.status.counter(node, 'readRepairs'),
        this.host.readRepairs,
      ),
      nodes: readStatus(this.machine.status, ring, n),
    }
  }

  close(): Promise<void> {
    this.closing ??= this.shut()
    return this.closing
  }

  private async shut(): Promise<void> {
    this.membership.close()
    // Whoever goes on asking must not hold up the end.
    this.core.requests.refuseNew()
    await this.settle()
    this.core.requests.close()
    const errors = await this.machine.drainAll()
    this.loop.stop()
    this.directory?.close()
    if (errors.length > 0) {
      throw new RingspunError(
        'storage-failed',
        `closing: ${errors[0]?.message}`,
        { nodes: errors.length },
        errors[0],
      )
    }
  }

  /** Lets what is in flight come to its end, for a bounded time. */
  private async settle(): Promise<void> {
    const until = now() + settleMsMax
    while (this.core.requests.inFlight > 0 && now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

const settleMsMax = 10_000
const issueMsMax = 10_000
/** Who leaves delivers first what it keeps for others, as long as they are there. */
const hintsMsMax = 60_000
const lookMs = 50
/** Ten comparisons a second and node: a few messages, and 256 partitions in about a minute. */
const mendEveryMs = 100
