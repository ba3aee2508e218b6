// The death of the writer at every instant. Every change that others can see is made by an atomic store, so
// the test stops the world before and after each of them, and takes a picture of the memory. Plain stores in
// between may have happened or not, in any order: pictures with some of them are taken too, more than any
// real processor would show. Each picture is adopted, and compared with what had been promised by then.

import { afterEach, expect, test, vi } from 'vitest'
import { type Random, randomBelow, seededRandom } from '../../src/base/random.js'
import { ObjectBuffer, type ObjectState } from '../../src/storage/object-buffer.js'
import { createObjectBuffer } from '../../src/storage/object-buffer-layout.js'
import { hashOf, isWhole, keyOf, makeValue, versionOf } from './object-buffer-values.js'

afterEach(() => {
  vi.restoreAllMocks()
})

interface Known {
  readonly version: number
  readonly state: ObjectState
}

/** What is promised at one instant: by key, one of these; undefined for "not there". */
type Promised = Map<number, readonly (Known | undefined)[]>

/** Calls `look` before and after each atomic change of `memory`. */
function atEachStore(memory: SharedArrayBuffer, look: (when: 'before' | 'after') => void): void {
  for (const name of ['store', 'add'] as const) {
    const real = Atomics[name] as (words: Int32Array, at: number, value: number) => number
    vi.spyOn(Atomics, name).mockImplementation(((words: Int32Array, at: number, value: number) => {
      if (words.buffer !== memory) return real(words, at, value)
      look('before')
      const result = real(words, at, value)
      look('after')
      return result
    }) as never)
  }
}

function copyOf(memory: SharedArrayBuffer): SharedArrayBuffer {
  const copy = new SharedArrayBuffer(memory.byteLength)
  new Uint8Array(copy).set(new Uint8Array(memory))
  return copy
}

/** A picture between two others: each word that differs is old or new. */
function mixed(before: SharedArrayBuffer, after: SharedArrayBuffer, random: Random): SharedArrayBuffer {
  const picture = copyOf(before)
  const words = new Int32Array(picture)
  const late = new Int32Array(after)
  const share = random()
  for (let i = 0; i < words.length; i++) {
    if (words[i] !== late[i] && random() < share) words[i] = late[i] as number
  }
  return picture
}

function checkAdopted(picture: SharedArrayBuffer, promised: Promised): ObjectBuffer {
  const buffer = new ObjectBuffer(picture)
  const { dropped, objects } = buffer.adopt(isWhole)
  expect(dropped).toBe(0)
  let found = 0
  const dirty = new Set<number>()
  buffer.nextDirty(1e6, 1e9, (key) => void dirty.add(Number(key.slice(2, 8))))
  for (const [number, allowed] of promised) {
    const value = buffer.get(keyOf(number), hashOf(number))
    if (value === undefined) {
      const mayBeGone = allowed.some((known) => known?.state !== 'dirty')
      if (!mayBeGone) expect.fail(`lost ${number}: ${JSON.stringify(allowed)}`)
      // A clean object that is gone must show in `complete`.
      if (!allowed.some((known) => known?.state !== 'dirty' && known?.state !== 'clean')) {
        expect(buffer.complete).toBe(false)
      }
      continue
    }
    found++
    const version = versionOf(number, value)
    const match = allowed.find((known) => known?.version === version)
    if (match === undefined) expect.fail(`${number} has version ${version}, not ${JSON.stringify(allowed)}`)
    if (allowed.every((known) => known?.state === 'dirty')) expect(dirty.has(number)).toBe(true)
  }
  expect(found).toBe(objects)
  return buffer
}

/** A successor must be able to work: more puts than memory holds, flushed now and then. */
function workOn(buffer: ObjectBuffer, random: Random): void {
  for (let i = 0; i < 100; i++) {
    const number = randomBelow(random, keys)
    const value = makeValue(number, 1_000_000 + i, randomBelow(random, 700))
    if (!buffer.put(keyOf(number), hashOf(number), value, 'dirty')) flush(buffer)
    else
      expect(versionOf(number, buffer.get(keyOf(number), hashOf(number)) as Uint8Array)).toBe(1_000_000 + i)
  }
}

function flush(buffer: ObjectBuffer): void {
  const taken: [number, number][] = []
  buffer.nextDirty(1e6, 1e9, (key, _hash, _value, token) => taken.push([Number(key.slice(2, 8)), token]))
  for (const [number, token] of taken) buffer.markClean(keyOf(number), hashOf(number), token)
}

const keys = 120

/** Runs random steps on a buffer; `promised` says at any instant what must be there. */
class Writer {
  readonly memory = createObjectBuffer(64 * 1024)
  readonly buffer = new ObjectBuffer(this.memory)
  readonly promised: Promised = new Map()
  private readonly known = new Map<number, Known>()
  private readonly random: Random
  private version = 0

  constructor(random: Random) {
    this.random = random
    this.buffer.complete = true
  }

  step(): void {
    const { random, buffer } = this
    const number = randomBelow(random, keys)
    const choice = random()
    if (choice < 0.75) this.put(number)
    else if (choice < 0.85) {
      this.during(number, undefined)
      buffer.remove(keyOf(number), hashOf(number))
      this.settle(number, undefined)
    } else if (choice < 0.92) this.flushSome()
    else buffer.get(keyOf(number), hashOf(number))
  }

  private put(number: number): void {
    const { random, buffer } = this
    const old = this.known.get(number)
    const wanted: ObjectState = random() < 0.5 ? 'dirty' : random() < 0.7 ? 'clean' : 'volatile'
    const state = old?.state === 'dirty' ? 'dirty' : wanted
    const length = random() < 0.03 ? randomBelow(random, 9000) : randomBelow(random, 700)
    const next = { version: ++this.version, state }
    this.during(number, next)
    const done = buffer.put(keyOf(number), hashOf(number), makeValue(number, next.version, length), state)
    this.settle(number, done ? next : old)
  }

  /** What was evicted is not missed any more, and the node has found out that memory is complete again. */
  forget(): void {
    for (const [number, known] of this.known) {
      if (known.state === 'dirty' || this.buffer.has(keyOf(number), hashOf(number))) continue
      this.settle(number, undefined)
    }
    this.buffer.complete = true
  }

  private flushSome(): void {
    const taken: [number, number][] = []
    this.buffer.nextDirty(10, 1e9, (key, _hash, _value, token) =>
      taken.push([Number(key.slice(2, 8)), token]),
    )
    for (const [number, token] of taken) {
      const known = this.known.get(number) as Known
      const after = { ...known, state: 'clean' } as const
      this.during(number, after)
      this.buffer.markClean(keyOf(number), hashOf(number), token)
      this.settle(number, after)
    }
  }

  /** While a step runs, the key is as before or as after. */
  private during(number: number, next: Known | undefined): void {
    this.promised.set(number, [this.known.get(number), next])
  }

  private settle(number: number, known: Known | undefined): void {
    if (known === undefined) this.known.delete(number)
    else this.known.set(number, known)
    this.promised.set(number, [known])
  }
}

test.each([1, 2, 3, 4])('a death at any store loses nothing that was promised (%i)', (seed) => {
  const random = seededRandom(seed)
  const writer = new Writer(random)
  for (let i = 0; i < 600; i++) writer.step()
  let last = copyOf(writer.memory)
  let pictures = 0
  let inMoves = 0
  let watching = true
  atEachStore(writer.memory, (when) => {
    if (!watching) return
    watching = false
    const now = copyOf(writer.memory)
    for (const picture of when === 'before'
      ? [mixed(last, now, random), mixed(last, now, random), copyOf(now)]
      : [copyOf(now)]) {
      if (((new Int32Array(picture)[16] as number) & 1) === 1) inMoves++
      const buffer = checkAdopted(picture, writer.promised)
      if (++pictures % 16 === 0) workOn(buffer, random)
    }
    last = now
    watching = true
  })
  for (let i = 0; i < 250; i++) {
    if (i % 5 === 0) writer.forget()
    writer.step()
  }
  expect(writer.buffer.evictions).toBeGreaterThan(20)
  expect(pictures).toBeGreaterThan(1000)
  expect(inMoves).toBeGreaterThan(20)
})

test('a successor that dies while it adopts leaves as much to the next one', () => {
  const random = seededRandom(5)
  const writer = new Writer(random)
  for (let i = 0; i < 600; i++) writer.step()
  let watching = true
  let second = 0
  atEachStore(writer.memory, () => {
    const isMoving = ((new Int32Array(writer.memory)[16] as number) & 1) === 1
    if (!watching || !isMoving) return
    watching = false
    const picture = copyOf(writer.memory)
    const spied = [...vi.mocked(Atomics.store).mock.calls].length
    expect(spied).toBeGreaterThan(0)
    second += dieAdopting(picture, writer.promised)
    watching = true
  })
  for (let i = 0; i < 200; i++) writer.step()
  expect(second).toBeGreaterThan(100)
})

/** Adopts `memory`, with a picture at each store of that, each of which is adopted in turn. */
function dieAdopting(memory: SharedArrayBuffer, promised: Promised): number {
  const pictures: SharedArrayBuffer[] = []
  const spies = vi.mocked(Atomics.store)
  const outer = spies.getMockImplementation() as typeof Atomics.store
  spies.mockImplementation(((words: Int32Array, at: number, value: number) => {
    if (words.buffer === memory) pictures.push(copyOf(memory))
    return outer(words, at, value)
  }) as never)
  checkAdopted(memory, promised)
  spies.mockImplementation(outer as never)
  for (const picture of pictures) checkAdopted(picture, promised)
  return pictures.length
}

test('an entry that fails the check is dropped, counted, and memory is complete no more', () => {
  const memory = createObjectBuffer(64 * 1024)
  const buffer = new ObjectBuffer(memory)
  buffer.complete = true
  for (let number = 0; number < 10; number++) {
    buffer.put(keyOf(number), hashOf(number), makeValue(number, 1, 200), 'clean')
  }
  const damaged = buffer.get(keyOf(4), hashOf(4)) as Uint8Array
  damaged[100] = (damaged[100] as number) ^ 1
  const after = new ObjectBuffer(memory)
  expect(after.adopt(isWhole)).toEqual({ objects: 9, dirty: 0, dropped: 1 })
  expect(after.has(keyOf(4), hashOf(4))).toBe(false)
  expect(after.has(keyOf(5), hashOf(5))).toBe(true)
  expect(after.complete).toBe(false)
})

test('memory with a past is readable before it is adopted, and writable afterwards', () => {
  const memory = createObjectBuffer(64 * 1024)
  new ObjectBuffer(memory).put(keyOf(1), hashOf(1), makeValue(1, 1, 50), 'dirty')
  const after = new ObjectBuffer(memory)
  expect(after.has(keyOf(1), hashOf(1))).toBe(true)
  expect(() => after.put(keyOf(2), hashOf(2), makeValue(2, 1, 50), 'dirty')).toThrow(
    'adopted before it is written',
  )
  after.adopt(isWhole)
  expect(after.put(keyOf(2), hashOf(2), makeValue(2, 1, 50), 'dirty')).toBe(true)
  expect(after.dirtyObjects).toBe(2)
})
