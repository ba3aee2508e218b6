// The context is opaque and not to be forged: it comes back as it was handed out, for its key, or not at all
// (Dynamo 4.1: "the system can verify the validity of the context").

import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Writer } from '../../src/base/bytes.js'
import { RingspunError } from '../../src/base/errors.js'
import { limits } from '../../src/base/limits.js'
import { decodeContext, encodeContext } from '../../src/versions/context-codec.js'
import type { ClockEntry, Context } from '../../src/versions/object.js'
import { covers } from '../../src/versions/vector.js'
import { clock, clockOf, keyHash } from './arbitrary.js'

const secret = [0x1234_5678, 0x9abc_def0] as const
const context = fc.record({ clock, stamp: fc.maxSafeNat() })
const sample: Context = { clock: clockOf([3, 7], [2 ** 50, 12]), stamp: 2 ** 51 }

function codeOf(token: unknown, hash: number, key: readonly [number, number] = secret): string {
  try {
    decodeContext(token as string, hash, key)
    return 'accepted'
  } catch (error) {
    return error instanceof RingspunError ? error.code : `not one of ours: ${error}`
  }
}

/** A token with a right signature over whatever the writer was told. */
function signed(write: (writer: Writer) => void): string {
  const writer = new Writer()
  write(writer)
  const key = Buffer.alloc(8)
  key.writeUInt32LE(secret[0], 0)
  key.writeUInt32LE(secret[1], 4)
  const body = writer.copy()
  const signature = createHmac('sha256', key).update(body).digest().subarray(0, 8)
  return Buffer.concat([body, signature]).toString('base64url')
}

/** Writes a context for the hash 5: `entries` says how many there are, `pairs` which. */
function fill(
  writer: Writer,
  entries: number,
  pairs: readonly (readonly [number, number])[],
  stamp = 1,
): void {
  writer.u8(1)
  writer.u32(5)
  writer.f64(stamp)
  writer.varint(entries)
  for (const [actor, counter] of pairs) {
    writer.f64(actor)
    writer.varint(counter)
    writer.u32(0)
  }
}

describe('a context', () => {
  it('comes back as it was, as text that can be put into an address or a header', () => {
    fc.assert(
      fc.property(context, keyHash, (original, hash) => {
        const token = encodeContext(original, hash, secret)
        expect(token).toMatch(/^[A-Za-z0-9_-]+$/)
        expect(decodeContext(token, hash, secret)).toEqual(original)
      }),
    )
  })

  it('of another key is a mismatch', () => {
    fc.assert(
      fc.property(context, keyHash, keyHash, (original, hash, other) => {
        fc.pre(hash !== other)
        expect(codeOf(encodeContext(original, hash, secret), other)).toBe('context-mismatch')
      }),
    )
  })

  it('of another cluster is invalid', () => {
    fc.assert(
      fc.property(context, fc.tuple(keyHash, keyHash), (original, other) => {
        fc.pre(other[0] !== secret[0] || other[1] !== secret[1])
        expect(codeOf(encodeContext(original, 5, other), 5)).toBe('context-invalid')
      }),
    )
  })

  it('with any one character changed, left out or added is invalid', () => {
    const token = encodeContext(sample, 5, secret)
    for (let at = 0; at < token.length; at++) {
      for (const other of ['A', 'z', '-', '=', '.', ' ', '\u{1f600}']) {
        if (other === token[at]) continue
        expect(codeOf(token.slice(0, at) + other + token.slice(at + 1), 5)).toBe('context-invalid')
        expect(codeOf(token.slice(0, at) + other + token.slice(at), 5)).toBe('context-invalid')
      }
      expect(codeOf(token.slice(0, at), 5)).toBe('context-invalid')
      expect(codeOf(token.slice(0, at) + token.slice(at + 1), 5)).toBe('context-invalid')
    }
  })

  it('with any one bit changed is invalid: a forged counter would make later writes vanish', () => {
    const bytes = Buffer.from(encodeContext(sample, 5, secret), 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const forged = Buffer.from(bytes)
      forged[bit >>> 3] = (forged[bit >>> 3] as number) ^ (1 << (bit & 7))
      expect(codeOf(forged.toString('base64url'), 5)).toBe('context-invalid')
    }
  })

  it.each([undefined, null, 5, {}, [], '', 'x', 'context', 'AAAAAAAA', Buffer.from('x')])(
    'is not %j',
    (token) => {
      expect(codeOf(token, 5)).toBe('context-invalid')
    },
  )

  it('is refused before it is looked at when it is too long', () => {
    expect(codeOf('A'.repeat(2 * limits.contextBytesMax), 5)).toBe('context-too-large')
  })
})

describe('a context with a right signature over nonsense is invalid, never taken', () => {
  it.each<[string, (writer: Writer) => void]>([
    ['nothing', () => {}],
    ['another version', (writer) => writer.u8(2)],
    ['a stamp that is no number', (writer) => fill(writer, 0, [], Number.NaN)],
    ['a negative stamp', (writer) => fill(writer, 0, [], -1)],
    ['entries that are not there', (writer) => fill(writer, 3, [])],
    ['too many entries', (writer) => fill(writer, 2 ** 40, [])],
    ['bytes behind its end', (writer) => fill(writer, 0, [[1, 1]])],
    ['a counter of 0', (writer) => fill(writer, 1, [[1, 0]])],
    ['a counter beyond 2^53', (writer) => fill(writer, 1, [[1, 2 ** 53]])],
    ['an actor of 0', (writer) => fill(writer, 1, [[0, 1]])],
    ['an actor that is no number', (writer) => fill(writer, 1, [[Number.NaN, 1]])],
    [
      'an actor twice',
      (writer) =>
        fill(writer, 2, [
          [1, 1],
          [1, 2],
        ]),
    ],
    [
      'actors out of order',
      (writer) =>
        fill(writer, 2, [
          [2, 1],
          [1, 1],
        ]),
    ],
  ])('%s', (_name, nonsense) => {
    expect(codeOf(signed(nonsense), 5)).toBe('context-invalid')
  })

  it('the same by hand, done right, is taken', () => {
    const token = signed((writer) => fill(writer, 1, [[1, 1]]))
    expect(decodeContext(token, 5, secret)).toEqual({ clock: [{ actor: 1, counter: 1, time: 0 }], stamp: 1 })
  })
})

describe('the context of a key with very many siblings', () => {
  const entries: ClockEntry[] = Array.from({ length: 1000 }, (_, index) => ({
    actor: Number.MAX_SAFE_INTEGER - 1000 + index,
    counter: Number.MAX_SAFE_INTEGER,
    time: index,
  }))

  it('covers as many actors as there may be siblings, whatever their numbers', () => {
    const most = entries.slice(0, limits.siblingsMax + limits.clockEntriesMax)
    const token = encodeContext({ clock: most, stamp: 1 }, 5, secret)
    expect(decodeContext(token, 5, secret).clock).toEqual(most)
  })

  it('forgets the oldest beyond that, and can still be given back', () => {
    const token = encodeContext({ clock: entries, stamp: 1 }, 5, secret)
    const back = decodeContext(token, 5, secret)
    expect(covers(entries, back.clock)).toBe(true)
    expect(back.clock).toEqual(entries.slice(-back.clock.length))
    expect(back.clock.length).toBeGreaterThanOrEqual(limits.siblingsMax)
  })
})
