// Reading another thread's memory, in slow motion: the reader stands still at each of its atomic loads, and
// the writer does something there, up to making room over what is just being read. Real threads do the same in
// test/threads/object-buffer.test.ts.

import { afterEach, expect, test, vi } from 'vitest'
import { type Random, randomBelow, seededRandom } from '../../src/base/random.js'
import { ObjectBuffer } from '../../src/storage/object-buffer.js'
import { createObjectBuffer } from '../../src/storage/object-buffer-layout.js'
import { absent, copied, ObjectReader } from '../../src/storage/object-buffer-reader.js'
import { ObjectCopy } from '../../src/storage/object-copy.js'
import { hashOf, keyOf, makeValue, versionOf } from './object-buffer-values.js'

afterEach(() => {
  vi.restoreAllMocks()
})

const keys = 60

function setUp(): { memory: SharedArrayBuffer; buffer: ObjectBuffer; reader: ObjectReader } {
  const memory = createObjectBuffer(64 * 1024)
  return { memory, buffer: new ObjectBuffer(memory), reader: new ObjectReader(memory) }
}

function put(buffer: ObjectBuffer, number: number, version: number, length: number): void {
  expect(buffer.put(keyOf(number), hashOf(number), makeValue(number, version, length), 'volatile')).toBe(true)
}

test('a reader finds what the writer has, and nothing else', () => {
  const { buffer, reader } = setUp()
  for (let number = 0; number < keys; number++) put(buffer, number, number + 1, number * 11)
  for (let number = 0; number < keys; number++) {
    const value = reader.read(keyOf(number), hashOf(number)) as Uint8Array
    expect(versionOf(number, value)).toBe(number + 1)
    expect(value.buffer).not.toBeInstanceOf(SharedArrayBuffer)
  }
  buffer.remove(keyOf(3), hashOf(3))
  expect(reader.read(keyOf(3), hashOf(3))).toBeUndefined()
  expect(reader.read(keyOf(keys), hashOf(keys))).toBeUndefined()
})

test('a read goes into the bytes that it is handed, when they suffice', () => {
  const { buffer, reader } = setUp()
  put(buffer, 1, 9, 100)
  const into = new Uint8Array(128)
  const value = reader.read(keyOf(1), hashOf(1), into) as Uint8Array
  expect([value.buffer === into.buffer, value.length, versionOf(1, value)]).toEqual([true, 100, 9])
  const small = new Uint8Array(99)
  expect((reader.read(keyOf(1), hashOf(1), small) as Uint8Array).buffer).not.toBe(small.buffer)
})

test('reads from other threads count as uses: they keep an object from eviction', () => {
  const { buffer, reader } = setUp()
  put(buffer, 0, 1, 200)
  for (let number = 1; number < 2000; number++) {
    put(buffer, number, 1, 200)
    if (number % 10 === 0) expect(reader.read(keyOf(0), hashOf(0))).toBeDefined()
  }
  expect(buffer.evictions).toBeGreaterThan(1000)
})

test('a value that its check refuses is not returned', () => {
  const { memory, buffer } = setUp()
  put(buffer, 1, 1, 50)
  put(buffer, 2, 1, 50)
  const picky = new ObjectReader(memory, (value, hash) => hash === hashOf(1) && value.length === 50)
  expect(picky.read(keyOf(1), hashOf(1))).toBeDefined()
  expect(picky.read(keyOf(2), hashOf(2))).toBeUndefined()
})

/** Makes the writer act at atomic loads of the reader, with some probability. */
function overtake(memory: SharedArrayBuffer, random: Random, share: number, act: () => void): () => void {
  let reading = false
  const real = Atomics.load as (words: Int32Array, at: number) => number
  vi.spyOn(Atomics, 'load').mockImplementation(((words: Int32Array, at: number) => {
    if (reading && words.buffer === memory && random() < share) {
      reading = false
      act()
      reading = true
    }
    return real(words, at)
  }) as never)
  return () => {
    reading = !reading
  }
}

/** Bytes to read into, for which the copying itself is overtaken: what is copied may be anything by then. */
function slowBytes(random: Random, share: number, act: () => void, toggle: () => void): Uint8Array {
  const bytes = new Uint8Array(7000)
  bytes.set = (source) => {
    if (random() < share) {
      toggle()
      act()
      toggle()
    }
    Uint8Array.prototype.set.call(bytes, source)
  }
  return bytes
}

test.each([0.1, 0.3, 0.9])(
  'however often the writer comes between, no read is torn or steps back (%d)',
  (share) => {
    const { memory, buffer, reader } = setUp()
    const random = seededRandom(Math.round(share * 10))
    /** Version of each key that is in memory as far as the writer knows; 0 when it was removed. */
    const newest = new Int32Array(keys)
    let version = 0
    const act = () => {
      for (let steps = randomBelow(random, random() < 0.2 ? 150 : 4); steps >= 0; steps--) {
        const number = randomBelow(random, keys)
        if (random() < 0.15) {
          buffer.remove(keyOf(number), hashOf(number))
          newest[number] = 0
        } else {
          put(buffer, number, ++version, randomBelow(random, random() < 0.1 ? 6000 : 900))
          newest[number] = version
        }
      }
    }
    const toggle = overtake(memory, random, share, act)
    const into = slowBytes(random, share, act, toggle)
    let found = 0
    for (let i = 0; i < 800; i++) {
      act()
      const number = randomBelow(random, keys)
      const before = newest[number] as number
      toggle()
      const value = reader.read(keyOf(number), hashOf(number), i % 2 === 0 ? into : undefined)
      toggle()
      if (value === undefined) continue
      found++
      const read = versionOf(number, value)
      expect(read).toBeGreaterThan(0)
      // What was newest when the read began, or something that came during it.
      if (before === 0) expect(read).toBeGreaterThan(0)
      else expect(read).toBeGreaterThanOrEqual(before)
    }
    expect(found).toBeGreaterThan(100)
    expect(buffer.evictions).toBeGreaterThan(100)
  },
)

test('a copy is whole, and another replica is compared with it where it lies', () => {
  const { buffer, reader } = setUp()
  const other = setUp()
  const copy = new ObjectCopy()
  for (let number = 0; number < keys; number++) {
    const length = 16 + number * 13
    for (const each of [buffer, other.buffer]) put(each, number, number + 1, length)
    expect(reader.copyInto(keyOf(number), hashOf(number), copy)).toBe(copied)
    expect([copy.value.length, versionOf(number, copy.value)]).toEqual([length, number + 1])
    expect(other.reader.matches(keyOf(number), hashOf(number), copy)).toBe(true)
    put(other.buffer, number, number + 2, length)
    expect(other.reader.matches(keyOf(number), hashOf(number), copy)).toBe(false)
    put(other.buffer, number, number + 1, length + 1)
    expect(other.reader.matches(keyOf(number), hashOf(number), copy)).toBe(false)
    other.buffer.remove(keyOf(number), hashOf(number))
    expect(other.reader.matches(keyOf(number), hashOf(number), copy)).toBeUndefined()
  }
})

test('a key in two parts is the key, and no other', () => {
  const { buffer, reader } = setUp()
  const copy = new ObjectCopy()
  for (let number = 0; number < keys; number++) put(buffer, number, number + 1, 40)
  for (let number = 0; number < keys; number++) {
    const key = keyOf(number)
    for (const cut of [0, 1, key.length >>> 1, key.length - 1, key.length]) {
      const [head, tail] = [key.slice(0, cut), key.slice(cut)]
      expect(reader.copyInto(tail, hashOf(number), copy, head)).toBe(copied)
      expect(versionOf(number, copy.value)).toBe(number + 1)
      expect(reader.matches(tail, hashOf(number), copy, head)).toBe(true)
      expect(reader.isAbsent(tail, hashOf(number), head)).toBe(false)
      expect(reader.copyInto(`${tail}x`, hashOf(number), copy, head)).not.toBe(copied)
    }
  }
})

test('what was copied stays as it was, however much is copied after it', () => {
  const { buffer, reader } = setUp()
  const copy = new ObjectCopy()
  const kept: [number, Buffer][] = []
  for (let i = 0; i < 300; i++) {
    const number = i % keys
    put(buffer, number, i + 1, (i * 37) % 3000)
    if (reader.copyInto(keyOf(number), hashOf(number), copy) === copied) kept.push([i, copy.value])
  }
  expect(kept.length).toBe(300)
  for (const [i, value] of kept)
    expect(value).toEqual(Buffer.from(makeValue(i % keys, i + 1, (i * 37) % 3000)))
})

test('absence is certain only while memory holds all that the store has', () => {
  const { buffer, reader } = setUp()
  const copy = new ObjectCopy()
  put(buffer, 1, 1, 50)
  buffer.complete = true
  expect(reader.copyInto(keyOf(2), hashOf(2), copy)).toBe(absent)
  expect([reader.isAbsent(keyOf(2), hashOf(2)), reader.isAbsent(keyOf(1), hashOf(1))]).toEqual([true, false])
  buffer.complete = false
  expect(reader.copyInto(keyOf(2), hashOf(2), copy)).toBeUndefined()
  expect(reader.isAbsent(keyOf(2), hashOf(2))).toBeUndefined()
})

test.each([0.05, 0.3, 0.8])(
  'however often the writer comes between, a comparison and an absence were true at some instant (%d)',
  (share) => {
    const { memory, buffer, reader } = setUp()
    const random = seededRandom(Math.round(share * 100) + 7)
    buffer.complete = true
    const newest = new Int32Array(keys)
    let version = 0
    /** All that the key under watch has been since the watch began. */
    let watched = -1
    const been = new Set<number>()
    const act = () => {
      for (let steps = randomBelow(random, random() < 0.1 ? 100 : 4); steps >= 0; steps--) {
        const number = randomBelow(random, keys)
        if (random() < 0.25) {
          buffer.remove(keyOf(number), hashOf(number))
          newest[number] = 0
        } else {
          put(buffer, number, ++version, 20 + randomBelow(random, 300))
          newest[number] = version
        }
        if (number === watched) been.add(newest[number] as number)
      }
    }
    const toggle = overtake(memory, random, share, act)
    const copy = new ObjectCopy()
    const watch = (number: number) => {
      watched = number
      been.clear()
      been.add(newest[number] as number)
    }
    const counts = { copied: 0, same: 0, other: 0, absent: 0 }
    for (let i = 0; i < 1500; i++) {
      act()
      const number = randomBelow(random, keys)
      watch(number)
      toggle()
      const result = reader.copyInto(keyOf(number), hashOf(number), copy)
      toggle()
      if (result === absent) {
        counts.absent++
        expect(been.has(0) || buffer.evictions > 0).toBe(true)
      }
      if (result !== copied) continue
      counts.copied++
      const read = versionOf(number, copy.value)
      expect(been.has(read), `read ${read}, was ${[...been]}`).toBe(true)
      if (random() < 0.5) act()
      watch(number)
      toggle()
      const same = reader.matches(keyOf(number), hashOf(number), copy)
      toggle()
      if (same === true) counts.same++
      if (same === true) expect(been.has(read)).toBe(true)
      if (same === false) counts.other++
      if (same === false) expect([...been].some((each) => each !== read)).toBe(true)
    }
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(20)
  },
)
