// Where a key lies on the ring, the fast way: HalfSipHash-2-4 (Aumasson and Bernstein's SipHash on 32-bit
// words) with 64 bits of key and 32 of output. Dynamo 4.2 and 4.3 use MD5 (see md5.ts), which from Node
// costs more than a whole read may; a fast hash without a real key lets strangers choose keys that meet in
// one partition. docs/decisions/hash.md has both stories, with figures.
//
// Invariant: a function of seed and key alone, the same on every thread, engine and byte order.
// Left to others: where the seed comes from, and who may see it (it is a secret of the cluster).

/** The 64-bit key of the hash: two whole numbers, 0 <= x < 2^32, first the low word. */
export type HashSeed = readonly [number, number]

/** Four characters of a text that is cut in two; none behind its end: to ask for one there is slow. */
function wordOf(head: string, tail: string, at: number): number {
  const end = Math.min(at + 4, head.length + tail.length)
  let word = 0
  for (let from = at; from < end; from++) {
    const code = from < head.length ? head.charCodeAt(from) : tail.charCodeAt(from - head.length)
    word |= code << (8 * (from - at))
  }
  return word
}

/**
 * The hash of a binary string (one character per byte), 0 <= hash < 2^32; or of two, one behind the other: a text made
 * of both would cost as much as the hash.
 */
export function hashKey(seed: HashSeed, key: string, head = ''): number {
  const from = head.length
  const length = from + key.length
  const wordsEnd = length & ~3
  let v0 = seed[0] | 0
  let v1 = seed[1] | 0
  let v2 = v0 ^ 0x6c796765
  let v3 = v1 ^ 0x74656462
  // The last word holds the bytes that are left and, on top, the length.
  for (let at = 0; at <= wordsEnd; at += 4) {
    let word: number
    if (at === wordsEnd) word = (length << 24) | wordOf(head, key, at)
    else if (at < from) word = wordOf(head, key, at)
    else {
      const first = at - from
      word =
        key.charCodeAt(first) |
        (key.charCodeAt(first + 1) << 8) |
        (key.charCodeAt(first + 2) << 16) |
        (key.charCodeAt(first + 3) << 24)
    }
    v3 ^= word
    // Two rounds, written out: a loop costs 5 to 8 percent more.
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (((v0 << 16) | (v0 >>> 16)) + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (((v0 << 16) | (v0 >>> 16)) + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= word
  }
  v2 ^= 0xff
  for (let round = 0; round < 4; round++) {
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (((v0 << 16) | (v0 >>> 16)) + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
  }
  return (v1 ^ v3) >>> 0
}
