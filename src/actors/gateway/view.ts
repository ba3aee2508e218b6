// What happens to open requests when a node dies or begins a new life: whoever waits for it is told now,
// not at the deadline.

import type { NodeId, RequestId } from '../../base/units.js'
import type { NodesChanged, RingChanged } from '../../protocol/life.js'
import type { ReadTally } from '../../quorum/tally.js'
import { noteReadFailed } from '../../quorum/tally.js'
import { generationOf, type Turn } from '../actor.js'
import { auditLost } from './audit.js'
import { directNodesChanged } from './direct.js'
import { askReplicas } from './get.js'
import { hintNodesChanged } from './hints.js'
import { fail } from './open.js'
import { endRead } from './read-repair.js'
import { settleScan } from './scan.js'
import { type Asked, type GatewayState, isUp, type PendingGet } from './state.js'

export function ringChanged(state: GatewayState, message: RingChanged): void {
  state.ring = message.ring
}

export function nodesChanged(state: GatewayState, message: NodesChanged, turn: Turn): void {
  const nodes = []
  for (const view of message.nodes) nodes[view.node] = view
  state.nodes = nodes
  state.lastStamp = Math.max(state.lastStamp, Math.ceil(turn.stampFloor))
  for (const [request, pending] of state.pending) {
    if (pending.type === 'put') {
      const { coordinator, generation } = pending
      if (isUp(state, coordinator) && generationOf(state, coordinator) === generation) continue
      state.pending.delete(request)
      fail(pending, 'coordinator-lost', { coordinator }, turn)
    } else if (pending.type === 'direct') {
      directNodesChanged(state, request, pending, turn)
    } else if (pending.type === 'hint') {
      hintNodesChanged(state, request, pending, turn)
    } else if (pending.type === 'scan') {
      noteLost(state, pending, pending.tally)
      settleScan(state, request, pending, turn)
    } else if (pending.type === 'audit') {
      auditLost(state, request, pending, turn)
    } else if (isAnyLost(state, pending)) {
      askAnew(state, request, pending, turn)
    }
  }
}

/** A read changes nothing, so it is begun again with who is there now. */
function askAnew(state: GatewayState, request: RequestId, pending: PendingGet, turn: Turn): void {
  if (pending.answered) return endRead(state, request, pending, turn)
  if (state.ring === undefined) return
  state.pending.delete(request)
  askReplicas(state, state.ring, pending.envelope, pending.tally.r, turn)
}

/** True when one that was asked and has not answered is gone. */
function isAnyLost(state: GatewayState, pending: PendingGet): boolean {
  const { replicas, generations, tally, standIns } = pending
  for (let place = 0; place < replicas.length; place++) {
    if ((((tally.complete | tally.incomplete) >>> place) & 1) === 1) continue
    const wasAsked = ((tally.away >>> place) & 1) === 0
    const node = replicas[place] as NodeId
    if (wasAsked && (!isUp(state, node) || generationOf(state, node) !== generations[place])) return true
    if (standIns.some((standIn) => standIn.place === place && !isUp(state, standIn.node))) return true
  }
  return false
}

function noteLost(state: GatewayState, asked: Asked, tally: ReadTally): void {
  for (let index = 0; index < asked.replicas.length; index++) {
    const node = asked.replicas[index] as number
    if (!isUp(state, node) || generationOf(state, node) !== asked.generations[index])
      noteReadFailed(tally, index)
  }
}
