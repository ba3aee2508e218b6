// What a vnode knows of the others: the ring and who is up, told by message and never looked up elsewhere.
// A node that died or began a new life has lost what it was asked; whoever waits for it is told now.

import type { NodesChanged, RingChanged } from '../../protocol/life.js'
import { preferenceList } from '../../ring/preference.js'
import type { Turn } from '../actor.js'
import { deciderChanged, firstChanged } from './decide.js'
import { hasMoved, receiverChanged } from './give.js'
import { settle, stepIn } from './lead.js'
import { abandon, giverChanged } from './receive.js'
import { beginRepair, beginUncertain, repairPeersChanged } from './repair.js'
import type { VnodeState } from './state.js'
import { isHealthy, isUp } from './state.js'
import { syncPeersChanged } from './sync.js'

export function ringChanged(state: VnodeState, message: RingChanged, turn: Turn): void {
  const { ring } = message
  const { partition } = state.self
  state.ring = ring
  const isUnderWay = ring.change !== undefined && ring.change.moved[partition] === 0
  const [before] = state.preference
  state.preference = preferenceList(ring, partition)
  if (!isUnderWay) hasMoved(state)
  if (!isUnderWay) state.hasReceived = false
  if (!isUnderWay && state.receiving !== undefined) abandon(state, state.receiving, 'unavailable', turn)
  firstChanged(state, before, turn)
  beginRepair(state, turn)
  if (ring.epoch === turn.bornInChange) beginUncertain(state, turn)
}

export function nodesChanged(state: VnodeState, message: NodesChanged, turn: Turn): void {
  const nodes = []
  for (const view of message.nodes) nodes[view.node] = view
  state.nodes = nodes
  for (const [request, pending] of state.puts) {
    // Who steps in is appended, and healthy.
    for (let index = 0; index < pending.asked.length; index++) {
      const node = pending.asked[index] as number
      if (node === 0 || node === state.self.node) continue
      const isLost = !isUp(state, node) || state.nodes[node]?.generation !== pending.generations[index]
      if (isLost || !isHealthy(state, node)) stepIn(state, request, pending, index, isLost, turn)
    }
    settle(state, request, pending, turn)
  }
  deciderChanged(state, turn)
  receiverChanged(state)
  giverChanged(state, turn)
  syncPeersChanged(state, turn)
  repairPeersChanged(state, turn)
}
