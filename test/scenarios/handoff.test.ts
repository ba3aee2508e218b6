// Dynamo 4.9: nodes come and go while the cluster serves. Nobody notices but the nodes: no request fails, no key is
// lost, every place is taken over once, and whoever dies in the middle leaves nothing half done.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import { placeOwners } from '../../src/ring/placement.js'
import { preferenceList } from '../../src/ring/preference.js'
import type { SimRequest } from '../../src/sim/client.js'
import { textsOf } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import {
  answerOf,
  copyAt,
  mustPut,
  nodeOf,
  partitionOfKey,
  preference,
  settle,
  startWorld,
  values,
} from '../sim/helpers.js'
import { audit, expectTrueTrees } from '../sim/trees.js'

const keys = Array.from({ length: 120 }, (_, index) => `k${index}`)

function filled(seed: number, nodes: number, options: { mendEveryMs?: number } = {}): World {
  const world = startWorld({ seed, nodes, partitions: 32, ...options })
  for (const key of keys) mustPut(world, key, `0 of ${key}`, { w: 3, conflicts: 'last-write-wins' })
  settle(world)
  return world
}

/** Every fifth partition or so goes to the new node, never two within three of each other. */
function stolenBy(world: World, node: NodeId): Uint16Array {
  const owners = Uint16Array.from(world.ring.owners)
  for (let partition = 0; partition + 2 < owners.length; partition += 5) owners[partition] = node
  return owners
}

interface Load {
  readonly requests: SimRequest[]
  readonly latest: Map<string, number>
  stop: boolean
}

/** Writes and reads all the time, each write newer than the last; remembers what was acknowledged. */
function load(world: World, everyMs: number): Load {
  const running: Load = { requests: [], latest: new Map(), stop: false }
  let step = 0
  const next = () => {
    if (running.stop) return
    step++
    const key = keys[(step * 13) % keys.length] as string
    const request =
      step % 3 === 0
        ? world.client.get(key, { r: 2 })
        : world.client.put(key, `${step} of ${key}`, { w: 2, conflicts: 'last-write-wins' })
    running.requests.push(request)
    if (step % 3 !== 0) running.latest.set(key, step)
    world.schedule(everyMs, next)
  }
  next()
  return running
}

function expectAllAnswered(world: World, running: Load): void {
  running.stop = true
  for (const request of running.requests) {
    expect(answerOf(world, request).type, `seed ${world.seed}`).toMatch(/answered$/)
  }
}

function expectNothingLost(world: World, running: Load): void {
  for (const [key, step] of running.latest) {
    expect(values(world, key, { r: 3, conflicts: 'last-write-wins' }), `seed ${world.seed}`).toEqual([
      `${step} of ${key}`,
    ])
  }
}

function begin(world: World, owners: Uint16Array): void {
  world.change(owners)
  expect(world.runUntil(() => world.ring.change !== undefined, 1_000)).toBe(true)
}

function untilMoved(world: World): void {
  expect(
    world.runUntil(() => world.ring.change === undefined, 300_000),
    `seed ${world.seed}: the change ends`,
  ).toBe(true)
}

describe('a node that joins', () => {
  it.each([1, 2, 3, 4, 5])(
    'under load: no request fails, no key is lost, each place moves once (%i)',
    (seed) => {
      const world = filled(seed, 4)
      const before = Array.from({ length: 32 }, (_, partition) =>
        preferenceList(world.ring, partition).slice(0, 3),
      )
      const running = load(world, 3)
      world.add(5)
      begin(world, stolenBy(world, 5))
      world.runUntil(() => world.ring.change !== undefined, 1_000)
      const tries = () => world.transfers.map(({ tries: count }) => count)
      let most: number[] = []
      world.runUntil(() => {
        if (tries().length > 0) most = tries()
        return world.ring.change === undefined
      }, 300_000)
      untilMoved(world)
      expect(Math.max(...most)).toBe(1)
      world.pass(1_000)
      expectAllAnswered(world, running)
      expectNothingLost(world, running)
      // Nothing passed between two old nodes.
      for (let partition = 0; partition < 32; partition++) {
        const after = preferenceList(world.ring, partition).slice(0, 3)
        expect(after.filter((node) => node !== 5 && !(before[partition] as NodeId[]).includes(node))).toEqual(
          [],
        )
      }
      settle(world, 20_000)
      expect(audit(world, { mends: false, deep: true })).toMatchObject({ differing: 0, corrected: 0 })
      expectTrueTrees(world)
      // Who gave a place away has forgotten what was in it.
      for (const key of keys) {
        const holders = preference(world, key).slice(0, 3)
        for (const node of [1, 2, 3, 4, 5]) {
          if (!holders.includes(node)) expect(copyAt(world, node, key), `${key} at ${node}`).toBeUndefined()
        }
      }
    },
  )

  it.each([11, 12, 13, 14])('and dies half-way: it begins again, and nothing is lost (%i)', (seed) => {
    const world = filled(seed, 4)
    const running = load(world, 3)
    world.add(5)
    begin(world, stolenBy(world, 5))
    world.runUntil(() => world.transfers.some(({ stage }) => stage === 'done'), 60_000)
    world.kill(5)
    untilMoved(world)
    world.pass(2_000)
    running.stop = true
    settle(world, 20_000)
    for (const request of running.requests) answerOf(world, request)
    for (const key of keys) expect(values(world, key, { r: 3, conflicts: 'last-write-wins' }).length).toBe(1)
    expect(audit(world, { mends: false, deep: true })).toMatchObject({ differing: 0 })
  })

  it.each([21, 22, 23, 24])('while a node that gives dies: the same (%i)', (seed) => {
    const world = filled(seed, 4)
    world.add(5)
    begin(world, stolenBy(world, 5))
    world.runUntil(() => world.transfers.some(({ stage }) => stage === 'running'), 60_000)
    const giver = world.transfers.find(({ stage }) => stage === 'running')?.transfer.giver as NodeId
    world.kill(giver)
    // Until everybody knows, a write may be led by the one that is dead.
    world.pass(2)
    for (const key of keys) mustPut(world, key, `again ${key}`, { w: 2, conflicts: 'last-write-wins' })
    untilMoved(world)
    settle(world, 20_000)
    for (const key of keys)
      expect(values(world, key, { r: 3, conflicts: 'last-write-wins' })).toEqual([`again ${key}`])
    expect(audit(world, { mends: true, deep: true }).damaged).toBe(0)
    expect(audit(world, { mends: false, deep: true })).toMatchObject({ differing: 0 })
  })

  it('and the whole process dies half-way: it goes on where it was', () => {
    const world = filled(31, 4)
    world.add(5)
    begin(world, stolenBy(world, 5))
    world.runUntil(() => (world.ring.change?.moved.reduce((sum, each) => sum + each, 0) ?? 0) > 28, 60_000)
    world.crash('process')
    world.start()
    untilMoved(world)
    settle(world, 20_000)
    for (const key of keys) expect(values(world, key, { r: 3 })).toEqual([`0 of ${key}`])
    expect(audit(world, { mends: false, deep: true })).toMatchObject({ differing: 0 })
  })
})

describe('a node that leaves', () => {
  it.each([41, 42, 43])('under load: no request fails, no key is lost (%i)', (seed) => {
    const world = filled(seed, 5)
    const running = load(world, 3)
    begin(world, placeOwners(32, [1, 2, 4, 5], 3))
    untilMoved(world)
    expect(world.ring.nodes).toEqual([1, 2, 4, 5])
    world.pass(1_000)
    expectAllAnswered(world, running)
    expectNothingLost(world, running)
  })
})

describe('a blocked node', () => {
  it('moves nothing: a ring changes when somebody says so and at no other time', () => {
    const world = filled(51, 4)
    const { epoch } = world.ring
    world.network.cutLink(1, 2)
    world.network.cutLink(3, 2)
    world.network.cutLink(4, 2)
    world.network.cutLink(0, 2)
    world.pass(20_000)
    expect(world.ring.epoch).toBe(epoch)
    world.network.healAll()
    settle(world)
    for (const key of keys)
      expect(textsOf(copyAt(world, preference(world, key)[0] as number, key))).toHaveLength(1)
    expect(nodeOf(world, 2).alive).toBe(true)
    expect(partitionOfKey(world, 'k1')).toBeLessThan(32)
  })
})

describe('everything ends in the middle', () => {
  /** The first place that passes from one node to another has been taken over, and the ring does not say so yet. */
  function untilTaken(world: World): { key: string; giver: NodeId; receiver: NodeId } {
    const taken = () =>
      world.transfers.find(
        ({ stage, transfer }) =>
          stage === 'done' && transfer.place === 0 && world.ring.change?.moved[transfer.partition] === 0,
      )
    expect(world.runUntil(() => taken() !== undefined, 60_000)).toBe(true)
    const { partition, giver, receiver } = (taken() as NonNullable<ReturnType<typeof taken>>).transfer
    const key = keys.find((each) => partitionOfKey(world, each) === partition)
    return { key: key as string, giver, receiver }
  }

  it.each([31, 32, 33])(
    'power: what only the new holder has durably is there again, at once (%i)',
    (seed) => {
      const world = filled(seed, 4)
      world.add(5)
      begin(world, stolenBy(world, 5))
      const { key, receiver } = untilTaken(world)
      mustPut(world, key, 'acknowledged', {
        w: 1,
        dw: 1,
        conflicts: 'last-write-wins',
        coordinator: receiver,
      })
      world.crash('power')
      world.start()
      expect(world.runUntil(() => world.whole, 60_000)).toBe(true)
      expect(values(world, key, { r: 2, conflicts: 'last-write-wins' })).toEqual(['acknowledged'])
      untilMoved(world)
      settle(world, 20_000)
      expect(values(world, key, { r: 3, conflicts: 'last-write-wins' })).toEqual(['acknowledged'])
    },
  )

  it.each([41, 42, 43])(
    'the giver dies after it gave: what its new life acknowledges is not lost (%i)',
    (seed) => {
      const world = filled(seed, 4)
      world.add(5)
      begin(world, stolenBy(world, 5))
      const { key, giver } = untilTaken(world)
      world.kill(giver)
      world.runUntil(() => nodeOf(world, giver).host !== undefined)
      mustPut(world, key, 'acknowledged', { w: 1, conflicts: 'last-write-wins', coordinator: giver })
      untilMoved(world)
      settle(world, 90_000)
      expect(values(world, key, { r: 3, conflicts: 'last-write-wins' })).toEqual(['acknowledged'])
    },
  )
})
