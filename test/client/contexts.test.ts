// Contexts are opaque and signed: one that is not what this cluster handed out for this key is refused,
// because it could make later writes vanish. Dynamo 4.1: the caller gives back what a get gave.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Bucket, Cluster } from '../../dist/index.js'
import { expectRefused, small } from './helpers.js'

let cluster: Cluster
let other: Cluster
let bucket: Bucket<string>

beforeAll(async () => {
  cluster = await Cluster.open(small)
  other = await Cluster.open({ ...small, nodes: 1 })
  bucket = cluster.bucket('contexts')
  await bucket.put('k', 'before')
  await bucket.put('other', 'elsewhere')
})
afterAll(async () => {
  await cluster.close()
  await other.close()
})

async function contextOf(from: Bucket<string>, key: string): Promise<string> {
  const { context } = await from.get(key)
  expect(context).toBeTypeOf('string')
  return context as string
}

async function expectKept(): Promise<void> {
  expect((await bucket.get('k')).values).toEqual(['before'])
}

describe('refused', () => {
  const invented: readonly (readonly [string, string, string])[] = [
    ['empty', '', 'context-invalid'],
    ['random', 'AAECAwQFBgcICQoLDA0ODw', 'context-invalid'],
    ['not base64', '\0\u{1f600} "', 'context-invalid'],
    ['a dot', '.', 'context-invalid'],
    ['a hint of no node', 'AAAA.zz', 'context-invalid'],
    ['a hint too long', 'AAAA.0001', 'context-invalid'],
    ['10,000 entries', Buffer.alloc(10_000 * 14).toString('base64url'), 'context-too-large'],
    ['1 MB', 'A'.repeat(1e6), 'context-too-large'],
  ]

  test.each(invented)('%s', async (_name, context, code) => {
    await expectRefused(() => bucket.put('k', 'after', { context }), code)
    await expectRefused(() => bucket.delete('k', { context }), code)
    await expectRefused(() => bucket.expire('k', 1, { context }), code)
    await expectKept()
  })

  test('of another key', async () => {
    const context = await contextOf(bucket, 'other')
    await expectRefused(() => bucket.put('k', 'after', { context }), 'context-mismatch')
    await expectRefused(() => bucket.delete('k', { context }), 'context-mismatch')
    await expectKept()
  })

  test('of the same key in another bucket', async () => {
    const elsewhere = cluster.bucket<string>('elsewhere')
    await elsewhere.put('k', 'there')
    const context = await contextOf(elsewhere, 'k')
    await expectRefused(() => bucket.put('k', 'after', { context }), 'context-mismatch')
    await expectKept()
  })

  test('of the same key in another cluster', async () => {
    const there = other.bucket<string>('contexts')
    await there.put('k', 'there')
    const context = await contextOf(there, 'k')
    await expectRefused(() => bucket.put('k', 'after', { context }), 'context-invalid')
    await expectKept()
  })

  test('changed in any character, cut, or longer', async () => {
    const full = await contextOf(bucket, 'k')
    const dot = full.indexOf('.')
    const token = dot < 0 ? full : full.slice(0, dot)
    for (let at = 0; at < token.length; at++) {
      const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
      await expectRefused(() => bucket.put('k', 'after', { context: changed }), 'context-invalid')
    }
    for (let length = 0; length < token.length; length++) {
      const context = token.slice(0, length)
      await expectRefused(() => bucket.put('k', 'after', { context }), 'context-invalid')
    }
    for (const context of [`${token}A`, `A${token}`, `${token}=`, ` ${token}`, `${token}\n`]) {
      await expectRefused(() => bucket.put('k', 'after', { context }), 'context-invalid')
    }
    await expectKept()
  })
})

describe('accepted', () => {
  test('again and again: writes that saw the same are concurrent', async () => {
    await bucket.put('twice', 'first')
    const context = await contextOf(bucket, 'twice')
    await bucket.put('twice', 'left', { context })
    await bucket.put('twice', 'right', { context })
    const { values } = await bucket.get('twice')
    expect([...values].sort()).toEqual(['left', 'right'])
  })

  test('of a put, for the write after it', async () => {
    const { context } = await bucket.put('chain', 'one')
    await bucket.put('chain', 'two', { context })
    expect((await bucket.get('chain')).values).toEqual(['two'])
  })

  test('of a deleted key, and of the writes in between', async () => {
    const put = await bucket.put('gone', 'one')
    const deleted = await bucket.delete('gone', { context: put.context })
    expect((await bucket.get('gone')).values).toEqual([])
    await bucket.put('gone', 'again', { context: deleted.context })
    expect((await bucket.get('gone')).values).toEqual(['again'])
  })

  test('whichever node it names as coordinator', async () => {
    for (const hint of ['1', '2', '3', 'z', '1s']) {
      const { context } = await bucket.get('hinted')
      const token = context?.replace(/\..*$/, '')
      const given = token === undefined ? {} : { context: `${token}.${hint}` }
      await bucket.put('hinted', `by way of ${hint}`, given)
    }
    expect((await bucket.get('hinted')).values).toEqual(['by way of 1s'])
  })
})

describe('siblings', () => {
  test('the hundred-and-first concurrent value is refused, and the merge of all is not', async () => {
    for (let i = 0; i < 100; i++) await bucket.put('crowd', `v${i}`)
    await expectRefused(() => bucket.put('crowd', 'one too many'), 'too-many-siblings')
    const crowd = await bucket.get('crowd', { r: 3 })
    expect(crowd.values).toHaveLength(100)
    expect(crowd.values).not.toContain('one too many')
    await expectRefused(() => crowd.value, 'too-many-siblings')
    const context = crowd.context as string
    await bucket.put('crowd', 'all of them', { context })
    expect((await bucket.get('crowd')).value).toBe('all of them')
  })
})
