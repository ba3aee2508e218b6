// Options: what is out of range, of the wrong type, misspelt or at odds with another option is refused with
// a sentence before anything happens; what is left out takes a default that fits what was chosen.

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BucketOptions, type BucketProperties, Cluster, type ClusterOptions } from '../../dist/index.js'
import { expectRefused, openSmall, small } from './helpers.js'

const MiB = 1024 * 1024

describe('a cluster is not opened', () => {
  const table: readonly (readonly [string, unknown, string])[] = [
    ['no object', 5, 'option-invalid'],
    ['null', null, 'option-invalid'],
    ['an unknown option', { replicas: 3 }, 'option-unknown'],
    ['a misspelt option', { partition: 8 }, 'option-unknown'],
    ['a name from the prototype', { toString: 1 }, 'option-unknown'],
    ['dir empty', { dir: '' }, 'option-invalid'],
    ['dir a number', { dir: 7 }, 'option-invalid'],
    ['nodes 0', { nodes: 0 }, 'option-invalid'],
    ['nodes -1', { nodes: -1 }, 'option-invalid'],
    ['nodes 1.5', { nodes: 1.5 }, 'option-invalid'],
    ['nodes "3"', { nodes: '3' }, 'option-invalid'],
    ['nodes NaN', { nodes: Number.NaN }, 'option-invalid'],
    ['nodes 65', { nodes: 65 }, 'option-invalid'],
    ['partitions 0', { partitions: 0 }, 'option-invalid'],
    ['partitions 65537', { partitions: 65_537 }, 'option-invalid'],
    ['hash sha1', { hash: 'sha1' }, 'option-invalid'],
    ['memory too small', { memory: 1024 }, 'option-invalid'],
    ['memory Infinity', { memory: Number.POSITIVE_INFINITY }, 'option-invalid'],
    ['valueBytesMax 0', { valueBytesMax: 0 }, 'option-invalid'],
    ['valueBytesMax 64 MiB + 1', { valueBytesMax: 64 * MiB + 1 }, 'option-invalid'],
    ['routing', { routing: 'both' }, 'option-invalid'],
    ['log no function', { log: 'stderr' }, 'option-invalid'],
    ['durability', { durability: 'ram' }, 'option-invalid'],
    ['durability disk without a directory', { durability: 'disk' }, 'option-invalid'],
    ['durability os without a directory', { durability: 'os' }, 'option-invalid'],
    ['n 0', { n: 0 }, 'quorum-invalid'],
    ['n -1', { n: -1 }, 'quorum-invalid'],
    ['n 1.5', { n: 1.5 }, 'quorum-invalid'],
    ['n "3"', { n: '3' }, 'quorum-invalid'],
    ['n 65', { n: 65 }, 'quorum-invalid'],
    ['n > nodes', { nodes: 3, n: 4 }, 'quorum-invalid'],
    ['n > copiesMax', { nodes: 20, n: 17 }, 'quorum-invalid'],
    ['r 0', { r: 0 }, 'quorum-invalid'],
    ['r > n', { n: 2, r: 3 }, 'quorum-invalid'],
    ['w 0', { w: 0 }, 'quorum-invalid'],
    ['w > n', { n: 3, w: 4 }, 'quorum-invalid'],
    ['w NaN', { w: Number.NaN }, 'quorum-invalid'],
    ['dw > w', { w: 1, dw: 2 }, 'quorum-invalid'],
    ['dw -1', { dw: -1 }, 'quorum-invalid'],
  ]

  test.each(table)('%s', async (_name, options, code) => {
    const given = typeof options === 'object' && options !== null ? { nodes: 3, ...options } : options
    const error = await expectRefused(() => Cluster.open(given as ClusterOptions), code)
    expect(error.message).not.toContain('\n')
  })

  test('and a wrong option makes no directory', async () => {
    const dir = join(tmpdir(), `ringspun-never-${process.pid}`)
    await expectRefused(() => Cluster.open({ dir, nodes: 3, n: 4 }), 'quorum-invalid')
    expect(existsSync(dir)).toBe(false)
  })

  test('and the sentence names the option, what it got and what it takes', async () => {
    const range = await expectRefused(() => Cluster.open({ nodes: 65 }), 'option-invalid')
    expect(range.message).toBe('nodes is a whole number from 1 to 64, got number 65')
    expect(range.details).toEqual({ option: 'nodes', min: 1, max: 64 })
    const quorum = await expectRefused(() => Cluster.open({ nodes: 3, w: 4 }), 'quorum-invalid')
    expect(quorum.message).toBe('1 <= w <= n = 3, got number 4')
  })
})

describe('what is left out', () => {
  const table: readonly (readonly [ClusterOptions, Partial<Cluster['options']>])[] = [
    [{ nodes: 3 }, { n: 3, r: 2, w: 2, dw: 0, durability: 'memory', partitions: 8, hash: 'halfsip' }],
    [{ nodes: 1 }, { n: 1, r: 1, w: 1, dw: 0 }],
    [{ nodes: 2 }, { n: 2, r: 2, w: 2 }],
    [
      { nodes: 4, n: 4 },
      { n: 4, r: 2, w: 2 },
    ],
    [
      { nodes: 3, w: 1 },
      { w: 1, dw: 0, routing: 'client' },
    ],
  ]

  test.each(table)('bends to %j', async (options, expected) => {
    const cluster = await openSmall(options)
    expect(cluster.options).toMatchObject(expected)
    expect(cluster.options.dir).toBeUndefined()
    expect(Object.keys(cluster.options)).not.toContain('log')
  })

  test('with a directory: fsynced once before the answer', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'ringspun-options-'))
    const cluster = await openSmall({ dir })
    expect(cluster.options).toMatchObject({ dir, w: 2, dw: 1, durability: 'disk' })
    await cluster.close()
    rmSync(dir, { recursive: true })
  })
})

describe('buckets', () => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await Cluster.open(small)
  })
  afterAll(() => cluster.close())

  const names: readonly unknown[] = ['', 'a b', 'ä', 'a/b', 'a\0b', 'x'.repeat(65), 7, undefined, null, {}]

  test.each(names)('the name %j is refused', async (name) => {
    await expectRefused(() => cluster.bucket(name as string), 'bucket-invalid')
    await expectRefused(() => cluster.setBucket(name as string, { r: 1 }), 'bucket-invalid')
  })

  test.each(['a', 'x'.repeat(64), 'A-Z_0.9:', '__proto__', 'constructor', 'toString'])(
    'the name %j is a name like any other',
    async (name) => {
      const bucket = cluster.bucket<string>(name, { r: 1 })
      await bucket.put('k', `in ${name}`)
      expect((await bucket.get('k', { r: 2 })).values).toEqual([`in ${name}`])
      expect(bucket.properties.r).toBe(1)
      expect(cluster.buckets().filter((known) => known.name === name)).toHaveLength(1)
    },
  )

  const table: readonly (readonly [string, unknown, string])[] = [
    ['no object', 'siblings', 'option-invalid'],
    ['null', null, 'option-invalid'],
    ['an unknown option', { replicas: 3 }, 'option-unknown'],
    ['an option of the cluster', { nodes: 3 }, 'option-unknown'],
    ['conflicts', { conflicts: 'lww' }, 'option-invalid'],
    ['durability', { durability: 'none' }, 'option-invalid'],
    ['durability without a directory', { durability: 'disk' }, 'option-invalid'],
    ['merge no function', { merge: 'max' }, 'option-invalid'],
    ['codec', { codec: 'json' }, 'option-invalid'],
    ['n 0', { n: 0 }, 'quorum-invalid'],
    ['n "3"', { n: '3' }, 'quorum-invalid'],
    ['n > nodes', { n: 4 }, 'quorum-invalid'],
    ['n 65', { n: 65 }, 'quorum-invalid'],
    ['r 0', { r: 0 }, 'quorum-invalid'],
    ['r > n', { n: 1, r: 2 }, 'quorum-invalid'],
    ['w > n', { n: 1, w: 2 }, 'quorum-invalid'],
    ['w 0', { w: 0 }, 'quorum-invalid'],
    ['dw > w', { w: 1, dw: 2 }, 'quorum-invalid'],
    ['dw 0.5', { dw: 0.5 }, 'quorum-invalid'],
  ]

  test.each(table)('%s is refused and changes nothing', async (_name, options, code) => {
    const before = { ...(await cluster.setBucket('refusing', { n: 2, r: 1, w: 2 })) }
    await expectRefused(() => cluster.bucket('refusing', options as BucketOptions<unknown>), code)
    const listed = () => cluster.buckets().find(({ name }) => name === 'refusing')?.properties
    expect(listed()).toEqual(before)
    const { merge: _m, codec: _c, ...properties } = Object(options) as Record<string, unknown>
    if (code !== 'quorum-invalid') return
    await expectRefused(() => cluster.setBucket('refusing', properties as Partial<BucketProperties>), code)
    expect(listed()).toEqual(before)
  })

  test('defaults: the bucket `default` keeps the last write, every other keeps siblings', () => {
    expect(cluster.bucket('default').properties.conflicts).toBe('last-write-wins')
    expect(cluster.bucket('other').properties).toEqual({
      conflicts: 'siblings',
      n: 3,
      r: 2,
      w: 2,
      dw: 0,
      durability: 'memory',
    })
  })

  test('what is set stays, what is left out bends to it', async () => {
    expect(await cluster.setBucket('bent', { n: 1 })).toMatchObject({ n: 1, r: 1, w: 1 })
    expect(await cluster.setBucket('bent', { conflicts: 'last-write-wins' })).toMatchObject({
      n: 1,
      conflicts: 'last-write-wins',
    })
    expect(cluster.bucket('bent').properties).toMatchObject({ n: 1, conflicts: 'last-write-wins' })
  })

  test('an option given as undefined is left out', async () => {
    await cluster.setBucket('undefined', { w: 1 })
    const options = { r: 1, w: undefined } as unknown as BucketOptions<unknown>
    expect(cluster.bucket('undefined', options).properties).toMatchObject({ r: 1, w: 1 })
  })

  test('a quorum that was set and no longer fits is an error, not adjusted', async () => {
    await cluster.setBucket('fixed', { n: 3, w: 3 })
    await expectRefused(() => cluster.setBucket('fixed', { n: 2 }), 'quorum-invalid')
    expect(cluster.bucket('fixed').properties).toMatchObject({ n: 3, w: 3 })
  })
})
