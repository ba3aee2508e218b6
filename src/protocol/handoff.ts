// The conversation of a place that passes from one node to another, Dynamo 4.9: the receiver confirms before
// anything moves, so nothing is ever sent twice because two had offered it.
//
//   claimant --receive--> receiver --give--> giver      from here on it passes on every write
//                         receiver <--giving--
//                         receiver ... takes all that is there (walk, then sync) ...
//                         receiver --take--> giver      from here on it asks the receiver before it answers
//                         receiver <-- taken | take-refused
//   claimant <--received | receive-failed, receiving--
//   claimant --keep-ring--> machine --ring-kept--> claimant --ring-changed--> every host
//   claimant --release--> the former holder, when nobody can speak to it as one any more

import type { ErrorCode } from '../base/errors.js'
import type { NodeId, Partition } from '../base/units.js'
import type { Ring } from '../ring/ring.js'

/** Become what the node at this place of the preference list is. */
export interface Receive {
  readonly type: 'receive'
  readonly place: number
  /** Who has it; 0 when that node is gone for good: then all others are asked. */
  readonly giver: NodeId
}

export interface Received {
  readonly type: 'received'
  readonly partition: Partition
  readonly place: number
  readonly objects: number
  readonly bytes: number
}

export interface ReceiveFailed {
  readonly type: 'receive-failed'
  readonly partition: Partition
  readonly place: number
  readonly code: ErrorCode
}

/** How far it has come. */
export interface Receiving {
  readonly type: 'receiving'
  readonly partition: Partition
  readonly place: number
  readonly objects: number
  readonly bytes: number
}

export interface Give {
  readonly type: 'give'
  readonly place: number
}

export interface Giving {
  readonly type: 'giving'
}

/** The receiver has all that the giver had, and all that it passed on. */
export interface Take {
  readonly type: 'take'
}

export interface Taken {
  readonly type: 'taken'
}

/** Something that was passed on did not arrive: compare again. */
export interface TakeRefused {
  readonly type: 'take-refused'
}

/** This node is no replica of the partition any more: forget it. */
export interface Release {
  readonly type: 'release'
  /** Places of the preference list that hold objects. */
  readonly copies: number
}

/** To a vnode of one's own: what is here of a time as a replica shall go to one. */
export interface GiveBack {
  readonly type: 'give-back'
}

/** To the claimant: bring the ring to these owners. */
export interface BeginChange {
  readonly type: 'begin-change'
  readonly owners: readonly NodeId[]
  /** The largest n of any bucket. */
  readonly copies: number
}

/** To the machine: keep this ring, so that it would be found after a crash. */
export interface KeepRing {
  readonly type: 'keep-ring'
  readonly ring: Ring
}

export interface RingKept {
  readonly type: 'ring-kept'
  readonly epoch: number
}

/** Time to ask the giver again: it may not have heard yet what it is to give. */
export interface ReceiveDue {
  readonly type: 'receive-due'
}

/** Time to forget questions that were handed on and got no answer. */
export interface RelayDue {
  readonly type: 'relay-due'
}

/** Time for the claimant to begin what can be begun, and to tell what has moved. */
export interface ClaimDue {
  readonly type: 'claim-due'
}
