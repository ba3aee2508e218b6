// Seeded randomness for everything that must be repeatable: xoshiro128** (Blackman and Vigna), integers
// only, so that a seed means the same on every engine. Not for secrets.

/** A source of numbers in [0, 1). Handed to whoever may be random; nobody calls Math.random. */
export type Random = () => number

/** Spreads a seed and a stream number over 32 bits (the finaliser of MurmurHash3, public domain). */
function mix(seed: number, stream: number): number {
  let h = (seed ^ Math.imul(stream, 0x9e3779b1)) >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** One stream of a seed: streams of the same seed are independent, so that removing one does not move the others. */
export function seededRandom(seed: number, stream = 0): Random {
  let a = mix(seed, stream * 4 + 1) | 1
  let b = mix(seed, stream * 4 + 2)
  let c = mix(seed, stream * 4 + 3)
  let d = mix(seed, stream * 4 + 4)
  return () => {
    const scrambled = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotate(d, 11)
    return scrambled / 0x1_0000_0000
  }
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by))
}

/** A whole number in [0, below). */
export function randomBelow(random: Random, below: number): number {
  return Math.floor(random() * below)
}

/** The same items in another order, every order equally likely. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const mixed = [...items]
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = randomBelow(random, i + 1)
    const item = mixed[i] as T
    mixed[i] = mixed[j] as T
    mixed[j] = item
  }
  return mixed
}
