// Bad inputs at the door of a bucket: each is refused with its code, and nothing of it is written. The keys
// of a table are read back after each row, and all together at the end.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Bucket, Cluster, type PutOptions } from '../../dist/index.js'
import { expectRefused, small } from './helpers.js'

let cluster: Cluster
let bucket: Bucket<unknown>

beforeAll(async () => {
  cluster = await Cluster.open(small)
  bucket = cluster.bucket('inputs')
})
afterAll(() => cluster.close())

// One value, whatever the row before may have done.
beforeEach(async () => {
  await bucket.clear()
  const { context } = await bucket.get('kept')
  await bucket.put('kept', 'before', context === undefined ? {} : { context })
})

/** After a refusal: what was there is there, alone. */
async function expectUntouched(): Promise<void> {
  const { values } = await bucket.get('kept')
  expect(values).toEqual(['before'])
  expect(await bucket.count()).toBe(1)
}

describe('keys', () => {
  const table: readonly (readonly [string, unknown, string])[] = [
    ['empty text', '', 'key-empty'],
    ['no bytes', new Uint8Array(0), 'key-empty'],
    ['65,537 bytes', 'k'.repeat(65_537), 'key-too-large'],
    ['65,537 bytes of bytes', Buffer.alloc(65_537), 'key-too-large'],
    ['32,769 characters of 2 bytes', 'ä'.repeat(32_769), 'key-too-large'],
    ['a number', 7, 'key-invalid'],
    ['undefined', undefined, 'key-invalid'],
    ['null', null, 'key-invalid'],
    ['an object', { length: 3 }, 'key-invalid'],
    ['an object without a prototype', Object.create(null), 'key-invalid'],
    ['an array', ['k'], 'key-invalid'],
    ['an ArrayBuffer', new ArrayBuffer(4), 'key-invalid'],
    ['a wider array', new Uint16Array(4), 'key-invalid'],
    ['a symbol', Symbol('k'), 'key-invalid'],
    ['a bigint', 7n, 'key-invalid'],
  ]

  test.each(table)('%s: %#', async (_name, given, code) => {
    const key = given as string
    await expectRefused(() => bucket.get(key), code)
    await expectRefused(() => bucket.put(key, 'x'), code)
    await expectRefused(() => bucket.delete(key), code)
    await expectRefused(() => bucket.expire(key, 0), code)
    await expectRefused(() => bucket.getMany(['kept', key]), code)
    await expectUntouched()
  })

  test('the sentence says how long it was, and how long it may be', async () => {
    const error = await expectRefused(() => bucket.get('k'.repeat(65_537)), 'key-too-large')
    expect(error.details).toEqual({ bytes: 65_537, limit: 65_536 })
    expect(error.message).toContain('65537')
  })
})

describe('values', () => {
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  const nested = (depth: number): unknown => {
    let value: unknown = 1
    for (let i = 0; i < depth; i++) value = [value]
    return value
  }
  const table: readonly (readonly [string, unknown, string])[] = [
    ['a function', () => 1, 'value-invalid'],
    ['a function inside', { a: [() => 1] }, 'value-invalid'],
    ['a symbol', Symbol('s'), 'value-invalid'],
    ['a symbol inside', [Symbol('s')], 'value-invalid'],
    ['undefined', undefined, 'value-invalid'],
    ['a cycle', cycle, 'value-invalid'],
    ['a cycle inside', { deep: [cycle] }, 'value-invalid'],
    ['33 deep', nested(33), 'value-invalid'],
    ['100,000 deep', nested(100_000), 'value-invalid'],
    ['a bigint of 8 KB', 1n << 65_536n, 'value-invalid'],
    ['a bigint of 65 bits inside', [1n << 64n], 'value-invalid'],
    ['text with half of a surrogate pair', 'a\ud800', 'value-invalid'],
    ['a Map', new Map([['a', 1]]), 'value-invalid'],
    ['a Set inside', { a: new Set([1]) }, 'value-invalid'],
    ['a regular expression', /a/g, 'value-invalid'],
    ['an error', new Error('x'), 'value-invalid'],
    ['a promise', Promise.resolve(1), 'value-invalid'],
    ['a typed array', new Float32Array([1, 2]), 'value-invalid'],
    ['a typed array inside', [new Uint16Array(2)], 'value-invalid'],
    ['an ArrayBuffer', new ArrayBuffer(3), 'value-invalid'],
    ['a DataView', new DataView(new ArrayBuffer(3)), 'value-invalid'],
    ['an invalid date', new Date(Number.NaN), 'value-invalid'],
    ['a boxed number', Object(5), 'value-invalid'],
    ['a key named __proto__', JSON.parse('{"__proto__": 1}'), 'value-invalid'],
    ['1 MiB + 1 of bytes', Buffer.alloc(1024 * 1024 + 1), 'value-too-large'],
    ['1 MiB + 1 of text', 'v'.repeat(1024 * 1024 + 1), 'value-too-large'],
    ['1 MiB of characters of 3 bytes', '€'.repeat(1024 * 1024), 'value-too-large'],
    ['an object that is too long', { text: 'v'.repeat(1024 * 1024) }, 'value-too-large'],
  ]

  test.each(table)('%s: %#', async (_name, value, code) => {
    await expectRefused(() => bucket.put('kept', value), code)
    await expectRefused(() => bucket.put('fresh', value), code)
    await expectRefused(() => bucket.putMany([['fresh', value]]), code)
    await expectUntouched()
  })

  test('a getter that throws throws its own error, and nothing is written', async () => {
    const trap = {
      get boom() {
        throw new Error('from the getter')
      },
    }
    await expect(bucket.put('kept', trap)).rejects.toThrow('from the getter')
    await expectUntouched()
  })

  test('a bucket of bytes takes bytes only', async () => {
    const bytes = cluster.bucket('raw', { codec: 'bytes' }) as Bucket<unknown>
    for (const value of ['text', 5, null, {}, [1], undefined, new ArrayBuffer(2)]) {
      await expectRefused(() => bytes.put('k', value), 'value-invalid')
    }
    expect((await bytes.get('k')).values).toEqual([])
  })
})

describe('options of a request', () => {
  const reads: readonly (readonly [string, unknown, string])[] = [
    ['options no object', 'r1', 'option-invalid'],
    ['options null', null, 'option-invalid'],
    ['unknown', { quorum: 2 }, 'option-unknown'],
    ['w of a read', { w: 1 }, 'option-unknown'],
    ['r 0', { r: 0 }, 'quorum-invalid'],
    ['r -1', { r: -1 }, 'quorum-invalid'],
    ['r 1.5', { r: 1.5 }, 'quorum-invalid'],
    ['r "2"', { r: '2' }, 'quorum-invalid'],
    ['r NaN', { r: Number.NaN }, 'quorum-invalid'],
    ['r > n', { r: 4 }, 'quorum-invalid'],
    ['pr > r', { r: 1, pr: 2 }, 'quorum-invalid'],
    ['pr 0.5', { pr: 0.5 }, 'quorum-invalid'],
    ['r 65', { r: 65 }, 'quorum-invalid'],
    ['r null', { r: null }, 'quorum-invalid'],
  ]
  const waits: readonly (readonly [string, unknown, string])[] = [
    ['timeout 0', { timeout: 0 }, 'option-invalid'],
    ['timeout -1', { timeout: -1 }, 'option-invalid'],
    ['timeout NaN', { timeout: Number.NaN }, 'option-invalid'],
    ['timeout Infinity', { timeout: Number.POSITIVE_INFINITY }, 'option-invalid'],
    ['timeout 2^53', { timeout: 2 ** 53 }, 'option-invalid'],
    ['timeout 3,600,001', { timeout: 3_600_001 }, 'option-invalid'],
    ['timeout 1.5', { timeout: 1.5 }, 'option-invalid'],
    ['timeout "5"', { timeout: '5' }, 'option-invalid'],
    ['timeout null', { timeout: null }, 'option-invalid'],
    ['signal no signal', { signal: { aborted: false } }, 'option-invalid'],
    ['signal a controller', { signal: new AbortController() }, 'option-invalid'],
    ['signal aborted before', { signal: AbortSignal.abort() }, 'aborted'],
  ]
  const writes: readonly (readonly [string, unknown, string])[] = [
    ['options no object', 3, 'option-invalid'],
    ['options null', null, 'option-invalid'],
    ['unknown', { quorum: 2 }, 'option-unknown'],
    ['r of a write', { r: 1 }, 'option-unknown'],
    ['w 0', { w: 0 }, 'quorum-invalid'],
    ['w > n', { w: 4 }, 'quorum-invalid'],
    ['w "2"', { w: '2' }, 'quorum-invalid'],
    ['dw > w', { w: 1, dw: 2 }, 'quorum-invalid'],
    ['dw -1', { dw: -1 }, 'quorum-invalid'],
    ['pw > w', { w: 1, pw: 2 }, 'quorum-invalid'],
    ['pw -1', { pw: -1 }, 'quorum-invalid'],
    ['pw "1"', { pw: '1' }, 'quorum-invalid'],
    ['dw NaN', { dw: Number.NaN }, 'quorum-invalid'],
    ['context a number', { context: 5 }, 'context-invalid'],
    ['context an object', { context: {} }, 'context-invalid'],
    ['context null', { context: null }, 'context-invalid'],
    ['context bytes', { context: Buffer.from('abc') }, 'context-invalid'],
    ['returnPrevious no boolean', { returnPrevious: 'yes' }, 'option-invalid'],
  ]
  const puts: readonly (readonly [string, unknown, string])[] = [
    ['ttl 0', { ttl: 0 }, 'expiry-invalid'],
    ['ttl -1', { ttl: -1 }, 'expiry-invalid'],
    ['ttl NaN', { ttl: Number.NaN }, 'expiry-invalid'],
    ['ttl 1e18', { ttl: 1e18 }, 'expiry-invalid'],
    ['ttl Infinity', { ttl: Number.POSITIVE_INFINITY }, 'expiry-invalid'],
    ['ttl "5"', { ttl: '5' }, 'expiry-invalid'],
    ['expiresAt 0', { expiresAt: 0 }, 'expiry-invalid'],
    ['expiresAt -1', { expiresAt: -1 }, 'expiry-invalid'],
    ['expiresAt NaN', { expiresAt: Number.NaN }, 'expiry-invalid'],
    ['expiresAt 1e18', { expiresAt: 1e18 }, 'expiry-invalid'],
    ['expiresAt a Date', { expiresAt: new Date() }, 'expiry-invalid'],
    ['ttl and expiresAt', { ttl: 5, expiresAt: 9e12 }, 'option-invalid'],
    ['ttl and keepExpiry', { ttl: 5, keepExpiry: true }, 'option-invalid'],
    ['keepExpiry no boolean', { keepExpiry: 1 }, 'option-invalid'],
    ['condition', { condition: 'nx' }, 'option-invalid'],
    ['condition not met', { condition: 'absent' }, 'condition-failed'],
  ]

  test.each([...reads, ...waits])('get: %s: %#', async (_name, options, code) => {
    await expectRefused(() => bucket.get('kept', options as object), code)
    await expectRefused(() => bucket.getMany(['kept'], options as object), code)
    await expectUntouched()
  })

  test.each([...writes, ...waits])('put, delete and expire: %s: %#', async (_name, given, code) => {
    const options = given as object
    await expectRefused(() => bucket.put('kept', 'after', options), code)
    await expectRefused(() => bucket.putMany([['kept', 'after']], options), code)
    await expectRefused(() => bucket.delete('kept', options), code)
    await expectRefused(() => bucket.expire('kept', 1, options), code)
    await expectUntouched()
  })

  test.each(puts)('put: %s: %#', async (_name, options, code) => {
    await expectRefused(() => bucket.put('kept', 'after', options as PutOptions), code)
    await expectUntouched()
  })

  test.each([-1, Number.NaN, 1e18, '0', undefined, null])('expire at %j', async (at) => {
    await expectRefused(() => bucket.expire('kept', at as number), 'expiry-invalid')
    await expectUntouched()
  })

  test.each(waits)('scan, keys, entries, count and clear: %s: %#', async (_name, given, code) => {
    const options = given as object
    await expectRefused(() => bucket.scan(options), code)
    await expectRefused(() => bucket.keys(options)[Symbol.asyncIterator]().next(), code)
    await expectRefused(() => bucket.entries(options)[Symbol.asyncIterator]().next(), code)
    await expectRefused(() => bucket.count(options), code)
    await expectRefused(() => bucket.clear(options), code)
    await expectUntouched()
  })

  const listings: readonly (readonly [string, unknown, string])[] = [
    ['options null', null, 'option-invalid'],
    ['unknown', { match: '*' }, 'option-unknown'],
    ['limit 0', { limit: 0 }, 'option-invalid'],
    ['limit 513', { limit: 513 }, 'option-invalid'],
    ['limit NaN', { limit: Number.NaN }, 'option-invalid'],
    ['limit "9"', { limit: '9' }, 'option-invalid'],
    ['cursor empty', { cursor: '' }, 'cursor-invalid'],
    ['cursor random', { cursor: 'AAECAwQFBgcICQ' }, 'cursor-invalid'],
    ['cursor a number', { cursor: 5 }, 'cursor-invalid'],
    ['cursor null', { cursor: null }, 'cursor-invalid'],
    ['cursor of a partition that is not there', { cursor: '8.1.' }, 'cursor-invalid'],
    ['cursor with more behind', { cursor: '1.1.abc.def' }, 'cursor-invalid'],
    ['cursor of 1 MB', { cursor: '1.1.'.padEnd(1e6, 'a') }, 'cursor-invalid'],
  ]

  test.each(listings)('scan: %s: %#', async (_name, given, code) => {
    const options = given as object
    await expectRefused(() => bucket.scan(options), code)
    await expectRefused(() => bucket.entries(options)[Symbol.asyncIterator]().next(), code)
    await expectUntouched()
  })
})

describe('batches', () => {
  const table: readonly (readonly [string, unknown, string])[] = [
    ['not an array', 'kept', 'option-invalid'],
    ['undefined', undefined, 'option-invalid'],
    ['a Set', new Set(['kept']), 'option-invalid'],
    ['100,001 keys', Array.from({ length: 100_001 }, () => 'kept'), 'batch-too-large'],
    ['a hole', Array.from({ length: 1 }), 'key-invalid'],
  ]

  test.each(table)('getMany: %s', async (_name, keys, code) => {
    await expectRefused(() => bucket.getMany(keys as string[]), code)
    await expectUntouched()
  })

  const entries: readonly (readonly [string, unknown, string])[] = [
    ['not an array', { kept: 1 }, 'option-invalid'],
    ['a Map', new Map([['kept', 1]]), 'option-invalid'],
    ['100,001 entries', Array.from({ length: 100_001 }, () => ['kept', 1]), 'batch-too-large'],
    ['an entry that is a number', [5], 'option-invalid'],
    ['an entry that is null', [null], 'option-invalid'],
    ['an entry of one', [['kept']], 'value-invalid'],
    ['an entry without a key', [[undefined, 'x']], 'key-invalid'],
  ]

  test.each(entries)('putMany: %s', async (_name, given, code) => {
    await expectRefused(() => bucket.putMany(given as [string, unknown][]), code)
    await expectUntouched()
  })

  test('putMany with one bad entry among good ones writes none of them', async () => {
    const good = Array.from({ length: 20 }, (_, i) => [`fresh ${i}`, i] as const)
    await expectRefused(() => bucket.putMany([...good, ['', 1]]), 'key-empty')
    await expectRefused(() => bucket.putMany([...good, ['k', () => 1]]), 'value-invalid')
    await expectUntouched()
  })

  test('empty batches are answered', async () => {
    expect(await bucket.getMany([])).toEqual([])
    expect(await bucket.putMany([])).toEqual([])
  })
})
