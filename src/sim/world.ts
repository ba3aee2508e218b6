// The simulated world: the real actors, hosts, buffers and recovery on one thread, with a clock, a network and
// disks that are drawn from one seed. Two runs of a seed are the same, event for event.
// It has the machine's part (beginning and ending nodes) and a client; what happens is in the transcript.

import type { RareBranch } from '../actors/actor.js'
import type { TransferState } from '../actors/claimant/state.js'
import { seededRandom } from '../base/random.js'
import type { Millis, NodeId } from '../base/units.js'
import { singleAddress, supervisorThread } from '../protocol/address.js'
import { type Envelope, refusalOf, type SupervisorMessage } from '../protocol/envelope.js'
import { travelMsOf } from '../protocol/reap.js'
import { createRing, type Ring } from '../ring/ring.js'
import { Host } from '../runtime/host.js'
import type { HostPorts, Posted } from '../runtime/ports.js'
import { createServingTable, ServingTable } from '../runtime/serving-table.js'
import { SharedReads } from '../runtime/shared-reads.js'
import type { Store } from '../storage/store.js'
import { SimClient } from './client.js'
import { livesOf } from './lives.js'
import { SimMembership } from './membership.js'
import { type Delivery, Network, threadNetwork } from './network.js'
import { clientLife, type NodeDraws, SimNode, type SimNodeWorld, seededDraws } from './node.js'
import { noticeMs, Threads } from './threads.js'
import { Timeline } from './timeline.js'
import { Transcript } from './transcript.js'
import type { WorldOptions } from './world-options.js'

/** The instant at which every world begins, by its wall clock. */
const beginning: Millis = 1_700_000_000_000
/** From the wish for a node to its first step. */
const spawnMs: Millis = 5
/** What keeping a ring takes. */
const keepMs: Millis = 2

export class World implements SimNodeWorld {
  readonly seed: number
  ring: Ring
  readonly copies: number
  readonly memoryBytes: number
  readonly draws: NodeDraws
  readonly mendEveryMs: Millis
  readonly reapAfterMs: Millis
  readonly gossipEveryMs: Millis
  readonly transcript: Transcript
  readonly rarely: ((branch: RareBranch) => boolean) | undefined
  readonly warms: boolean
  readonly network: Network
  readonly nodes = new Map<NodeId, SimNode>()
  readonly client: SimClient
  /** What may be read of each node without asking it, and whoever reads so. */
  readonly serving: ServingTable
  shared: SharedReads
  readonly members: SimMembership
  /** Added to the wall clock: tests move it. */
  wallOffset: Millis = 0
  /** Seconds that the wall clock gains in one second of the true clock. */
  wallDrift = 0
  /** Looks at every envelope that arrives. */
  watch: ((envelope: Envelope) => void) | undefined
  readonly threads: Threads
  private readonly timeline = new Timeline()
  /** Nodes whose mailboxes are full, and until when. */
  private readonly jammed = new Map<NodeId, Millis>()
  /** Lives of the process: a node that was to begin in an earlier one does not. */
  private processLife = 0
  private readonly wrap: (node: NodeId, store: Store) => Store
  private host: Host

  constructor(options: WorldOptions) {
    this.seed = options.seed
    this.copies = options.n ?? Math.min(3, options.nodes)
    this.memoryBytes = options.memoryBytes ?? 4 * 1024 * 1024
    this.draws = seededDraws(options.seed, options.sameIncarnation ?? false)
    this.mendEveryMs = options.mendEveryMs ?? 0
    this.reapAfterMs = options.reapAfterMs ?? 0
    this.gossipEveryMs = options.gossipEveryMs ?? 0
    this.rarely = options.rarely
    this.transcript = new Transcript(options.transcript ?? 'lines')
    this.threads = new Threads(this.timeline, (thread) => this.hostOf(thread))
    this.warms = options.warms ?? true
    this.wrap = options.wrapStore ?? ((_node, store) => store)
    const nodes = Array.from({ length: options.nodes }, (_, index) => index + 1)
    this.ring = createRing({
      epoch: 1,
      partitions: options.partitions ?? 16,
      copies: this.copies,
      nodes,
      hash: options.hash ?? 'halfsip',
      seed: [options.seed >>> 0, 0x5eed],
    })
    this.serving = new ServingTable(createServingTable(this.ring.partitions), this.ring.partitions)
    this.serving.setEpoch(this.ring.epoch)
    this.serving.doubt(nodes)
    this.network = new Network(
      { ...threadNetwork, losesRings: this.gossipEveryMs > 0, ...options.network },
      options.seed,
      () => this.timeline.now,
      (delay, run) => this.schedule(delay, run),
      (delivery) => this.arrive(delivery),
    )
    this.client = new SimClient(
      this.ring,
      (envelope) => this.deliverHere(envelope),
      () => this.timeline.now,
    )
    this.members = new SimMembership(this, nodes)
    this.host = new Host(this.ports(), { supervisor: true })
    this.client.join(this.host, () => this.threads.wake(supervisorThread))
    this.shared = this.sharedReads()
    if (options.knowsRing ?? true) this.tellRing()
    for (const node of nodes) this.nodes.set(node, new SimNode(this, node))
  }

  private sharedReads(): SharedReads {
    return new SharedReads(this.host.gateway, {
      serving: this.serving,
      status: livesOf(this.nodes),
      memoryOf: (node) => this.nodes.get(node)?.memory,
      isCut: (node) =>
        this.network.isCut(supervisorThread, node) || this.network.isCut(node, supervisorThread),
    })
  }

  /** The thread of the client hears of the ring. */
  tellRing(): void {
    const self = singleAddress('host', supervisorThread)
    const message = { type: 'ring-changed', ring: this.ring } as const
    this.host.receive({ to: self, from: self, request: 0, deadline: 0, message })
  }

  private ports(): HostPorts {
    return {
      thread: supervisorThread,
      now: () => this.timeline.now,
      wall: () => this.wall(),
      random: seededRandom(this.seed, 499),
      post: (envelope) => this.postFrom(supervisorThread, 1, envelope),
      outside: (envelope) => this.outside(envelope),
      wake: () => this.threads.wake(supervisorThread),
      fatal: () => {},
      mendEveryMs: 0,
      travelMsMax: travelMsOf(this.reapAfterMs),
      reapAfterMs: 0,
      ...(this.gossipEveryMs > 0 && this.members.gossip(supervisorThread)),
      ...(this.rarely && { rarely: this.rarely }),
      life: clientLife(this.draws, this.processLife + 1, this.nodes),
      storage: undefined,
      heard: () => {},
      peers: () => [],
    }
  }

  now(): Millis {
    return this.timeline.now
  }

  wall(): Millis {
    return beginning + this.wallOffset + this.timeline.now * (1 + this.wallDrift)
  }

  schedule(delay: Millis, run: () => void): void {
    this.timeline.schedule(delay, run)
  }

  /** How many events have happened. */
  get happened(): number {
    return this.timeline.happened
  }

  // -- time ---------------------------------------------------------------------------------------------

  /** Lets events happen until `done`, or until `msMax` of virtual time have passed; answers whether it was done. */
  runUntil(done: () => boolean, msMax: Millis = 60_000): boolean {
    return this.timeline.runUntil(done, msMax)
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

  spawn(node: NodeId): void {
    const life = this.nodes.get(node) as SimNode
    const generation = life.generation + 1
    const { processLife } = this
    this.schedule(spawnMs, () => {
      if (life.alive || processLife !== this.processLife) return
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
    this.threads.resume(node.node)
    this.tellSupervisor({ type: 'node-exited', node: node.node, generation, reason, failure: true })
  }

  /** The thread of a node dies; the supervisor begins it again. */
  kill(node: NodeId): void {
    this.died(this.nodes.get(node) as SimNode, 'killed')
  }

  /** The whole process dies: all memory is gone. Call `start` to begin again. */
  crash(kind: 'process' | 'power', keep = 0): void {
    this.note(`the ${kind} fails`)
    this.processLife++
    this.serving.doubt([...this.nodes.keys()])
    for (const node of this.nodes.values()) {
      const { generation } = node
      node.loseMemory(kind, keep)
      const gone = { type: 'node-exited', node: node.node, generation, reason: kind, failure: false } as const
      this.tellSupervisor(gone)
    }
    this.pass(10)
  }

  /**
   * The whole process dies, with whoever asked and whoever supervised, and begins again. `keep`: what part of that
   * which was not fsynced had reached the disk by itself when the power went (0 to 1).
   */
  crashAndRestart(kind: 'process' | 'power', keep: number): void {
    this.note(`the ${kind} fails`)
    this.processLife++
    this.serving.doubt([...this.nodes.keys()])
    for (const node of this.nodes.values()) node.loseMemory(kind, keep)
    this.threads.clear()
    this.jammed.clear()
    this.client.forget()
    this.ring = this.members.readRing()
    this.host = new Host(this.ports(), { supervisor: true })
    this.client.join(this.host, () => this.threads.wake(supervisorThread))
    this.shared = this.sharedReads()
    this.tellRing()
    this.threads.wake(supervisorThread)
    for (const node of this.nodes.values()) this.spawn(node.node)
  }

  /** The thread of a node stands still for so long; after a while that is noticed. */
  pause(node: NodeId, ms: Millis): void {
    const life = this.nodes.get(node)
    const generation = life?.generation
    this.threads.pause(node, ms, (event) => {
      if (life?.alive !== true || life.generation !== generation) return
      this.tellSupervisor({ type: event, node, silentMs: noticeMs })
    })
  }

  /** Nothing fits into the mailboxes of a node for so long. */
  jam(node: NodeId, ms: Millis): void {
    this.jammed.set(node, this.now() + ms)
  }

  tellSupervisor(message: SupervisorMessage): void {
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
    // As on threads: what nobody could refuse waits for its place.
    const isJammed = this.jammed.size > 0 && (this.jammed.get(to) ?? 0) > this.now()
    if (isJammed && refusalOf(envelope.message, 'overloaded') !== undefined) return 'full'
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
    this.transcript.envelope(this.now(), envelope)
    this.watch?.(envelope)
    if (receiver === undefined) this.deliverHere(envelope)
    else {
      receiver.host?.receive(envelope)
      this.wake(receiver)
    }
  }

  private deliverHere(envelope: Envelope): void {
    this.host.receive(envelope)
    this.threads.wake(supervisorThread)
  }

  private outside(envelope: Envelope): void {
    const { message } = envelope
    if (envelope.to.kind === 'client') {
      this.transcript.envelope(this.now(), envelope)
      this.client.answer(envelope)
    } else if (message.type === 'spawn') this.spawn(message.node)
    else if (message.type === 'keep-ring') {
      this.ring = message.ring
      this.members.keepRing(message.ring)
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
    this.threads.wake(node.node)
  }

  private hostOf(thread: NodeId): Host | undefined {
    return thread === supervisorThread ? this.host : this.nodes.get(thread)?.host
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

  note(line: string): void {
    this.transcript.note(this.now(), line)
  }
}
