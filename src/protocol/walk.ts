// The conversation of a long walk over a partition: a listing, or a replica that catches up. Asked for and
// answered page by page, a bounded number of rows each, so that no turn gets long and nobody holds a snapshot.
//
//   client --scan--> gateway --walk--> replicas        vnode --walk--> its peers
//   client <-------- gateway <--walked--               vnode <--walked--

import type { ErrorCode, ErrorDetails } from '../base/errors.js'
import type { Key, Millis, Partition } from '../base/units.js'
import type { Conflicts, Stamp, StoredObject } from '../versions/object.js'

export interface Scan {
  readonly type: 'scan'
  readonly partition: Partition
  /** `bucket + NUL`. */
  readonly prefix: string
  /** The page holds keys greater than this, '' from the start. */
  readonly after: string
  readonly limit: number
  /** When the whole listing began: what was there then is seen. */
  readonly begunAt: Millis
  readonly conflicts: Conflicts
  readonly n: number
  readonly r: number
}

export interface ScanAnswered {
  readonly type: 'scan-answered'
  readonly rows: readonly { readonly key: Key; readonly object: StoredObject }[]
  /** Where the next page begins; undefined at the end of the partition. */
  readonly next: string | undefined
}

export interface ScanFailed {
  readonly type: 'scan-failed'
  readonly code: ErrorCode
  readonly details: ErrorDetails
}

export interface Walk {
  readonly type: 'walk'
  readonly prefix: string
  readonly after: string
  readonly limit: number
  /** What a node had received by then is in the page (it flushes first, when it has not since). */
  readonly begunAt: Millis
  /** Only objects with a version at least this new; 0 for all. */
  readonly since: Stamp
}

export interface WalkedRow {
  readonly key: Key
  readonly object: Uint8Array
}

export interface Walked {
  readonly type: 'walked'
  readonly rows: readonly WalkedRow[]
  /** Where the next page begins; undefined at the end of the partition. */
  readonly next: string | undefined
  readonly complete: boolean
}

export interface WalkFailed {
  readonly type: 'walk-failed'
  readonly code: ErrorCode
}

/** From the host to the vnode that asked it for rows (turn.walk). */
export interface RowsRead {
  readonly type: 'rows-read'
  readonly rows: readonly WalkedRow[]
  readonly next: string | undefined
  readonly failed: boolean
}

/** Time for an incomplete vnode to ask its peers for what it may lack (again). */
export interface RepairDue {
  readonly type: 'repair-due'
}
