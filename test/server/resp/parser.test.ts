// The request parser: however bytes are cut, the same requests and the same errors come out. The npm package
// redis-parser is the oracle for well-formed arrays, a table of what Redis 7.0 answered for the rest.
// Mutated captures of real clients must give requests or a protocol error, never another exception.

import fc from 'fast-check'
import RedisParser from 'redis-parser'
import { describe, expect, test } from 'vitest'
import { ProtocolError, RequestParser } from '../../../src/server/resp/parser.js'
import { request } from '../harness.js'

const options = { bulkBytesMax: 1024 * 1024 }

/** All requests as binary strings, and the error that ended the stream. */
function parse(chunks: readonly Buffer[], settings = options): { requests: string[][]; error: string } {
  const parser = new RequestParser(settings)
  const requests: string[][] = []
  try {
    for (const chunk of chunks) {
      parser.feed(chunk)
      for (let next = parser.next(); next !== undefined; next = parser.next()) {
        requests.push(next.map((part) => part.toString('latin1')))
      }
    }
  } catch (failure) {
    if (!(failure instanceof ProtocolError)) throw failure
    return { requests, error: failure.message }
  }
  return { requests, error: '' }
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  let from = 0
  for (const place of [...places].map((p) => p % (bytes.length + 1)).sort((a, b) => a - b)) {
    if (place > from) chunks.push(bytes.subarray(from, place))
    from = Math.max(from, place)
  }
  chunks.push(bytes.subarray(from))
  return chunks
}

const binary = (text: string): Buffer => Buffer.from(text, 'latin1')

describe('well-formed requests', () => {
  const arguments_ = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 8 })

  test('are what redis-parser reads, for every way to cut the bytes', () => {
    fc.assert(
      fc.property(
        fc.array(arguments_, { maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 40 }),
        (requests, places) => {
          const bytes = Buffer.concat(requests.map((parts) => request(...parts)))
          const expected: string[][] = []
          const oracle = new RedisParser({
            returnBuffers: true,
            returnReply: (reply: Buffer[]) => expected.push(reply.map((part) => part.toString('latin1'))),
            returnError: (failure: Error) => expect.unreachable(failure.message),
          })
          oracle.execute(Buffer.from(bytes))
          expect(parse(cut(bytes, places))).toEqual({ requests: expected, error: '' })
        },
      ),
      { numRuns: 300 },
    )
  })

  test('come out byte by byte, too', () => {
    const bytes = Buffer.concat([request('SET', 'key', ''), binary('PING\r\n'), request('GET', 'k\r\n$3')])
    const single = [...bytes].map((byte) => Buffer.from([byte]))
    expect(parse(single).requests).toEqual([['SET', 'key', ''], ['PING'], ['GET', 'k\r\n$3']])
  })

  test('arguments inside one chunk are views of it, not copies', () => {
    const chunk = request('GET', 'key')
    const parser = new RequestParser(options)
    parser.feed(chunk)
    expect(parser.next()?.every((part) => part.buffer === chunk.buffer)).toBe(true)
  })

  test('the bytes of the last request are counted', () => {
    const parser = new RequestParser(options)
    parser.feed(request('SET', 'key', 'value'))
    parser.next()
    expect(parser.requestBytes).toBe(11)
  })

  test('empty arrays, negative counts and blank lines are passed over, as Redis does', () => {
    expect(parse([binary('*0\r\n*-1\r\n\r\n \r\n\nPING\r\n')])).toEqual({ requests: [['PING']], error: '' })
  })
})

describe('inline requests', () => {
  test.each<[string, string[] | string]>([
    ['PING', ['PING']],
    ['  set  a\tb ', ['set', 'a', 'b']],
    ['echo "\\x41\\n\\"\\\\" x', ['echo', 'A\n"\\', 'x']],
    ['echo "\\xzz\\q"', ['echo', 'xzzq']],
    ["echo 'a\\'b\\n'", ['echo', "a'b\\n"]],
    ['set a ""', ['set', 'a', '']],
    ['a"b"', ['ab']],
    ['set a "b', 'unbalanced quotes in request'],
    ['set a "b"c', 'unbalanced quotes in request'],
    ["set a 'b", 'unbalanced quotes in request'],
    ['set a "b\\', 'unbalanced quotes in request'],
  ])('%s', (line, expected) => {
    const result = parse([binary(`${line}\r\n`)])
    if (typeof expected === 'string') expect(result).toEqual({ requests: [], error: expected })
    else expect(result).toEqual({ requests: [expected], error: '' })
  })
})

describe('what is no request', () => {
  const many = '1'.repeat(70_000)
  test.each<[string, string]>([
    ['*1\r\n+x\r\n', "expected '$', got '+'"],
    ['*1\r\n*1\r\n', "expected '$', got '*'"],
    ['*1\r\n'.repeat(10_000), "expected '$', got '*'"],
    ['*x\r\n', 'invalid multibulk length'],
    ['*+1\r\n', 'invalid multibulk length'],
    ['*01\r\n', 'invalid multibulk length'],
    ['*1\n', 'invalid multibulk length'],
    ['*\r\n', 'invalid multibulk length'],
    ['*1048577\r\n', 'invalid multibulk length'],
    ['*99999999999999999999\r\n', 'invalid multibulk length'],
    ['*1\r\n$x\r\n', 'invalid bulk length'],
    ['*1\r\n$-1\r\n', 'invalid bulk length'],
    ['*1\r\n$1048577\r\n', 'invalid bulk length'],
    ['*1\r\n$2147483648\r\n', 'invalid bulk length'],
    ['*1\r\n$9007199254740992\r\n', 'invalid bulk length'],
    ['*1\r\n$3\r\nabcd\r\n', 'expected CRLF after the bytes of a bulk string'],
    [`*${many}`, 'too big mbulk count string'],
    [`*1\r\n$${many}`, 'too big bulk count string'],
    [many, 'too big inline request'],
    [`${many}\r\n`, 'too big inline request'],
    ['\x16\x03\x01\x02\x00\x01\x00', 'this port speaks plain RESP, not TLS'],
  ])('%j', (text, expected) => {
    const bytes = binary(text)
    expect(parse([bytes]).error).toBe(expected)
    expect(parse(cut(bytes, [1, 2, 3, 5, 8, 1000, 65_000])).error).toBe(expected)
  })

  test('one request may not declare more than the limit in all', () => {
    const settings = { bulkBytesMax: 100, requestBytesMax: 250 }
    const declared = binary(`*3\r\n$100\r\n${'a'.repeat(100)}\r\n$100\r\n${'a'.repeat(100)}\r\n$51\r\n`)
    expect(parse([declared], settings).error).toBe('too big request')
  })

  test('a limit of arguments is a limit', () => {
    expect(parse([binary('*5\r\n')], { ...options, argumentsMax: 4 } as typeof options).error).toBe(
      'invalid multibulk length',
    )
  })
})

describe('memory and time', () => {
  test('a declared gibibyte costs nothing until its bytes come', () => {
    const before = process.memoryUsage().arrayBuffers
    const parsers = Array.from({ length: 50 }, () => {
      const parser = new RequestParser({ bulkBytesMax: 2 ** 30, requestBytesMax: 2 ** 31 })
      parser.feed(binary('*1\r\n$1073741824\r\nabc'))
      expect(parser.next()).toBeUndefined()
      return parser
    })
    expect(parsers.length).toBe(50)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024)
  })

  test('a large value in small pieces is whole again', () => {
    const value = Buffer.alloc(900_000, 'abcdefg')
    const bytes = request('SET', 'k', value)
    const chunks: Buffer[] = []
    for (let at = 0; at < bytes.length; at += 100) chunks.push(bytes.subarray(at, at + 100))
    expect(parse(chunks).requests).toEqual([['SET', 'k', value.toString('latin1')]])
  })
})

describe('fuzz', () => {
  // Captures of real clients: redis-cli, redis-benchmark, ioredis, node-redis at connect and in pipelines.
  const captures = [
    request('COMMAND', 'DOCS'),
    Buffer.concat([request('CONFIG', 'GET', 'save'), request('CONFIG', 'GET', 'appendonly')]),
    Buffer.concat([request('INFO'), request('CLIENT', 'SETINFO', 'LIB-NAME', 'ioredis')]),
    request('HELLO', '3', 'SETNAME', 'x'),
    Buffer.concat(Array.from({ length: 16 }, () => request('SET', 'key:__rand_int__', 'xxx'))),
    binary('PING\r\nSET a "b c"\r\nGET a\r\n'),
    binary('GET / HTTP/1.1\r\nHost: localhost:6379\r\nConnection: close\r\n\r\n'),
  ]

  test('mutations give requests or a protocol error, the same however they are cut', () => {
    const mutation = fc.record({
      at: fc.nat(),
      byte: fc.nat(255),
      kind: fc.constantFrom('set', 'cut', 'add'),
    })
    fc.assert(
      fc.property(
        fc.constantFrom(...captures),
        fc.array(mutation, { maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 10 }),
        (capture, mutations, places) => {
          let bytes = Buffer.from(capture)
          for (const { at, byte, kind } of mutations) {
            const place = at % (bytes.length + 1)
            const head = bytes.subarray(0, place)
            const tail = bytes.subarray(kind === 'add' ? place : place + 1)
            bytes = Buffer.concat(kind === 'cut' ? [head, tail] : [head, Buffer.from([byte]), tail])
          }
          expect(parse(cut(bytes, places))).toEqual(parse([bytes]))
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('any bytes do', () => {
    const bytes = fc.array(fc.constantFrom(...binary('*$0123 "\'\\\r\n\n\0a-')), { maxLength: 60 })
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(), { maxLength: 8 }), (list, places) => {
        const whole = Buffer.from(list)
        expect(parse(cut(whole, places))).toEqual(parse([whole]))
      }),
      { numRuns: 2000 },
    )
  })
})
