// The sixty bad inputs (docs/decisions/bad-inputs.md) at the door of the library: each row by its number and its
// words. What must be refused is refused with its code, what must be taken is taken, nothing is written that should
// not be, and all nodes serve afterwards. More of each kind stands in test/client.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LocalCluster } from '../../dist/client/cluster.js'
import { readToken, writeToken } from '../../dist/client/token.js'
import { type BucketOptions, Cluster, type ClusterOptions, type PutOptions } from '../../dist/index.js'
import { encodeContext } from '../../dist/versions/context-codec.js'
import type { Context } from '../../dist/versions/object.js'
import { decodeValue, encodings } from '../../src/client/codec.js'
import { internalKey } from '../../src/client/keys.js'
import { createRing, hashOf, partitionOf } from '../../src/ring/ring.js'
import { expectRefused, small } from '../client/helpers.js'
import { type House, openHouse } from './house.js'

let house: House
beforeAll(async () => {
  house = await openHouse('inputs')
})
afterAll(() => house.cluster.close())
beforeEach(() => house.restore())

const MiB = 1024 * 1024
const nested = (depth: number): unknown => {
  let value: unknown = 1
  for (let i = 0; i < depth; i++) value = [value]
  return value
}

describe('a put with it is refused, and so is a batch that holds it', () => {
  type Row = readonly [title: string, key: unknown, value: unknown, options: unknown, code: string]
  const table: readonly Row[] = [
    ['#1 an empty key', '', 1, {}, 'key-empty'],
    ['#1 a key of no bytes', new Uint8Array(0), 1, {}, 'key-empty'],
    ['#2 a key of 65,537 bytes', 'k'.repeat(65_537), 1, {}, 'key-too-large'],
    ['#2 a key of 65,537 bytes in 32,769 characters', 'ä'.repeat(32_769), 1, {}, 'key-too-large'],
    ['#8 a value of 1 MiB + 1', 'kept', Buffer.alloc(MiB + 1), {}, 'value-too-large'],
    ['#19 w > n', 'kept', 1, { w: 4 }, 'quorum-invalid'],
    ['#19 dw > w', 'kept', 1, { w: 1, dw: 2 }, 'quorum-invalid'],
    ['#19 pw > w', 'kept', 1, { w: 1, pw: 2 }, 'quorum-invalid'],
    ['#20 w = 0', 'kept', 1, { w: 0 }, 'quorum-invalid'],
    ['#22 timeout 0', 'kept', 1, { timeout: 0 }, 'option-invalid'],
    ['#22 timeout -1', 'kept', 1, { timeout: -1 }, 'option-invalid'],
    ['#22 timeout NaN', 'kept', 1, { timeout: Number.NaN }, 'option-invalid'],
    ['#22 timeout 2^53', 'kept', 1, { timeout: 2 ** 53 }, 'option-invalid'],
    ['#23 a context of random bytes', 'kept', 1, { context: 'AAECAwQFBgcICQoLDA0ODw' }, 'context-invalid'],
    [
      '#26 a context of 10,000 entries',
      'kept',
      1,
      { context: Buffer.alloc(140_000).toString('base64url') },
      'context-too-large',
    ],
    ['#29 ttl -1', 'kept', 1, { ttl: -1 }, 'expiry-invalid'],
    ['#29 ttl 0', 'kept', 1, { ttl: 0 }, 'expiry-invalid'],
    ['#29 ttl 10^18', 'kept', 1, { ttl: 1e18 }, 'expiry-invalid'],
    ['#29 ttl NaN', 'kept', 1, { ttl: Number.NaN }, 'expiry-invalid'],
    ['#33 a value 5,000 deep', 'kept', nested(5_000), {}, 'value-invalid'],
    ['#36 a value that is a Map', 'kept', new Map([['a', 1]]), {}, 'value-invalid'],
    ['#36 a value that is a bigint of 8 KB', 'kept', 1n << 65_536n, {}, 'value-invalid'],
    ['#37 a value with __proto__', 'kept', JSON.parse('{"__proto__": {"a": 1}}'), {}, 'value-invalid'],
    ['#37 options with __proto__', 'kept', 1, JSON.parse('{"__proto__": {"w": 1}}'), 'option-unknown'],
    [
      '#37 options with constructor',
      'kept',
      1,
      JSON.parse('{"constructor": {"prototype": {"polluted": 1}}}'),
      'option-unknown',
    ],
    ['#39 a key of half a surrogate pair', 'a\ud800', 1, {}, 'key-invalid'],
    ['#39 text of half a surrogate pair', 'kept', '\udfffb', {}, 'value-invalid'],
    ['#39 the same, inside', 'kept', { a: ['\ud800'] }, {}, 'value-invalid'],
    ['#39 the same, as a name', 'kept', { '\ud800': 1 }, {}, 'value-invalid'],
  ]

  test.each(table)('%s', async (_title, key, value, given, code) => {
    const { bucket } = house
    const options = given as PutOptions
    const error = await expectRefused(() => bucket.put(key as string, value, options), code)
    // One line that fits a log, whatever was handed in.
    expect(error.message).toMatch(/^[^\n]{6,300}$/)
    await expectRefused(
      () =>
        bucket.putMany(
          [
            ['new', 1],
            [key as string, value],
          ],
          options,
        ),
      code,
    )
    await house.expectUnharmed()
  })

  test('#2 and the error says how long it was, and how long it may be', async () => {
    const error = await expectRefused(() => house.bucket.get('k'.repeat(65_537)), 'key-too-large')
    expect(error.details).toEqual({ bytes: 65_537, limit: 65_536 })
  })
})

describe('keys that only look dangerous', () => {
  const strange: readonly (readonly [string, readonly (string | Uint8Array)[]])[] = [
    ['#3 NUL, CR, LF and ESC', ['\0', '\r\n', 'a\x1b[2J', 'a\0']],
    ['#4 names of the prototype', ['__proto__', 'constructor', 'hasOwnProperty', 'toString']],
    ['#5 bytes that are no text', [Buffer.from([0xc3, 0x28]), Buffer.from([0xef, 0xbf, 0xbd])]],
    ['#6 10,000 that look like integers', Array.from({ length: 10_000 }, (_, i) => String(i))],
  ]

  test.each(strange)('%s: each is a key of its own', async (title, keys) => {
    const bucket = house.cluster.bucket<string>(`strange-${title.slice(1, 2)}`)
    const expected = keys.map((_, i) => [`value ${i}`])
    await bucket.putMany(
      keys.map((key, i) => [key, `value ${i}`] as const),
      { timeout: 60_000 },
    )
    const found = await bucket.getMany(keys, { timeout: 60_000 })
    expect(found.map(({ values }) => values)).toEqual(expected)
    expect(await bucket.count()).toBe(keys.length)
    await house.expectUnharmed()
  })

  test('#7 keys that were sought out for one partition are spread by another seed', () => {
    const ringOf = (seed: readonly [number, number]) =>
      createRing({ epoch: 1, partitions: 64, copies: 3, nodes: [1, 2, 3], hash: 'halfsip', seed })
    const [known, ours] = [ringOf([1, 2]), ringOf([0x5eed, 0xfeed])]
    const place = (ring: typeof known, key: string) =>
      partitionOf(ring, hashOf(ring, internalKey('b\0', key)))
    const sought: string[] = []
    for (let i = 0; sought.length < 6_400; i++) if (place(known, `k${i}`) === 7) sought.push(`k${i}`)
    const counts = new Array<number>(64).fill(0)
    for (const key of sought) counts[place(ours, key)] = (counts[place(ours, key)] as number) + 1
    const chiSquare = counts.reduce((sum, count) => sum + (count - 100) ** 2 / 100, 0)
    // 63 degrees of freedom: above 113 in one of 10,000 rings that spread evenly.
    expect(chiSquare).toBeLessThan(113)
  })
})

describe('settings', () => {
  const clusters: readonly (readonly [string, object, string])[] = [
    ['#18 n = 0', { n: 0 }, 'quorum-invalid'],
    ['#18 n = -1', { n: -1 }, 'quorum-invalid'],
    ['#18 n = 1.5', { n: 1.5 }, 'quorum-invalid'],
    ['#18 n = "3"', { n: '3' }, 'quorum-invalid'],
    ['#18 n = 65', { n: 65 }, 'quorum-invalid'],
    ['#19 r > n', { n: 2, r: 3 }, 'quorum-invalid'],
    ['#19 w > n', { n: 3, w: 4 }, 'quorum-invalid'],
    ['#20 r = 0', { r: 0 }, 'quorum-invalid'],
    ['#20 w = 0', { w: 0 }, 'quorum-invalid'],
    ['#37 __proto__', JSON.parse('{"__proto__": {"n": 1}}'), 'option-unknown'],
    ['#54 a misspelt option', { node: 3 }, 'option-unknown'],
    ['#54 a wrong type', { nodes: '3' }, 'option-invalid'],
  ]

  test.each(clusters)('%s opens no cluster and changes no bucket', async (title, given, code) => {
    await expectRefused(() => Cluster.open({ ...small, ...given } as ClusterOptions), code)
    if (!title.startsWith('#54')) {
      const { bucket } = house.cluster
      await expectRefused(() => bucket.call(house.cluster, 'inputs', given as BucketOptions<unknown>), code)
    }
    await house.expectUnharmed()
  })
})

describe('contexts', () => {
  test('#24 of another key, and of the same key of another bucket', async () => {
    const { bucket, cluster } = house
    await cluster.bucket('elsewhere').put('kept', 'there')
    for (const [from, key] of [
      ['inputs', 'absent'],
      ['elsewhere', 'kept'],
    ] as const) {
      const put = await cluster.bucket(from).put(key, 'x')
      await expectRefused(() => bucket.put('kept', 'after', { context: put.context }), 'context-mismatch')
      await expectRefused(() => bucket.delete('kept', { context: put.context }), 'context-mismatch')
    }
    await bucket.clear()
    await house.restore()
    await house.expectUnharmed()
  })

  test('#25 whose counters are above what was ever written', async () => {
    const { bucket } = house
    const { secret, hash } = (house.cluster as LocalCluster)['core']
    const keyHash = hash(internalKey('inputs\0', 'kept'))
    const { context: token } = await bucket.get('kept')
    const { context, coordinator } = readToken(token, keyHash, secret)
    const { clock, stamp } = context as Context
    for (const counter of [2 ** 53 - 1, 2 ** 32, 1_000_000]) {
      const future = { stamp, clock: clock.map((entry) => ({ ...entry, counter })) }
      // Signed with the cluster's own secret: only the coordinator, who counts, can tell.
      const forged = writeToken(encodeContext(future, keyHash, secret), coordinator)
      await expectRefused(() => bucket.put('kept', 'after', { context: forged }), 'context-invalid')
    }
    await house.expectUnharmed()
  })
})

describe('too many', () => {
  test('#28 the put that would make sibling 101', async () => {
    const { bucket } = house
    for (let i = 0; i < 100; i++) await bucket.put('crowd', i)
    await expectRefused(() => bucket.put('crowd', 100), 'too-many-siblings')
    const { values, context } = await bucket.get('crowd', { r: 3 })
    expect(values).toHaveLength(100)
    await bucket.delete('crowd', context === undefined ? {} : { context })
    await house.expectUnharmed()
  })

  test('#31 a batch of 100,001', async () => {
    const { bucket } = house
    const entries = Array.from({ length: 100_001 }, (_, i) => [`key ${i}`, i] as const)
    await expectRefused(() => bucket.putMany(entries), 'batch-too-large')
    await expectRefused(() => bucket.getMany(entries.map(([key]) => key)), 'batch-too-large')
    await house.expectUnharmed()
  })

  test('#31 a batch with a key twice: two writes, neither of which has read the other', async () => {
    const { bucket, cluster } = house
    const entries = [
      ['twice', 'first'],
      ['twice', 'second'],
    ] as const
    await bucket.putMany(entries)
    const { values, context } = await bucket.get('twice', { r: 3 })
    expect([...values].sort()).toEqual(['first', 'second'])
    await bucket.delete('twice', context === undefined ? {} : { context })
    // Where one value has to win it is the later one: they went to one coordinator, in their order.
    const latest = cluster.bucket<string>('latest', { conflicts: 'last-write-wins' })
    await latest.putMany(entries)
    expect((await latest.get('twice', { r: 3 })).value).toBe('second')
    await house.expectUnharmed()
  })
})

describe('stored bytes that no encoder wrote', () => {
  const definition = Buffer.from('d4724091a16101', 'hex')
  const table: readonly (readonly [string, Buffer])[] = [
    ['#33 nesting 5,000', Buffer.concat([Buffer.alloc(5_000, 0x91), Buffer.from([1])])],
    ['#34 an array of 2^32 - 1', Buffer.from('ddffffffff01', 'hex')],
    ['#34 a map of 2^32 - 1', Buffer.from('dfffffffff01', 'hex')],
    ['#35 100,000 record definitions', Buffer.concat(Array.from({ length: 100_000 }, () => definition))],
    ['#36 a regular expression', Buffer.from('c7087892a42861292ba0', 'hex')],
    ['#36 an error', Buffer.from('c7076593a15678a179c0', 'hex')],
    ['#36 the unused byte C1', Buffer.from('c1', 'hex')],
  ]

  test.each(table)('%s are value-undecodable, without memory taken for them', (_title, value) => {
    const before = process.memoryUsage().arrayBuffers
    const stored = { value, encoding: encodings.messagePack }
    expect(() => decodeValue(stored, 'auto')).toThrow(
      expect.objectContaining({ code: 'value-undecodable', outcome: 'refused' }),
    )
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MiB)
    // As bytes they can still be had.
    expect(value.equals(decodeValue(stored, 'bytes') as Uint8Array)).toBe(true)
  })
})
