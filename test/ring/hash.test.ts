// The default hash against its published vectors, and at its edges.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type HashSeed, hashKey } from '../../src/ring/hash.js'

// The 32-bit vectors of HalfSipHash's reference implementation: key bytes 00 to 07, message bytes
// 00, 01, 02 … of length 0 to 63. Output bytes in the order they are published, lowest first.
const published = `
  a9359f5b 27475ab8 fa62a603 8afee704 2a6e4689 c5fab669 5863fc23 8bcf63c5
  d0b8848f f806e779 94b07934 08083050 57f0872f 77e663ff d6fff87c 74fe2b97
  d9b5ac84 c474645b 465b8d9b 7befe387 e34d1045 613f62b3 70f367fe e6adb8bd
  27400c63 26787875 4f567b5f 3ab0e669 b0644000 ff670fb4 509e338b 5d589f1a
  fee72112 33753259 6a434f8c fe28b729 e75cc6ec 697e8d54 63688b0f 650b62b4
  b6bc1840 5d074505 2442fd2e 7bb7863a 7705d548 d75208b1 b6d499c8 0892202e
  69e12ce3 8db580e5 369764c6 016e0204 3b85f3d4 fedb66be 1e692a3a c68984c0
  a5c5b940 9be9e88c 7dbc8140 7c078ec5 d4e76c73 428fcbb9 bd83997a 59ea4a74
`
  .trim()
  .split(/\s+/)

const publishedSeed: HashSeed = [0x03020100, 0x07060504]

const message = (length: number): string =>
  Array.from({ length }, (_, byte) => String.fromCharCode(byte)).join('')

describe('HalfSipHash-2-4', () => {
  test('there is a vector for every length from 0 to 63', () => {
    expect(published).toHaveLength(64)
  })

  test.each(published.map((bytes, length) => [length, bytes] as const))('%i bytes: %s', (length, bytes) => {
    expect(hashKey(publishedSeed, message(length))).toBe(Buffer.from(bytes, 'hex').readUInt32LE(0))
  })

  test('bytes above 127 count in full, in every place of a word', () => {
    const hashes = new Set<number>()
    for (let place = 0; place < 8; place++) {
      for (const byte of [0x00, 0x7f, 0x80, 0xff]) {
        const bytes = Buffer.alloc(8, 0x55)
        bytes[place] = byte
        hashes.add(hashKey([1, 2], bytes.toString('latin1')))
      }
    }
    expect(hashes.size).toBe(32)
  })

  test('of two texts it is that of the one behind the other, wherever it is cut', () => {
    const text = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
    fc.assert(
      fc.property(text, text, (head, tail) => {
        expect(hashKey([3, 4], tail, head)).toBe(hashKey([3, 4], head + tail))
      }),
      { numRuns: 2_000 },
    )
  })

  test('trailing NULs are part of the key', () => {
    const hashes = Array.from({ length: 9 }, (_, length) => hashKey([1, 2], '\0'.repeat(length)))
    expect(new Set(hashes).size).toBe(9)
  })

  test('each of the 64 bits of the seed matters', () => {
    const hashes = new Set([hashKey([0, 0], 'default\0user1')])
    for (let bit = 0; bit < 32; bit++) {
      hashes.add(hashKey([(1 << bit) >>> 0, 0], 'default\0user1'))
      hashes.add(hashKey([0, (1 << bit) >>> 0], 'default\0user1'))
    }
    expect(hashes.size).toBe(65)
  })

  test('the highest seed gives an unsigned 32-bit number', () => {
    const hash = hashKey([0xffff_ffff, 0xffff_ffff], 'k')
    expect(hash).toBe(hash >>> 0)
  })
})
