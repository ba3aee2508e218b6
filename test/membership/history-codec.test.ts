// Histories as bytes: what goes in comes out; damaged bytes give `Malformed` or another history that is in order,
// never any other exception and never more memory than they are worth.

import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Malformed, Writer } from '../../src/base/bytes.js'
import { mistakeIn } from '../../src/membership/change.js'
import { digestOf, emptyHistory, type History } from '../../src/membership/history.js'
import { decodeHistory, encodeHistory } from '../../src/membership/history-codec.js'
import { founded, generatedHistory, historyOf } from './histories.js'

function decodedOrMalformed(bytes: Uint8Array): History | Malformed {
  try {
    return decodeHistory(bytes)
  } catch (error) {
    if (error instanceof Malformed) return error
    throw error
  }
}

/** With the checksum that these bytes should have: damage that was not made by chance. */
function resealed(bytes: Uint8Array): Uint8Array {
  const writer = new Writer(16)
  writer.raw(bytes.subarray(0, -4))
  writer.u32(crc32(bytes.subarray(0, -4)))
  return writer.copy()
}

const plain = (history: History): unknown => JSON.parse(JSON.stringify(history))

describe('a history goes there and comes back', () => {
  it('the same, byte for byte and digest for digest', () => {
    fc.assert(
      fc.property(generatedHistory, (history) => {
        const bytes = encodeHistory(history)
        const back = decodeHistory(bytes)
        expect(plain(back)).toEqual(plain(history))
        expect(digestOf(back)).toBe(digestOf(history))
        expect(encodeHistory(back)).toEqual(bytes)
      }),
    )
  })

  it('in few bytes', () => {
    expect(encodeHistory(emptyHistory).length).toBe(6)
    // 30 nodes founded together: 12 bytes each, and 13 for the entry.
    const nodes = Array.from({ length: 30 }, (_, i) => i + 1)
    expect(encodeHistory(founded(nodes, 1_700_000_000_000)).length).toBe(6 + 9 + 30 * 12)
  })
})

describe('damaged bytes', () => {
  function expectInOrder(result: History | Malformed): void {
    if (result instanceof Malformed) return
    expect(plain(historyOf(result.entries))).toEqual(plain(result))
    for (const { changes } of result.entries) expect(mistakeIn(changes)).toBeUndefined()
  }

  it('cut off anywhere, or with something behind them', () => {
    fc.assert(
      fc.property(generatedHistory, fc.nat(), (history, length) => {
        const bytes = encodeHistory(history)
        expect(decodedOrMalformed(bytes.subarray(0, length % bytes.length))).toBeInstanceOf(Malformed)
        expect(decodedOrMalformed(Buffer.concat([bytes, Buffer.of(0)]))).toBeInstanceOf(Malformed)
      }),
    )
  })

  it('changed in a few places', () => {
    const change = fc.tuple(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(255))
    fc.assert(
      fc.property(generatedHistory, fc.array(change, { minLength: 1, maxLength: 4 }), (history, changes) => {
        const bytes = Buffer.from(encodeHistory(history))
        for (const [where, what] of changes) bytes[Math.floor(where * bytes.length)] = what
        if (!bytes.equals(encodeHistory(history))) expect(decodedOrMalformed(bytes)).toBeInstanceOf(Malformed)
        expectInOrder(decodedOrMalformed(resealed(bytes)))
      }),
      { numRuns: 3_000 },
    )
  })

  it('of no history at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 120 }), fc.boolean(), (noise, isMarked) => {
        if (isMarked) noise[0] = 1
        expectInOrder(decodedOrMalformed(noise))
        expectInOrder(decodedOrMalformed(resealed(noise)))
      }),
      { numRuns: 3_000 },
    )
  })

  it('in the wrong order, or with an entry twice', () => {
    const [a, b] = [founded([1], 1_000).entries[0], founded([2], 2_000).entries[0]] as never[]
    for (const entries of [
      [b, a],
      [a, a],
    ] as never[][]) {
      expect(decodedOrMalformed(encodeHistory({ entries }))).toBeInstanceOf(Malformed)
    }
  })

  it('that promise more than they hold cost no memory', () => {
    const lengths = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]
    const texts = [
      // Entries; changes of an entry; bytes of a host's name.
      [1, ...lengths],
      [1, 1, 0, 1, 1, ...lengths],
      [1, 1, 0, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, ...lengths],
    ]
    for (const text of texts) {
      const before = process.memoryUsage()
      expect(decodedOrMalformed(resealed(Buffer.from([...text, 0, 0, 0, 0])))).toBeInstanceOf(Malformed)
      const after = process.memoryUsage()
      expect(after.heapTotal + after.external - before.heapTotal - before.external).toBeLessThan(1 << 25)
    }
  })
})
