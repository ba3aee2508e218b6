// What happens to open requests when a node dies or begins a new life: whoever waits for it is told now,
// not at the deadline.

import type { NodesChanged, RingChanged } from '../../protocol/life.js'
import type { ReadTally } from '../../quorum/tally.js'
import { noteReadFailed } from '../../quorum/tally.js'
import type { Turn } from '../actor.js'
import { settleGet } from './get.js'
import { settleScan } from './scan.js'
import { type Asked, type GatewayState, generationOf, isUp } from './state.js'
import { fail } from './sweep.js'

export function ringChanged(state: GatewayState, message: RingChanged): void {
  state.ring = message.ring
}

export function nodesChanged(state: GatewayState, message: NodesChanged, turn: Turn): void {
  const nodes = []
  for (const view of message.nodes) nodes[view.node] = view
  state.nodes = nodes
  for (const [request, pending] of state.pending) {
    if (pending.type === 'put') {
      const { coordinator, generation } = pending
      if (isUp(state, coordinator) && generationOf(state, coordinator) === generation) continue
      state.pending.delete(request)
      fail(pending, 'coordinator-lost', { coordinator }, turn)
    } else {
      noteLost(state, pending, pending.tally)
      if (pending.type === 'get') settleGet(state, request, pending, turn)
      else settleScan(state, request, pending, turn)
    }
  }
}

function noteLost(state: GatewayState, asked: Asked, tally: ReadTally): void {
  for (let index = 0; index < asked.replicas.length; index++) {
    const node = asked.replicas[index] as number
    if (!isUp(state, node) || generationOf(state, node) !== asked.generations[index])
      noteReadFailed(tally, index)
  }
}
