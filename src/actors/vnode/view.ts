// What a vnode knows of the others: the ring and who is up, told by message and never looked up elsewhere.
// A node that died or began a new life has lost what it was asked; whoever waits for it is told now.

import type { NodesChanged, RingChanged } from '../../protocol/life.js'
import { noteFailed } from '../../quorum/tally.js'
import { preferenceList } from '../../ring/preference.js'
import type { Turn } from '../actor.js'
import { settle } from './put.js'
import { beginRepair, repairPeersChanged } from './repair.js'
import type { VnodeState } from './state.js'
import { isUp } from './state.js'

export function ringChanged(state: VnodeState, message: RingChanged, turn: Turn): void {
  state.ring = message.ring
  state.preference = preferenceList(message.ring, state.self.partition)
  beginRepair(state, turn)
}

export function nodesChanged(state: VnodeState, message: NodesChanged, turn: Turn): void {
  const nodes = []
  for (const view of message.nodes) nodes[view.node] = view
  state.nodes = nodes
  for (const [request, pending] of state.puts) {
    for (let index = 0; index < pending.replicas.length; index++) {
      const node = pending.replicas[index] as number
      const lost = !isUp(state, node) || state.nodes[node]?.generation !== pending.generations[index]
      if (lost && node !== state.self.node) noteFailed(pending.tally, index)
    }
    settle(state, request, pending, turn)
  }
  repairPeersChanged(state, turn)
}
