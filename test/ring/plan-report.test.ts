// What a report says about plans small enough to check by eye, and that it agrees with slow counts on larger ones.

import { describe, expect, test } from 'vitest'
import { placeOwners } from '../../src/ring/placement.js'
import { describePlan } from '../../src/ring/plan-report.js'
import { rebalance } from '../../src/ring/rebalance.js'
import { membersOf, movedBetween, nodesOf, replicasOf } from './members.js'

describe('a report', () => {
  test('of a node that joins', () => {
    const before = Uint16Array.of(1, 2, 1, 2, 1, 2)
    const after = Uint16Array.of(3, 2, 1, 3, 1, 2)
    const report = describePlan(before, after, membersOf([1, 2]), membersOf([3, 2, 1]), 2)
    expect(report).toEqual({
      moved: 2,
      perNode: [
        { node: 1, before: 3, after: 2, gained: 0, lost: 1 },
        { node: 2, before: 3, after: 2, gained: 0, lost: 1 },
        { node: 3, before: 0, after: 2, gained: 2, lost: 0 },
      ],
      balance: { before: 1, after: 1 },
      violations: { before: { nodes: 0, hosts: 0, zones: 0 }, after: { nodes: 0, hosts: 0, zones: 0 } },
      // It owns two, and is second for two more.
      replicaMoves: 4,
    })
  })

  test('of a node that leaves, and was named by the ring alone', () => {
    const report = describePlan(
      Uint16Array.of(1, 2, 9, 1),
      Uint16Array.of(1, 2, 2, 1),
      membersOf([1, 2]),
      membersOf([1, 2]),
      1,
    )
    expect(report.moved).toBe(1)
    expect(report.perNode.at(-1)).toEqual({ node: 9, before: 1, after: 0, gained: 0, lost: 1 })
    expect(report.replicaMoves).toBe(1)
  })

  test('of the first plan: everything is gained, nothing is lost', () => {
    const nobody = new Uint16Array(6)
    const report = describePlan(nobody, Uint16Array.of(1, 2, 3, 1, 2, 3), [], membersOf([1, 2, 3]), 2)
    expect(report.moved).toBe(6)
    expect(report.replicaMoves).toBe(12)
    expect(report.balance).toEqual({ before: 0, after: 1 })
    expect(report.perNode[0]).toEqual({ node: 1, before: 0, after: 2, gained: 2, lost: 0 })
    expect(report.violations.before).toEqual({ nodes: 0, hosts: 0, zones: 0 })
  })

  test('weighs what a node owns', () => {
    const members = membersOf([1, 2], (node) => ({ weight: node === 1 ? 3 : 1 }))
    const plan = Uint16Array.of(1, 1, 1, 2)
    expect(describePlan(plan, plan, members, members, 1).balance.after).toBe(1)
    expect(describePlan(plan, plan, membersOf([1, 2]), membersOf([1, 2]), 1).balance.after).toBeCloseTo(2 / 3)
  })

  test('counts rows that name a node, a host, a zone twice', () => {
    const labels = [
      ['a', 'x'],
      ['b', 'x'],
      ['c', 'y'],
      ['a', 'z'],
    ] as const
    const members = membersOf(nodesOf(4), (node) => {
      const [host, zone] = labels[node - 1] as readonly [string, string]
      return { host, zone }
    })
    // Rows 1 2 | 2 3 | 3 4 | 4 1 | 1 1 | 1 1: the hosts of 4 and 1 are one, the zones of 1 and 2.
    const plan = Uint16Array.of(1, 2, 3, 4, 1, 1)
    const { violations } = describePlan(plan, plan, members, members, 2)
    expect(violations.after).toEqual({ nodes: 2, hosts: 3, zones: 3 })
  })

  test('counts no zones where there are too few, and no hosts where every node has its own', () => {
    const members = membersOf(nodesOf(4), (node) => ({ host: `h${node}`, zone: `z${node % 2}` }))
    const plan = placeOwners(64, nodesOf(4), 3)
    const { violations } = describePlan(plan, plan, members, members, 3)
    expect(violations.after).toEqual({ nodes: 0, hosts: 0, zones: 0 })
  })
})

describe('agrees with slow counts', () => {
  test.each([
    [3, 4, 256],
    [8, 7, 256],
    [5, 9, 100],
    [4, 3, 64],
  ])('%i nodes become %i, %i partitions', (from, to, partitions) => {
    const before = placeOwners(partitions, nodesOf(from), 3)
    const after = rebalance(before, membersOf(nodesOf(to)), 3)
    const report = describePlan(before, after, membersOf(nodesOf(from)), membersOf(nodesOf(to)), 3)
    expect(report.moved).toBe(movedBetween(before, after).length)
    expect(report.perNode.reduce((sum, { gained }) => sum + gained, 0)).toBe(report.moved)
    expect(report.perNode.reduce((sum, { lost }) => sum + lost, 0)).toBe(report.moved)
    let moves = 0
    for (let partition = 0; partition < partitions; partition++) {
      const had = replicasOf(before, partition, 3)
      moves += replicasOf(after, partition, 3).filter((node) => !had.includes(node)).length
    }
    expect(report.replicaMoves).toBe(moves)
  })

  test('a ring of the largest size whose partitions are nearly all of one node', () => {
    const before = new Uint16Array(65_536).fill(1)
    before[65_535] = 2
    const after = rebalance(before, membersOf([1, 2, 3]), 3)
    const report = describePlan(before, after, membersOf([1, 2]), membersOf([1, 2, 3]), 3)
    // Two nodes held everything; the third holds everything now.
    expect(report.replicaMoves).toBe(65_536)
    expect(report.balance.before).toBeCloseTo(65_536 / 2 / 65_535)
    expect(report.violations.after.nodes).toBeLessThanOrEqual(2)
  })
})
