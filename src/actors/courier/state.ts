// What a courier remembers of the hints that its node keeps: how much for whom, and what is on its way.
// The hints themselves are objects in the node's buffer and store, under keys of their own (protocol/hint).

import type { Key, Millis, NodeId, Partition, RequestId } from '../../base/units.js'
import { type Address, singleAddress } from '../../protocol/address.js'
import type { NodeView } from '../../protocol/life.js'
import type { Ring } from '../../ring/ring.js'
import type { Turn } from '../actor.js'

/** The hints for one node. Counts are of this life, and corrected whenever a round finds nothing more. */
export interface Owed {
  count: number
  bytes: number
  /** When the first of them was kept; the age that is limited. */
  since: Millis
  /** Writes that came during the round: then its end says nothing about their number. */
  keptSince: number
  /** A round of delivery that is going on. */
  round: Round | undefined
}

export interface Round {
  readonly generation: number
  readonly begunAt: Millis
  /** The page that was asked for, 0 when its rows are being delivered. */
  page: RequestId
  pageAskedAt: Millis
  next: string | undefined
  /** Hints that were written since the page was asked for: what the page shows of them may be older. */
  readonly touched: Set<Key>
  outstanding: number
  found: number
  failed: number
}

/** A hint on its way to its owner. */
export interface Sent {
  readonly owner: NodeId
  readonly hint: Key
  readonly hash: number
  readonly partition: Partition
  readonly bytes: number
  /** The hint was written again meanwhile: it is not the one that the owner confirms. */
  isStale: boolean
}

export interface CourierState {
  readonly self: Address<'courier'>
  ring: Ring | undefined
  nodes: readonly (NodeView | undefined)[]
  lastRequest: RequestId
  readonly owners: Map<NodeId, Owed>
  readonly sent: Map<RequestId, Sent>
  /** The same by the hint's key. */
  readonly sentByHint: Map<Key, Sent>
  /** Owners whose hints an operator holds back. */
  readonly paused: Set<NodeId>
  /** Owners whose hints are given up, and the page that was asked for. */
  readonly drops: Map<NodeId, RequestId>
  /** What an earlier life has left is being counted (count.ts): for whom, and the page that was asked for. */
  counting: { readonly owner: NodeId; readonly request: RequestId } | undefined
  /** When the menders were last told that this node lacks something. */
  readonly toldAt: Map<NodeId, Millis>
  /** When it looks next, 0 for not at all. */
  lookDue: Millis
  delivered: number
  /** Hints whose bytes were wrong: the owner will lack these writes until it is repaired. */
  damaged: number
  /** Hints that were refused for want of room: the owner will lack these writes until it is repaired. */
  refused: number
  /** Hints that an operator gave up. */
  dropped: number
}

/** True when what is kept for this node can go to it, or to others because it is no member any more. */
export function isHealthy(state: CourierState, node: NodeId): boolean {
  if (state.ring !== undefined && !state.ring.nodes.includes(node)) return !state.drops.has(node)
  return state.nodes[node]?.state === 'up' && !state.paused.has(node) && !state.drops.has(node)
}

/** The menders hear so often, at most, that this node lacks something that was not kept for it. */
const tellEveryMs: Millis = 10_000

/** Something that was meant for `owner` is not kept: those who hold it are told, since only they can mend it. */
export function lost(state: CourierState, owner: NodeId, turn: Turn): void {
  if (state.ring === undefined || turn.now < (state.toldAt.get(owner) ?? -tellEveryMs) + tellEveryMs) return
  state.toldAt.set(owner, turn.now)
  for (const node of state.ring.nodes) {
    turn.send(singleAddress('mender', node), { type: 'mend-wanted', owner })
  }
}

/** What is kept for this node, noted from now on if it was not before. */
export function owedTo(state: CourierState, owner: NodeId, now: Millis): Owed {
  let owed = state.owners.get(owner)
  if (owed === undefined) {
    owed = {
      count: 0,
      bytes: 0,
      since: now,
      keptSince: 0,
      round: undefined,
    }
    state.owners.set(owner, owed)
  }
  return owed
}
