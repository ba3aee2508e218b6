// ring.json, as the process finds it when it begins. What is not the ring that was kept is refused by name: a cluster
// that began with another ring would look for its data in the wrong places.

import { describe, expect, it } from 'vitest'
import { rebalance } from '../../src/ring/rebalance.js'
import { createRing } from '../../src/ring/ring.js'
import type { World } from '../../src/sim/world.js'
import { mustPut, settle, startWorld, values } from '../sim/helpers.js'

type Stored = Record<string, unknown> & { change: Record<string, unknown> }

/** The process died while node 5 was coming in. */
function changing(seed: number): World {
  const world = startWorld({ seed, nodes: 4, partitions: 8 })
  for (let i = 0; i < 20; i++) mustPut(world, `k${i}`, `of ${i}`, { w: 3, dw: 3 })
  world.add(5)
  const members = [1, 2, 3, 4, 5].map((node) => ({ node, weight: 1, host: '', zone: '' }))
  world.change(rebalance(world.ring.owners, members, 3))
  expect(world.runUntil(() => world.ring.change !== undefined, 1_000)).toBe(true)
  return world
}

const damages: readonly (readonly [string, (ring: Stored) => unknown])[] = [
  ['no object at all', () => 7],
  ['null', () => null],
  ['an epoch below 0', (ring) => ({ ...ring, epoch: -1 })],
  ['no partitions', (ring) => ({ ...ring, partitions: 0 })],
  ['no copies', (ring) => ({ ...ring, copies: 0 })],
  ['more copies than nodes', (ring) => ({ ...ring, copies: 9 })],
  ['an unknown hash', (ring) => ({ ...ring, hash: 'crc' })],
  ['half a seed', (ring) => ({ ...ring, seed: [1] })],
  ['a seed that is no number', (ring) => ({ ...ring, seed: [1, 'x'] })],
  ['no nodes', (ring) => ({ ...ring, nodes: [] })],
  ['a node 0', (ring) => ({ ...ring, nodes: [0, 1, 2, 3, 4] })],
  ['a node twice', (ring) => ({ ...ring, nodes: [1, 2, 3, 4, 4] })],
  ['nodes out of order', (ring) => ({ ...ring, nodes: [5, 4, 3, 2, 1] })],
  ['too few owners', (ring) => ({ ...ring, owners: [1] })],
  ['an owner that is no node', (ring) => ({ ...ring, owners: Array(8).fill(9) })],
  ['a change that is none', (ring) => ({ ...ring, change: 7 })],
  ['a change without owners', (ring) => ({ ...ring, change: { ...ring.change, owners: undefined } })],
  ['a change with flags missing', (ring) => ({ ...ring, change: { ...ring.change, moved: [0] } })],
  [
    'a change that moved by halves',
    (ring) => ({ ...ring, change: { ...ring.change, moved: Array(8).fill(2) } }),
  ],
  ['a change without copies', (ring) => ({ ...ring, change: { ...ring.change, copies: 0 } })],
]

describe('ring.json', () => {
  it('that is whole is gone on with, also in the middle of a change', () => {
    const world = changing(1)
    world.crashAndRestart('process', 0)
    expect(world.runUntil(() => world.ring.change === undefined, 120_000)).toBe(true)
    settle(world)
    for (let i = 0; i < 20; i++) expect(values(world, `k${i}`, { r: 3 })).toEqual([`of ${i}`])
  })

  it.each(damages)('that has %s is refused: the process does not begin', (_what, damage) => {
    const world = changing(2)
    world.members.ringFile = JSON.stringify(damage(JSON.parse(world.members.ringFile)))
    expect(() => world.crashAndRestart('process', 0)).toThrow(
      expect.objectContaining({ code: 'data-dir-invalid' }),
    )
  })

  it('is made by nobody for nodes or copies that cannot be', () => {
    const { ring } = startWorld({ seed: 3, nodes: 3 })
    expect(() => createRing({ ...ring, nodes: [1, 1, 2] })).toThrow('a node is named twice')
    expect(() => createRing({ ...ring, copies: 4 })).toThrow('more copies than nodes')
  })
})
