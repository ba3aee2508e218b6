// Opens a cluster in this process: data directory, ring, shared memory, node threads, and in this thread a
// host with the supervisor and the gateway that leads this thread's requests. Closing drains it all.

import { gossipDefaults } from '../actors/gossip/state.js'
import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { NodeId } from '../base/units.js'
import type { Change } from '../membership/change.js'
import { encodeHistory } from '../membership/history-codec.js'
import { singleAddress, supervisorThread } from '../protocol/address.js'
import type { ClaimantMessage, Envelope, SupervisorMessage } from '../protocol/envelope.js'
import { travelMsOf } from '../protocol/reap.js'
import type { Ring } from '../ring/ring.js'
import type { Host } from '../runtime/host.js'
import { ServingTable } from '../runtime/serving-table.js'
import { now } from '../runtime/threads/clock.js'
import { Links } from '../runtime/threads/links.js'
import { Machine, type MachineEvents } from '../runtime/threads/machine.js'
import { createSharedState, type SharedState, type Wire } from '../runtime/threads/shared.js'
import type { DataDirectory } from '../storage/data-directory.js'
import { objectBytesMaxOf } from '../storage/object-buffer-layout.js'
import { LocalAdmin } from './admin.js'
import type {
  Bucket,
  BucketOptions,
  BucketProperties,
  Cluster as ClusterApi,
  ClusterHandle,
  Comparison,
  Faults,
  RequestOptions,
} from './api.js'
import type { ClusterStatus } from './api-status.js'
import { Attachments } from './attachments.js'
import { ClusterBucket } from './bucket.js'
import { Buckets } from './buckets.js'
import { ClientEnd } from './client-end.js'
import type { ClusterCore } from './core.js'
import { LocalFaults } from './faults.js'
import { type Kept, Membership } from './membership.js'
import { type ClusterSettings, checkBucketOptions, publicOptions } from './options.js'
import { statusOf } from './status.js'

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
  private readonly end: ClientEnd
  private readonly core: ClusterCore
  /** Undefined only while this thread begins. */
  private readonly attachments: Attachments
  private readonly serving: ServingTable
  private readonly openedAt = now()
  private closing: Promise<void> | undefined

  constructor(settings: ClusterSettings, directory: DataDirectory | undefined, kept: Kept, id: string) {
    const { ring } = kept
    this.settings = settings
    this.directory = directory
    this.id = id
    this.buckets_ = new Buckets(settings, directory)
    this.options = publicOptions(settings, ring)
    const shared = createSharedState(ring, settings.memory)
    // No larger message is ever sent: an answer may carry what n replicas hold, each as much as its buffer takes.
    const copies = Math.min(settings.nodes, limits.copiesMax)
    const messageBytesMax = objectBytesMaxOf(settings.memory) * copies + messageOverheadBytes
    this.serving = new ServingTable(shared.serving, shared.partitions)
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
    this.end = this.makeEnd(shared, ring, messageBytesMax)
    this.core = this.end.core
    this.attachments = new Attachments({
      shared,
      machine: this.machine,
      settings,
      id,
      openedAt: this.openedAt,
      messageBytesMax,
      buckets: this.buckets_,
      ring: () => this.host.gateway.ring ?? this.ring,
      view: () => this.host.view,
    })
    this.buckets_.changed = (name, given) => this.attachments.bucketSet([name, given])
    this.admin = new LocalAdmin(
      this.machine,
      this.core,
      this.membership,
      () => this.buckets_.copiesMax(),
      () => this.host.transfers,
    )
  }

  private makeEnd(shared: SharedState, ring: Ring, messageBytesMax: number): ClientEnd {
    const { settings, membership, machine } = this
    const { reapAfterMs, gossipEveryMs, routing, valueBytesMax, log } = settings
    const { history } = membership
    const generation = machine.status.begin(supervisorThread)
    machine.status.setState(supervisorThread, 'up')
    return new ClientEnd({
      shared,
      thread: supervisorThread,
      generation,
      messageBytesMax,
      ring,
      routing,
      isSupervisor: true,
      travelMsMax: travelMsOf(reapAfterMs),
      propertiesOf: (bucket) => this.buckets_.get(bucket),
      valueBytesMax,
      log,
      outside: (envelope) => this.outside(envelope),
      more: {
        gossip: { ...gossipDefaults, everyMs: gossipEveryMs, fanout: 0, history, seeds: [] },
        membershipHeard: (heard) => membership.heard(heard),
        news: (message) => this.attachments?.heard(message),
      },
    })
  }

  /** The actors of this thread. */
  get host(): Host {
    return this.end.host
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
      hintsLost: (node, count) => {
        const text = `node ${node} could not keep ${count} writes for nodes that are away: comparing replicas mends them`
        settings.log('warn', text)
      },
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
      connect: (wire: Wire) => this.end.transport.connect(wire),
      joined: (node: NodeId) => this.attachments.joined(node),
    }
    return new Machine(shared, options, events)
  }

  private tellSupervisor(message: SupervisorMessage): void {
    const to = singleAddress('supervisor', supervisorThread)
    const from = singleAddress('machine', supervisorThread)
    this.end.receive({ to, from, request: 0, deadline: 0, message })
  }

  private outside(envelope: Envelope): void {
    const { message } = envelope
    if (message.type === 'spawn') void this.machine.spawn(message.node)
    else if (message.type === 'give-up') {
      this.machine.giveUp(message.node)
      this.settings.log('error', `node ${message.node} is given up: it failed too often in a row`)
    } else if (message.type === 'keep-ring') {
      this.serving.setEpoch(message.ring.epoch)
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
    this.end.receive({ to, from, request: 0, deadline: 0, message })
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
    this.attachments.close()
    this.core.requests.close()
    await this.machine.destroyAll()
    this.end.stop()
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
    const { settings, ring, id, openedAt } = this
    return statusOf(this.end, { settings, ring, id, openedAt })
  }

  handle(): ClusterHandle {
    this.core.requests.check(undefined)
    return this.attachments.handle()
  }

  close(): Promise<void> {
    this.closing ??= this.shut()
    return this.closing
  }

  private async shut(): Promise<void> {
    this.membership.close()
    this.attachments.close()
    await this.end.settle(settleMsMax)
    const errors = await this.machine.drainAll()
    this.end.stop()
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
