// Many gossip actors and nothing else: a clock, a way between them that delays, loses and is cut, and a host that
// keeps what it is told. All from one seed, and every envelope goes through the codec.

import type { Turn } from '../../src/actors/actor.js'
import { gossipActor } from '../../src/actors/gossip/gossip.js'
import { type GossipOptions, type GossipState, gossipDefaults } from '../../src/actors/gossip/state.js'
import { Writer } from '../../src/base/bytes.js'
import { Heap } from '../../src/base/heap.js'
import { type Random, seededRandom } from '../../src/base/random.js'
import type { Change } from '../../src/membership/change.js'
import { emptyHistory, type History, membersOf } from '../../src/membership/history.js'
import { type Address, singleAddress } from '../../src/protocol/address.js'
import { decodeEnvelope, encodeEnvelope } from '../../src/protocol/codec.js'
import type { Envelope, GossipMessage, Message } from '../../src/protocol/envelope.js'

export interface GossipClusterOptions {
  readonly seed: number
  readonly nodes: readonly number[]
  /** What a node has persisted when it begins; left out: nothing. */
  readonly history?: (node: number) => History
  readonly gossip?: Partial<GossipOptions>
  /** Chance that an envelope between nodes is lost. */
  readonly loss?: number
  /** How far the wall clock of a node is ahead of the others'. */
  readonly aheadMs?: (node: number) => number
}

interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

interface Node {
  readonly actor: ReturnType<typeof gossipActor>
  readonly turn: Turn
  state: GossipState
}

/** Virtual time in which the tests' nodes have their rounds. */
export const everyMs = gossipDefaults.everyMs

export class GossipCluster {
  now = 0
  /** Whether what is sent now will arrive. */
  reaches: (from: number, to: number) => boolean = () => true
  /** What each host was told, in order. */
  readonly news: { readonly node: number; readonly at: number; readonly history: History }[] = []
  readonly answers = new Map<number, Message>()
  /** Everything that arrived at another node. */
  readonly arrived: Envelope[] = []
  readonly bytes = { gossip: 0, 'gossip-history': 0 }
  private readonly options: GossipClusterOptions
  private readonly nodes = new Map<number, Node>()
  private readonly events = new Heap<Event>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order))
  private readonly network: Random
  private readonly writer = new Writer()
  private order = 0
  private requests = 0

  constructor(options: GossipClusterOptions) {
    this.options = options
    this.network = seededRandom(options.seed, 1)
    for (const node of options.nodes) this.begin(node, options.history?.(node))
  }

  /** A node begins a life with what it has persisted. */
  begin(node: number, history: History = emptyHistory): void {
    const actor = gossipActor({ ...gossipDefaults, seeds: [1], ...this.options.gossip, history })
    const turn = this.turn(node)
    this.nodes.set(node, { actor, turn, state: actor.start(singleAddress('gossip', node), turn) })
  }

  private turn(node: number): Turn {
    const self = singleAddress('gossip', node)
    const random = seededRandom(this.options.seed, 10 + node)
    const cluster = this
    return {
      get now() {
        return cluster.now
      },
      get wall() {
        return 1_700_000_000_000 + cluster.now + (cluster.options.aheadMs?.(node) ?? 0)
      },
      random,
      send: (to: Address, message: Message, request = 0) =>
        cluster.send({ to, from: self, request, deadline: 0, message }),
      after: (delay: number, to: Address, message: Message) =>
        cluster.schedule(delay, () => cluster.deliver({ to, from: self, request: 0, deadline: 0, message })),
    } as unknown as Turn
  }

  private schedule(delay: number, run: () => void): void {
    this.events.push({ at: this.now + delay, order: this.order++, run })
  }

  private send(envelope: Envelope): void {
    const { to, from, message } = envelope
    if (to.kind === 'client') this.answers.set(envelope.request, message)
    else if (message.type === 'membership-news') {
      this.news.push({ node: to.node, at: this.now, history: message.history })
      const kept = { type: 'membership-kept', version: message.version } as const
      this.schedule(5, () => this.deliver({ to: from, from: to, request: 0, deadline: 0, message: kept }))
    } else this.carry(envelope)
  }

  private carry(envelope: Envelope): void {
    const { to, from, message } = envelope
    this.writer.reset()
    encodeEnvelope(this.writer, envelope)
    const bytes = this.writer.copy()
    if (message.type === 'gossip' || message.type === 'gossip-history')
      this.bytes[message.type] += bytes.length
    const delay = 1 + this.network() * 40
    const isLost = this.network() < (this.options.loss ?? 0)
    if (isLost || !this.reaches(from.node, to.node)) return
    this.schedule(delay, () => {
      const arriving = decodeEnvelope(bytes, 0, bytes.length)
      this.arrived.push(arriving)
      this.deliver(arriving)
    })
  }

  deliver(envelope: Envelope): void {
    const node = this.nodes.get(envelope.to.node)
    node?.actor.receive(node.state, envelope as Envelope<GossipMessage>, node.turn)
  }

  /** Asks a node for a change; the answer will be under the number that is returned. */
  change(node: number, ...changes: Change[]): number {
    const request = ++this.requests
    const [to, from] = [singleAddress('gossip', node), singleAddress('client', node)]
    this.deliver({ to, from, request, deadline: 0, message: { type: 'change-membership', changes } })
    return request
  }

  /** Lets time pass until `done`, or `msMax` of it; answers whether it was done. */
  run(done: () => boolean, msMax: number): boolean {
    const end = this.now + msMax
    while (!done()) {
      const event = this.events.peek()
      if (event === undefined || event.at > end) {
        this.now = end
        return done()
      }
      this.events.pop()
      this.now = event.at
      event.run()
    }
    return true
  }

  pass(ms: number): void {
    this.run(() => false, ms)
  }

  history(node: number): History {
    return (this.nodes.get(node) as Node).state.history
  }

  membersSeenBy(node: number): readonly number[] {
    return membersOf(this.history(node)).map((member) => member.node)
  }

  /** Whether these nodes, or all, know the same. */
  isOne(nodes: Iterable<number> = this.nodes.keys()): boolean {
    const digests = new Set<string>()
    for (const node of nodes) digests.add((this.nodes.get(node) as Node).state.digest)
    return digests.size === 1
  }
}
