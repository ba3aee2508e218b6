// The rows of what the store holds otherwise do what a Map by keys does: also for keys whose hashes are the same, and
// over any number of rows that come, go and are used again.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Unflushed, unflushedWord as word } from '../../src/runtime/unflushed.js'
import { key } from './hand-driven.js'

// Few keys, fewer hashes: many meet.
const steps = fc.array(
  fc.record({
    name: fc.integer({ min: 0, max: 200 }),
    high: fc.integer({ min: 0, max: 0xffff_ffff }),
    remove: fc.boolean(),
  }),
  { maxLength: 500 },
)
const hashes = fc.constantFrom(
  (name: number) => name % 3,
  (name: number) => 0xffff_fff0 + (name % 7),
  (name: number) => Math.imul(name, 0x9e3779b1) >>> 0,
)

test('a row is found by its key, whatever came and went', () => {
  fc.assert(
    fc.property(steps, hashes, (taken, hashOf) => {
      const known = new Map<string, number>()
      const rows = new Unflushed()
      for (const { name, high, remove } of taken) {
        const hash = hashOf(name)
        const text = key(`k${name}`)
        const at = rows.find(text, hash)
        expect(at >= 0).toBe(known.has(text))
        if (remove && at >= 0) {
          rows.remove(at)
          known.delete(text)
        } else if (!remove) {
          const row = at >= 0 ? at : rows.add(text, hash)
          rows.words[row + word.high] = high
          known.set(text, high)
        }
        expect(rows.size).toBe(known.size)
      }
      const found: number[] = []
      rows.each((at) => found.push((rows.words[at + word.high] as number) >>> 0))
      expect(found.sort((a, b) => a - b)).toEqual([...known.values()].sort((a, b) => a - b))
    }),
  )
})

test('two hundred thousand rows are all found, and all go', () => {
  const rows = new Unflushed()
  const names = Array.from({ length: 200_000 }, (_, at) => at)
  const hashOf = (name: number) => Math.imul(name, 0x85ebca6b) >>> 0
  for (const name of names) {
    const row = rows.add(key(`k${name}`), hashOf(name))
    rows.words[row + word.leaf] = name
  }
  const wrong = names.filter((name) => {
    const at = rows.find(key(`k${name}`), hashOf(name))
    return at < 0 || rows.words[at + word.leaf] !== name
  })
  expect(wrong).toEqual([])
  for (const name of names) rows.remove(rows.find(key(`k${name}`), hashOf(name)))
  expect(rows.size).toBe(0)
  rows.each(() => expect.unreachable())
})
