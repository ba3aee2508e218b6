// The ring as a value: what it accepts, where keys fall, and its way to disk and back.

import { describe, expect, test } from 'vitest'
import { RingspunError } from '../../src/base/errors.js'
import { hashKey } from '../../src/ring/hash.js'
import { md5Position } from '../../src/ring/md5.js'
import {
  createRing,
  hashOf,
  partitionOf,
  type RingOptions,
  ringFromJson,
  ringToJson,
} from '../../src/ring/ring.js'

const options: RingOptions = {
  epoch: 1,
  partitions: 256,
  copies: 3,
  hash: 'halfsip',
  seed: [0x01234567, 0x89abcdef],
  nodes: [1, 2, 3, 4, 5],
}

function codeOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof RingspunError) return error.code
    throw error
  }
  return 'no error'
}

describe('making a ring', () => {
  test('two hosts that know the nodes in another order make the same ring', () => {
    expect(createRing({ ...options, nodes: [4, 2, 5, 1, 3] })).toEqual(createRing(options))
  })

  test('later changes of what was given do not reach the ring', () => {
    const nodes = [1, 2, 3]
    const seed: [number, number] = [1, 2]
    const ring = createRing({ ...options, nodes, seed })
    nodes[0] = 9
    seed[0] = 9
    expect(ring.nodes).toEqual([1, 2, 3])
    expect(ring.seed).toEqual([1, 2])
    expect(Object.isFrozen(ring)).toBe(true)
  })

  test.each<[string, string, object]>([
    ['the smallest ring', 'no error', { partitions: 1, copies: 1, nodes: [64] }],
    ['65,536 partitions', 'no error', { partitions: 65_536 }],
    ['as many copies as nodes', 'no error', { copies: 5 }],
    ['no partitions', 'option-invalid', { partitions: 0 }],
    ['too many partitions', 'option-invalid', { partitions: 65_537 }],
    ['half a partition', 'option-invalid', { partitions: 2.5 }],
    ['no copies', 'option-invalid', { copies: 0 }],
    ['too many copies', 'option-invalid', { copies: 17 }],
    ['more copies than nodes', 'quorum-invalid', { copies: 6 }],
    ['no nodes', 'option-invalid', { nodes: [] }],
    ['node 0', 'option-invalid', { nodes: [0, 1, 2] }],
    ['a node above the limit', 'option-invalid', { nodes: [1, 2, 65] }],
    ['too many nodes', 'option-invalid', { nodes: Array.from({ length: 65 }, (_, i) => i + 1) }],
    ['a node twice', 'option-invalid', { nodes: [1, 2, 2] }],
    ['a hole among the nodes', 'option-invalid', { nodes: Array(3) }],
    ['a negative epoch', 'option-invalid', { epoch: -1 }],
    ['an epoch beyond exact numbers', 'option-invalid', { epoch: 2 ** 53 }],
    ['an unknown hash', 'option-invalid', { hash: 'murmur3' }],
    ['half a seed', 'option-invalid', { seed: [1] }],
    ['a negative seed', 'option-invalid', { seed: [-1, 0] }],
    ['a seed of 33 bits', 'option-invalid', { seed: [0, 2 ** 32] }],
    ['a seed that is no number', 'option-invalid', { seed: [0, Number.NaN] }],
  ])('%s: %s', (_, code, change) => {
    expect(codeOf(() => createRing({ ...options, ...change } as RingOptions))).toBe(code)
  })
})

describe('where a key falls', () => {
  test('the hash is the one that the ring names, with the ring’s seed', () => {
    expect(hashOf(createRing(options), 'default\0k')).toBe(hashKey(options.seed, 'default\0k'))
    expect(hashOf(createRing({ ...options, hash: 'md5' }), 'default\0k')).toBe(md5Position('default\0k'))
  })

  test.each([
    [256, 0, 0],
    [256, 0x00ff_ffff, 0],
    [256, 0x0100_0000, 1],
    [256, 0xffff_ffff, 255],
    [1, 0xffff_ffff, 0],
    [3, 0x5555_5555, 0],
    [3, 0x5555_5556, 1],
    [3, 0xaaaa_aaaa, 1],
    [3, 0xaaaa_aaab, 2],
    [65_536, 0x1234_ffff, 0x1234],
    [65_535, 0xffff_ffff, 65_534],
  ])('of %i partitions, hash %i is in %i', (partitions, hash, partition) => {
    expect(partitionOf(createRing({ ...options, partitions }), hash)).toBe(partition)
  })
})

describe('to JSON and back', () => {
  test.each<[string, Partial<RingOptions>]>([
    ['the default', {}],
    ['md5', { hash: 'md5', seed: [0, 0xffff_ffff] }],
    ['few partitions', { partitions: 3 }],
    ['many partitions', { partitions: 65_536, epoch: 2 ** 53 - 1 }],
  ])('%s', (_, change) => {
    const ring = createRing({ ...options, ...change })
    const text = JSON.stringify(ringToJson(ring))
    expect(ringFromJson(JSON.parse(text))).toEqual(ring)
  })

  test('owners need not be as placeOwners would plan them', () => {
    const json = { ...ringToJson(createRing(options)), owners: new Array(256).fill(2) }
    expect(new Set(ringFromJson(json).owners)).toEqual(new Set([2]))
  })

  const good = ringToJson(createRing(options))
  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['text', 'ring'],
    ['an empty object', {}],
    ['an array', []],
    ['no epoch', { ...good, epoch: undefined }],
    ['partitions as text', { ...good, partitions: '256' }],
    ['nodes as text', { ...good, nodes: '12345' }],
    ['nodes out of order', { ...good, nodes: [1, 2, 3, 5, 4] }],
    ['more copies than nodes', { ...good, copies: 6 }],
    ['an unknown hash', { ...good, hash: 'sip' }],
    ['a seed as text', { ...good, seed: ['1', '2'] }],
    ['no owners', { ...good, owners: undefined }],
    ['too few owners', { ...good, owners: good.owners.slice(1) }],
    ['an owner that is not a node', { ...good, owners: [6, ...good.owners.slice(1)] }],
    ['an owner as text', { ...good, owners: ['1', ...good.owners.slice(1)] }],
    ['a hole among the owners', { ...good, owners: Array(256) }],
    ['a length that lies', { ...good, owners: { length: 256 } }],
  ])('%s is not a ring', (_, json) => {
    expect(codeOf(() => ringFromJson(json))).toBe('data-dir-invalid')
  })
})
