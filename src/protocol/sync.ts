// The conversation of two replicas that find out where they differ, Dynamo 4.7, and mend it. Equal ones
// exchange their roots and nothing else.
//
//   whoever wants it --sync--> vnode <--synced--
//   vnode --tree-ask--> peer --tree-told-->        level by level, only under what differs
//   vnode --list-ask--> peer --list-told-->        keys and signatures of the leaves that differ
//   vnode --fetch--> peer --fetched--> vnode       what only the peer has, or has otherwise: through the one door
//   vnode --replicate--> peer                      what only this one has
//
//   client --audit--> gateway --sync--> vnode of each partition's first replica, for each of the others

import type { ErrorCode } from '../base/errors.js'
import type { Key, NodeId, Partition } from '../base/units.js'

/** Compare with this peer, and mend what differs if `mends`. */
export interface Sync {
  readonly type: 'sync'
  readonly peer: NodeId
  readonly mends: boolean
  /** Every object is read, its checksum verified and its signature compared: nothing is taken from the trees. */
  readonly deep: boolean
  /** It will be done again: what is being written just now need not be looked at. */
  readonly isRoutine: boolean
  /** Only objects that shall be on so many nodes at least; 0: what both shall have by their places. */
  readonly copiesMin: number
}

export interface SyncReport {
  /** Envelopes of the conversation, both ways, without those that carry objects. */
  readonly messages: number
  /** Keys whose signatures were compared one by one. */
  readonly listed: number
  readonly differing: number
  /** Objects that came from the peer, and that went to it. */
  readonly pulled: number
  readonly pushed: number
  /** Bytes of those. */
  readonly bytes: number
  /** Own objects whose checksum is wrong; looked at only when deep. */
  readonly damaged: number
  /** Objects of the peer that it could not read: what it alone has of them is not here yet. */
  readonly unread: number
  /** Leaves that were not the sum of what is in them, put right. */
  readonly corrected: number
  /** Some of the keys that differ. */
  readonly keys: readonly Key[]
}

export interface Synced {
  readonly type: 'synced'
  readonly peer: NodeId
  readonly report: SyncReport
  /** Set when it was not brought to its end. */
  readonly failure: ErrorCode | undefined
}

/** The hashes of the children of these nodes: level 0 is the root, of nobody. */
export interface TreeAsk {
  readonly type: 'tree-ask'
  /** Only objects that shall be on so many nodes at least: what both replicas shall have. */
  readonly copiesMin: number
  readonly level: number
  readonly parents: readonly number[]
}

export interface TreeTold {
  readonly type: 'tree-told'
  readonly level: number
  readonly parents: readonly number[]
  /** Two words a hash, for each parent in order. */
  readonly hashes: readonly number[]
}

/** A page of the keys in these leaves, in key order; no leaves: in all of them. */
export interface ListAsk {
  readonly type: 'list-ask'
  readonly copiesMin: number
  readonly leaves: readonly number[]
  readonly after: string
  readonly deep: boolean
}

export interface Listing {
  readonly keys: readonly Key[]
  /** On how many nodes each shall be. */
  readonly copies: readonly number[]
  /** Two words a key. */
  readonly signatures: readonly number[]
  /** Indexes of keys whose object fails its checksum; looked for only when deep. */
  readonly damaged: readonly number[]
  /** Where the next page begins; undefined at the end of the partition. */
  readonly next: string | undefined
}

export interface ListTold extends Listing {
  readonly type: 'list-told'
}

/** From the host to the vnode that asked it for a listing (turn.list). */
export interface Listed extends Listing {
  readonly type: 'listed'
  readonly failed: boolean
}

export interface SyncFailed {
  readonly type: 'sync-failed'
  readonly code: ErrorCode
}

/** Time to look again at what differed a moment ago, or at a question that got no answer. */
export interface SyncDue {
  readonly type: 'sync-due'
}

/** To oneself: send what is stored under this key to the peer, unless the peer has just that. */
export interface SyncPush {
  readonly type: 'sync-push'
  readonly key: Key
  readonly hash: number
  /** What the peer has; 0 and 0 for nothing. */
  readonly high: number
  readonly low: number
}

/** Compare the replicas of a partition, and mend what differs if `mends`. */
export interface Audit {
  readonly type: 'audit'
  readonly partition: Partition
  readonly n: number
  readonly mends: boolean
  readonly deep: boolean
}

export interface AuditAnswered {
  readonly type: 'audit-answered'
  readonly report: SyncReport
  /** Replicas that could not be compared: down, or without an answer. */
  readonly missing: readonly NodeId[]
}

export interface AuditFailed {
  readonly type: 'audit-failed'
  readonly code: ErrorCode
}

/** Time for a mender to have the next pair of replicas compared. */
export interface MendDue {
  readonly type: 'mend-due'
}

/** To the menders: something was not kept for this node, or was lost. Its replicas come first. */
export interface MendWanted {
  readonly type: 'mend-wanted'
  readonly owner: NodeId
}

export const nothingDone: SyncReport = {
  messages: 0,
  listed: 0,
  differing: 0,
  pulled: 0,
  pushed: 0,
  bytes: 0,
  damaged: 0,
  unread: 0,
  corrected: 0,
  keys: [],
}

/** Keys that a report names. */
const keysMax = 20

export function addReports(a: SyncReport, b: SyncReport): SyncReport {
  return {
    messages: a.messages + b.messages,
    listed: a.listed + b.listed,
    differing: a.differing + b.differing,
    pulled: a.pulled + b.pulled,
    pushed: a.pushed + b.pushed,
    bytes: a.bytes + b.bytes,
    damaged: a.damaged + b.damaged,
    unread: a.unread + b.unread,
    corrected: a.corrected + b.corrected,
    keys: [...a.keys, ...b.keys].slice(0, keysMax),
  }
}
