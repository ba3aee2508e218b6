// Dynamo 4.7: replicas compare trees and find out cheaply that they are equal, or where they are not, and
// mend that without any client. Promises P1 and P6.

import { describe, expect, it } from 'vitest'
import { limits } from '../../src/base/limits.js'
import { vnodeAddress } from '../../src/protocol/address.js'
import { hashOf } from '../../src/ring/ring.js'
import { internalKey } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import { objectRow } from '../../src/storage/store.js'
import { withMode } from '../../src/versions/mode.js'
import type { Conflicts, StoredObject } from '../../src/versions/object.js'
import { encodeObject } from '../../src/versions/object-codec.js'
import {
  copyAt,
  mustPut,
  nodeOf,
  partitionOfKey,
  preference,
  setNetwork,
  settle,
  startWorld,
  takeDown,
  valuesAtEach,
} from '../sim/helpers.js'
import { audit, expectTrueTrees } from '../sim/trees.js'

const keys = Array.from({ length: 200 }, (_, index) => `k${index}`)
const looking = { mends: false, deep: false } as const
const reading = { mends: false, deep: true } as const
const mending = { mends: true, deep: false } as const

function filled(seed: number, options: { nodes?: number; mendEveryMs?: number } = {}): World {
  const world = startWorld({ seed, nodes: 3, ...options })
  for (const key of keys) mustPut(world, key, `value of ${key}`, { w: 3 })
  settle(world)
  return world
}

/** An object as a write would make it, without one. */
function oneValue(
  counter: number,
  text: string,
  conflicts: Conflicts = 'last-write-wins',
  copies = 2,
): StoredObject {
  const dot = { actor: 77, counter }
  const encoding = withMode(1, conflicts, false, copies)
  const value = Buffer.from(text)
  const sibling = { dot, stamp: 3_500_000_000_000_000 + counter, expires: 0, deleted: false, encoding, value }
  return { clock: [{ ...dot, time: 1 }], siblings: [sibling] }
}

/** One replica hears of a write of which nobody else ever will. */
function plant(world: World, node: number, key: string, value: string): void {
  const internal = internalKey(key)
  const hash = hashOf(world.ring, internal)
  const self = vnodeAddress(node, partitionOfKey(world, key))
  const object = encodeObject(oneValue(1, value, 'siblings', 3), hash)
  const message = { type: 'replicate', key: internal, hash, object, level: 'os' } as const
  nodeOf(world, node).host?.receive({ to: self, from: self, request: 0, deadline: 60_000, message })
  world.wake(nodeOf(world, node))
  settle(world)
}

describe('replicas that are equal', () => {
  it('exchange one root each and nothing else', () => {
    const world = filled(1)
    const pairs = world.ring.partitions * 2
    expect(audit(world, looking)).toMatchObject({
      messages: 2 * pairs,
      listed: 0,
      differing: 0,
      pulled: 0,
      pushed: 0,
      unread: 0,
      corrected: 0,
    })
  })

  it('are found equal when every object is read, too', () => {
    const world = filled(2)
    const report = audit(world, reading)
    expect(report).toMatchObject({ differing: 0, damaged: 0, corrected: 0 })
    expect(report.listed).toBe(2 * keys.length)
  })
})

describe('one key that differs', () => {
  it.each([1, 2, 3])('in node %i costs one path of the tree and one object', (node) => {
    const world = filled(3)
    plant(world, node, 'k17', 'known to one')
    const report = audit(world, mending)
    const equalPairs = world.ring.partitions * 2
    // Root, two levels, the last of them twice, one page of keys: question and answer each.
    const path = 2 * (1 + 1 + 2 + 1) - 2
    const comparisons = report.messages - 2 * equalPairs
    expect(comparisons).toBeLessThanOrEqual(2 * path)
    expect(report.differing).toBeGreaterThanOrEqual(1)
    expect(report.keys.every((key) => key === internalKey('k17'))).toBe(true)
    expect(report.listed).toBeLessThanOrEqual(8)
    // The others may have to hear it by way of the first.
    audit(world, mending)
    expect(valuesAtEach(world, 'k17')).toEqual(
      Array.from({ length: 3 }, () => ['known to one', 'value of k17']),
    )
    expect(audit(world, looking).messages).toBe(2 * equalPairs)
  })

  it('is found and mended by the nodes themselves', () => {
    const world = filled(4, { mendEveryMs: 20 })
    plant(world, 2, 'k3', 'known to one')
    const done = world.runUntil(
      () => preference(world, 'k3').every((node) => (copyAt(world, node, 'k3')?.siblings.length ?? 0) === 2),
      60_000,
    )
    expect(done).toBe(true)
    expect(audit(world, looking).differing).toBe(0)
  })
})

describe('a node that was wiped', () => {
  it('is equal again without a client, and says what it cost', () => {
    const world = filled(5)
    takeDown(world, [2])
    nodeOf(world, 2).wipe()
    const begun = world.now()
    world.start()
    world.runUntil(() => world.whole, 60_000)
    const took = world.now() - begun
    expect(world.whole).toBe(true)
    expect(took).toBeLessThan(10_000)
    for (const key of keys) expect(copyAt(world, 2, key)).toEqual(copyAt(world, 1, key))
    expect(audit(world, reading)).toMatchObject({ differing: 0, corrected: 0 })
    settle(world)
    expectTrueTrees(world)
  })
})

describe('what is lost on the way', () => {
  it('an object whose bytes changed on the disk is taken from another replica', () => {
    const world = filled(6)
    const [node] = preference(world, 'k5') as [number]
    const internal = internalKey('k5')
    const row = objectRow(partitionOfKey(world, 'k5'), internal)
    const { disk } = nodeOf(world, node)
    const good = disk['rows' as never] as unknown as Map<string, Uint8Array>
    const bytes = Uint8Array.from(good.get(row) as Uint8Array)
    bytes[bytes.length - 6] = (bytes[bytes.length - 6] as number) ^ 0x10
    good.set(row, bytes)
    // Memory would hide it.
    takeDown(world, [node])
    world.start()
    settle(world)
    const found = audit(world, reading)
    // Each of the two others is compared with it.
    expect(found).toMatchObject({ damaged: 2, differing: 2 })
    const mended = audit(world, { mends: true, deep: true })
    expect(mended.pulled).toBe(1)
    settle(world)
    expect(audit(world, reading)).toMatchObject({ damaged: 0, differing: 0 })
    expect(copyAt(world, node, 'k5')).toEqual(copyAt(world, preference(world, 'k5')[1] as number, 'k5'))
  })

  it('a hint for which there was no room: the node is made equal when it is back', () => {
    const before = limits.hintBytesMax
    const world = startWorld({ seed: 7, nodes: 4, mendEveryMs: 1_000_000 })
    try {
      Object.assign(limits, { hintBytesMax: 0 })
      takeDown(world, [2])
      // Two of three have it: the hint is not needed for the quorum, so it is refused.
      for (const key of keys) mustPut(world, key, `value of ${key}`, { w: 2 })
      world.start()
      const lacks = () =>
        keys.filter(
          (key) => preference(world, key).slice(0, 3).includes(2) && copyAt(world, 2, key) === undefined,
        )
      world.runUntil(() => lacks().length === 0, 60_000)
      expect(lacks()).toEqual([])
    } finally {
      Object.assign(limits, { hintBytesMax: before })
    }
  })
})

describe('the trees', () => {
  it.each(Array.from({ length: 12 }, (_, seed) => seed))(
    'are what the objects make them, whatever happened (%i)',
    (seed) => {
      const world = startWorld({ seed: 100 + seed, nodes: 4, memoryBytes: 256 * 1024, mendEveryMs: 30 })
      setNetwork(world, { loss: 0.02, duplication: 0.02 })
      for (let step = 0; step < 150; step++) {
        const key = keys[(step * 7 + seed) % 60] as string
        const conflicts = step % 3 === 0 ? 'siblings' : 'last-write-wins'
        const change = step % 5 === 0 ? 'delete' : 'value'
        const level = step % 11 === 0 ? 'memory' : 'disk'
        world.client.put(key, `value ${step} ${'x'.repeat(step * 10)}`, {
          w: 2,
          dw: step % 2,
          change,
          conflicts,
          level,
        })
        world.pass(step % 4 === 0 ? 40 : 1)
        if (step % 37 === seed % 37) world.kill(1 + (step % 4))
        if (step === 70) {
          world.crash(seed % 2 === 0 ? 'process' : 'power')
          world.start()
        }
      }
      setNetwork(world, { loss: 0, duplication: 0 })
      settle(world, 20_000)
      expectTrueTrees(world)
      expect(audit(world, reading)).toMatchObject({ differing: 0, damaged: 0, corrected: 0 })
      world.crash('process')
      world.start()
      settle(world, 20_000)
      expectTrueTrees(world)
      expect(audit(world, reading)).toMatchObject({ differing: 0, damaged: 0, corrected: 0 })
    },
  )
})

describe('buckets with fewer copies than others', () => {
  it('are not copied to nodes that need not have them', () => {
    const world = startWorld({ seed: 9, nodes: 4, mendEveryMs: 10 })
    for (const key of keys) {
      const n = 1 + (keys.indexOf(key) % 3)
      mustPut(world, key, `value of ${key}`, { n, w: n, r: 1 } as never)
    }
    world.pass(20_000)
    takeDown(world, [2])
    nodeOf(world, 2).wipe()
    world.start()
    settle(world, 20_000)
    for (const key of keys) {
      const n = 1 + (keys.indexOf(key) % 3)
      // The only copy was wiped.
      if (n === 1 && preference(world, key)[0] === 2) continue
      const holders = preference(world, key).filter((node) => copyAt(world, node, key) !== undefined)
      expect(holders, key).toEqual(preference(world, key).slice(0, n))
    }
    expectTrueTrees(world)
  })
})

describe('one key of very many', () => {
  const count = Number(process.env['RINGSPUN_TREE_KEYS'] ?? 20_000)

  it(`among ${count} that are equal costs a few messages and one transfer`, { timeout: 600_000 }, () => {
    const world = startWorld({
      seed: 8,
      nodes: 2,
      n: 2,
      partitions: 1,
      memoryBytes: 64 * 1024 * 1024 + count * 400,
    })
    const tell = (node: number, key: string, object: Uint8Array, hash: number) => {
      const self = vnodeAddress(node, 0)
      const message = { type: 'replicate', key: internalKey(key), hash, object, level: 'os' } as const
      nodeOf(world, node).host?.receive({ to: self, from: self, request: 0, deadline: 60_000, message })
    }
    for (let i = 0; i < count; i++) {
      const hash = hashOf(world.ring, internalKey(`k${i}`))
      const object = encodeObject(oneValue(i + 1, 'same'), hash)
      tell(1, `k${i}`, object, hash)
      tell(2, `k${i}`, object, hash)
      if (i % 500 !== 0) continue
      for (const node of [1, 2]) world.wake(nodeOf(world, node))
      world.pass(10)
    }
    settle(world, 20_000)
    expect(audit(world, looking)).toMatchObject({ messages: 2, listed: 0, differing: 0 })
    const hash = hashOf(world.ring, internalKey('k7'))
    tell(2, 'k7', encodeObject(oneValue(count + 1, 'newer'), hash), hash)
    world.wake(nodeOf(world, 2))
    settle(world)
    const report = audit(world, mending)
    expect(report).toMatchObject({ differing: 1, pulled: 1, pushed: 0, keys: [internalKey('k7')] })
    // Root, two levels, the last again; the keys of one leaf, a thousandth of all, page by page.
    const pages = Math.ceil((2 * count) / 1024 / 512) + 1
    expect(report.messages).toBeLessThanOrEqual(2 * (4 + pages))
    expect(report.listed).toBeLessThan(20 + (3 * count) / 1024)
    expect(audit(world, looking)).toMatchObject({ messages: 2, listed: 0 })
  })
})
