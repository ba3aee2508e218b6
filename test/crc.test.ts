// The checksum is zlib's, whoever has summed it.

import { crc32 as zlibCrc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32 } from '../src/base/crc.js'

test('of any bytes, any part of them and any beginning it is what zlib says', () => {
  const bytes = fc.uint8Array({ maxLength: 400 })
  fc.assert(
    fc.property(
      bytes,
      fc.nat(400),
      fc.nat(400),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      (all, a, b, begin) => {
        // Of nothing, Node's says 0 whatever came before.
        fc.pre(all.length > 0)
        const [start, end] = [Math.min(a, b, all.length), Math.min(Math.max(a, b), all.length)]
        const part = start === end ? begin : zlibCrc32(all.subarray(start, end), begin)
        expect(crc32(all, begin, start, end)).toBe(part)
        expect(crc32(all, begin)).toBe(zlibCrc32(all, begin))
      },
    ),
    { numRuns: 2_000 },
  )
})

test('the published check value, and of nothing the beginning', () => {
  expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926)
  expect(crc32(new Uint8Array(0), 77)).toBe(77)
})

test('summed in two parts it is the sum of the whole', () => {
  const whole = Buffer.from(Array.from({ length: 300 }, (_, at) => (at * 7) & 0xff))
  for (const cut of [0, 1, 3, 158, 159, 160, 299, 300]) {
    expect(crc32(whole, crc32(whole, 5, 0, cut), cut)).toBe(zlibCrc32(whole, 5))
  }
})
