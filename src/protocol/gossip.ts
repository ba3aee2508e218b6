// The conversation about who is a member, Dynamo 4.8.1: "each node contacts a peer chosen at random every second
// and the two nodes efficiently reconcile their persisted membership change histories".
//
//   gossip --gossip--> gossip     this is the digest of mine: equal, and nothing more is said
//   gossip <--gossip-- gossip     mine is the shorter: tell me yours
//   host   <--ring-changed--      and my ring is later than yours
//   gossip <--gossip-history--    this is mine; whoever finds that the other lacks something answers with its own
//
//   client --change-membership--> gossip --membership-news--> host of the same thread, which persists it
//   client <-- membership-changed | membership-refused       gossip <--membership-kept--

import type { ErrorCode, ErrorDetails } from '../base/errors.js'
import type { Change } from '../membership/change.js'
import type { History } from '../membership/history.js'

export interface Gossip {
  readonly type: 'gossip'
  readonly digest: string
  /** Entries of the history. The longer of two cannot be a part of the shorter. */
  readonly count: number
  /** Of the ring that the sender knows: whoever knows a later one tells it (ring-changed, to the sender's host). */
  readonly epoch: number
}

export interface GossipHistory {
  readonly type: 'gossip-history'
  readonly history: History
}

/** Time for a round. */
export interface GossipDue {
  readonly type: 'gossip-due'
}

/** One plan: all of it, or nothing. */
export interface ChangeMembership {
  readonly type: 'change-membership'
  readonly changes: readonly Change[]
}

/** The change is on the disk of the node that was asked, and on its way to the others. */
export interface MembershipChanged {
  readonly type: 'membership-changed'
  /** Of the ring that it makes on this node. */
  readonly epoch: number
}

/** Nothing was changed. */
export interface MembershipRefused {
  readonly type: 'membership-refused'
  readonly code: ErrorCode
  readonly details: ErrorDetails
}

/** To the host of the same thread: this is the history now. Keep it, and act by it. */
export interface MembershipNews {
  readonly type: 'membership-news'
  /** Counts the news of this life, from 1. */
  readonly version: number
  readonly history: History
}

/** From the host: the history of this version, and all before it, would be found after a crash. */
export interface MembershipKept {
  readonly type: 'membership-kept'
  readonly version: number
}
