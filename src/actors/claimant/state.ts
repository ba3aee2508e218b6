// What the claimant remembers of a ring that changes: every place that passes from one node to another.

import type { Millis, NodeId, Partition } from '../../base/units.js'
import type { Address } from '../../protocol/address.js'
import type { NodeView } from '../../protocol/life.js'
import type { Transfer } from '../../ring/preference.js'
import type { Ring } from '../../ring/ring.js'

export interface TransferState {
  readonly transfer: Transfer
  stage: 'waiting' | 'running' | 'done'
  /** The lives in which it was begun: a later one knows nothing of it. */
  generation: number
  giverGeneration: number
  begunAt: Millis
  endedAt: Millis
  /** When anything was last heard of it. */
  heardAt: Millis
  objects: number
  bytes: number
  /** How often it was begun. */
  tries: number
  /** Why it waits. */
  reason: string
}

export interface ClaimantState {
  readonly self: Address<'claimant'>
  ring: Ring | undefined
  nodes: readonly (NodeView | undefined)[]
  /** Of the change that is under way, by `transferKey`; empty when none is. */
  readonly transfers: Map<number, TransferState>
  /** Partitions all of whose transfers are done, and of which nobody was told yet. */
  arrived: Partition[]
  /** The ring that is being kept; it is told when it is. */
  keeping: Ring | undefined
  /** Former holders, to be told to forget, and when. */
  releases: {
    readonly node: NodeId
    readonly partition: Partition
    readonly copies: number
    readonly generation: number
    readonly due: Millis
  }[]
  isArmed: boolean
}

export function transferKey(partition: Partition, place: number): number {
  return partition * 64 + place
}
