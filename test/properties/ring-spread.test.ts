// Dynamo 4.2 and 6.2: the hash spreads keys evenly over partitions, whatever the keys look like.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRing, hashOf, partitionOf, type Ring, type RingHash } from '../../src/ring/ring.js'

const keyCount = 100_000
const partitions = 256

const families: readonly (readonly [string, (i: number) => string])[] = [
  ['integers as text', (i) => `default\0${i}`],
  ['integers as text of one length', (i) => `default\0${String(i).padStart(12, '0')}`],
  ['every hundredth integer', (i) => `default\0${i * 100}`],
  [
    'integers as four bytes, big-endian',
    (i) => `default\0${String.fromCharCode(i >>> 24, (i >>> 16) & 255, (i >>> 8) & 255, i & 255)}`,
  ],
  [
    'integers as four bytes, little-endian',
    (i) => `default\0${String.fromCharCode(i & 255, (i >>> 8) & 255, (i >>> 16) & 255, i >>> 24)}`,
  ],
  ['a long shared prefix', (i) => `default\0tenant/4711/session/2025-01-01/${i.toString(36)}`],
  ['a long shared end', (i) => `default\0${i.toString(36)}/tenant/4711/session/profile.json`],
  ['one byte repeated', (i) => `${String.fromCharCode(i & 255).repeat(1 + (i >>> 8))}`],
]

function ringOf(hash: RingHash, seed: readonly [number, number]): Ring {
  return createRing({ epoch: 1, partitions, copies: 1, hash, seed, nodes: [1] })
}

function chiSquare(ring: Ring, keyOf: (i: number) => string): number {
  const counts = new Float64Array(partitions)
  for (let i = 0; i < keyCount; i++) {
    const partition = partitionOf(ring, hashOf(ring, keyOf(i)))
    counts[partition] = (counts[partition] as number) + 1
  }
  const mean = keyCount / partitions
  return counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0)
}

// 255 degrees of freedom: mean 255, deviation 22.6. A fair hash is above 400 about once in 10^8 tries, and
// one that is too even to be random (below 150) about as seldom.
const chiSquareMin = 150
const chiSquareMax = 400

describe('100,000 keys over 256 partitions', () => {
  const seeds: readonly (readonly [number, number])[] = [
    [0, 0],
    [1, 0],
    [0x01234567, 0x89abcdef],
  ]
  test.each(families)('%s, by the seeded hash', (_, keyOf) => {
    for (const seed of seeds) {
      const found = chiSquare(ringOf('halfsip', seed), keyOf)
      expect(found).toBeLessThan(chiSquareMax)
      expect(found).toBeGreaterThan(chiSquareMin)
    }
  })

  test.each(families.slice(0, 2))('%s, by MD5', (_, keyOf) => {
    const found = chiSquare(ringOf('md5', [0, 0]), keyOf)
    expect(found).toBeLessThan(chiSquareMax)
    expect(found).toBeGreaterThan(chiSquareMin)
  })
})

describe('the seed', () => {
  const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
  const keys = Array.from({ length: 10_000 }, (_, i) => `default\0user${i}`)
  const together = (a: Ring, b: Ring): number =>
    keys.filter((key) => partitionOf(a, hashOf(a, key)) === partitionOf(b, hashOf(b, key))).length

  // By chance, 39 of 10,000 keys stay in their partition; 100 are ten deviations away.
  test('another one puts keys elsewhere, though it differs in one bit', () => {
    fc.assert(
      fc.property(u32, u32, fc.nat(63), (low, high, bit) => {
        const seed: [number, number] =
          bit < 32 ? [(low ^ (1 << bit)) >>> 0, high] : [low, (high ^ (1 << (bit - 32))) >>> 0]
        expect(together(ringOf('halfsip', [low, high]), ringOf('halfsip', seed))).toBeLessThan(100)
      }),
      { numRuns: 20 },
    )
  })

  test('makes no difference to MD5', () => {
    expect(together(ringOf('md5', [0, 0]), ringOf('md5', [1, 2]))).toBe(keys.length)
  })
})
