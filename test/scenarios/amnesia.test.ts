// Promise P5: a node that begins with less than it had acknowledged never answers as if it had all. It says
// "incomplete", does not count toward r, asks the others, and is whole again. Three witnesses tell it: the
// row in its store, the high-water mark beside it, and what its peers remember.

import { describe, expect, it } from 'vitest'
import { textsOf } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import { createMemoryStore } from '../../src/storage/memory-store.js'
import { encodeMeta, type Meta, metaRow } from '../../src/storage/meta.js'
import { sameObject } from '../../src/versions/read.js'
import {
  copyAt,
  fetchFrom,
  get,
  keyLedBy,
  mustGet,
  mustPut,
  nodeOf,
  preference,
  put,
  setNetwork,
  settle,
  startWorld,
  takeDown,
  values,
} from '../sim/helpers.js'

const keys = Array.from({ length: 40 }, (_, index) => `k${index}`)

function filled(seed: number, level: 'os' | 'disk', nodes = 3): World {
  const world = startWorld({ seed, nodes })
  for (const key of keys) mustPut(world, key, `value of ${key}`, { w: 3, dw: 1, level })
  return world
}

type Loss = (world: World) => void

const losses: Record<string, Loss> = {
  'a wiped directory': (world) => {
    takeDown(world, [1])
    nodeOf(world, 1).wipe()
  },
  'a log that was not fsynced': (world) => {
    takeDown(world, [1])
    const node = nodeOf(world, 1)
    node.disk = node.disk.crash('power')
  },
  'a store that is older than its high-water mark says': (world) => {
    const node = nodeOf(world, 1)
    const old = node.disk.crash('power')
    takeDown(world, [1])
    node.disk = old
  },
}

/** Node 1 loses something and is back, but hears nobody. */
function deaf(world: World, loss: Loss): void {
  loss(world)
  for (const other of [2, 3]) world.network.cutLink(other, 1)
  world.start()
}

describe.each(Object.keys(losses))('%s', (name) => {
  const loss = losses[name] as Loss

  it('is noticed: the verdict says amnesia, the answers say incomplete', () => {
    const world = filled(1, 'os')
    deaf(world, loss)
    const { verdict, host } = nodeOf(world, 1)
    expect(verdict).toMatchObject({ amnesia: true, since: 0 })
    expect(host?.catchingUp).toBe(true)
    for (const key of keys) expect(fetchFrom(world, 1, key)).toMatchObject({ complete: false })
    for (const key of keys) expect(fetchFrom(world, 2, key)).toMatchObject({ complete: true })
  })

  it('its answers do not count toward r, but all n together are everything', () => {
    const world = filled(2, 'os')
    deaf(world, loss)
    for (const key of keys) {
      expect(values(world, key, { r: 1 })).toEqual([`value of ${key}`])
      expect(values(world, key, { r: 2 })).toEqual([`value of ${key}`])
      expect(values(world, key, { r: 3 })).toEqual([`value of ${key}`])
    }
    takeDown(world, [3])
    expect(get(world, 'k1', { r: 2 })).toMatchObject({
      type: 'get-failed',
      code: 'unavailable',
      details: { needed: 2, reached: 1, incomplete: 1 },
    })
  })

  it('is mended from the others, and then counts again', () => {
    const world = filled(3, 'os')
    loss(world)
    world.start()
    settle(world)
    expect(world.whole).toBe(true)
    for (const key of keys) {
      expect(fetchFrom(world, 1, key)).toMatchObject({ complete: true })
      expect(sameObject(copyAt(world, 1, key), copyAt(world, 2, key)), key).toBe(true)
    }
    takeDown(world, [2, 3])
    for (const key of keys) expect(values(world, key, { r: 1 })).toEqual([`value of ${key}`])
  })

  it('a put with a condition is refused while its coordinator may lack the key, and one without is not', () => {
    const world = filled(4, 'os')
    deaf(world, loss)
    const key = keyLedBy(world, 1, 'fresh')
    for (const condition of ['absent', 'present'] as const) {
      expect(put(world, key, 'v', { w: 1, condition })).toMatchObject({
        type: 'put-failed',
        code: 'recovering',
      })
    }
    expect(put(world, key, 'v', { w: 1, change: 'touch' })).toMatchObject({ code: 'recovering' })
    mustPut(world, key, 'v', { w: 1 })
  })
})

describe('what the peers remember', () => {
  it('tells a node whose store and high-water mark went back to the same moment', () => {
    const world = filled(5, 'os')
    // What the others report reaches a disk with their batches, and is read when they begin again.
    world.pass(2_000)
    mustPut(world, keyLedBy(world, 2), 'one more', { w: 3, dw: 1 })
    mustPut(world, keyLedBy(world, 3), 'one more', { w: 3, dw: 1 })
    world.kill(1)
    world.kill(2)
    settle(world)
    takeDown(world, [1])
    // Somebody put an old copy of the directory back: its store and its mark agree with each other.
    const node = nodeOf(world, 1)
    const old = { ...(node.meta as Meta), incarnation: 7, sequence: 2, peers: [] }
    node.disk = createMemoryStore((task) => world.schedule(0.2, task))
    node.disk.commit([{ row: metaRow, value: encodeMeta(old) }], 'disk', () => {})
    node['highWater'] = 2
    const peersSaw = world.peersSaw(1)
    expect(peersSaw).toBeGreaterThan(2)
    for (const other of [2, 3]) world.network.cutLink(other, 1)
    world.start()
    expect(node.verdict).toMatchObject({ amnesia: true, since: 0 })
    expect(node.verdict?.reason).toContain(`batch ${peersSaw} was acknowledged`)
  })
})

describe('an end without loss', () => {
  it('of the process asks the peers only for what may have been unflushed', () => {
    const world = filled(6, 'disk')
    world.pass(200_000)
    mustPut(world, 'new', 'v', { w: 3, dw: 1 })
    world.crash('process')
    world.start()
    expect(nodeOf(world, 1).verdict?.amnesia).toBe(false)
    expect(nodeOf(world, 1).verdict?.since).toBeGreaterThan(0)
    settle(world)
    for (const key of [...keys, 'new']) expect(mustGet(world, key, { r: 3 }).object?.siblings).toHaveLength(1)
  })

  it('of a thread leaves nothing to ask: its memory is taken over', () => {
    const world = filled(7, 'disk')
    world.kill(1)
    world.runUntil(() => nodeOf(world, 1).host !== undefined)
    expect(nodeOf(world, 1).verdict).toMatchObject({ amnesia: false, since: undefined })
    for (const key of keys) expect(fetchFrom(world, 1, key)).toMatchObject({ complete: true })
  })
})

describe('a node that catches up', () => {
  it('asks again when a question or an answer is lost, and is whole soon after the links are (20 seeds)', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = filled(200 + seed, 'os')
      takeDown(world, [1])
      nodeOf(world, 1).wipe()
      world.network.cutLink(2, 1)
      world.network.cutLink(1, 3)
      world.start()
      world.pass(1_000 * seed)
      expect(world.whole).toBe(false)
      world.network.healAll()
      expect(
        world.runUntil(() => world.whole, 15_000),
        `seed ${seed}`,
      ).toBe(true)
      for (const key of keys) expect(textsOf(copyAt(world, 1, key))).toEqual([`value of ${key}`])
    }
  })

  it('is whole in the end although every fifth message is lost (20 seeds)', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = filled(300 + seed, 'os')
      takeDown(world, [1])
      nodeOf(world, 1).wipe()
      world.start()
      setNetwork(world, { loss: 0.2 })
      expect(
        world.runUntil(() => world.whole, 200_000),
        `seed ${seed}`,
      ).toBe(true)
      setNetwork(world, { loss: 0 })
      for (const key of keys) expect(textsOf(copyAt(world, 1, key))).toEqual([`value of ${key}`])
    }
  })
})

describe('all nodes forget at once', () => {
  it('each asks the others before it is whole, and what reached a disk is read throughout', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = filled(100 + seed, 'disk', 3)
      world.crash('power')
      world.start()
      for (const key of keys.slice(0, 10)) {
        expect(textsOf(mustGet(world, key, { r: 1 }).object), `seed ${seed}`).toEqual([`value of ${key}`])
      }
      settle(world)
      expect(world.whole).toBe(true)
      for (const key of keys) {
        for (const node of preference(world, key)) {
          expect(textsOf(copyAt(world, node, key)), `seed ${seed}`).toEqual([`value of ${key}`])
        }
      }
    }
  })
})
