// A cluster on real threads does what its public face says: values in and out, siblings and contexts,
// quorums per request, walks, the status. Both routings answer the same (Dynamo 4.5: by the client, or by
// any node).

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster, type ClusterOptions } from '../../dist/index.js'
import { all, openCluster, quick, textOf } from './cluster-helpers.js'

const kinds: readonly (readonly [string, { readonly stored: boolean } & Pick<ClusterOptions, 'routing'>])[] =
  [
    ['in a directory, led by the client', { stored: true, routing: 'client' }],
    ['in a directory, led by nodes', { stored: true, routing: 'server' }],
    ['in memory, led by the client', { stored: false, routing: 'client' }],
    ['in memory, led by nodes', { stored: false, routing: 'server' }],
  ]

describe.each(kinds)('a cluster %s', (_name, { stored, routing }) => {
  let cluster: Cluster
  let dir: string

  // One for all tests of a kind: each has a bucket of its own. Values of 16 MiB want memory.
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'ringspun-test-'))
    const options = { ...quick, ...(stored ? { dir } : {}), routing: routing ?? 'client' }
    cluster = await Cluster.open({ ...options, memory: 256 * 1024 * 1024, valueBytesMax: 16_777_216 })
  })
  afterAll(async () => {
    await cluster.close()
    rmSync(dir, { recursive: true })
  })

  test('puts, gets, deletes', async () => {
    const bucket = cluster.bucket<unknown>('things')
    const absent = await bucket.get('k')
    expect([absent.values, absent.value, absent.context, absent.expiresAt]).toEqual([
      [],
      undefined,
      undefined,
      0,
    ])

    const first = await bucket.put('k', { name: 'first' })
    expect(first).toMatchObject({ existed: false, previous: [] })
    expect(first.w).toBeGreaterThanOrEqual(2)
    const { value, context } = await bucket.get('k')
    expect(value).toEqual({ name: 'first' })

    const second = await bucket.put('k', 'second', { context: context as string, returnPrevious: true })
    expect(second).toMatchObject({ existed: true, previous: [{ name: 'first' }] })
    expect((await bucket.get('k')).values).toEqual(['second'])

    const deleted = await bucket.delete('k', { context: second.context, returnPrevious: true })
    expect(deleted).toMatchObject({ existed: true, previous: ['second'] })
    expect((await bucket.get('k')).values).toEqual([])
    expect((await bucket.delete('never')).existed).toBe(false)
  })

  test('keeps concurrent values apart until somebody merges them', async () => {
    const carts = cluster.bucket<string[]>('carts')
    const { context } = await carts.put('c', ['soap'])
    await carts.put('c', ['soap', 'towel'], { context })
    await carts.put('c', ['soap', 'brush'], { context })
    const read = await carts.get('c')
    expect(read.values.map((cart) => cart[1]).sort()).toEqual(['brush', 'towel'])
    expect(() => read.value).toThrow('concurrent')

    const merging = cluster.bucket<string[]>('carts', {
      merge: (a, b) => [...new Set([...a, ...b])].sort(),
    })
    expect((await merging.get('c')).values).toEqual([['brush', 'soap', 'towel']])
    const merged = await merging.get('c')
    await merging.put('c', merged.value as string[], { context: merged.context as string })
    expect((await carts.get('c')).value).toEqual(['brush', 'soap', 'towel'])
  })

  test('deletes no more than was seen', async () => {
    const bucket = cluster.bucket<string>('unseen')
    const seen = await bucket.put('k', 'seen')
    await bucket.put('k', 'not seen')
    await bucket.delete('k', { context: seen.context })
    expect((await bucket.get('k')).values).toEqual(['not seen'])
    await bucket.delete('k')
    expect((await bucket.get('k')).values).toEqual(['not seen'])
    expect(await bucket.clear()).toBe(1)
    expect((await bucket.get('k')).values).toEqual([])
  })

  test('keeps the last write only, where it was told to', async () => {
    const bucket = cluster.bucket<string>('last', { conflicts: 'last-write-wins' })
    for (const value of ['one', 'two', 'three']) await bucket.put('k', value)
    expect((await bucket.get('k', { r: 3 })).values).toEqual(['three'])
    await bucket.putMany([
      ['k', 'four'],
      ['k', 'five'],
    ])
    // In their order when one gateway leads them all; nodes lead them side by side.
    const possible = cluster.options.routing === 'client' ? [['five']] : [['four'], ['five']]
    expect(possible).toContainEqual((await bucket.get('k')).values)
    await bucket.delete('k')
    expect((await bucket.get('k')).values).toEqual([])
  })

  test('lets values expire, sooner, later or never', async () => {
    const bucket = cluster.bucket<string>('expiring', { conflicts: 'last-write-wins' })
    const later = Date.now() + 3_600_000
    await bucket.put('k', 'v', { expiresAt: later })
    expect(await bucket.get('k')).toMatchObject({ values: ['v'], expiresAt: later })
    await bucket.put('k', 'w', { keepExpiry: true })
    expect(await bucket.get('k')).toMatchObject({ values: ['w'], expiresAt: later })
    await bucket.expire('k', 0)
    expect(await bucket.get('k')).toMatchObject({ values: ['w'], expiresAt: 0 })
    await bucket.expire('k', Date.now() - 1000)
    expect((await bucket.get('k')).values).toEqual([])
    expect(await bucket.count()).toBe(0)
    await expect(bucket.expire('k', later)).rejects.toMatchObject({ code: 'condition-failed' })
    await bucket.put('k', 'again', { ttl: 3_600_000 })
    const { expiresAt } = await bucket.get('k')
    expect(expiresAt).toBeGreaterThan(Date.now())
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 3_600_000)
  })

  test('writes under a condition once, whoever comes first', async () => {
    const bucket = cluster.bucket<number>('locks')
    await expect(bucket.put('l', 0, { condition: 'present' })).rejects.toMatchObject({
      code: 'condition-failed',
      outcome: 'refused',
    })
    const settled = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => bucket.put('l', i, { condition: 'absent' })),
    )
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect((await bucket.get('l')).values).toHaveLength(1)
  })

  test('answers many at once in their order, and walks over all', async () => {
    const bucket = cluster.bucket<number>('many')
    const keys = Array.from({ length: 1000 }, (_, i) => `key ${i}`)
    const written = await bucket.putMany(keys.map((key, i) => [key, i] as const))
    expect(written).toHaveLength(1000)
    const read = await bucket.getMany([...keys, 'absent'])
    expect(read.map(({ value }) => value)).toEqual([...keys.map((_, i) => i), undefined])
    await cluster.bucket('another').put('key 1', 'not to be seen')
    await bucket.delete('key 7', { context: (await bucket.get('key 7')).context as string })

    expect(await bucket.count()).toBe(999)
    const seen = (await all(bucket.keys())).map(textOf)
    expect(seen.sort()).toEqual(keys.filter((key) => key !== 'key 7').sort())
    const entries = await all(bucket.entries({ limit: 17 }))
    const sum = entries.reduce((total, { values }) => total + (values[0] as number), 0)
    expect([entries.length, sum]).toEqual([999, 499_500 - 7])

    const page = await bucket.scan({ limit: 10 })
    expect(page.entries.length).toBeGreaterThanOrEqual(10)
    const next = await bucket.scan({ limit: 10, cursor: page.cursor as string })
    const both = [...page.entries, ...next.entries].map(({ key }) => textOf(key))
    expect(new Set(both).size).toBe(both.length)

    expect(await bucket.clear()).toBe(999)
    expect(await bucket.count()).toBe(0)
    expect(await all(bucket.keys())).toEqual([])
    expect(await cluster.bucket('another').count()).toBe(1)
  })

  test('takes values of 1 MiB, and of 16 MiB when it was told so', async () => {
    const bucket = cluster.bucket<Uint8Array>('large')
    for (const bytes of [1024 * 1024, 16 * 1024 * 1024]) {
      const value = Buffer.alloc(bytes, 'ringspun')
      value.writeUInt32LE(bytes, bytes - 4)
      await bucket.put(`of ${bytes}`, value, { w: 3, timeout: 30_000 })
      for (const r of [1, 3]) {
        const read = (await bucket.get(`of ${bytes}`, { r, timeout: 30_000 })).value as Uint8Array
        expect(Buffer.compare(read, value)).toBe(0)
      }
    }
    const tooLarge = bucket.put('k', Buffer.alloc(16 * 1024 * 1024 + 1))
    await expect(tooLarge).rejects.toMatchObject({ code: 'value-too-large' })
  })

  test('takes r, w and timeouts per request', async () => {
    const bucket = cluster.bucket<string>('quorums')
    for (const w of [1, 2, 3]) {
      const written = await bucket.put(`w${w}`, 'v', { w, dw: 0, timeout: 10_000 })
      expect(written.w).toBeGreaterThanOrEqual(w)
      expect((await bucket.get(`w${w}`, { r: 4 - w })).values).toEqual(['v'])
    }
  })

  test('says how it is', async () => {
    const bucket = cluster.bucket('counted')
    await bucket.putMany(Array.from({ length: 60 }, (_, i) => [`k${i}`, i] as const))
    const status = cluster.status()
    expect(status).toMatchObject({ partitions: 16, epoch: 1, n: 3, r: 2, w: 2, requestsInFlight: 0 })
    expect(status.nodes.map(({ node }) => node)).toEqual([1, 2, 3])
    for (const node of status.nodes) {
      expect(node).toMatchObject({ generation: 1, partitions: 16, complete: true })
      expect(['up', 'slow']).toContain(node.state)
    }
    expect(JSON.parse(JSON.stringify(status))).toEqual(status)
  })
})

test('siblings together may be as large as a node takes, in client-driven and server-driven requests', async () => {
  for (const routing of ['client', 'server'] as const) {
    const cluster = await openCluster({ routing, memory: 64 * 1024 * 1024, valueBytesMax: 64 * 1024 })
    const bucket = cluster.bucket<Uint8Array>('large', { conflicts: 'siblings' })
    for (let i = 0; i < 50; i++) await bucket.put('k', new Uint8Array(64 * 1024).fill(i), { w: 3 })
    const { values } = await bucket.get('k', { r: 3 })
    expect(values.map((value) => value[0]).sort((a = 0, b = 0) => a - b)).toEqual([...Array(50).keys()])
  }
})
