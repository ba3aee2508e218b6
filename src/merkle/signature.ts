// One stored object as 64 bits, for the tree of its partition (Dynamo 4.7 hashes values; we hash versions,
// because equal versions are equal objects and nobody has to read a megabyte to say so). Everything that an
// object is, its clock and its dots first, is under the checksum that it carries, so the signature is made of
// that checksum, the place where the newest stamp or the first actor lies, the length and the key's hash: a
// dozen bytes, whatever the size of the value.
//
// Invariant: equal bytes under equal keys have equal signatures. Different ones meet with a chance of about
// 2^-64, and of 2^-32 at worst: then a reader still finds what the trees do not.

/** Two words, of which no pair is reserved but (0, 0): nothing. */
export interface Signature {
  high: number
  low: number
}

const fewestBytes = 16

/** Writes the signature of an encoded object (versions/object-codec) into `into`; of `undefined`, nothing: (0, 0). */
export function sign(encoded: Uint8Array | undefined, keyHash: number, into: Signature): void {
  if (encoded !== undefined) return signAt(encoded, 0, encoded.length, keyHash, into)
  into.high = 0
  into.low = 0
}

/** The same of an object that lies in other bytes, from `start` to `end`. */
export function signAt(
  bytes: Uint8Array,
  start: number,
  end: number,
  keyHash: number,
  into: Signature,
): void {
  const length = end - start
  const sum = length >= 4 ? word(bytes, end - 4) : 0
  const early = length >= fewestBytes ? word(bytes, start + 4) : 0
  const later = length >= fewestBytes ? word(bytes, start + 8) : 0
  let high = mix(sum ^ 0x9e3779b9)
  high = mix(high ^ early)
  high = mix(high ^ keyHash)
  let low = mix(sum ^ 0x85ebca6b ^ length)
  low = mix(low ^ later)
  low = mix(low ^ Math.imul(keyHash, 0xcc9e2d51))
  into.high = high
  // Nothing is (0, 0), so something never is.
  into.low = (low | Number((high | low) === 0)) >>> 0
}

/** A whole word, as it lies. */
function word(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  )
}

/** The finalizer of Murmur3: each bit of what goes in moves half of the bits that come out. */
function mix(value: number): number {
  let x = value >>> 0
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}
