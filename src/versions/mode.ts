// How an object merges and where it may live, carried by the object itself: repair and handoff move objects
// without knowing their buckets. Six bits of a sibling's encoding byte; the two low ones are the client's.
// Invariant: what a bucket's mode was changed from never costs a value that was written after the change.

import { later, latestOf } from './merge.js'
import type { Conflicts, StoredObject } from './object.js'

const lastWriteWinsBit = 0x80
const volatileBit = 0x40
const codecBits = 0x03
const copiesShift = 2
const copiesBits = 0x0f

/**
 * The encoding byte of a new sibling: the client's codec number (0 to 3), the mode of its bucket, and on how many
 * nodes it shall be (1 to 16): two replicas that compare themselves must know what the other need not have.
 */
export function withMode(codec: number, conflicts: Conflicts, volatile: boolean, copies: number): number {
  return (
    (codec & codecBits) |
    (((copies - 1) & copiesBits) << copiesShift) |
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

/** On how many nodes an object shall be: as many as any of its values. */
export function copiesOf(object: StoredObject): number {
  let copies = 1
  for (const { encoding } of object.siblings) copies = Math.max(copies, copiesOfEncoding(encoding))
  return copies
}

export function copiesOfEncoding(encoding: number): number {
  return ((encoding >>> copiesShift) & copiesBits) + 1
}

export function isVolatileEncoding(encoding: number): boolean {
  return (encoding & volatileBit) !== 0
}
