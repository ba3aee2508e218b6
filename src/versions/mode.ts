// How an object merges and where it may live, carried by the object itself: repair and handoff move objects
// without knowing their buckets. Two bits of a sibling's encoding byte; the low ones are the client's.

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

export function conflictsOf(object: StoredObject): Conflicts {
  return ((object.siblings[0]?.encoding ?? 0) & lastWriteWinsBit) === 0 ? 'siblings' : 'last-write-wins'
}

/** True for an object of a bucket with durability 'memory': never written to the store. */
export function isVolatile(object: StoredObject): boolean {
  return isVolatileEncoding(object.siblings[0]?.encoding ?? 0)
}

export function isVolatileEncoding(encoding: number): boolean {
  return (encoding & volatileBit) !== 0
}
