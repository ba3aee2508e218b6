// The object buffer against a Map, in tiny memories where room is reclaimed all the time: whatever is done in
// whatever order, an unflushed object is there with its newest bytes, others are right or gone, the counts
// agree with what is there, and unflushed objects come out in the order of their first unflushed write.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ObjectBuffer, type ObjectState } from '../../src/storage/object-buffer.js'
import { createObjectBuffer } from '../../src/storage/object-buffer-layout.js'
import { hashOf, isWhole, keyOf, makeValue, versionOf } from './object-buffer-values.js'

const KiB = 1024

interface Known {
  version: number
  length: number
  state: ObjectState
  token: number | undefined
}

class Model {
  readonly memory: SharedArrayBuffer
  buffer: ObjectBuffer
  readonly known = new Map<number, Known>()
  /** Unflushed and not handed out, the longest unflushed first. */
  order: number[] = []
  handedOut: { number: number; token: number }[] = []
  version = 0
  wasComplete = true

  constructor(budgetBytes: number) {
    this.memory = createObjectBuffer(budgetBytes)
    this.buffer = new ObjectBuffer(this.memory)
    this.buffer.complete = true
  }

  put(number: number, length: number, wanted: ObjectState): void {
    const { buffer } = this
    const old = this.check(number)
    const state = old?.state === 'dirty' && wanted === 'clean' ? 'dirty' : wanted
    const version = ++this.version
    const value = makeValue(number, version, length)
    const largest = buffer.capacityBytes / 4 - 24 - keyOf(number).length
    if (!buffer.put(keyOf(number), hashOf(number), value, state)) {
      // Refused: too large, or a good part of memory is unflushed.
      const isSmall = value.length <= largest
      if (isSmall) expect(buffer.dirtyBytes + value.length).toBeGreaterThan(buffer.capacityBytes / 3)
      return
    }
    expect(value.length).toBeLessThanOrEqual(largest)
    const isDirty = state === 'dirty' || old?.state === 'dirty'
    const wasWaiting = old?.state === 'dirty' && old.token === undefined
    this.known.set(number, {
      version,
      length: value.length,
      state: isDirty ? 'dirty' : state,
      token: undefined,
    })
    if (isDirty && !wasWaiting) this.order.push(number)
    expect(versionOf(number, buffer.get(keyOf(number), hashOf(number)) as Uint8Array)).toBe(version)
  }

  /** What memory has of a key must be what is known; only what is not unflushed may be gone. */
  check(number: number): Known | undefined {
    const known = this.known.get(number)
    const value = this.buffer.get(keyOf(number), hashOf(number))
    expect(this.buffer.has(keyOf(number), hashOf(number))).toBe(value !== undefined)
    if (value !== undefined) {
      expect(versionOf(number, value)).toBe(known?.version)
      return known
    }
    if (known === undefined) return undefined
    expect(known.state).not.toBe('dirty')
    if (known.state === 'clean') this.wasComplete = false
    this.known.delete(number)
    return undefined
  }

  remove(number: number): void {
    this.buffer.remove(keyOf(number), hashOf(number))
    this.known.delete(number)
    this.order = this.order.filter((other) => other !== number)
    expect(this.buffer.has(keyOf(number), hashOf(number))).toBe(false)
  }

  handOut(countMax: number, bytesMax: number): void {
    const got: number[] = []
    const count = this.buffer.nextDirty(countMax, bytesMax, (key, hash, value, token) => {
      const number = Number(key.slice(2, 8))
      expect(hash).toBe(hashOf(number))
      expect(versionOf(number, value)).toBe(this.known.get(number)?.version)
      got.push(number)
      const known = this.known.get(number) as Known
      known.token = token
      this.handedOut.push({ number, token })
    })
    expect(count).toBe(got.length)
    if (this.order.length > 0 && countMax > 0) expect(count).toBeGreaterThan(0)
    expect(got).toEqual(this.order.slice(0, count))
    this.order = this.order.slice(count)
  }

  takeOne(number: number): void {
    const taken = this.buffer.take(keyOf(number), hashOf(number))
    const known = this.check(number)
    if (known?.state !== 'dirty') return expect(taken).toBeUndefined()
    expect(versionOf(number, taken?.value as Uint8Array)).toBe(known.version)
    known.token = taken?.token
    this.handedOut.push({ number, token: taken?.token as number })
    this.order = this.order.filter((other) => other !== number)
  }

  answer(failed: boolean): void {
    const answers = this.handedOut
    this.handedOut = []
    if (failed) answers.reverse()
    for (const { number, token } of answers) {
      const known = this.known.get(number)
      if (failed) this.buffer.markDirtyAgain(keyOf(number), hashOf(number), token)
      else this.buffer.markClean(keyOf(number), hashOf(number), token)
      if (known?.state !== 'dirty' || known.token !== token) continue
      known.token = undefined
      if (failed) this.order.unshift(number)
      else known.state = 'clean'
    }
  }

  adopt(): void {
    const before = this.buffer
    const after = new ObjectBuffer(this.memory)
    const adoption = after.adopt(isWhole)
    expect(adoption).toEqual({ objects: before.objects, dirty: before.dirtyObjects, dropped: 0 })
    expect([after.bytes, after.dirtyBytes, after.complete]).toEqual([
      before.bytes,
      before.dirtyBytes,
      before.complete,
    ])
    this.buffer = after
    this.handedOut = []
    this.order = []
    for (const known of this.known.values()) known.token = undefined
    // A successor knows only the last write of each.
    for (const [number, known] of this.known) if (known.state === 'dirty') this.order.push(number)
    const versions = new Map([...this.known].map(([number, known]) => [number, known.version]))
    this.order.sort((a, b) => (versions.get(a) as number) - (versions.get(b) as number))
  }

  checkAll(numbers: number): void {
    let objects = 0
    let bytes = 0
    let dirty = 0
    let dirtyBytes = 0
    for (let number = 0; number < numbers; number++) {
      const known = this.check(number)
      if (known === undefined) continue
      objects++
      const size = footprint(this.buffer, 24 + keyOf(number).length + known.length)
      bytes += size
      if (known.state === 'dirty') {
        dirty++
        dirtyBytes += size
      }
    }
    const { buffer } = this
    expect([buffer.objects, buffer.bytes, buffer.dirtyObjects, buffer.dirtyBytes]).toEqual([
      objects,
      bytes,
      dirty,
      dirtyBytes,
    ])
    if (!this.wasComplete) expect(buffer.complete).toBe(false)
    const seen = new Set<number>()
    for (let cursor = buffer.walk(0, 100, note); cursor !== 0; cursor = buffer.walk(cursor, 100, note));
    function note(key: string): void {
      seen.add(Number(key.slice(2, 8)))
    }
    expect([...seen].sort((a, b) => a - b)).toEqual([...this.known.keys()].sort((a, b) => a - b))
  }
}

/** Whole words of 8 bytes; whole segments (of 2 KiB in these memories) when larger than one. */
function footprint(buffer: ObjectBuffer, bytes: number): number {
  const segmentBytes = buffer.capacityBytes < 100 * KiB ? 2 * KiB : 8 * KiB
  return bytes <= segmentBytes ? Math.ceil(bytes / 8) * 8 : Math.ceil(bytes / segmentBytes) * segmentBytes
}

const keys = 90
const number = fc.nat(keys - 1)
const length = fc.oneof(
  { weight: 6, arbitrary: fc.nat(300) },
  { weight: 3, arbitrary: fc.nat(2100) },
  { weight: 1, arbitrary: fc.nat(16_000) },
)
const state = fc.constantFrom<ObjectState>('clean', 'dirty', 'volatile')
type Step = (model: Model) => void
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.tuple(number, length, state).map(
      ([n, l, s]): Step =>
        (model) =>
          model.put(n, l, s),
    ),
  },
  {
    weight: 3,
    arbitrary: number.map(
      (n): Step =>
        (model) =>
          void model.check(n),
    ),
  },
  {
    weight: 1,
    arbitrary: number.map(
      (n): Step =>
        (model) =>
          model.remove(n),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(20), fc.nat(8000)).map(
      ([count, bytes]): Step =>
        (model) =>
          model.handOut(count, bytes),
    ),
  },
  {
    weight: 1,
    arbitrary: number.map(
      (n): Step =>
        (model) =>
          model.takeOne(n),
    ),
  },
  { weight: 2, arbitrary: fc.constant<Step>((model) => model.answer(false)) },
  { weight: 1, arbitrary: fc.constant<Step>((model) => model.answer(true)) },
  { weight: 1, arbitrary: fc.constant<Step>((model) => model.adopt()) },
)

test.each([64, 256])('a memory of %i KiB agrees with a Map', (budgetKiB) => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 600, size: 'max' }), (steps) => {
      const model = new Model(budgetKiB * KiB)
      for (const [i, run] of steps.entries()) {
        run(model)
        if (i % 64 === 0) model.checkAll(keys)
      }
      model.checkAll(keys)
    }),
    { numRuns: 60 },
  )
})
