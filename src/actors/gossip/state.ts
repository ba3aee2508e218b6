// What a gossip actor knows: the history, whom it can talk to, and who waits for a change to be kept.

import type { Millis, NodeId, RequestId } from '../../base/units.js'
import { digestOf, type History, membersOf } from '../../membership/history.js'
import { type Address, singleAddress } from '../../protocol/address.js'
import type { Ring } from '../../ring/ring.js'
import type { Turn } from '../actor.js'

export interface GossipOptions {
  /** What the life before has persisted; empty for a node that was never told anything. */
  readonly history: History
  /** Nodes that all nodes know from the beginning (Dynamo 4.8.2). Without one, islands never find each other. */
  readonly seeds: readonly NodeId[]
  /** Mean time between two rounds of one node. A change reaches all in about log2(nodes) rounds. */
  readonly everyMs: Millis
  /** How many are told of a change that is issued here at once, and not with the next rounds. 0: nobody. */
  readonly fanout: number
  /**
   * Chance that a round goes to a seed, 0 to 1. Each of few seeds has nodes * share / seeds rounds with others in
   * the time of one; 0 lets islands of nodes that know each other alone stay apart.
   */
  readonly seedShare: number
  /** Threads that are no members and are told of a change at once: the claimant's. */
  readonly observers: readonly NodeId[]
}

export const gossipDefaults = { everyMs: 1_000, fanout: 3, seedShare: 1 / 4, observers: [] } as const

/** A client whose change is not yet kept. */
export interface Unkept {
  readonly version: number
  readonly client: Address<'client'>
  readonly request: RequestId
  readonly epoch: number
}

export interface GossipState {
  readonly self: Address<'gossip'>
  readonly everyMs: Millis
  readonly fanout: number
  readonly seedShare: number
  readonly observers: readonly NodeId[]
  /** Without this node. */
  readonly seeds: readonly NodeId[]
  history: History
  digest: string
  /** All members but this node, by number. */
  others: readonly NodeId[]
  /** As this node has heard of it. */
  ring: Ring | undefined
  /** Who is known to be away, or does not answer here: passed over while there is anybody else. */
  away: ReadonlySet<NodeId>
  /** Of the last news that the host was told. */
  version: number
  /** By version. */
  unkept: Unkept[]
}

export function startGossip(self: Address<'gossip'>, options: GossipOptions, turn: Turn): GossipState {
  const { history, everyMs, fanout, seedShare } = options
  const state: GossipState = {
    self,
    everyMs,
    fanout,
    seedShare,
    observers: options.observers,
    seeds: options.seeds.filter((node) => node !== self.node),
    history,
    digest: digestOf(history),
    others: othersOf(history, self.node),
    ring: undefined,
    away: new Set(),
    version: 0,
    unkept: [],
  }
  // Nodes that begin together do not speak together.
  turn.after(everyMs * turn.random(), self, { type: 'gossip-due' })
  return state
}

/** Takes a history that says more than the one before, and tells the host. */
export function adopt(state: GossipState, history: History, turn: Turn): void {
  state.history = history
  state.digest = digestOf(history)
  state.others = othersOf(history, state.self.node)
  state.version++
  turn.send(singleAddress('host', state.self.node), {
    type: 'membership-news',
    version: state.version,
    history,
  })
}

function othersOf(history: History, self: NodeId): readonly NodeId[] {
  return membersOf(history)
    .map(({ node }) => node)
    .filter((node) => node !== self)
}
