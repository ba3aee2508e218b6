// Last-write-wins after a restart. A new life stamps up to 60 s ahead of the clock; nobody who has not seen
// one of its values follows. No wall clock is wrong in these stories, and all writes come one after the other.

import { expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import {
  keyLedBy,
  mustPut,
  nodeOf,
  preference,
  separate,
  settle,
  startWorld,
  values,
} from '../sim/helpers.js'

const latest = { conflicts: 'last-write-wins' } as const

it('three nodes, w 2 and r 2: a write that is led by another node is not lost at once', () => {
  const world = startWorld({ seed: 1, nodes: 3 })
  const key = keyLedBy(world, 1)
  const [first, second, third] = preference(world, key) as [NodeId, NodeId, NodeId]
  mustPut(world, key, 'v0', { ...latest, w: 3 })
  world.kill(first)
  world.pass(1_000)
  // The first and the second lose sight of each other; then the first of everybody.
  separate(world, first, second)
  mustPut(world, key, 'v1', { ...latest, w: 2, coordinator: first })
  for (const other of [0, third]) separate(world, first, other)
  for (let i = 0; i < 20; i++) world.client.get(`x${i}`, { r: 3 })
  world.pass(10_000)
  // Ten seconds later, through the second: acknowledged by it and the third.
  mustPut(world, key, 'v2', { ...latest, w: 2, dw: 1 })
  expect(values(world, key, { ...latest, r: 2 })).toEqual(['v2'])
})

it('the same for a delete: what was deleted, and acknowledged, is gone', () => {
  const world = startWorld({ seed: 2, nodes: 5 })
  const key = keyLedBy(world, 1)
  const owners = preference(world, key).slice(0, 3)
  mustPut(world, key, 'v0', { ...latest, w: 3 })
  for (const node of owners) world.kill(node)
  world.pass(1_000)
  mustPut(world, key, 'v1', { ...latest, w: 3 })
  world.pass(5_000)
  for (const number of owners) {
    const node = nodeOf(world, number)
    const { generation } = node
    node.die()
    world.tellSupervisor({ type: 'node-exited', node: number, generation, reason: 'away', failure: false })
  }
  world.pass(1_000)
  mustPut(world, key, '', { ...latest, w: 2, change: 'delete' })
  world.pass(1_000)
  world.start()
  settle(world, 10_000)
  expect(values(world, key, { ...latest, r: 3 })).toEqual([])
})
