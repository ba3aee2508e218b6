// Whom to talk to. Who is away, or is suspected here, is passed over for another, and for nothing else: when all
// are said to be away one of them is tried, because what is said may be old, and a round costs next to nothing.

import type { NodeId } from '../../base/units.js'
import type { NodesChanged, RingChanged } from '../../protocol/life.js'
import type { Turn } from '../actor.js'
import type { GossipState } from './state.js'

export function nodesChanged(state: GossipState, message: NodesChanged): void {
  const away = new Set<NodeId>()
  for (const { node, state: life } of message.nodes) if (life !== 'up' && life !== 'slow') away.add(node)
  state.away = away
}

/** The claimant's word, which may not reach everybody: whoever has it tells it. */
export function ringChanged(state: GossipState, message: RingChanged): void {
  state.ring = message.ring
}

/** The one to talk to in this round: a seed now and then, and always while no other member is known. */
export function choosePeer(state: GossipState, turn: Turn): NodeId | undefined {
  const present = (nodes: readonly NodeId[]) => nodes.filter((node) => !state.away.has(node))
  const seeds = present(state.seeds)
  const others = present(state.others)
  const isForSeed = seeds.length > 0 && (others.length === 0 || turn.random() < state.seedShare)
  const pool = isForSeed ? seeds : others
  return oneOf(pool.length > 0 ? pool : [...state.others, ...state.seeds], turn)
}

/** Up to `count` other members, each once. */
export function choosePeers(state: GossipState, count: number, turn: Turn): readonly NodeId[] {
  const pool = state.others.filter((node) => !state.away.has(node))
  const chosen: NodeId[] = []
  while (chosen.length < count && pool.length > 0) {
    chosen.push(...pool.splice(Math.floor(turn.random() * pool.length), 1))
  }
  return chosen
}

function oneOf(nodes: readonly NodeId[], turn: Turn): NodeId | undefined {
  return nodes[Math.floor(turn.random() * nodes.length)]
}
