// The conversation of a read, Dynamo 4.5: the gateway asks the N replicas, waits for R, merges.
//
//   client --get--> gateway --fetch--> replicas
//   client <------- gateway <--fetched--
//      get-answered | get-failed    fetch-failed
//                      gateway --replicate--> those that lacked something (read repair)

import type { ErrorCode, ErrorDetails } from '../base/errors.js'
import type { Key, NodeId } from '../base/units.js'
import type { Conflicts, StoredObject } from '../versions/object.js'

export interface Get {
  readonly type: 'get'
  readonly key: Key
  readonly hash: number
  readonly conflicts: Conflicts
  readonly n: number
  readonly r: number
  /** How many of the first n nodes of the preference list must have answered themselves. 0: hints count too. */
  readonly pr: number
}

export interface GetAnswered {
  readonly type: 'get-answered'
  /** Everything that the replicas answered, merged; undefined when none has the key. */
  readonly object: StoredObject | undefined
  /** The replica that answered first: the best coordinator for a write that follows (Dynamo 4.5, 5). */
  readonly fastest: NodeId
}

export interface GetFailed {
  readonly type: 'get-failed'
  readonly code: ErrorCode
  readonly details: ErrorDetails
}

export interface Fetch {
  readonly type: 'fetch'
  readonly key: Key
  readonly hash: number
}

export interface Fetched {
  readonly type: 'fetched'
  /** The encoded object; undefined when the replica has none. */
  readonly object: Uint8Array | undefined
  /** False while the replica catches up: what it has is good, what it has not proves nothing. */
  readonly complete: boolean
}

export interface FetchFailed {
  readonly type: 'fetch-failed'
  readonly code: ErrorCode
}

/** Time for a gateway to look for requests whose deadline has passed. */
export interface RequestSweepDue {
  readonly type: 'request-sweep-due'
}
