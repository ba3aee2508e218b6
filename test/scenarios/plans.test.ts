// What an operator is told of a plan before it is carried out (how much moves, from whom to whom, how even it gets) is
// what then happens: with weights, hosts and zones, with leavers, and from nothing.

import { describe, expect, it } from 'vitest'
import type { Member } from '../../src/ring/member.js'
import { describePlan } from '../../src/ring/plan-report.js'
import { preferenceList } from '../../src/ring/preference.js'
import { rebalance, substitute } from '../../src/ring/rebalance.js'
import type { World } from '../../src/sim/world.js'
import { mustPut, settle, startWorld, values } from '../sim/helpers.js'

const keys = Array.from({ length: 30 }, (_, index) => `k${index}`)
const member = (node: number, more: Partial<Member> = {}): Member => ({
  node,
  weight: 1,
  host: '',
  zone: '',
  ...more,
})

/** Carries the plan out, and holds what was said of it against what is. */
function carryOut(world: World, before: readonly Member[], after: readonly Member[], to?: Uint16Array): void {
  const copies = Math.min(world.copies, after.length)
  const owners = to ?? rebalance(world.ring.owners, after, copies)
  const was = world.ring
  const report = describePlan(was.owners, owners, before, after, copies)
  for (const { node } of after) if (!world.nodes.has(node)) world.add(node)
  world.change(owners)
  if (report.moved > 0) expect(world.runUntil(() => world.ring.change !== undefined, 1_000)).toBe(true)
  expect(world.runUntil(() => world.ring.change === undefined, 600_000)).toBe(true)
  settle(world)
  const { ring } = world
  expect([...ring.owners]).toEqual([...owners])
  let moved = 0
  let replicas = 0
  for (let partition = 0; partition < ring.partitions; partition++) {
    if (was.owners[partition] !== ring.owners[partition]) moved++
    const had = preferenceList(was, partition).slice(0, copies)
    for (const node of preferenceList(ring, partition).slice(0, copies)) if (!had.includes(node)) replicas++
  }
  expect(report.moved).toBe(moved)
  expect(report.replicaMoves).toBe(replicas)
  for (const { node, after: has, gained, lost, before: had } of report.perNode) {
    expect(ring.owners.filter((owner) => owner === node).length, `node ${node}`).toBe(has)
    expect(had + gained - lost).toBe(has)
  }
  expect(report.balance.after).toBeGreaterThan(0)
  for (const key of keys) expect(values(world, key, { r: copies }), key).toEqual([`of ${key}`])
}

function filled(seed: number, nodes: number, partitions: number, n = 3): World {
  const world = startWorld({ seed, nodes, partitions, n })
  for (const key of keys) mustPut(world, key, `of ${key}`, { w: n, dw: n })
  return world
}

describe('a plan', () => {
  it('for members of unequal weight', () => {
    const world = filled(1, 4, 32)
    const before = [1, 2, 3, 4].map((node) => member(node))
    carryOut(world, before, [member(1, { weight: 3 }), member(2), member(3), member(4, { weight: 0.5 })])
  })

  it('for members on hosts and in zones, one of which leaves', () => {
    const world = filled(2, 6, 36)
    const placed = [1, 2, 3, 4, 5, 6].map((node) =>
      member(node, { host: `h${node % 4}`, zone: `z${node % 3}`, weight: 1 + (node % 2) }),
    )
    carryOut(
      world,
      [1, 2, 3, 4, 5, 6].map((node) => member(node)),
      placed,
    )
    carryOut(world, placed, placed.slice(1))
  })

  it('for a node that takes the place of another', () => {
    const world = filled(3, 3, 16)
    const before = [1, 2, 3].map((node) => member(node))
    const after = [1, 2, 4].map((node) => member(node))
    carryOut(world, before, after, substitute(world.ring.owners, 3, 4))
  })

  it('in which all members are others, of unequal weight: made from nothing', () => {
    const world = filled(4, 3, 16)
    const before = [1, 2, 3].map((node) => member(node))
    carryOut(
      world,
      before,
      [4, 5, 6, 7].map((node) => member(node, { weight: node === 4 ? 9 : 1 })),
    )
  })

  it('in which all members are others, in zones', () => {
    const world = filled(5, 3, 24)
    const before = [1, 2, 3].map((node) => member(node))
    const after = [4, 5, 6, 7, 8, 9].map((node) =>
      member(node, { zone: `z${node % 3}`, host: `h${node % 2}` }),
    )
    carryOut(world, before, after)
  })

  it('in which one member has nearly everything, made from nothing', () => {
    const world = filled(6, 3, 13, 2)
    const before = [1, 2, 3].map((node) => member(node))
    carryOut(
      world,
      before,
      [4, 5, 6, 7].map((node) => member(node, { weight: node === 4 ? 40 : node })),
    )
  })

  it('that leaves everything where it is moves nothing', () => {
    const world = filled(7, 3, 16)
    const members = [1, 2, 3].map((node) => member(node))
    const report = describePlan(world.ring.owners, world.ring.owners, members, members, 3)
    expect(report).toMatchObject({ moved: 0, replicaMoves: 0 })
    const nobody = new Uint16Array(16)
    const first = describePlan(nobody, world.ring.owners, [], members, 3)
    expect(first).toMatchObject({ moved: 16, replicaMoves: 48, balance: { before: 0 } })
  })
})
