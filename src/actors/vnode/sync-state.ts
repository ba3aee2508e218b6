// What a comparison with a peer remembers between two messages.

import type { Key, Millis, NodeId, RequestId } from '../../base/units.js'
import type { Address } from '../../protocol/address.js'
import type { Listing, Sync, SyncReport } from '../../protocol/sync.js'

/** A comparison, and whoever wants it: the mender, a gateway, or this vnode itself, to become complete. */
export interface SyncWanted {
  readonly sync: Sync
  readonly requester: Address
  readonly request: RequestId
}

/** A key that differs, on its way: asked of the peer, being stored here, or being sent there. */
export interface SyncItem {
  readonly key: Key
  readonly hash: number
  /** What the peer has. */
  readonly high: number
  readonly low: number
  stage: 'fetching' | 'storing' | 'pushing'
}

export interface SyncRun {
  readonly wanted: SyncWanted
  /** The peer's life in which it was begun. */
  readonly generation: number
  /** The open question to the peer, 0 for none, and when it was asked. */
  request: RequestId
  askedAt: Millis
  /** When it is looked at whether anything has moved since; 0 before the first question. */
  alarmAt: Millis
  stage: 'trees' | 'settling' | 'looking-again' | 'listing' | 'mending'
  /** When it looks again at what differed. */
  settleDue: Millis
  /** Parents of the leaves that were compared last, and those leaves that differed. */
  parents: readonly number[]
  leaves: readonly number[]
  /** Their hashes at the first look. */
  first: { readonly mine: readonly number[]; readonly theirs: readonly number[] } | undefined
  /** The page that is compared. */
  after: string
  ownRequest: RequestId
  own: Listing | undefined
  theirs: Listing | undefined
  /** When the listing began: a leaf that was written since is no sum of what was listed. */
  listedSince: Millis
  /** What both shall have: objects for so many nodes at least. */
  readonly copiesMin: number
  /** Of own signatures, by leaf and number of copies. */
  readonly sums: Map<number, { high: number; low: number }>
  readonly queue: SyncItem[]
  readonly items: Map<RequestId, SyncItem>
  /** Counted for the report. */
  readonly counts: { -readonly [count in Exclude<keyof SyncReport, 'keys'>]: number }
  readonly keys: Key[]
  readonly peer: NodeId
}
