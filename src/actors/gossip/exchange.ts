// A round: two nodes compare digests, and if they differ both end with all that either knew. Nothing waits for an
// answer: what is lost is made good by a later round, with this node or any other.

import type { NodeId } from '../../base/units.js'
import { mergeHistories } from '../../membership/history.js'
import { type Address, singleAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Gossip, GossipHistory } from '../../protocol/gossip.js'
import type { Turn } from '../actor.js'
import { adopt, type GossipState } from './state.js'
import { choosePeer, choosePeers } from './view.js'

export function gossipDue(state: GossipState, turn: Turn): void {
  const peer = choosePeer(state, turn)
  if (peer !== undefined) ask(state, singleAddress('gossip', peer), turn)
  // Jitter, so that nodes which fell into step fall out of it.
  turn.after(state.everyMs * (0.75 + turn.random() / 2), state.self, { type: 'gossip-due' })
}

/** Whoever has less certainly lacks something, and asks for it; else this node tells what it has. */
export function gossip(state: GossipState, envelope: Envelope, message: Gossip, turn: Turn): void {
  tellRing(state, envelope.from.node, message.epoch, turn)
  if (message.digest === state.digest) return
  const peer = envelope.from as Address<'gossip'>
  if (message.count > state.history.entries.length) ask(state, peer, turn)
  else tell(state, peer, turn)
}

export function gossipHistory(
  state: GossipState,
  envelope: Envelope,
  message: GossipHistory,
  turn: Turn,
): void {
  const merged = mergeHistories(state.history, message.history)
  if (merged !== state.history) adopt(state, merged, turn)
  // It is a part of what is known here now: when it is shorter, the other lacks something.
  const isLacking = message.history.entries.length < merged.entries.length
  if (isLacking) tell(state, envelope.from as Address<'gossip'>, turn)
}

/** Tells a few others at once of a change that was issued here. */
export function spread(state: GossipState, turn: Turn): void {
  for (const peer of choosePeers(state, state.fanout, turn)) tellNode(state, peer, turn)
  for (const observer of state.observers) tellNode(state, observer, turn)
}

function ask(state: GossipState, peer: Address<'gossip'>, turn: Turn): void {
  turn.send(peer, {
    type: 'gossip',
    digest: state.digest,
    count: state.history.entries.length,
    epoch: state.ring?.epoch ?? 0,
  })
}

/** Whoever has an earlier ring gets this one; whoever has a later is asked, so that it tells. */
function tellRing(state: GossipState, node: NodeId, epoch: number, turn: Turn): void {
  const { ring } = state
  if (ring !== undefined && ring.epoch > epoch) {
    turn.send(singleAddress('host', node), { type: 'ring-changed', ring })
  } else if (epoch > (ring?.epoch ?? 0)) ask(state, singleAddress('gossip', node), turn)
}

function tell(state: GossipState, peer: Address<'gossip'>, turn: Turn): void {
  turn.send(peer, { type: 'gossip-history', history: state.history })
}

function tellNode(state: GossipState, node: NodeId, turn: Turn): void {
  tell(state, singleAddress('gossip', node), turn)
}
