// Where a key lies on the ring, the paper's way: the first 32 bits of its MD5 (Dynamo 4.1: "MD5 hashing on
// the key to generate a 128-bit identifier"). 32 bits are enough to tell 65,536 partitions apart.
//
// Invariant: a function of the key alone. It has no seed, so whoever knows MD5 can choose keys that meet in
// one partition; for ring positions that match other Dynamos, not for open doors. See hash.ts.

import { createHash } from 'node:crypto'

/** The first four bytes, big-endian, of the MD5 of a binary string: 0 <= position < 2^32. */
export function md5Position(key: string): number {
  return createHash('md5').update(key, 'latin1').digest().readUInt32BE(0)
}
