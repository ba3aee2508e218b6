// A map by numbers of requests does what a Map does, whatever goes in and out, and keeps nothing of what went. The
// model is a Map; numbers are few and close, so that they meet in the same places, and the largest that there are.
// What is gone through is what was there when the going began.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NumberMap } from '../../src/base/number-map.js'

const numbers = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 0xffff_ffe0, max: 0xffff_ffff }),
  fc.integer({ min: 1, max: 0xffff_ffff }),
)
const steps = fc.array(fc.record({ number: numbers, remove: fc.boolean() }), { maxLength: 400 })

test('it answers what a Map answers, after any insertions and removals', () => {
  fc.assert(
    fc.property(steps, (taken) => {
      const known = new Map<number, number>()
      const map = new NumberMap<number>()
      for (const [value, { number, remove }] of taken.entries()) {
        if (remove) expect(map.delete(number)).toBe(known.delete(number))
        else {
          map.set(number, value)
          known.set(number, value)
        }
        expect(map.size).toBe(known.size)
        expect(map.get(number)).toBe(known.get(number))
      }
      for (const { number } of taken) expect(map.get(number)).toBe(known.get(number))
      expect(new Map(map)).toEqual(known)
    }),
  )
})

test('requests that come and go, ever higher, leave nothing behind', () => {
  const map = new NumberMap<{ readonly request: number }>()
  const open = 100
  for (let request = 1; request < 20_000; request++) {
    map.set(request, { request })
    if (request > open) expect(map.delete(request - open)).toBe(true)
  }
  for (const [request, value] of map) expect(value.request).toBe(request)
  expect([...map].map(([request]) => request).sort((a, b) => a - b)).toEqual(
    Array.from({ length: open }, (_, i) => 19_900 + i),
  )
})

test('what is removed or added on the way changes nothing about what is gone through', () => {
  const map = new NumberMap<string>()
  for (let request = 1; request <= 50; request++) map.set(request, 'open')
  const seen: number[] = []
  for (const [request] of map) {
    seen.push(request)
    map.delete(request)
    map.set(request + 1_000, 'again')
  }
  expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
  expect(map.size).toBe(50)
})

test('0 is the number of no request', () => {
  const map = new NumberMap<string>()
  expect(map.get(0)).toBeUndefined()
  expect(map.has(0)).toBe(false)
  expect(map.delete(0)).toBe(false)
  expect(() => map.set(0, 'x')).toThrow('no request')
})
