// Envelopes as bytes: what goes in comes out, for every message there is; bytes that are damaged give
// `Malformed` or another envelope, never any other exception and never more memory than they are worth.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Malformed, Writer } from '../../src/base/bytes.js'
import { decodeEnvelope, encodeEnvelope } from '../../src/protocol/codec.js'
import type { Envelope } from '../../src/protocol/envelope.js'
import { anyEnvelope, envelopeOf, messageTypes } from './arbitrary.js'

function encoded(envelope: Envelope): Buffer {
  const writer = new Writer(16)
  encodeEnvelope(writer, envelope)
  return writer.copy()
}

function decodedOrMalformed(bytes: Buffer): Envelope | Malformed {
  try {
    return decodeEnvelope(bytes, 0, bytes.length)
  } catch (error) {
    if (error instanceof Malformed) return error
    throw error
  }
}

/** Records of fast-check and MessagePack maps have other prototypes; typed arrays come back as Buffers. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  if (value instanceof Uint16Array) return `words ${[...value].join(' ')}`
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return Object.fromEntries(fields.map(([name, field]) => [name, comparable(field)]))
}

describe('a message goes there and comes back the same', () => {
  it.each(messageTypes)('%s', (type) => {
    fc.assert(
      fc.property(envelopeOf(type), (envelope) => {
        expect(comparable(decodedOrMalformed(encoded(envelope)))).toEqual(comparable(envelope))
      }),
      { numRuns: 60 },
    )
  })

  it('also from the midst of other bytes, and its addresses are the shared ones', () => {
    fc.assert(
      fc.property(anyEnvelope, fc.nat(40), (envelope, before) => {
        const bytes = encoded(envelope)
        const around = Buffer.concat([Buffer.alloc(before, 0xaa), bytes, Buffer.alloc(9, 0xbb)])
        const back = decodeEnvelope(around, before, before + bytes.length)
        expect(comparable(back)).toEqual(comparable(envelope))
        expect(back.to).toBe(envelope.to)
        expect(back.from).toBe(envelope.from)
      }),
    )
  })
})

describe('damaged bytes', () => {
  const known = new Set<string>(messageTypes)

  function expectHarmless(bytes: Buffer): void {
    const result = decodedOrMalformed(bytes)
    if (result instanceof Malformed) return
    expect(known.has(result.message.type), `a message of type ${result.message.type}`).toBe(true)
  }

  it('cut off anywhere', () => {
    fc.assert(
      fc.property(
        anyEnvelope,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (envelope, part) => {
          const bytes = encoded(envelope)
          expectHarmless(bytes.subarray(0, Math.floor(bytes.length * part)))
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('changed in a few places', () => {
    const change = fc.tuple(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(255))
    fc.assert(
      fc.property(anyEnvelope, fc.array(change, { minLength: 1, maxLength: 4 }), (envelope, changes) => {
        const bytes = encoded(envelope)
        for (const [where, what] of changes) bytes[Math.floor(where * bytes.length)] = what
        expectHarmless(bytes)
      }),
      { numRuns: 3_000 },
    )
  })

  it('of no message at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(7), (noise, code) => {
        const bytes = Buffer.from(noise)
        if (bytes.length > 0) bytes[0] = code
        expectHarmless(bytes)
      }),
      { numRuns: 3_000 },
    )
  })

  it('that promise more than they hold cost no memory', () => {
    const header = encoded({ ...sample, message: { type: 'put-sweep-due' } }).subarray(0, 20)
    // Lengths of MessagePack's arrays, maps, strings, bytes and extensions: 32 bits, nothing behind them.
    for (const tag of [0xdd, 0xdf, 0xdb, 0xc6, 0xc9]) {
      for (const length of [
        [0x01, 0xc9, 0xc3, 0x80],
        [0x7f, 0xff, 0xff, 0xff],
        [0xff, 0xff, 0xff, 0xff],
      ]) {
        const before = process.memoryUsage()
        expect(decodedOrMalformed(Buffer.from([...header, tag, ...length]))).toBeInstanceOf(Malformed)
        const after = process.memoryUsage()
        const grown = after.heapTotal + after.external - before.heapTotal - before.external
        expect(grown, `tag ${tag.toString(16)}`).toBeLessThan(32 * 1024 * 1024)
      }
    }
  })
})

const sample = fc.sample(envelopeOf('repair-due'), { numRuns: 1, seed: 1 })[0] as Envelope
