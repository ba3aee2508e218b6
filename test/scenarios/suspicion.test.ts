// Links that fail while the nodes are well: the supervisor has nothing to say, and each node finds out for itself
// whom it cannot reach (Dynamo 4.8.3). It routes around, nobody else does, and nothing is restarted or moved.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import type { World } from '../../src/sim/world.js'
import {
  keyLedBy,
  mustPut,
  nodeOf,
  preference,
  separate,
  settle,
  startLedWorld,
  values,
  valuesAtEach,
} from '../sim/helpers.js'

/** What `node` (0: the client) thinks of `other`: by whom it has a stand-in asked. */
function stateSeen(world: World, node: NodeId, other: NodeId): string | undefined {
  const host = node === 0 ? world['host'] : nodeOf(world, node).host
  return host?.seen().find((view) => view.node === other)?.state
}

describe('a link between two nodes is cut', () => {
  it('the one that asks suspects the other, routes around it, and hears it when the link is back', () => {
    const world = startLedWorld({ seed: 1, nodes: 5 })
    const key = keyLedBy(world, 1)
    const [first, second, , fourth] = preference(world, key) as [NodeId, NodeId, NodeId, NodeId]
    separate(world, first, second)
    // Nobody knows yet; the write waits for the third, and the second misses it.
    mustPut(world, key, 'v0', { w: 2, conflicts: 'last-write-wins' })
    world.pass(1_000)
    expect(stateSeen(world, first, second)).toBe('suspected')
    expect(stateSeen(world, 0, second)).toBe('up')
    for (const other of [3, 4, 5]) expect(stateSeen(world, other, second)).toBe('up')
    // From now on all three places are taken at once.
    const begun = world.now()
    mustPut(world, key, 'v1', { w: 3, conflicts: 'last-write-wins' })
    expect(world.now() - begun).toBeLessThan(10)
    expect(nodeOf(world, fourth).host?.['cast'].courier?.owners.get(second)?.count).toBe(1)
    // The fourth can reach the second, and has no reason to wait.
    world.pass(1_000)
    expect(valuesAtEach(world, key)).toEqual([['v1'], ['v1'], ['v1']])
    world.network.healAll()
    world.pass(3_000)
    expect(stateSeen(world, first, second)).toBe('up')
    expect([...world.nodes.values()].map(({ generation }) => generation)).toEqual([1, 1, 1, 1, 1])
  })

  it('one way for ever: the rest stays available and the ring is what it was', () => {
    for (const [from, to] of [
      [1, 2],
      [2, 1],
    ] as const) {
      const world = startLedWorld({ seed: 2, nodes: 5 })
      world.network.cutLink(from, to)
      const keys = Array.from({ length: 60 }, (_, i) => `k${i}`)
      for (const key of keys) mustPut(world, key, 'a', { w: 2, conflicts: 'last-write-wins' })
      world.pass(2_000)
      const begun = world.now()
      for (const key of keys)
        mustPut(world, key, 'b', { w: 3, conflicts: 'last-write-wins', timeoutMs: 2_000 })
      for (const key of keys)
        expect(values(world, key, { r: 2, conflicts: 'last-write-wins' })).toEqual(['b'])
      // A put that an unanswered one was in front of may wait for the suspicion, others for nothing.
      expect(world.now() - begun).toBeLessThan(2_000)
      world.pass(60_000)
      const lives = [...world.nodes.values()].map(({ generation, alive }) => ({ generation, alive }))
      for (const life of lives) expect(life).toEqual({ generation: 1, alive: true })
    }
  })
})

it('a client that cannot reach two of a key’s three nodes writes and reads through the others', () => {
  const world = startLedWorld({ seed: 3, nodes: 5 })
  const key = keyLedBy(world, 1)
  const [first, second] = preference(world, key) as [NodeId, NodeId]
  mustPut(world, key, 'before', { w: 3, conflicts: 'last-write-wins' })
  separate(world, 0, first)
  separate(world, 0, second)
  // The first question that is not answered tells it.
  world.client.get(key, { r: 2 })
  world.pass(1_000)
  for (let i = 0; i < 10; i++) mustPut(world, key, `v${i}`, { w: 2, conflicts: 'last-write-wins' })
  expect(values(world, key, { r: 1, conflicts: 'last-write-wins' })).toEqual(['v9'])
  world.network.healAll()
  settle(world)
  expect(stateSeen(world, 0, first)).toBe('up')
  expect(valuesAtEach(world, key)).toEqual([['v9'], ['v9'], ['v9']])
})

it('nobody is suspected, and no probe is sent, while all is well or nothing is asked', () => {
  const world = startLedWorld({ seed: 4, nodes: 5 })
  for (let i = 0; i < 100; i++) mustPut(world, `k${i}`, 'v', { w: 3, dw: 3 })
  world.pass(600_000)
  expect(world.transcript.lines.filter((line) => line.includes('probe'))).toEqual([])
})
