// Server-driven coordination (Dynamo 6.4): whose gateway leads the next request of a client. Each has its turn, and who
// does not answer is passed over, because a request waits there until its deadline:
//
// - who is slow or suspected, until it is heard: the host of the client's thread probes it (membership/suspicion);
// - who let a request wait for its whole time, for a while that doubles. It may well answer probes: a node that the
//   client reaches and the other nodes do not leads nothing to its end.
//
// Passed over is not left out: when there is nobody better, they have their turn.

import type { Millis, NodeId } from '../../base/units.js'
import { type GatewayState, isBrisk } from './state.js'

const pauseMs: Millis = 10_000
const pauseMsMax: Millis = 60_000

export class GatewaysInTurn {
  private last: NodeId = 0
  /** By node number: until when it is passed over, and how often that was so since it last answered in time. */
  private readonly passedOverUntil: Millis[] = []
  private readonly pauses: number[] = []

  /** Undefined when no node lives. */
  next(state: GatewayState, now: Millis, isAlive: (node: NodeId) => boolean): NodeId | undefined {
    const nodes = state.ring?.nodes ?? []
    const at = nodes.indexOf(this.last)
    let best: NodeId | undefined
    let least = Number.POSITIVE_INFINITY
    for (let i = 1; i <= nodes.length && least > 0; i++) {
      const node = nodes[(at + i) % nodes.length] as NodeId
      if (!isAlive(node)) continue
      const doubts = !isBrisk(state, node) ? 2 : now < (this.passedOverUntil[node] ?? 0) ? 1 : 0
      if (doubts >= least) continue
      best = node
      least = doubts
    }
    this.last = best ?? this.last
    return best
  }

  /** A request that this node led has ended: with an answer, or with its deadline. */
  ended(state: GatewayState, node: NodeId, isInTime: boolean, now: Millis): void {
    if (isInTime) {
      this.passedOverUntil[node] = 0
      this.pauses[node] = 0
      return
    }
    // Who is suspected is probed, and back as soon as it is heard. All that a node led end at once, and tell one thing.
    if (!isBrisk(state, node) || now < (this.passedOverUntil[node] ?? 0)) return
    const pauses = this.pauses[node] ?? 0
    this.passedOverUntil[node] = now + Math.min(pauseMsMax, pauseMs * 2 ** pauses)
    this.pauses[node] = pauses + 1
  }
}
