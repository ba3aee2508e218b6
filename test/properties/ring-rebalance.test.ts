// Laws of changes of members (Dynamo 4.2, 6.2), for any sequence of them: shares, rows and moves.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Member } from '../../src/ring/member.js'
import { placeOwners, violations } from '../../src/ring/placement.js'
import { describePlan } from '../../src/ring/plan-report.js'
import { rebalance } from '../../src/ring/rebalance.js'
import { countOf, movedBetween, replicasOf, rowsTwice } from '../ring/members.js'

/** What may happen, with numbers to be taken modulo whatever there is. */
type Change =
  | { readonly type: 'join'; readonly weight: number; readonly label: number }
  | { readonly type: 'leave'; readonly which: number }
  | { readonly type: 'weigh'; readonly which: number; readonly weight: number }

const label = fc.nat(5)

function changesWith(weight: fc.Arbitrary<number>): fc.Arbitrary<Change[]> {
  const change: fc.Arbitrary<Change> = fc.oneof(
    fc.record({ type: fc.constant('join' as const), weight, label }),
    fc.record({ type: fc.constant('leave' as const), which: fc.nat(63) }),
    fc.record({ type: fc.constant('weigh' as const), which: fc.nat(63), weight }),
  )
  return fc.array(change, { minLength: 1, maxLength: 12 })
}

const size = { partitions: fc.integer({ min: 8, max: 400 }), copies: fc.integer({ min: 1, max: 4 }) }

type Labels = (number: number) => Pick<Member, 'host' | 'zone'>
const noLabels: Labels = () => ({ host: '', zone: '' })

/** Members after each change; a leave of the last one does not happen. */
function* histories(changes: readonly Change[], labels: Labels): Generator<readonly Member[]> {
  let members: Member[] = [{ node: 1, weight: 1, ...labels(0) }]
  let next = 2
  for (const change of changes) {
    if (change.type === 'join') {
      members = [...members, { node: next++, weight: change.weight, ...labels(change.label) }]
    } else {
      const which = change.which % members.length
      if (change.type === 'weigh') {
        members = members.map((member, i) => (i === which ? { ...member, weight: change.weight } : member))
      } else if (members.length > 1) members = members.filter((_, i) => i !== which)
    }
    yield members
  }
}

function exactShares(members: readonly Member[], partitions: number): number[] {
  const sum = members.reduce((total, { weight }) => total + weight, 0)
  return members.map(({ weight }) => (partitions * weight) / sum)
}

function checkShares(owners: Uint16Array, members: readonly Member[]): void {
  for (const [i, exact] of exactShares(members, owners.length).entries()) {
    const found = countOf(owners, (members[i] as Member).node)
    // One within which it was rounded; weights like 0.1 are not exact.
    expect(found).toBeGreaterThanOrEqual(Math.floor(exact + 1e-6))
    expect(found).toBeLessThanOrEqual(Math.ceil(exact - 1e-6))
  }
}

/** Whether groups of members can be apart whoever is rounded up. */
function surelyApart(
  members: readonly Member[],
  partitions: number,
  span: number,
  of: (member: Member) => string,
): boolean {
  const totals = new Map<string, number>()
  for (const [i, exact] of exactShares(members, partitions).entries()) {
    const group = of(members[i] as Member)
    totals.set(group, (totals.get(group) ?? 0) + Math.ceil(exact - 1e-6))
  }
  return totals.size >= span && Math.max(...totals.values()) * span <= partitions
}

describe('any sequence of changes', () => {
  test('of equal members leaves a ring that is balanced, and clean exactly when one can be', () => {
    fc.assert(
      fc.property(
        fc.record({ ...size, changes: changesWith(fc.constant(1)) }),
        ({ partitions, copies, changes }) => {
          let owners = placeOwners(partitions, [1], copies)
          for (const members of histories(changes, noLabels)) {
            const before = owners
            owners = rebalance(before, members, copies)
            checkShares(owners, members)
            const fresh = placeOwners(
              partitions,
              members.map(({ node }) => node),
              copies,
            )
            expect(violations(owners, copies)).toBe(violations(fresh, copies))
            expect(movedBetween(before, owners).length).toBeLessThanOrEqual(
              movedBetween(before, fresh).length,
            )
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  test('of weights leaves a ring in which nobody is in the way of itself, when that can be', () => {
    const weight = fc.constantFrom(0.5, 1, 1, 2, 3)
    fc.assert(
      fc.property(fc.record({ ...size, changes: changesWith(weight) }), ({ partitions, copies, changes }) => {
        let owners = placeOwners(partitions, [1], copies)
        for (const members of histories(changes, noLabels)) {
          owners = rebalance(owners, members, copies)
          checkShares(owners, members)
          const span = Math.min(copies, members.length, partitions)
          const can = surelyApart(members, partitions, span, ({ node }) => String(node))
          if (can) expect(violations(owners, copies)).toBe(0)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('of hosts in zones keeps them apart whenever they can be', () => {
    const labels: Labels = (number) => ({ host: `host ${number}`, zone: `zone ${number % 4}` })
    fc.assert(
      fc.property(
        fc.record({ ...size, changes: changesWith(fc.constant(1)) }),
        ({ partitions, copies, changes }) => {
          let owners = placeOwners(partitions, [1], copies)
          for (const members of histories(changes, labels)) {
            owners = rebalance(owners, members, copies)
            checkShares(owners, members)
            const span = Math.min(copies, members.length, partitions)
            for (const kind of ['host', 'zone'] as const) {
              const labelOf = (node: number) => members.find((member) => member.node === node)?.[kind]
              if (!surelyApart(members, partitions, span, (member) => member[kind])) continue
              expect(rowsTwice(owners, span, labelOf), kind).toBe(0)
            }
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe('one change', () => {
  const ring = fc.record({
    partitions: fc.constantFrom(100, 256, 500, 1024),
    nodeCount: fc.integer({ min: 8, max: 30 }),
    seed: fc.nat(63),
  })
  const membersTo = (count: number): Member[] =>
    Array.from({ length: count }, (_, i) => ({ node: i + 1, weight: 1, host: '', zone: '' }))

  test('a join moves no more than the share of the new node, and to nobody else', () => {
    fc.assert(
      fc.property(ring, ({ partitions, nodeCount }) => {
        const before = placeOwners(
          partitions,
          membersTo(nodeCount).map(({ node }) => node),
          3,
        )
        const after = rebalance(before, membersTo(nodeCount + 1), 3)
        const moved = movedBetween(before, after)
        expect(moved.length).toBeLessThanOrEqual(Math.ceil(partitions / (nodeCount + 1)))
        for (const at of moved) expect(after[at]).toBe(nodeCount + 1)
      }),
      { numRuns: 40 },
    )
  })

  test('a node that leaves and comes back: what it has may be elsewhere now, nothing else has moved', () => {
    fc.assert(
      fc.property(ring, ({ partitions, nodeCount, seed }) => {
        const all = membersTo(nodeCount)
        const leaver = (seed % nodeCount) + 1
        const before = placeOwners(
          partitions,
          all.map(({ node }) => node),
          3,
        )
        const without = rebalance(
          before,
          all.filter(({ node }) => node !== leaver),
          3,
        )
        const back = rebalance(without, all, 3)
        for (const at of movedBetween(before, without)) expect(before[at]).toBe(leaver)
        for (const at of movedBetween(without, back)) expect(back[at]).toBe(leaver)
        expect(violations(back, 3)).toBe(0)
      }),
      { numRuns: 40 },
    )
  })

  test('three zones, three copies: every preference list begins in three zones', () => {
    const zones = fc.record({
      rounds: fc.integer({ min: 3, max: 100 }),
      each: fc.integer({ min: 1, max: 5 }),
    })
    fc.assert(
      fc.property(zones, ({ rounds, each }) => {
        const partitions = 3 * each * rounds
        const members = membersTo(3 * each).map((member) => ({ ...member, zone: `zone ${member.node % 3}` }))
        const owners = rebalance(new Uint16Array(partitions), members, 3)
        for (let partition = 0; partition < partitions; partition++) {
          expect(new Set(replicasOf(owners, partition, 3).map((node) => node % 3)).size).toBe(3)
        }
      }),
      { numRuns: 30 },
    )
  })

  test('the report agrees with the plan', () => {
    fc.assert(
      fc.property(ring, ({ partitions, nodeCount, seed }) => {
        const all = membersTo(nodeCount)
        const others = all.filter(({ node }) => node !== (seed % nodeCount) + 1)
        const before = placeOwners(
          partitions,
          all.map(({ node }) => node),
          3,
        )
        const after = rebalance(before, others, 3)
        const report = describePlan(before, after, all, others, 3)
        expect(report.moved).toBe(movedBetween(before, after).length)
        for (const { node, before: had, after: has, gained, lost } of report.perNode) {
          expect([had, has]).toEqual([countOf(before, node), countOf(after, node)])
          expect(has - had).toBe(gained - lost)
        }
        const share = partitions / others.length
        expect(report.balance.after).toBeCloseTo(share / Math.ceil(share), 9)
        expect(report.violations.after.nodes).toBe(violations(after, 3))
        // Whoever loses an owner loses it for three rows at most.
        expect(report.replicaMoves).toBeGreaterThanOrEqual(report.moved)
        expect(report.replicaMoves).toBeLessThanOrEqual(3 * report.moved)
      }),
      { numRuns: 30 },
    )
  })
})
