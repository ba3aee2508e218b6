// Hybrid logical time: near the wall clock, later than everything seen.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { nextStamp, stampMillis } from '../../src/versions/stamp.js'

const wall = fc.double({ min: 0, max: 253_402_300_800_000, noNaN: true })

it('follows the wall clock, to the end of the year 2099', () => {
  fc.assert(
    fc.property(wall, (now) => {
      expect(stampMillis(nextStamp(0, now))).toBe(Math.min(Math.floor(now), Date.UTC(2100, 0, 1)))
    }),
  )
})

it('is always later than the last, whatever the wall clock does', () => {
  fc.assert(
    fc.property(fc.array(wall, { minLength: 2 }), (walls) => {
      let last = 0
      for (const now of walls) {
        const next = nextStamp(last, now)
        expect(next).toBeGreaterThan(last)
        last = next
      }
    }),
  )
})

it('runs over into the milliseconds when the wall clock stands still', () => {
  const now = 1_700_000_000_000
  let last = nextStamp(0, now)
  for (let i = 0; i < 2048; i++) last = nextStamp(last, now)
  expect(last).toBe((now + 1) * 2048)
  expect(stampMillis(last)).toBe(now + 1)
  expect(nextStamp(last, now + 2)).toBe((now + 2) * 2048)
})

it('stays an exact number below 2^53, and grows, even when the wall clock is a thousand years ahead', () => {
  for (const year of [2026, 2099, 2110, 3026]) {
    const stamp = nextStamp(0, Date.UTC(year, 11, 31))
    expect(Number.isSafeInteger(stamp)).toBe(true)
    expect(nextStamp(stamp, 0) - stamp).toBe(1)
  }
})
