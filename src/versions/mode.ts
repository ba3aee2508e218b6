// How an object merges and where it may live, carried by the object itself: repair and handoff move objects
// without knowing their buckets. Two bits of a sibling's encoding byte; the low ones are the client's.
// Invariant: what a bucket's mode was changed from never costs a value that was written after the change.

import { later, latestOf } from './merge.js'
import type { Conflicts, StoredObject } from './object.js'

const lastWriteWinsBit = 0x80
const volatileBit = 0x40
const codecBits = 0x3f

/** The encoding byte of a new sibling: the client's codec number (0 to 63) and the mode of its bucket. */
export function withMode(codec: number, conflicts: Conflicts, volatile: boolean): number {
  return (
    (codec & codecBits) |
    (conflicts === 'last-write-wins' ? lastWriteWinsBit : 0) |
    (volatile ? volatileBit : 0)
  )
}

/** The client's codec number of a sibling. */
export function codecOf(encoding: number): number {
  return encoding & codecBits
}

/**
 * The mode in which an object, or two that meet, are merged: that of the latest write among them. A bucket
 * that changed its mode has both kinds; whoever holds the latest write decides like everybody who does.
 */
export function conflictsOf(object: StoredObject, other?: StoredObject): Conflicts {
  let latest = latestOf(object)
  if (other !== undefined && later(latestOf(other), latest)) latest = latestOf(other)
  return (latest.encoding & lastWriteWinsBit) === 0 ? 'siblings' : 'last-write-wins'
}

/** True for an object of a bucket with durability 'memory': never written to the store. One durable value makes it durable. */
export function isVolatile(object: StoredObject): boolean {
  for (const { encoding } of object.siblings) if (!isVolatileEncoding(encoding)) return false
  return true
}

export function isVolatileEncoding(encoding: number): boolean {
  return (encoding & volatileBit) !== 0
}
