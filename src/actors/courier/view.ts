// What a courier hears of the others: who is back. At the beginning of a life it does not know what the one
// before has left, so it looks once for everybody.

import { limits } from '../../base/limits.js'
import type { NodesChanged, RingChanged } from '../../protocol/life.js'
import type { Turn } from '../actor.js'
import { countNext } from './count.js'
import { look, lookSoon } from './deliver.js'
import { type CourierState, owedTo } from './state.js'

export function ringChanged(state: CourierState, message: RingChanged, turn: Turn): void {
  if (state.ring === undefined) {
    // Also for those who have left since: what is kept for them goes to their heirs.
    for (let node = 1; node <= limits.nodesMax; node++) {
      if (node !== state.self.node) owedTo(state, node, turn.now)
    }
    countNext(state, turn)
  }
  state.ring = message.ring
  look(state, turn)
}

export function nodesChanged(state: CourierState, message: NodesChanged, turn: Turn): void {
  const nodes = []
  for (const view of message.nodes) nodes[view.node] = view
  state.nodes = nodes
  // Who is back lacks what is here: soon, because reads ask it again.
  lookSoon(state, turn)
}
