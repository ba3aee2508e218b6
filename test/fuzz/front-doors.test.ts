// What comes back from clients: cursors of listings and of SCAN, context tokens, requests of the Redis protocol.
// Whatever they say, they are read or refused with the error of their door; they lead nowhere but where they came
// from; and what they promise costs nothing before it has come.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RingspunError } from '../../src/base/errors.js'
import { limits } from '../../src/base/limits.js'
import type { ClusterCore } from '../../src/client/core.js'
import { scanPage } from '../../src/client/scan.js'
import { readToken, writeToken } from '../../src/client/token.js'
import { now } from '../../src/runtime/threads/clock.js'
import { CursorTable } from '../../src/server/cursors.js'
import { ProtocolError, RequestParser } from '../../src/server/resp/parser.js'
import { encodeContext } from '../../src/versions/context-codec.js'
import { clock, keyHash } from '../versions/arbitrary.js'
import { mutated } from './mutations.js'

interface Asked {
  readonly partition: number
  readonly after: string
  readonly begunAt: number
}

const partitions = 16
const bucket = {
  name: 'b',
  prefix: 'b\0',
  properties: { n: 3, r: 2, conflicts: 'siblings' },
  userKey: (key: string) => Buffer.from(key, 'latin1'),
}

/** Lists from a cursor: what was asked of the nodes, the cursor of the next page, or the code of the refusal. */
async function list(cursor: string | undefined, next?: string) {
  const asked: Asked[] = []
  const send = async (message: Asked) => {
    asked.push(message)
    return { rows: [], next: asked.length === 1 ? next : undefined }
  }
  const core = { partitions, requests: { send } } as unknown as ClusterCore
  const options = cursor === undefined ? { limit: 1 } : { limit: 1, cursor }
  try {
    await scanPage(bucket as never, core, options, () => [])
    return { asked }
  } catch (error) {
    if (error instanceof RingspunError) return { asked, code: error.code }
    throw error
  }
}

describe('the cursor of a listing', () => {
  const cursors = ['0.1.', '15.123456.', '3.99.a2V5', `7.1.${Buffer.alloc(300, 0xfe).toString('base64url')}`]

  async function expectHarmless(cursor: string): Promise<void> {
    const { asked, code } = await list(cursor)
    if (code !== undefined) expect([code, asked.length]).toEqual(['cursor-invalid', 0])
    for (const { partition, after, begunAt } of asked) {
      expect(partition).toBeGreaterThanOrEqual(0)
      expect(partition).toBeLessThan(partitions)
      // It never leads out of its bucket, and never asks to wait for what is still to come.
      expect(after === '' || after.startsWith(bucket.prefix)).toBe(true)
      expect(begunAt).toBeLessThanOrEqual(now())
    }
  }

  it('spoiled in any way is refused, or goes on somewhere in its own bucket', async () => {
    const spoiled = mutated(cursors.map((cursor) => Buffer.from(cursor)))
    const property = fc.asyncProperty(spoiled, (bytes) => expectHarmless(bytes.toString('latin1')))
    await fc.assert(property, { numRuns: 400 })
  })

  it('of any text is refused, or goes on somewhere in its own bucket', async () => {
    const number = fc.oneof(
      fc.nat().map(String),
      fc.constantFrom('', '00000', '99999', '9'.repeat(15), '1e3'),
    )
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.tuple(number, number, fc.base64String({ maxLength: 40 })).map((parts) => parts.join('.')),
    )
    await fc.assert(fc.asyncProperty(text, expectHarmless), { numRuns: 400 })
  })

  it('that is of no text, or far too long, is refused before anything is made of it', async () => {
    for (const cursor of [{}, [], 7, null, `0.1.${'a'.repeat(limits.keyBytesMax * 2)}`]) {
      expect((await list(cursor as string)).code).toBe('cursor-invalid')
    }
  })

  it('of a machine that had run for longer does not make a listing wait', async () => {
    const { asked } = await list(`0.${'9'.repeat(15)}.`)
    expect(Math.max(...asked.map(({ begunAt }) => begunAt))).toBeLessThanOrEqual(now())
  })
})

describe('the number of a SCAN', () => {
  const step = fc.record({
    kind: fc.constantFrom('add', 'find', 'end'),
    number: fc.integer({ min: 0, max: 60 }),
    bucket: fc.constantFrom('a', 'b', '__proto__'),
    length: fc.nat(40),
  })

  it('leads to what it was given out for or to nothing, and all of them together stay bounded', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const table = new CursorTable(0, { cursorsMax: 8, bytesMax: 200 })
        const given = new Map<number, { cursor: string; bucket: string }>()
        for (const { kind, number, bucket, length } of steps) {
          if (kind === 'end') table.end(number)
          else if (kind === 'find') {
            const found = table.find(number, bucket)
            if (found !== undefined) expect(given.get(number)).toEqual({ cursor: found, bucket })
          } else {
            const cursor = `${given.size} `.padEnd(length, '.')
            const next = table.add(cursor, bucket, number)
            expect(given.has(next)).toBe(false)
            given.set(next, { cursor, bucket })
            expect(table.find(next, bucket)).toBe(cursor)
          }
          expect(table.size).toBeLessThanOrEqual(8)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('a context token', () => {
  const secret = [0x0102_0304, 0x0506_0708] as const
  const codes = ['context-invalid', 'context-mismatch', 'context-too-large']

  function codeOf(token: unknown, hash: number): string | undefined {
    try {
      readToken(token as string, hash, secret)
      return undefined
    } catch (error) {
      if (error instanceof RingspunError) return error.code
      throw error
    }
  }

  it('comes back with the node that it names', () => {
    fc.assert(
      fc.property(
        clock,
        fc.maxSafeNat(),
        keyHash,
        fc.integer({ min: 0, max: 64 }),
        (each, stamp, hash, node) => {
          const token = writeToken(encodeContext({ clock: each, stamp }, hash, secret), node)
          expect(readToken(token, hash, secret)).toEqual({
            context: { clock: each, stamp },
            coordinator: node,
          })
        },
      ),
    )
  })

  it('spoiled in any way is refused, or only names another node', () => {
    const [one, other] = fc.sample(clock, { numRuns: 2, seed: 3 })
    const contexts = [one, other].map((each) => encodeContext({ clock: each ?? [], stamp: 5 }, 7, secret))
    const tokens = contexts.flatMap((context) => [context, writeToken(context, 3)])
    fc.assert(
      fc.property(mutated(tokens.map((token) => Buffer.from(token))), (bytes) => {
        const token = bytes.toString('latin1')
        const code = codeOf(token, 7)
        if (code !== undefined) expect(codes).toContain(code)
        else expect(contexts).toContain(token.split('.')[0])
      }),
      { numRuns: 3_000 },
    )
  })

  it('of anything else is refused', () => {
    for (const token of [
      '',
      '.',
      '.1',
      '....',
      '__proto__',
      'a'.repeat(1 << 20),
      {},
      [],
      0,
      Symbol.iterator,
    ]) {
      expect(codes).toContain(codeOf(token, 7))
    }
  })
})

describe('a request of the Redis protocol', () => {
  const bulkBytesMax = 64 * 1024 * 1024

  it.each([
    ['a count of bulk strings', '*1048576\r\n'],
    ['a bulk string', '*2\r\n$3\r\nSET\r\n$67108864\r\n'],
    ['a bulk string, and a little of it', '*1\r\n$67108864\r\nabc'],
  ])('that declares %s costs nothing before it has come', (_what, text) => {
    const before = process.memoryUsage()
    const parsers = Array.from({ length: 64 }, () => {
      const parser = new RequestParser({ bulkBytesMax })
      parser.feed(Buffer.from(text))
      expect(parser.next()).toBeUndefined()
      return parser
    })
    const after = process.memoryUsage()
    const grown = after.heapTotal + after.external - before.heapTotal - before.external
    expect(grown, `${parsers.length} parsers`).toBeLessThan(32 * 1024 * 1024)
  })

  it.each([
    '*1048577\r\n',
    '*9999999999\r\n',
    `*${'9'.repeat(30)}\r\n`,
    '*1\r\n$67108865\r\n',
    '*1\r\n$-1\r\n',
  ])('that declares %j is refused at once', (text) => {
    const parser = new RequestParser({ bulkBytesMax })
    parser.feed(Buffer.from(text))
    expect(() => parser.next()).toThrow(ProtocolError)
  })

  it('spoiled in any way gives requests or a protocol error, of no more bytes than came', () => {
    const captures = [
      '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n',
      '*4\r\n$4\r\nSCAN\r\n$1\r\n0\r\n$5\r\nCOUNT\r\n$3\r\n512\r\n',
      'PING\r\nset "a b" \'c\'\r\n*0\r\n*-1\r\n',
    ].map((text) => Buffer.from(text))
    fc.assert(
      fc.property(mutated(captures), (bytes) => {
        const parser = new RequestParser({ bulkBytesMax })
        parser.feed(bytes)
        let taken = 0
        try {
          for (let parts = parser.next(); parts !== undefined; parts = parser.next()) {
            expect(parts.length).toBeGreaterThan(0)
            for (const part of parts) taken += part.length
          }
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error
        }
        expect(taken).toBeLessThanOrEqual(bytes.length)
      }),
      { numRuns: 4_000 },
    )
  })
})
