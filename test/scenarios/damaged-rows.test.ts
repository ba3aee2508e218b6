// Rows of a disk that are no objects, though their checksum is right (another version of this software wrote them, or
// a mistake of ours), or that were cut off: each is a copy that cannot be read. It is never returned, never taken for
// absent, and the other replicas put it right.

import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { Writer } from '../../src/base/bytes.js'
import { hashOf } from '../../src/ring/ring.js'
import { internalKey } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import { objectRow } from '../../src/storage/store.js'
import {
  answerOf,
  fetchFrom,
  get,
  mustPut,
  nodeOf,
  partitionOfKey,
  preference,
  settle,
  startWorld,
  values,
  valuesAtEach,
} from '../sim/helpers.js'
import { audit } from '../sim/trees.js'

type Write = (writer: Writer) => void

const clockOf =
  (...actors: readonly number[]): Write =>
  (writer) => {
    writer.varint(actors.length)
    for (const actor of actors) {
      writer.f64(actor)
      writer.varint(1)
      writer.u32(7)
    }
  }

interface SiblingOf {
  readonly entry?: number
  readonly actor?: number
  readonly counter?: number
  readonly stamp?: number
  readonly flags?: number
  readonly expires?: number
}

const siblings =
  (...each: readonly SiblingOf[]): Write =>
  (writer) => {
    writer.varint(each.length)
    for (const { entry = 1, actor, counter = 1, stamp = 5, flags = 0, expires } of each) {
      writer.varint(entry)
      if (actor !== undefined) writer.f64(actor)
      writer.varint(counter)
      writer.f64(stamp)
      writer.u8(flags)
      writer.u8(0)
      if (expires !== undefined) writer.f64(expires)
      writer.varint(1)
      writer.u8(65)
    }
  }

const header =
  (format: number, kind: number, ...rest: readonly Write[]): Write =>
  (writer) => {
    writer.u8(format)
    writer.u8(kind)
    for (const write of rest) write(writer)
  }

const senseless: readonly (readonly [string, Write])[] = [
  ['an unknown format', header(9, 0, clockOf(1), siblings({}))],
  ['an unknown kind', header(1, 7, clockOf(1), siblings({}))],
  ['a clock out of order', header(1, 0, clockOf(2, 1), siblings({}))],
  ['a clock longer than the row', header(1, 0, (writer) => writer.varint(1_000))],
  ['an actor that is none', header(1, 0, clockOf(Number.NaN), siblings({}))],
  ['an actor below 1', header(1, 0, clockOf(0), siblings({}))],
  ['no siblings', header(1, 0, clockOf(1), siblings(), (writer) => writer.raw(Buffer.alloc(16)))],
  ['a sibling of an unknown actor', header(1, 0, clockOf(1), siblings({ entry: 9 }))],
  ['an event of number 0', header(1, 0, clockOf(1), siblings({ counter: 0 }))],
  ['a stamp below 0', header(1, 0, clockOf(1), siblings({ stamp: -1 }))],
  ['a stamp that is none', header(1, 0, clockOf(1), siblings({ stamp: Number.NaN }))],
  ['unknown flags', header(1, 0, clockOf(1), siblings({ flags: 9 }))],
  ['an expiry that is none', header(1, 0, clockOf(1), siblings({ flags: 2, expires: Number.NaN }))],
  ['an expiry at 0', header(1, 0, clockOf(1), siblings({ flags: 2, expires: 0 }))],
  ['siblings out of order', header(1, 0, clockOf(1, 2), siblings({ entry: 2 }, { entry: 1 }))],
  ['bytes behind its end', header(1, 0, clockOf(1), siblings({}), (writer) => writer.u8(1))],
  ['a value that ends too early', header(1, 1, (writer) => writer.raw(Buffer.from([0, 0, 1])))],
]

/** With the checksum that belongs to it. */
function sealed(write: Write, hash: number): Uint8Array {
  const writer = new Writer(64)
  write(writer)
  writer.u32(crc32(writer.bytes.subarray(0, writer.length), hash))
  return writer.copy()
}

/** One replica of each key, the first unless `places` says which, has another row of it; its memory is empty. */
function replaced(world: World, rows: ReadonlyMap<string, Uint8Array>, places: readonly number[] = []): void {
  for (const [at, [key, value]] of [...rows].entries()) {
    const row = objectRow(partitionOfKey(world, key), internalKey(key))
    const node = preference(world, key)[places[at] ?? 0] as number
    nodeOf(world, node).disk.commit([{ row, value }], 'disk', () => {})
  }
  world.pass(10)
  world.crash('process')
  world.start()
  expect(world.runUntil(() => world.whole)).toBe(true)
}

describe('rows that make no sense', () => {
  it.each([1, 2])('are copies that cannot be read, and are mended by reads (seed %i)', (seed) => {
    const world = startWorld({ seed, nodes: 3, warms: false })
    const hash = (key: string) => hashOf(world.ring, internalKey(key))
    const rows = new Map(senseless.map(([what, write]) => [what, sealed(write, hash(what))]))
    for (const key of rows.keys()) mustPut(world, key, `of ${key}`, { w: 3, dw: 3 })
    world.pass(3_000)
    replaced(world, rows)
    for (const key of rows.keys()) {
      expect(values(world, key, { r: 2 }), key).toEqual([`of ${key}`])
      // The rest of the answers is waited for a little longer, and whoever lacks something is given it.
      world.pass(1_500)
      expect(values(world, key, { r: 3 }), key).toEqual([`of ${key}`])
    }
    settle(world)
    for (const key of rows.keys()) expect(valuesAtEach(world, key), key).toEqual(Array(3).fill([`of ${key}`]))
  })

  it('are mended by reads that ask for all copies, and fail for want of one (both orders of the answers)', () => {
    for (let seed = 5; seed <= 12; seed++) {
      const world = startWorld({ seed, nodes: 3, warms: false })
      const key = 'key'
      mustPut(world, key, 'whole', { w: 3, dw: 3 })
      world.pass(3_000)
      const hash = hashOf(world.ring, internalKey(key))
      replaced(world, new Map([[key, sealed(header(9, 0), hash)]]))
      expect(get(world, key, { r: 3 }), `seed ${seed}`).toMatchObject({
        type: 'get-failed',
        code: 'unavailable',
      })
      // Its answer is not waited for, the rest of the replicas is.
      world.pass(500)
      expect(values(world, key, { r: 3 }), `seed ${seed}`).toEqual(['whole'])
    }
  })

  it('are written over by whoever writes the key', () => {
    const world = startWorld({ seed: 3, nodes: 3, warms: false })
    const hash = (key: string) => hashOf(world.ring, internalKey(key))
    const rows = new Map(senseless.map(([what, write]) => [what, sealed(write, hash(what))]))
    for (const key of rows.keys()) mustPut(world, key, 'old', { w: 3, dw: 3, conflicts: 'last-write-wins' })
    world.pass(3_000)
    replaced(world, rows)
    for (const key of rows.keys()) {
      const [first, second] = preference(world, key)
      mustPut(world, key, 'new', { coordinator: second as number, conflicts: 'last-write-wins' })
      world.pass(100)
      const copy = fetchFrom(world, first as number, key)
      expect(copy.type, key).toBe('fetched')
    }
    settle(world)
    for (const key of rows.keys()) expect(valuesAtEach(world, key), key).toEqual(Array(3).fill(['new']))
  })
})

describe('rows that were cut off', () => {
  it('after however many bytes, are found by a comparison of what is there, and mended', () => {
    const world = startWorld({ seed: 4, nodes: 3, warms: false })
    const rows = new Map<string, Uint8Array>()
    for (let length = 0; length <= 20; length++) rows.set(`k${length}`, Buffer.alloc(length, 1))
    for (const key of rows.keys()) mustPut(world, key, `of ${key}`, { w: 3, dw: 3 })
    world.pass(3_000)
    replaced(world, rows)
    settle(world)
    audit(world, { mends: true, deep: true })
    settle(world)
    for (const key of rows.keys()) expect(valuesAtEach(world, key), key).toEqual(Array(3).fill([`of ${key}`]))
    expect(audit(world, { mends: false, deep: true })).toMatchObject({ differing: 0, damaged: 0 })
  })
})

describe('a listing of rows that make no sense', () => {
  const keys = Array.from({ length: 10 }, (_, index) => `k${index}`)

  /** All pages of the one partition, or the code of the first that is refused. */
  function listed(world: World, r: number): readonly string[] | string {
    const found: string[] = []
    const about = { partition: 0, prefix: internalKey(''), limit: 4, begunAt: world.now() }
    for (let after: string | undefined = ''; after !== undefined; ) {
      const answer = answerOf(world, world.client.scan({ ...about, after, conflicts: 'siblings', r }))
      if (answer.type !== 'scan-answered') return 'code' in answer ? answer.code : answer.type
      found.push(...answer.rows.map(({ key }) => key.slice(internalKey('').length)))
      after = answer.next
    }
    return found.sort()
  }

  /** Of each of the damaged keys one replica, by its place, has a row that makes no sense. */
  function damagedAt(seed: number, damaged: readonly string[], places: readonly number[]): World {
    const world = startWorld({ seed, nodes: 3, partitions: 1, warms: false })
    for (const key of keys) mustPut(world, key, 'v', { w: 3, dw: 3 })
    world.pass(3_000)
    replaced(world, new Map(damaged.map((key) => [key, Buffer.alloc(20, 1)])), places)
    return world
  }

  it.each([1, 2, 3])('has what other replicas have whole, whoever answers first (seed %i)', (seed) => {
    const world = damagedAt(seed, ['k0', 'k2', 'k3', 'k5', 'k9'], [0, 1, 2, 0, 1])
    expect(listed(world, 1)).toEqual(keys)
    expect(listed(world, 2)).toEqual(keys)
    // As a read of such a key is: not all can tell.
    expect(listed(world, 3)).toBe('unavailable')
  })
})
