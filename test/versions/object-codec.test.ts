// Objects as bytes: what is written is read again, and bytes that are not exactly what was written for this
// key are never taken for an object, whatever happened to them.

import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Malformed, Writer } from '../../src/base/bytes.js'
import { merge } from '../../src/versions/merge.js'
import { isVolatile } from '../../src/versions/mode.js'
import type { StoredObject } from '../../src/versions/object.js'
import {
  decodeObject,
  encodeObject,
  findLatest,
  isVolatileEncoded,
  type Located,
  latest,
  looksWhole,
  replaces,
} from '../../src/versions/object-codec.js'
import { sameObject } from '../../src/versions/read.js'
import { anyObject, bare, clockOf, keyHash, latestObject, made, object } from './arbitrary.js'

const copyOf = (bytes: Uint8Array) => Buffer.from(bytes)

/** The same bytes in the midst of others. */
function locatedIn(bytes: Uint8Array): Located {
  return {
    bytes: Buffer.concat([Buffer.alloc(5, 1), bytes, Buffer.alloc(9, 1)]),
    start: 5,
    end: 5 + bytes.length,
  }
}

/** The error that decoding throws, or the object. */
function outcome(bytes: Uint8Array, hash: number): unknown {
  try {
    return decodeObject(bytes, hash)
  } catch (error) {
    return error
  }
}

function expectRefused(bytes: Uint8Array, hash: number): void {
  expect(outcome(bytes, hash)).toBeInstanceOf(Malformed)
  expect(looksWhole(bytes, hash)).toBe(false)
}

/** Bytes with a right checksum over whatever they say. */
function sealed(body: Uint8Array, hash: number): Buffer {
  const sum = Buffer.alloc(4)
  sum.writeUInt32LE(crc32(body, hash))
  return Buffer.concat([body, sum])
}

describe('round trip', () => {
  it.each([
    ['any object', anyObject],
    ['one last-write-wins value', latestObject],
  ])('%s comes back as it was, to the byte', (_name, arbitrary) => {
    fc.assert(
      fc.property(arbitrary, keyHash, (original, hash) => {
        const bytes = encodeObject(bare(original), hash)
        expect(looksWhole(bytes, hash)).toBe(true)
        const decoded = decodeObject(bytes, hash)
        expect(bare(decoded)).toEqual(bare(original))
        expect(sameObject(decoded, original)).toBe(true)
        expect(copyOf(encodeObject(bare(decoded), hash))).toEqual(copyOf(bytes))
      }),
    )
  })

  it('an object remembers its bytes, encoded or decoded, and is not encoded again', () => {
    const original: StoredObject = { clock: clockOf([1, 1]), siblings: [made(1, 1)] }
    const bytes = encodeObject(original, 5)
    expect(encodeObject(original, 5)).toBe(bytes)
    expect(encodeObject(decodeObject(bytes, 5), 5)).toBe(bytes)
  })

  it('bytes are a copy: the next object does not write over them', () => {
    const first = encodeObject({ clock: clockOf([1, 1]), siblings: [made(1, 1)] }, 5)
    const before = copyOf(first)
    encodeObject({ clock: clockOf([2, 9]), siblings: [made(2, 9)] }, 6)
    expect(copyOf(first)).toEqual(before)
  })

  it('values are views of the bytes, not copies', () => {
    const bytes = encodeObject({ clock: clockOf([1, 1]), siblings: [made(1, 1)] }, 5)
    expect(decodeObject(bytes, 5).siblings[0]?.value.buffer).toBe(bytes.buffer)
  })

  it('plain Uint8Arrays decode as well as Buffers, at any offset of their memory', () => {
    const bytes = encodeObject({ clock: clockOf([1, 1]), siblings: [made(1, 1)] }, 5)
    const memory = new Uint8Array(bytes.length + 7)
    memory.set(bytes, 3)
    const view = memory.subarray(3, 3 + bytes.length)
    expect(Buffer.from(decodeObject(view, 5).siblings[0]?.value ?? []).toString()).toBe('1:1')
  })

  it('a value of 8 MiB is no different, and small ones after it neither', () => {
    const value = Buffer.alloc(8 * 1024 * 1024, 3)
    for (const each of [value, Buffer.from('small')]) {
      const bytes = encodeObject({ clock: clockOf([1, 1]), siblings: [made(1, 1, { value: each })] }, 5)
      expect(Buffer.compare(decodeObject(bytes, 5).siblings[0]?.value as Buffer, each)).toBe(0)
    }
  })

  it('one small value costs 42 bytes beside itself', () => {
    const value = Buffer.alloc(100)
    for (const encoding of [0, 0x80]) {
      const sibling = made(2 ** 50, 100, { value, encoding, stamp: 2 ** 51 })
      const bytes = encodeObject({ clock: clockOf([2 ** 50, 100]), siblings: [sibling] }, 5)
      expect(bytes.length - value.length).toBeLessThanOrEqual(42)
    }
  })
})

describe('bytes that changed', () => {
  it('are refused for another key', () => {
    fc.assert(
      fc.property(object, keyHash, keyHash, (original, hash, other) => {
        fc.pre(hash !== other)
        expectRefused(encodeObject(bare(original), hash), other)
      }),
    )
  })

  it('are refused when any one bit has flipped', () => {
    const bytes = encodeObject({ clock: clockOf([1, 1], [7, 3]), siblings: [made(1, 1), made(7, 2)] }, 99)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = copyOf(bytes)
      flipped[bit >>> 3] = (flipped[bit >>> 3] as number) ^ (1 << (bit & 7))
      expectRefused(flipped, 99)
    }
  })

  it('are refused when up to four bytes in a row are others', () => {
    const patch = fc.uint8Array({ minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(object, keyHash, fc.nat(), patch, (original, hash, place, change) => {
        const bytes = copyOf(encodeObject(bare(original), hash))
        const before = copyOf(bytes)
        bytes.set(change, place % (bytes.length - change.length + 1))
        if (bytes.equals(before)) expect(looksWhole(bytes, hash)).toBe(true)
        else expectRefused(bytes, hash)
      }),
    )
  })

  it('are refused when they are cut at any place, or go on', () => {
    fc.assert(
      fc.property(object, keyHash, (original, hash) => {
        const bytes = encodeObject(bare(original), hash)
        for (let length = 0; length < bytes.length; length++) expectRefused(bytes.subarray(0, length), hash)
        expectRefused(Buffer.concat([bytes, Buffer.alloc(1)]), hash)
        expectRefused(Buffer.concat([bytes, bytes]), hash)
      }),
      { numRuns: 30 },
    )
  })

  it('are refused when they are anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), keyHash, (bytes, hash) => expectRefused(bytes, hash)),
    )
  })
})

describe('a right checksum over nonsense', () => {
  it('is Malformed, or an object that keeps the invariants: never another error', () => {
    const begin = fc.constantFrom([], [1, 0], [1, 1], [1, 0, 1])
    const bytes = fc.tuple(begin, fc.uint8Array({ maxLength: 60, size: 'max' }))
    fc.assert(
      fc.property(bytes, ([start, rest]) => {
        const result = outcome(sealed(Buffer.concat([Buffer.from(start), rest]), 1), 1)
        if (!(result instanceof Malformed)) expectInvariants(result as StoredObject)
      }),
    )
  })

  it('so is a whole object with some bytes changed and sealed again', () => {
    let objects = 0
    const patch = fc.uint8Array({ minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(object, fc.nat(), patch, (original, place, change) => {
        const bytes = copyOf(encodeObject(bare(original), 1))
        const body = bytes.subarray(0, bytes.length - 4)
        body.set(change.subarray(0, body.length), place % Math.max(1, body.length - change.length))
        const result = outcome(sealed(body, 1), 1)
        if (result instanceof Malformed) return
        objects++
        expectInvariants(result as StoredObject)
      }),
      { numRuns: 500 },
    )
    expect(objects, 'no change left an object: the test tests nothing').toBeGreaterThan(0)
  })

  it.each([
    ['a count of entries beyond the bytes', [1, 0, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['a count of siblings beyond the bytes', [1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['no siblings', [1, 0, 0, 0]],
    ['another format', [2, 0, 0, 0]],
    ['another kind', [1, 2, 0, 0]],
    ['a number that does not end', [1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80]],
  ])('%s is Malformed', (_name, body) => {
    expect(outcome(sealed(Buffer.from(body), 1), 1)).toBeInstanceOf(Malformed)
  })

  it.each([
    ['an actor of 0', { actor: 0 }],
    ['an actor that is no number', { actor: Number.NaN }],
    ['an actor beyond 2^53', { actor: 2 ** 53 }],
    ['a counter of 0', { counter: 0 }],
    ['a stamp that is no number', { stamp: Number.NaN }],
    ['an endless stamp', { stamp: Number.POSITIVE_INFINITY }],
    ['an expiry that is no number', { flags: 2, expires: Number.NaN }],
    ['an expiry before time began', { flags: 2, expires: -1 }],
    ['flags that nobody knows', { flags: 4 }],
  ])('%s is Malformed in both kinds', (_name, fields) => {
    for (const kind of [0, 1]) {
      expect(outcome(handWritten(kind, {}), 1)).not.toBeInstanceOf(Error)
      expect(outcome(handWritten(kind, fields), 1)).toBeInstanceOf(Malformed)
    }
  })

  it('bytes behind the last value are Malformed', () => {
    const whole = handWritten(0, {})
    const body = Buffer.concat([whole.subarray(0, whole.length - 4), Buffer.alloc(1)])
    expect(outcome(sealed(body, 1), 1)).toBeInstanceOf(Malformed)
  })

  it('entries or siblings out of order are Malformed', () => {
    const [first, second] = [made(1, 1), made(2, 2)]
    const wrong: StoredObject[] = [
      { clock: clockOf([2, 2], [1, 1]), siblings: [first] },
      { clock: clockOf([1, 1], [1, 2]), siblings: [first] },
      { clock: clockOf([1, 1], [2, 2]), siblings: [second, first] },
      { clock: clockOf([1, 1], [2, 2]), siblings: [first, first] },
    ]
    for (const each of wrong) expect(outcome(encodeObject(each, 1), 1)).toBeInstanceOf(Malformed)
  })
})

interface Fields {
  readonly actor?: number
  readonly counter?: number
  readonly stamp?: number
  readonly flags?: number
  readonly expires?: number
}

/** An object written by hand, sealed for the hash 1. */
function handWritten(kind: number, fields: Fields): Buffer {
  const { actor = 1, counter = 1, stamp = 1, flags = 0, expires = 1 } = fields
  const writer = new Writer()
  writer.u8(1)
  writer.u8(kind)
  const dot = () => {
    writer.f64(actor)
    writer.varint(counter)
  }
  if (kind === 0) {
    writer.varint(0)
    writer.varint(1)
    writer.varint(0)
    dot()
    writer.f64(stamp)
    writer.u8(flags)
    writer.u8(0)
  } else {
    writer.u8(flags)
    writer.u8(0x80)
    writer.f64(stamp)
    dot()
    writer.u32(0)
  }
  if ((flags & 2) !== 0) writer.f64(expires)
  if (kind === 0) writer.varint(0)
  return sealed(writer.copy(), 1)
}

function expectInvariants({ clock, siblings }: StoredObject): void {
  expect(siblings.length).toBeGreaterThan(0)
  const actors = clock.map(({ actor }) => actor)
  expect(actors).toEqual([...new Set(actors)].sort((a, b) => a - b))
  for (const { counter } of clock) expect(counter).toBeGreaterThan(0)
  for (const { dot, stamp, expires } of siblings) {
    expect(Number.isSafeInteger(dot.actor) && dot.actor > 0 && dot.counter > 0).toBe(true)
    expect(Number.isSafeInteger(stamp) && stamp >= 0).toBe(true)
    expect(expires >= 0 && Number.isFinite(expires)).toBe(true)
  }
}

describe('what can be told without decoding', () => {
  it('findLatest finds what decoding finds, wherever the bytes lie, or leaves it to that', () => {
    let found = 0
    fc.assert(
      fc.property(fc.oneof(latestObject, anyObject), keyHash, fc.nat(40), (original, hash, before) => {
        const bytes = encodeObject(bare(original), hash)
        const around = Buffer.concat([Buffer.alloc(before, 0xff), bytes, Buffer.alloc(9, 0xff)])
        const isFound = findLatest(around, before, before + bytes.length)
        const [sibling] = original.siblings
        const isPlain = bytes[1] === 1 && sibling?.deleted === false && sibling.expires === 0
        expect(isFound).toBe(isPlain)
        if (!isFound) return
        found++
        expect(latest.encoding).toBe(sibling?.encoding)
        expect(around.subarray(latest.start, latest.end)).toEqual(copyOf(sibling?.value as Uint8Array))
      }),
      { numRuns: 500 },
    )
    expect(found).toBeGreaterThan(20)
  })

  it('replaces is true only for what merge would keep, wherever the other lies', () => {
    let told = 0
    fc.assert(
      fc.property(latestObject, latestObject, keyHash, (left, right, hash) => {
        const [a, b] = [encodeObject(bare(left), hash), encodeObject(bare(right), hash)]
        const [aStamp, bStamp] = [left.siblings[0]?.stamp ?? 0, right.siblings[0]?.stamp ?? 0]
        expect(replaces(a, locatedIn(b))).toBe(aStamp > bStamp)
        expect(replaces(b, locatedIn(a))).toBe(bStamp > aStamp)
        if (aStamp === bStamp) return
        told++
        const kept = merge(bare(left), bare(right), 'last-write-wins')
        const newer = replaces(a, locatedIn(b)) ? a : b
        expect(sameObject(kept, decodeObject(newer, hash))).toBe(true)
      }),
    )
    expect(told).toBeGreaterThan(0)
  })

  it('replaces is false where one of the two is not a single last-write-wins value', () => {
    const single = encodeObject({ clock: clockOf([1, 1]), siblings: [made(1, 1, { encoding: 0x80 })] }, 1)
    const other = encodeObject({ clock: clockOf([1, 2]), siblings: [made(1, 2)] }, 1)
    for (const bytes of [other, new Uint8Array(0), single.subarray(0, 11)]) {
      expect(replaces(single, locatedIn(bytes))).toBe(false)
      expect(replaces(bytes, locatedIn(single))).toBe(false)
    }
  })

  it('isVolatileEncoded tells of a single last-write-wins value what the object says', () => {
    fc.assert(
      fc.property(latestObject, (original) => {
        expect(isVolatileEncoded(encodeObject(bare(original), 1))).toBe(isVolatile(original))
      }),
    )
    const plain = encodeObject({ clock: clockOf([1, 1]), siblings: [made(1, 1)] }, 1)
    expect(isVolatileEncoded(plain)).toBeUndefined()
  })
})
