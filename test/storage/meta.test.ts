// The meta row: what goes in comes out, and any other bytes are Malformed, never a wrong answer about what
// was acknowledged.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Malformed } from '../../src/base/bytes.js'
import { decodeMeta, encodeMeta, type Meta } from '../../src/storage/meta.js'

const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const meta: fc.Arbitrary<Meta> = fc.record({
  incarnation: whole,
  sequence: whole,
  flushedTo: fc.double({ min: 0, max: 1e14, noNaN: true }),
  stampFloor: whole,
  clean: fc.boolean(),
  owing: fc.option(whole, { nil: undefined }),
  peers: fc.array(whole, { maxLength: 65 }),
})

describe('the meta row', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(meta, (each) => {
        expect(decodeMeta(encodeMeta(each))).toEqual(each)
      }),
    )
  })

  it('knows "owes everything" from "owes nothing"', () => {
    const base: Meta = {
      incarnation: 1,
      sequence: 2,
      flushedTo: 3,
      stampFloor: 4,
      clean: false,
      owing: 0,
      peers: [],
    }
    expect(decodeMeta(encodeMeta(base)).owing).toBe(0)
    expect(decodeMeta(encodeMeta({ ...base, owing: undefined })).owing).toBeUndefined()
  })

  it('holds a zero for a peer that has not reported', () => {
    const sparse: number[] = []
    sparse[3] = 7
    const base = { incarnation: 1, sequence: 2, flushedTo: 3, stampFloor: 4, clean: true, owing: undefined }
    expect(decodeMeta(encodeMeta({ ...base, peers: sparse })).peers).toEqual([0, 0, 0, 7])
  })

  it('with any one bit flipped is Malformed', () => {
    fc.assert(
      fc.property(meta, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (each, where) => {
        const bytes = Buffer.from(encodeMeta(each))
        const bit = Math.floor(where * bytes.length * 8)
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
        expect(() => decodeMeta(bytes)).toThrow(Malformed)
      }),
    )
  })

  it('cut off anywhere, or with something behind it, is Malformed', () => {
    fc.assert(
      fc.property(meta, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (each, part) => {
        const bytes = Buffer.from(encodeMeta(each))
        expect(() => decodeMeta(bytes.subarray(0, Math.floor(bytes.length * part)))).toThrow(Malformed)
        expect(() => decodeMeta(Buffer.concat([bytes, Buffer.from([0])]))).toThrow(Malformed)
      }),
    )
  })

  it('of noise is Malformed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (noise) => {
        expect(() => decodeMeta(noise)).toThrow(Malformed)
      }),
    )
  })
})
