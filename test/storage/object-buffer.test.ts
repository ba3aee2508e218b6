// The object buffer, told as stories: what a node does with it in a day.

import { expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.js'
import type { Key } from '../../src/base/units.js'
import { ObjectBuffer } from '../../src/storage/object-buffer.js'
import { createObjectBuffer, objectBufferBytes } from '../../src/storage/object-buffer-layout.js'
import { hashOf, isWhole, keyOf, makeValue, versionOf } from './object-buffer-values.js'

const KiB = 1024
const MiB = 1024 * KiB

function fresh(budgetBytes: number): ObjectBuffer {
  const buffer = new ObjectBuffer(createObjectBuffer(budgetBytes))
  buffer.complete = true
  return buffer
}

function put(
  buffer: ObjectBuffer,
  number: number,
  version: number,
  length: number,
  state: 'clean' | 'dirty',
) {
  return buffer.put(keyOf(number), hashOf(number), makeValue(number, version, length), state)
}

function get(buffer: ObjectBuffer, number: number): number | undefined {
  const value = buffer.get(keyOf(number), hashOf(number))
  return value && versionOf(number, value)
}

/** Numbers in the order in which they are handed out; all are marked clean. */
function flush(buffer: ObjectBuffer, countMax = 1e6): number[] {
  const taken: [number, number][] = []
  buffer.nextDirty(countMax, 1e9, (key, _hash, _value, token) => taken.push([Number(key.slice(2, 8)), token]))
  for (const [number, token] of taken) buffer.markClean(keyOf(number), hashOf(number), token)
  return taken.map(([number]) => number)
}

test.each([64 * KiB, 100_000, MiB, 10 * MiB, 64 * MiB, 512 * MiB])(
  'a budget of %i is used and kept',
  (budget) => {
    const bytes = objectBufferBytes(budget)
    expect(bytes).toBeLessThanOrEqual(budget)
    expect(bytes).toBeGreaterThan(budget * 0.9)
  },
)

test('a budget that no Buffer can span is refused', () => {
  expect(() => objectBufferBytes(5 * 1024 * MiB)).toThrow(expect.objectContaining({ code: 'option-invalid' }))
  expect(() => objectBufferBytes(Number.NaN)).toThrow(expect.objectContaining({ code: 'option-invalid' }))
})

test('any byte may be part of a key, and any length from none to 64 KiB', () => {
  const buffer = fresh(MiB)
  const keys = [
    '',
    '\0',
    'ÿ',
    'b\0',
    'b\0\0',
    'a'.repeat(95),
    'a'.repeat(96),
    'a'.repeat(97),
    'ÿ'.repeat(64 * KiB),
  ]
  for (const [i, key] of keys.entries())
    expect(buffer.put(key as Key, 1, Buffer.from([i]), 'clean')).toBe(true)
  for (const [i, key] of keys.entries()) expect(buffer.get(key as Key, 1)).toEqual(Buffer.from([i]))
  expect(buffer.has('a' as Key, 1)).toBe(false)
  expect(buffer.has('' as Key, 2)).toBe(false)
})

test('an overwrite keeps its place in the order of flushing, one during its flush goes to the end', () => {
  const buffer = fresh(MiB)
  for (const number of [1, 2, 3, 4]) put(buffer, number, 1, 100, 'dirty')
  put(buffer, 2, 2, 100, 'dirty')
  const tokens: number[] = []
  buffer.nextDirty(1, 1e9, (_key, _hash, _value, token) => tokens.push(token))
  put(buffer, 1, 2, 100, 'dirty')
  buffer.markClean(keyOf(1), hashOf(1), tokens[0] as number)
  expect(buffer.dirtyObjects).toBe(4)
  expect(flush(buffer)).toEqual([2, 3, 4, 1])
  expect([buffer.dirtyObjects, buffer.dirtyBytes]).toEqual([0, 0])
})

test('a flush that failed is tried again first, unless the object was overwritten', () => {
  const buffer = fresh(MiB)
  for (const number of [1, 2, 3]) put(buffer, number, 1, 100, 'dirty')
  const first = buffer.take(keyOf(1), hashOf(1))
  const second = buffer.take(keyOf(2), hashOf(2))
  put(buffer, 1, 2, 100, 'dirty')
  buffer.markDirtyAgain(keyOf(1), hashOf(1), first?.token as number)
  buffer.markDirtyAgain(keyOf(2), hashOf(2), second?.token as number)
  expect(flush(buffer)).toEqual([2, 3, 1])
})

test('nextDirty stops at its count and at its bytes, but hands out one at least', () => {
  const buffer = fresh(MiB)
  for (const number of [1, 2, 3]) put(buffer, number, 1, 1000, 'dirty')
  expect(buffer.nextDirty(10, 1, () => {})).toBe(1)
  expect(buffer.nextDirty(1, 1e9, () => {})).toBe(1)
  expect(buffer.nextDirty(0, 1e9, () => {})).toBe(0)
  expect(buffer.nextDirty(10, 1e9, () => {})).toBe(1)
  expect(buffer.nextDirty(10, 1e9, () => {})).toBe(0)
})

test('what comes from the store never replaces what is unflushed', () => {
  const buffer = fresh(MiB)
  put(buffer, 1, 2, 100, 'dirty')
  expect(() => put(buffer, 1, 1, 100, 'clean')).toThrow('invariant broken')
  expect(get(buffer, 1)).toBe(2)
})

test('a memory full of unflushed objects refuses more, loses none, and takes more after a flush', () => {
  const buffer = fresh(256 * KiB)
  let count = 0
  while (put(buffer, count, 1, 150, 'dirty')) count++
  expect(buffer.dirtyBytes).toBeGreaterThan(buffer.capacityBytes * 0.8)
  for (let number = 0; number < count; number++) expect(get(buffer, number)).toBe(1)
  expect(put(buffer, 0, 2, 150, 'dirty')).toBe(false)
  expect(get(buffer, 0)).toBe(1)
  flush(buffer)
  expect(buffer.complete).toBe(true)
  expect(put(buffer, 0, 2, 150, 'dirty')).toBe(true)
  expect(buffer.complete).toBe(false)
})

test('memory is complete while it has room, and although it is written over and over', () => {
  const buffer = fresh(MiB)
  for (let round = 0; round < 40; round++) {
    for (let number = 0; number < 2500; number++) put(buffer, number, round, 200, 'dirty')
    flush(buffer)
  }
  expect([buffer.complete, buffer.evictions, buffer.objects]).toEqual([true, 0, 2500])
})

test('evicting what is kept in memory only leaves memory complete', () => {
  const buffer = fresh(64 * KiB)
  for (let number = 0; number < 1000; number++) {
    buffer.put(keyOf(number), hashOf(number), makeValue(number, 1, 200), 'volatile')
  }
  expect(buffer.evictions).toBeGreaterThan(500)
  expect(buffer.complete).toBe(true)
  expect(buffer.nextDirty(10, 1e9, () => {})).toBe(0)
})

test('a scan does not push out what is in use', () => {
  const buffer = fresh(MiB)
  const inUse = 1000
  const use = () => {
    for (let number = 0; number < inUse; number++) {
      if (get(buffer, number) === undefined) put(buffer, number, 1, 200, 'clean')
    }
  }
  for (let round = 0; round < 4; round++) use()
  // Twenty times what memory holds, each object fetched and read once.
  for (let number = 10_000; number < 90_000; number++) {
    put(buffer, number, 1, 200, 'clean')
    get(buffer, number)
    if (number % 2000 === 0) use()
  }
  let left = 0
  for (let number = 0; number < inUse; number++) if (buffer.has(keyOf(number), hashOf(number))) left++
  expect(left).toBeGreaterThan(inUse * 0.95)
})

test('the largest object is a quarter of memory; it evicts what it must and nothing unflushed', () => {
  const buffer = fresh(4 * MiB)
  const largest = buffer.capacityBytes / 4 - 24 - keyOf(1).length
  for (let number = 100; number < 12_000; number++) put(buffer, number, 1, 300, 'clean')
  for (let number = 0; number < 100; number++) put(buffer, number * 100 + 101, 2, 300, 'dirty')
  expect(put(buffer, 1, 1, largest + 1, 'dirty')).toBe(false)
  expect(put(buffer, 1, 1, largest, 'dirty')).toBe(true)
  // 17, because its key is as long.
  expect(put(buffer, 17, 1, largest, 'dirty')).toBe(true)
  expect([get(buffer, 1), get(buffer, 17)]).toEqual([1, 1])
  for (let number = 0; number < 100; number++) expect(get(buffer, number * 100 + 101)).toBe(2)
  expect(flush(buffer).length).toBe(102)
})

test('a value of 64 MiB has its place in 300 MiB', () => {
  const buffer = fresh(300 * MiB)
  const value = Buffer.alloc(64 * MiB, 5)
  expect(buffer.put('b\0large' as Key, 77, value, 'dirty')).toBe(true)
  expect(buffer.put('b\0large' as Key, 77, value, 'dirty')).toBe(true)
  expect(Buffer.compare(buffer.get('b\0large' as Key, 77) as Uint8Array, value)).toBe(0)
})

test('a value that is a view of the same memory survives the room that is made for it', () => {
  const buffer = fresh(64 * KiB)
  let oldest = 0
  for (let number = 0; number < 3000; number++) {
    while (oldest < number && !buffer.has(keyOf(oldest), hashOf(oldest))) oldest++
    // Puts the value of the next one to be evicted under a new key.
    const view = buffer.peek(keyOf(oldest), hashOf(oldest))
    const source = view === undefined ? number : Buffer.from(view).readUInt32LE(0)
    buffer.put(keyOf(number), hashOf(number), view ?? makeValue(number, 1, 300), 'clean')
    expect(versionOf(source, buffer.peek(keyOf(number), hashOf(number)) as Uint8Array)).toBe(1)
  }
  expect(buffer.evictions).toBeGreaterThan(1000)
})

test('a million overwrites of objects that cannot be evicted never run out of room', () => {
  const buffer = fresh(MiB)
  const random = seededRandom(3)
  const lengths = new Int32Array(700)
  const value = Buffer.alloc(1400)
  let refused = 0
  for (let i = 0; i < 1_000_000; i++) {
    const number = Math.floor(random() * 700)
    const length = Math.floor(random() * 1400)
    if (!buffer.put(cachedKeys[number] as Key, number * 2654435761, value.subarray(0, length), 'dirty'))
      refused++
    lengths[number] = length
  }
  const expected = lengths.reduce((sum, length, i) => {
    return sum + Math.ceil((24 + (cachedKeys[i] as Key).length + length) / 8) * 8
  }, 0)
  expect([refused, buffer.objects, buffer.dirtyObjects]).toEqual([0, 700, 700])
  expect([buffer.bytes, buffer.dirtyBytes]).toEqual([expected, expected])
  // Half of all memory is unflushed all the time.
  expect(expected).toBeGreaterThan(buffer.capacityBytes * 0.5)
})

const cachedKeys = Array.from({ length: 700 }, (_, number) => keyOf(number))

test.each(['dirty', 'clean'] as const)('objects so small that the index is full first: %s', (state) => {
  const buffer = fresh(256 * KiB)
  let refused = 0
  for (let i = 0; i < 6000; i++) {
    if (!buffer.put(`b\0${i}` as Key, Math.imul(i, 0x9e3779b1) >>> 0, Buffer.alloc(0), state)) refused++
  }
  expect(buffer.bytes).toBeLessThan(buffer.capacityBytes / 2)
  expect(buffer.objects).toBeGreaterThan(1000)
  if (state === 'dirty') expect(buffer.dirtyObjects + refused).toBe(6000)
  else expect([buffer.objects + buffer.evictions, refused]).toEqual([6000, 0])
})

test('a walk visits what stays, whatever comes and goes meanwhile', () => {
  const buffer = fresh(256 * KiB)
  for (let number = 0; number < 800; number++) put(buffer, number, 1, 20, 'dirty')
  const seen = new Set<number>()
  let cursor = 0
  let step = 0
  do {
    cursor = buffer.walk(cursor, 50, (key, hash, value) => {
      expect(isWhole(key, hash, value)).toBe(true)
      seen.add(Number(key.slice(2, 8)))
    })
    // Every second object is removed or written again while the walk goes on.
    for (let i = 0; i < 20; i++) buffer.remove(keyOf(step * 40 + i * 2), hashOf(step * 40 + i * 2))
    for (let i = 0; i < 20; i++) put(buffer, 10_000 + step * 20 + i, 1, 20, 'dirty')
    step++
  } while (cursor !== 0)
  for (let number = 1; number < 800; number += 2) expect(seen.has(number)).toBe(true)
})
