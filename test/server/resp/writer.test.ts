// The reply writer: every form of reply in both protocols, checked against the bytes of the specification
// and, for RESP2, against what the npm package redis-parser reads back.
// The rest is about memory: what is copied, what is handed on, what is never written twice.

import fc from 'fast-check'
import RedisParser from 'redis-parser'
import { describe, expect, test } from 'vitest'
import { map, none, ok, type Reply, replyBytes, simple } from '../../../src/server/resp/reply.js'
import { type ProtocolVersion, ReplyWriter } from '../../../src/server/resp/writer.js'

function written(replies: readonly Reply[], protocol: ProtocolVersion): Buffer {
  const writer = new ReplyWriter()
  for (const reply of replies) writer.write(reply, protocol)
  const announced = writer.bytes
  const bytes = Buffer.concat(writer.take())
  expect(bytes.length).toBe(announced)
  return bytes
}

const raw = (reply: Reply, protocol: ProtocolVersion): string => written([reply], protocol).toString('latin1')

test.each<[string, Reply, string, string]>([
  ['OK', ok, '+OK\r\n', '+OK\r\n'],
  ['simple', simple('a\r\nb'), '+a b\r\n', '+a b\r\n'],
  ['error', { type: 'error', text: 'ERR x\n\r\ny' }, '-ERR x y\r\n', '-ERR x y\r\n'],
  ['zero', 0, ':0\r\n', ':0\r\n'],
  ['negative', -2, ':-2\r\n', ':-2\r\n'],
  ['ten', 10, ':10\r\n', ':10\r\n'],
  ['large', 253402300799999, ':253402300799999\r\n', ':253402300799999\r\n'],
  ['2^31', 2 ** 31, ':2147483648\r\n', ':2147483648\r\n'],
  ['2^31-2', 2 ** 31 - 2, ':2147483646\r\n', ':2147483646\r\n'],
  ['null', null, '$-1\r\n', '_\r\n'],
  ['nothing', none, '', ''],
  ['empty bulk', new Uint8Array(0), '$0\r\n\r\n', '$0\r\n\r\n'],
  ['bytes', Buffer.from([0, 255, 13, 10]), '$4\r\n\0\xff\r\n\r\n', '$4\r\n\0\xff\r\n\r\n'],
  ['text', 'ü', '$2\r\n\xc3\xbc\r\n', '$2\r\n\xc3\xbc\r\n'],
  ['array', [1, [null], 'a'], '*3\r\n:1\r\n*1\r\n$-1\r\n$1\r\na\r\n', '*3\r\n:1\r\n*1\r\n_\r\n$1\r\na\r\n'],
  ['map', map([['a', 1]]), '*2\r\n$1\r\na\r\n:1\r\n', '%1\r\n$1\r\na\r\n:1\r\n'],
  ['set', { type: 'set', items: [1, 2] }, '*2\r\n:1\r\n:2\r\n', '~2\r\n:1\r\n:2\r\n'],
  ['push', { type: 'push', items: ['x'] }, '*1\r\n$1\r\nx\r\n', '>1\r\n$1\r\nx\r\n'],
  ['verbatim', { type: 'verbatim', text: 'hi' }, '$2\r\nhi\r\n', '=6\r\ntxt:hi\r\n'],
])('%s', (_name, reply, resp2, resp3) => {
  expect(raw(reply, 2)).toBe(resp2)
  expect(raw(reply, 3)).toBe(resp3)
})

test('whatever is written is read back by redis-parser', () => {
  const leaf = fc.oneof(
    fc.constant(null),
    fc.maxSafeInteger(),
    fc.uint8Array({ maxLength: 100 }),
    fc.integer({ min: 0, max: 40_000 }).map((length) => Buffer.alloc(length, 'x')),
  )
  const reply = fc.oneof(
    leaf,
    fc.array(leaf, { maxLength: 5 }),
    fc.array(fc.array(leaf, { maxLength: 3 }), { maxLength: 3 }),
  )
  const plain = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
    return Array.isArray(value) ? value.map(plain) : value
  }
  fc.assert(
    fc.property(fc.array(reply, { maxLength: 20 }), (replies) => {
      const read: unknown[] = []
      const oracle = new RedisParser({
        returnBuffers: true,
        returnReply: (value: unknown) => read.push(value),
        returnError: (failure: Error) => expect.unreachable(failure.message),
      })
      oracle.execute(written(replies as Reply[], 2))
      expect(read.map(plain)).toEqual(replies.map(plain))
    }),
    { numRuns: 200 },
  )
})

describe('pieces', () => {
  test('large values are handed on, not copied; what was taken is never written again', () => {
    const writer = new ReplyWriter()
    const value = Buffer.alloc(100_000, 'v')
    writer.write('before', 2)
    writer.write(value, 2)
    const pieces = writer.take()
    expect(pieces.map((piece) => piece.length)).toEqual([21, 100_000, 2])
    expect(pieces[1]?.buffer).toBe(value.buffer)
    const first = pieces[0]?.toString('latin1')
    for (let i = 0; i < 10_000; i++) writer.write('after', 2)
    expect(Buffer.concat(writer.take()).length).toBe(10_000 * 11)
    expect(pieces[0]?.toString('latin1')).toBe(first)
  })

  test('errors are counted', () => {
    const writer = new ReplyWriter()
    writer.write([1, { type: 'error', text: 'ERR a' }], 3)
    expect(writer.errors).toBe(1)
  })

  test('the weight of a reply follows its contents', () => {
    expect(replyBytes([Buffer.alloc(1000), ['x'.repeat(500)]])).toBeGreaterThanOrEqual(1500)
    expect(replyBytes(map([['a', Buffer.alloc(300)]]))).toBeGreaterThanOrEqual(300)
    expect(replyBytes(none)).toBeLessThan(100)
  })
})
