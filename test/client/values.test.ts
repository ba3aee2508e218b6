// What goes in comes out: keys are bytes whatever they look like, values keep their type, and what was
// decoded never reaches a prototype. Rows 3 to 6 and 33 to 37 of the table of bad inputs.

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Bucket, Cluster } from '../../dist/index.js'
import { decodeValue, encodeValue } from '../../src/client/codec.js'
import type { Sibling } from '../../src/versions/object.js'
import { expectRefused, small } from './helpers.js'

let cluster: Cluster
let bucket: Bucket<unknown>

beforeAll(async () => {
  cluster = await Cluster.open({ ...small, memory: 128 * 1024 * 1024 })
  bucket = cluster.bucket('values')
})
afterAll(() => cluster.close())

async function through(value: unknown): Promise<unknown> {
  const { context } = await bucket.get('value')
  await bucket.put('value', value, context === undefined ? {} : { context })
  return (await bucket.get('value')).value
}

describe('keys', () => {
  const strange = [
    '__proto__',
    'constructor',
    'prototype',
    'hasOwnProperty',
    'toString',
    '\0',
    'a\0b',
    '\r\n',
    '\x1b[31m',
    ' ',
    '0',
    '-1',
    '4294967295',
    'ä',
    '\u{1f600}',
    'k'.repeat(65_536),
  ]

  test('that look strange are keys like any other', async () => {
    const odd = cluster.bucket<string>('strange')
    await odd.putMany(strange.map((key, i) => [key, `value ${i}`] as const))
    const results = await odd.getMany(strange)
    expect(results.map(({ values }) => values)).toEqual(strange.map((_, i) => [`value ${i}`]))
    expect(await odd.count()).toBe(strange.length)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test('of text that UTF-8 cannot hold are refused: two of them would be one', async () => {
    for (const key of ['\ud800', 'a\udfffb']) {
      await expect(bucket.put(key, 'v')).rejects.toMatchObject({ code: 'key-invalid', outcome: 'refused' })
    }
  })

  test('of text and of its UTF-8 bytes are the same key', async () => {
    await bucket.put('schlüssel', 1)
    expect((await bucket.get(Buffer.from('schlüssel'))).value).toBe(1)
    expect((await bucket.get(new Uint8Array(Buffer.from('schlüssel')))).value).toBe(1)
  })

  test('of bytes that are not text stay apart from what would replace them', async () => {
    await bucket.put(Buffer.from([0xc3, 0x28]), 'broken')
    await bucket.put(Buffer.from([0xef, 0xbf, 0xbd]), 'replacement')
    expect((await bucket.get(Buffer.from([0xc3, 0x28]))).value).toBe('broken')
    expect((await bucket.get('\ufffd')).value).toBe('replacement')
  })

  test('come back as the bytes that went in', async () => {
    const raw = cluster.bucket<number>('bytes')
    const keys = Array.from({ length: 256 }, (_, byte) => Buffer.from([byte, 255 - byte, 0, byte]))
    await raw.putMany(keys.map((key, i) => [key, i] as const))
    const found: string[] = []
    for await (const key of raw.keys()) found.push(Buffer.from(key).toString('hex'))
    expect(found.sort()).toEqual(keys.map((key) => key.toString('hex')).sort())
  })

  test('100,000 that look like integers are all there', async () => {
    const integers = cluster.bucket<string>('integers', { conflicts: 'last-write-wins' })
    const keys = Array.from({ length: 100_000 }, (_, i) => String(i))
    await integers.putMany(
      keys.map((key) => [key, key] as const),
      { timeout: 60_000 },
    )
    const results = await integers.getMany(keys, { timeout: 60_000 })
    expect(results.filter(({ values }, i) => values[0] !== String(i))).toEqual([])
  })
})

describe('values', () => {
  const table: readonly (readonly [string, unknown])[] = [
    ['empty text', ''],
    ['text', 'grüße \u{1f600}'],
    ['no bytes', Buffer.alloc(0)],
    ['bytes', Buffer.from([0, 255, 128])],
    ['0', 0],
    ['-0.5', -0.5],
    ['2^53', 2 ** 53],
    ['NaN', Number.NaN],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['true', true],
    ['null', null],
    ['an empty object', {}],
    ['an empty array', []],
    ['nested', { a: [1, { b: 'c' }], d: null }],
    ['a date', new Date(1e12)],
    ['a bigint', 2n ** 60n + 1n],
    ['the least bigint', -(2n ** 63n)],
    ['the greatest bigint', 2n ** 64n - 1n],
    ['undefined inside', { a: [undefined], b: undefined }],
    ['bytes inside', { raw: Buffer.from([1, 2]) }],
    ['32 deep', Array.from({ length: 32 }).reduce<unknown>((inner) => [inner], 1)],
    ['many keys', Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i]))],
  ]

  test.each(table)('%s', async (_name, value) => {
    expect(await through(value)).toEqual(value)
  })

  test('handed out are copies: changing them changes nothing', async () => {
    const bytes = new Uint8Array([1, 2, 3])
    const read = (await through(bytes)) as Uint8Array
    bytes.fill(9)
    read.fill(7)
    expect((await bucket.get('value')).value).toEqual(Buffer.from([1, 2, 3]))
  })

  test('a bucket of bytes reads what was stored as text, and answers bytes', async () => {
    await bucket.put('text', 'grüße')
    const raw = cluster.bucket<Uint8Array>('values', { codec: 'bytes' })
    expect((await raw.get('text')).value).toEqual(Buffer.from('grüße'))
  })

  test('instances of classes come back as their fields', async () => {
    class Cart {
      readonly items = ['soap']
      total(): number {
        return this.items.length
      }
    }
    expect(await through(new Cart())).toEqual({ items: ['soap'] })
  })

  test('any JSON comes back equal', async () => {
    const json = fc.jsonValue({ maxDepth: 6 }).filter((value) => !JSON.stringify(value).includes('__proto__'))
    await fc.assert(
      fc.asyncProperty(json, async (value) => {
        const stored = encodeValue(value, 'auto', 1e6)
        const back = decodeValue(sibling(stored.encoding, stored.bytes), 'auto')
        // JSON has no -0: compared as JSON for that reason.
        expect(JSON.stringify(back)).toBe(JSON.stringify(value))
      }),
      { numRuns: 300 },
    )
  })
})

function sibling(encoding: number, value: Uint8Array): Sibling {
  return { dot: { actor: 1, counter: 1 }, stamp: 1, expires: 0, deleted: false, encoding, value }
}

describe('nothing that is decoded pollutes a prototype', () => {
  const refused = [
    '{"__proto__": {"polluted": true}}',
    '{"a": {"__proto__": {"polluted": true}}}',
    '[{"__proto__": ["polluted"]}]',
  ]

  test.each(refused)('%s is refused: it would come back under another name', async (json) => {
    const error = await expectRefused(() => bucket.put('proto', JSON.parse(json)), 'value-invalid')
    expect(error.message).toContain('__proto__')
    expect((await bucket.get('proto')).values).toEqual([])
  })

  const kept = [
    '{"constructor": {"prototype": {"polluted": true}}}',
    '{"toString": "x", "hasOwnProperty": 1}',
    '{"prototype": null, "__defineGetter__": []}',
  ]

  test.each(kept)('%s comes back as it is', async (json) => {
    const back = (await through(JSON.parse(json))) as object
    expect(JSON.stringify(back)).toBe(JSON.stringify(JSON.parse(json)))
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test('stored by somebody else, not even then', () => {
    const stored = Buffer.concat([
      Buffer.from([0x81, 0xa9]),
      Buffer.from('__proto__'),
      Buffer.from([0x81, 0xa8]),
      Buffer.from('polluted'),
      Buffer.from([0xc3]),
    ])
    const back = decodeValue(sibling(2, stored), 'auto') as object
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
    expect((back as Record<string, unknown>)['polluted']).toBeUndefined()
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

describe('stored bytes that nobody wrote', () => {
  const nested = (depth: number) => Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.from([0x01])])
  const table: readonly (readonly [string, Buffer])[] = [
    ['nesting 5,000', nested(5_000)],
    ['nesting 1,000,000', nested(1_000_000)],
    ['array32 of 2^32 - 1', Buffer.from('ddffffffff01', 'hex')],
    ['map32 of 2^32 - 1', Buffer.from('dfffffffff01', 'hex')],
    ['str32 of 2^32 - 1', Buffer.from('dbffffffff61', 'hex')],
    ['bin32 of 2^31', Buffer.from('c68000000061', 'hex')],
    ['ext32 of 2^32 - 1', Buffer.from('c9ffffffff7861', 'hex')],
    ['the unused byte C1', Buffer.from('c1', 'hex')],
    ['cut', Buffer.from('92', 'hex')],
    ['two values', Buffer.from('0102', 'hex')],
    ['nothing', Buffer.alloc(0)],
    ['a record definition', Buffer.from('d4724093a161a162a163010203', 'hex')],
    ['an unknown extension', Buffer.from('d45001', 'hex')],
    ['an error', Buffer.from('c7076593a15678a179c0', 'hex')],
    ['a regular expression', Buffer.from('c7087892a42861292ba0', 'hex')],
    ['a bundle of texts', Buffer.from('d6620000000891a161', 'hex')],
    ['a pointer to nothing', Buffer.from('d67000000001', 'hex')],
    ['an invalid date', Buffer.from('d4ffff', 'hex')],
    ['a typed array', Buffer.from('d57401ff', 'hex')],
    ['a float that is cut', Buffer.from('cb3ff0', 'hex')],
    ['a map that lacks its last value', Buffer.from('81a161', 'hex')],
  ]

  test.each(table)('%s: value-undecodable', (_name, bytes) => {
    expect(() => decodeValue(sibling(2, bytes), 'auto')).toThrow(
      expect.objectContaining({ name: 'RingspunError', code: 'value-undecodable', outcome: 'refused' }),
    )
    expect(bytes.equals(decodeValue(sibling(2, bytes), 'bytes') as Uint8Array)).toBe(true)
  })

  test('100,000 record definitions leave nothing behind', () => {
    const definition = Buffer.from('d4724091a161', 'hex')
    const many = Buffer.concat([
      Buffer.from('dd000186a0', 'hex'),
      ...Array.from({ length: 100_000 }, () => Buffer.concat([definition, Buffer.from([1])])),
    ])
    expect(() => decodeValue(sibling(2, many), 'auto')).toThrow('not MessagePack')
    // 0x40 is the number 64, before and after: no record was learnt.
    expect(decodeValue(sibling(2, Buffer.from([0x40])), 'auto')).toBe(64)
  })

  test('an unknown encoding', () => {
    expect(() => decodeValue(sibling(7, Buffer.from('x')), 'auto')).toThrow('unknown encoding')
  })

  test('any bytes are a plain value or value-undecodable, nothing else', () => {
    const plain = (value: unknown): boolean => {
      if (value instanceof Date || value instanceof Uint8Array) return true
      if (Array.isArray(value)) return value.every(plain)
      if (typeof value !== 'object' || value === null) return typeof value !== 'function'
      return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(plain)
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          expect(plain(decodeValue(sibling(2, bytes), 'auto'))).toBe(true)
        } catch (error) {
          expect(error).toMatchObject({ code: 'value-undecodable' })
        }
        expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
      }),
      { numRuns: 3_000 },
    )
  })
})
