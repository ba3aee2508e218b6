// The conversation about hints, Dynamo 4.6: a write for a node that is away is kept by one that stands in for it,
// apart from what that one holds itself, and delivered when the owner is back. A delivery is a `replicate`.
//
//   coordinator --keep--> courier of the stand-in      courier --replicate--> vnode of the owner
//   coordinator <-- replicated | replicate-failed      courier <--replicated: only now the hint is deleted
//
//   operator --pause-hints, drop-hints--> courier
//
//   gateway --fetch-kept--> courier       what it keeps of a key for an owner
//   gateway <-- kept | fetch-failed

import type { Key, NodeId } from '../base/units.js'
import type { Level } from './write.js'

/** Keep this for `owner`, and deliver it when it is back. Merges with what is kept already. */
export interface Keep {
  readonly type: 'keep'
  readonly owner: NodeId
  readonly key: Key
  readonly hash: number
  readonly object: Uint8Array
  /** How far it must have come before it is answered. */
  readonly level: Level
  /** The write has no quorum without it: it is kept although the limits of hints are reached. */
  readonly needed: boolean
}

export interface FetchKept {
  readonly type: 'fetch-kept'
  readonly owner: NodeId
  readonly key: Key
  readonly hash: number
}

/** What is kept of the key for this owner; nothing kept proves nothing about the key. */
export interface Kept {
  readonly type: 'kept'
  readonly owner: NodeId
  readonly object: Uint8Array | undefined
}

/** Time for a courier to look whose hints can be delivered. */
export interface HintsDue {
  readonly type: 'hints-due'
}

/** From an operator: hints for this node wait, or no longer. */
export interface PauseHints {
  readonly type: 'pause-hints'
  readonly owner: NodeId
  readonly paused: boolean
}

/** From an operator: hints for this node are given up. */
export interface DropHints {
  readonly type: 'drop-hints'
  readonly owner: NodeId
}

/** First character of the key of a hint. No bucket's name begins with it, so no listing meets one. */
const mark = '\0'

/** Where a hint is kept: a key like any other, which belongs to no bucket. */
export function hintKey(owner: NodeId, key: Key): Key {
  return (mark + String.fromCharCode(owner) + key) as Key
}

export function isHintKey(key: Key): boolean {
  return key.charCodeAt(0) === 0
}

export function ownerOfHint(hint: Key): NodeId {
  return hint.charCodeAt(1)
}

/** The key that the hint is of. */
export function keyOfHint(hint: Key): Key {
  return hint.slice(2) as Key
}
