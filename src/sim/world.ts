// The simulated world, first version: the real actors, hosts, buffers and recovery on one thread, with a
// clock, a network and disks that are drawn from one seed. Two runs of a seed are the same, event for event.
// It has the machine's part (beginning and ending nodes) and a client; what happens is in the transcript.

import type { TransferState } from '../actors/claimant/state.js'
import { Heap } from '../base/heap.js'
import { seededRandom } from '../base/random.js'
import type { Millis, NodeId } from '../base/units.js'
import { singleAddress, supervisorThread } from '../protocol/address.js'
import type { Envelope, SupervisorMessage } from '../protocol/envelope.js'
import { travelMsOf } from '../protocol/reap.js'
import { createRing, type Ring } from '../ring/ring.js'
import { Host } from '../runtime/host.js'
import type { HostPorts, Posted } from '../runtime/ports.js'
import { createServingTable, ServingTable } from '../runtime/serving-table.js'
import { SharedReads } from '../runtime/shared-reads.js'
import type { Store } from '../storage/store.js'
import { SimClient } from './client.js'
import { SimMembership } from './membership.js'
import { type Delivery, Network, type NetworkOptions, threadNetwork } from './network.js'
import { SimNode, type SimNodeWorld } from './node.js'
import { describeEnvelope, Transcript } from './transcript.js'

export interface WorldOptions {
  readonly seed: number
  readonly nodes: number
  readonly n?: number
  readonly partitions?: number
  readonly memoryBytes?: number
  readonly network?: Partial<NetworkOptions>
  /** Pause of a node between two comparisons of replicas; none unless asked for. */
  readonly mendEveryMs?: Millis
  /** How long what is dead is kept at least, before it is forgotten; for ever unless asked for. */
  readonly reapAfterMs?: Millis
  /** How often a node speaks with another about membership and ring; never unless asked for. */
  readonly gossipEveryMs?: Millis
  /** A planted bug: nodes keep their incarnation over restarts. */
  readonly sameIncarnation?: boolean
  /** Lets a test put a faulty store before a node's disk. */
  readonly wrapStore?: (node: NodeId, store: Store) => Store
}

interface Event {
  readonly at: Millis
  readonly order: number
  readonly run: () => void
}

/** The instant at which every world begins, by its wall clock. */
const beginning: Millis = 1_700_000_000_000
/** From the wish for a node to its first step. */
const spawnMs: Millis = 5
/** What keeping a ring takes. */
const keepMs: Millis = 2
/** From a message's arrival to the turn that takes it. */
const wakeMs: Millis = 0.002

export class World implements SimNodeWorld {
  readonly seed: number
  ring: Ring
  readonly copies: number
  readonly memoryBytes: number
  readonly sameIncarnation: boolean
  readonly mendEveryMs: Millis
  readonly reapAfterMs: Millis
  readonly gossipEveryMs: Millis
  readonly transcript = new Transcript()
  readonly network: Network
  readonly nodes = new Map<NodeId, SimNode>()
  readonly client: SimClient
  /** What may be read of each node without asking it, and whoever reads so. */
  readonly serving: ServingTable
  readonly shared: SharedReads
  readonly members: SimMembership
  /** Added to the wall clock: tests move it. */
  wallOffset: Millis = 0
  private readonly wrap: (node: NodeId, store: Store) => Store
  private readonly events = new Heap<Event>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order))
  private readonly awake = new Set<NodeId>()
  private readonly timerAt = new Map<NodeId, Millis>()
  private readonly host: Host
  private clock: Millis = 0
  private order = 0

  constructor(options: WorldOptions) {
    this.seed = options.seed
    this.copies = options.n ?? Math.min(3, options.nodes)
    this.memoryBytes = options.memoryBytes ?? 4 * 1024 * 1024
    this.sameIncarnation = options.sameIncarnation ?? false
    this.mendEveryMs = options.mendEveryMs ?? 0
    this.reapAfterMs = options.reapAfterMs ?? 0
    this.gossipEveryMs = options.gossipEveryMs ?? 0
    this.wrap = options.wrapStore ?? ((_node, store) => store)
    const nodes = Array.from({ length: options.nodes }, (_, index) => index + 1)
    this.ring = createRing({
      epoch: 1,
      partitions: options.partitions ?? 16,
      copies: this.copies,
      nodes,
      hash: 'halfsip',
      seed: [options.seed >>> 0, 0x5eed],
    })
    this.serving = new ServingTable(createServingTable(this.ring.partitions), this.ring.partitions)
    this.serving.setEpoch(this.ring.epoch)
    this.serving.doubt(nodes)
    const network = { ...threadNetwork, losesRings: this.gossipEveryMs > 0, ...options.network }
    const schedule = (delay: Millis, run: () => void) => this.schedule(delay, run)
    this.network = new Network(
      network,
      options.seed,
      () => this.clock,
      schedule,
      (delivery) => this.arrive(delivery),
    )
    this.client = new SimClient(
      this.ring,
      (envelope) => this.deliverHere(envelope),
      () => this.clock,
    )
    this.client.sendTo = (envelope) => void this.postFrom(supervisorThread, 1, envelope)
    this.members = new SimMembership(this, nodes)
    this.host = new Host(this.ports(), { supervisor: true })
    this.shared = new SharedReads(this.host.gateway, {
      serving: this.serving,
      status: { isFenced: (node, generation) => this.isFenced(node, generation) },
      memoryOf: (node) => this.nodes.get(node)?.memory,
      isCut: (node) =>
        this.network.isCut(supervisorThread, node) || this.network.isCut(node, supervisorThread),
    })
    const self = singleAddress('host', supervisorThread)
    const ringChanged = { type: 'ring-changed', ring: this.ring } as const
    this.host.receive({ to: self, from: self, request: 0, deadline: 0, message: ringChanged })
    for (const node of nodes) this.nodes.set(node, new SimNode(this, node))
  }

  private ports(): HostPorts {
    return {
      thread: supervisorThread,
      now: () => this.clock,
      wall: () => this.wall(),
      random: seededRandom(this.seed, 499),
      post: (envelope) => this.postFrom(supervisorThread, 1, envelope),
      outside: (envelope) => this.outside(envelope),
      wake: () => this.wakeThread(supervisorThread),
      fatal: () => {},
      mendEveryMs: 0,
      travelMsMax: travelMsOf(this.reapAfterMs),
      reapAfterMs: 0,
      ...(this.gossipEveryMs > 0 && this.members.gossip(supervisorThread)),
      life: { incarnation: 0, stampFloor: 0, catchUp: undefined, volatile: [] },
      storage: undefined,
      heard: () => {},
      peers: () => [],
    }
  }

  private isFenced(node: NodeId, generation: number): boolean {
    const life = this.nodes.get(node)
    return life === undefined || !life.alive || life.generation !== generation
  }

  now(): Millis {
    return this.clock
  }

  wall(): Millis {
    return beginning + this.wallOffset + this.clock
  }

  schedule(delay: Millis, run: () => void): void {
    this.events.push({ at: this.clock + Math.max(0, delay), order: this.order++, run })
  }

  // -- time ---------------------------------------------------------------------------------------------

  /** Lets events happen until `done`, or until `msMax` of virtual time have passed; answers whether it was done. */
  runUntil(done: () => boolean, msMax: Millis = 60_000): boolean {
    const end = this.clock + msMax
    while (!done()) {
      const event = this.events.peek()
      if (event === undefined || event.at > end) {
        this.clock = end
        return done()
      }
      this.events.pop()
      this.clock = Math.max(this.clock, event.at)
      event.run()
    }
    return true
  }

  /** Lets this much virtual time pass. */
  pass(ms: Millis): void {
    this.runUntil(() => false, ms)
  }

  // -- lives --------------------------------------------------------------------------------------------

  /** Begins every node that has no life, and waits until all are up. */
  start(): this {
    for (const node of this.nodes.values()) if (!node.alive) this.spawn(node.node)
    this.runUntil(() => [...this.nodes.values()].every((node) => node.host !== undefined))
    this.pass(5)
    return this
  }

  /** True when no node lacks anything any more. */
  get whole(): boolean {
    return [...this.nodes.values()].every((node) => node.host !== undefined && !node.host.catchingUp)
  }

  private spawn(node: NodeId): void {
    const life = this.nodes.get(node) as SimNode
    const generation = life.generation + 1
    this.schedule(spawnMs, () => {
      life.begin(generation, () => {
        this.note(`node ${node} is up: ${life.verdict?.reason}`)
        this.tellSupervisor({ type: 'node-ready', node, generation })
      })
    })
  }

  died(node: SimNode, reason: string): void {
    const { generation } = node
    this.note(`node ${node.node} died: ${reason}`)
    node.die()
    this.tellSupervisor({ type: 'node-exited', node: node.node, generation, reason, failure: true })
  }

  /** The thread of a node dies; the supervisor begins it again. */
  kill(node: NodeId): void {
    this.died(this.nodes.get(node) as SimNode, 'killed')
  }

  /** The whole process dies: all memory is gone. Call `start` to begin again. */
  crash(kind: 'process' | 'power'): void {
    this.note(`the ${kind} fails`)
    this.serving.doubt([...this.nodes.keys()])
    for (const node of this.nodes.values()) {
      const { generation } = node
      node.loseMemory(kind)
      const gone = { type: 'node-exited', node: node.node, generation, reason: kind, failure: false } as const
      this.tellSupervisor(gone)
    }
    this.pass(10)
  }

  private tellSupervisor(message: SupervisorMessage): void {
    const to = singleAddress('supervisor', supervisorThread)
    const from = singleAddress('machine', supervisorThread)
    this.deliverHere({ to, from, request: 0, deadline: 0, message })
  }

  // -- envelopes ----------------------------------------------------------------------------------------

  post(from: SimNode, envelope: Envelope): Posted {
    return this.postFrom(from.node, from.generation, envelope)
  }

  private postFrom(from: NodeId, fromGeneration: number, envelope: Envelope): Posted {
    const to = envelope.to.node
    const node = this.nodes.get(to)
    if (to !== supervisorThread && (node === undefined || !node.alive)) return 'dead'
    this.network.send({ envelope, from, fromGeneration, toGeneration: node?.generation ?? 1 })
    return 'sent'
  }

  /** The fence: nothing is heard of a dead life, nor by another life than it was meant for. */
  private arrive(delivery: Delivery): void {
    const { envelope, from, fromGeneration, toGeneration } = delivery
    const sender = this.nodes.get(from)
    if (sender !== undefined && (!sender.alive || sender.generation !== fromGeneration)) return
    const receiver = this.nodes.get(envelope.to.node)
    if (receiver !== undefined && (receiver.generation !== toGeneration || receiver.host === undefined))
      return
    this.note(describeEnvelope(envelope))
    if (receiver === undefined) this.deliverHere(envelope)
    else {
      receiver.host?.receive(envelope)
      this.wake(receiver)
    }
  }

  private deliverHere(envelope: Envelope): void {
    this.host.receive(envelope)
    this.wakeThread(supervisorThread)
  }

  private outside(envelope: Envelope): void {
    const { message } = envelope
    if (envelope.to.kind === 'client') {
      this.note(describeEnvelope(envelope))
      this.client.answer(envelope)
    } else if (message.type === 'spawn') this.spawn(message.node)
    else if (message.type === 'keep-ring') {
      this.ring = message.ring
      this.serving.setEpoch(message.ring.epoch)
      if (message.ring.change === undefined) this.schedule(keepMs, () => this.members.act())
      const to = singleAddress('claimant', supervisorThread)
      const from = singleAddress('machine', supervisorThread)
      const kept = { type: 'ring-kept', epoch: message.ring.epoch } as const
      // A disk that takes its time.
      this.schedule(keepMs, () => this.deliverHere({ to, from, request: 0, deadline: 0, message: kept }))
    }
  }

  // -- members ------------------------------------------------------------------------------------------

  /** A new node, with nothing, begins. */
  begin(node: NodeId): void {
    this.nodes.set(node, new SimNode(this, node))
    this.spawn(node)
  }

  /** A new node is up; it owns nothing until a change says so. */
  add(node: NodeId): void {
    this.begin(node)
    this.runUntil(() => this.nodes.get(node)?.host !== undefined)
    this.pass(5)
  }

  /** Brings the ring to these owners, while everything goes on. */
  change(owners: Uint16Array): void {
    const to = singleAddress('claimant', supervisorThread)
    const from = singleAddress('machine', supervisorThread)
    const message = { type: 'begin-change', owners: Array.from(owners), copies: this.copies } as const
    this.deliverHere({ to, from, request: 0, deadline: 0, message })
  }

  /** What the claimant has done of the change that is under way. */
  get transfers(): readonly TransferState[] {
    return this.host.transfers
  }

  wake(node: SimNode): void {
    this.wakeThread(node.node)
  }

  private wakeThread(thread: NodeId): void {
    if (this.awake.has(thread)) return
    this.awake.add(thread)
    this.schedule(wakeMs, () => this.step(thread))
  }

  private hostOf(thread: NodeId): Host | undefined {
    return thread === supervisorThread ? this.host : this.nodes.get(thread)?.host
  }

  private step(thread: NodeId): void {
    this.awake.delete(thread)
    const host = this.hostOf(thread)
    if (host === undefined) return
    host.step()
    if (host.hasWork()) return this.wakeThread(thread)
    const due = host.nextDue()
    if (due === undefined || (this.timerAt.get(thread) ?? Number.POSITIVE_INFINITY) <= due) return
    this.timerAt.set(thread, due)
    this.schedule(due - this.clock, () => {
      this.timerAt.delete(thread)
      this.wakeThread(thread)
    })
  }

  // -- what nodes ask -----------------------------------------------------------------------------------

  sequences(): readonly number[] {
    const known: number[] = []
    for (const node of this.nodes.values()) known[node.node] = node.sequence
    return known
  }

  peersSaw(asked: NodeId): number {
    let seen = 0
    for (const node of this.nodes.values()) {
      if (node.node !== asked) seen = Math.max(seen, node.meta?.peers[asked] ?? 0)
    }
    return seen
  }

  wrapStore(node: NodeId, store: Store): Store {
    return this.wrap(node, store)
  }

  private note(line: string): void {
    this.transcript.note(this.clock, line)
  }
}
