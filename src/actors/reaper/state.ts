// What a reaper remembers: the dead objects that are on their way to be forgotten, each at one of three stages, and
// how far it has looked. All of it may be lost at any time: then it looks again.

import type { Key, Millis, NodeId, Partition, RequestId } from '../../base/units.js'
import type { Address } from '../../protocol/address.js'
import type { NodeView } from '../../protocol/life.js'
import type { Ring } from '../../ring/ring.js'
import type { Stamp } from '../../versions/object.js'

/** asking: what every node holds. held: all said the right thing. quiet: and nobody has kept a hint since. */
export type Stage = 'asking' | 'held' | 'quiet'

export interface Candidate {
  readonly partition: Partition
  readonly key: Key
  readonly hash: number
  readonly high: number
  readonly low: number
  readonly stamp: Stamp
  /** On how many nodes it shall be. */
  readonly copies: number
  stage: Stage
  /** When this stage began. */
  since: Millis
  /** Who has not said yet what it holds. */
  readonly waiting: Set<NodeId>
}

/** Everybody is asked whether it keeps hints. */
export interface HintsRound {
  readonly request: RequestId
  readonly askedAt: Millis
  readonly waiting: Set<NodeId>
}

export interface ReaperState {
  readonly self: Address<'reaper'>
  ring: Ring | undefined
  nodes: readonly (NodeView | undefined)[]
  /** Who lives, and in which lives, as one text. */
  lives: string
  /** When that or the ring changed last: what was found out before does not count. */
  changedAt: Millis
  lastRequest: RequestId
  readonly candidates: Map<RequestId, Candidate>
  readonly keys: Set<Key>
  hints: HintsRound | undefined
  /** When couriers may be asked again. */
  hintsDue: Millis
  /** Partitions that are still to be looked through in this round. */
  partitions: Partition[]
  /** The page that was asked for. */
  page: { readonly request: RequestId; readonly partition: Partition; readonly askedAt: Millis } | undefined
  after: string
  /** Something in this round was dead, or will be. */
  isMortalSeen: boolean
  /** `turn.mortals` when the round began that saw nothing of the kind. */
  mortalsSeen: number
  roundDue: Millis
  /** Wall clock less the clock that only goes forward: a jump shows here. */
  offset: Millis | undefined
  frozenUntil: Millis
  isArmed: boolean
  reaped: number
}

/** Nothing that was found out counts any more. */
export function forgetAll(state: ReaperState): void {
  state.candidates.clear()
  state.keys.clear()
  state.hints = undefined
}

/** All whose word is needed, or undefined when one of them cannot give it: who is away may hold anything. */
export function everybody(state: ReaperState): readonly NodeId[] | undefined {
  const { ring, nodes } = state
  if (ring === undefined || ring.change !== undefined) return undefined
  const all = new Set(ring.nodes)
  for (const view of nodes) {
    if (view !== undefined) all.add(view.node)
  }
  for (const node of all) if (!isThere(nodes[node])) return undefined
  return [...all]
}

export function isThere(view: NodeView | undefined): boolean {
  return view?.state === 'up' || view?.state === 'slow' || view?.state === 'suspected'
}
