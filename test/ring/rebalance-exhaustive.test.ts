// Every small ring: Q from 4 to 64, one to eight nodes, one to four copies; somebody joins, leaves, is replaced.
// What the plans promise is compared with searches that are slow and obvious.

import { describe, expect, test } from 'vitest'
import { placeOwners } from '../../src/ring/placement.js'
import { rebalance, substitute } from '../../src/ring/rebalance.js'
import { countOf, fewestRows, membersOf, movedBetween, nodesOf, rowsTwice } from './members.js'

const sizes: { readonly partitions: number; readonly nodeCount: number; readonly copies: number }[] = []
for (let partitions = 4; partitions <= 64; partitions++) {
  for (let nodeCount = 1; nodeCount <= 8; nodeCount++) {
    for (let copies = 1; copies <= 4; copies++) sizes.push({ partitions, nodeCount, copies })
  }
}

/** Balanced within one, and no row spoilt that need not be. Comparisons without expect(), which is slow. */
function check(after: Uint16Array, nodes: readonly number[], copies: number, name: string): void {
  const counts = nodes.map((node) => countOf(after, node))
  const span = Math.min(copies, nodes.length, after.length)
  if (counts.reduce((a, b) => a + b) !== after.length) expect.fail(`${name}: others own something`)
  if (Math.max(...counts) - Math.min(...counts) > 1) expect.fail(`${name}: shares are ${counts}`)
  const rows = rowsTwice(after, span, (node) => node)
  const fewest = fewestRows(after.length, nodes.length, copies)
  if (rows !== fewest) expect.fail(`${name}: ${rows} rows are spoilt, ${fewest} must be`)
}

/** The fewest moves that give these nodes balanced shares. */
function fewestMoves(before: Uint16Array, nodes: readonly number[]): number {
  const share = Math.floor(before.length / nodes.length)
  const counts = nodes.map((node) => countOf(before, node))
  const kept = counts.reduce((sum, count) => sum + Math.min(count, share), 0)
  const more = counts.filter((count) => count > share).length
  return before.length - kept - Math.min(before.length % nodes.length, more)
}

/** The fewest moves of a plan from nothing, under all names that its nodes could have. */
function renamedMoves(before: Uint16Array, nodes: readonly number[], copies: number): number {
  const fresh = placeOwners(before.length, [...nodes.keys()], copies)
  const kept = nodes.map(() => nodes.map(() => 0))
  for (const [at, place] of fresh.entries()) {
    const name = nodes.indexOf(before[at] as number)
    const row = kept[place] as number[]
    if (name >= 0) row[name] = (row[name] as number) + 1
  }
  // The best names for the first places, by the set of names that they use.
  let best = new Map([[0, 0]])
  for (const row of kept) {
    const next = new Map<number, number>()
    for (const [used, sum] of best) {
      for (const [name, count] of row.entries()) {
        if ((used & (1 << name)) !== 0) continue
        const set = used | (1 << name)
        next.set(set, Math.max(next.get(set) ?? 0, sum + count))
      }
    }
    best = next
  }
  return before.length - Math.max(...best.values())
}

function checkMoves(
  before: Uint16Array,
  after: Uint16Array,
  nodes: readonly number[],
  copies: number,
  name: string,
): void {
  const moved = movedBetween(before, after).length
  if (moved === fewestMoves(before, nodes)) return
  const renamed = renamedMoves(before, nodes, copies)
  if (moved > renamed) expect.fail(`${name}: ${moved} move, ${renamed} would with a new plan`)
}

describe.each([1, 2, 3, 4])('%i copies', (copies) => {
  const all = sizes.filter((size) => size.copies === copies)

  test('a node joins', () => {
    for (const { partitions, nodeCount } of all) {
      const name = `Q=${partitions} S=${nodeCount} n=${copies}`
      const before = placeOwners(partitions, nodesOf(nodeCount), copies)
      const nodes = nodesOf(nodeCount + 1)
      const after = rebalance(before, membersOf(nodes), copies)
      check(after, nodes, copies, name)
      checkMoves(before, after, nodes, copies, name)
    }
  })

  test('any node leaves', () => {
    for (const { partitions, nodeCount } of all) {
      const before = placeOwners(partitions, nodesOf(nodeCount), copies)
      for (const leaver of nodesOf(nodeCount)) {
        const name = `Q=${partitions} S=${nodeCount} n=${copies} leaver=${leaver}`
        const nodes = nodesOf(nodeCount).filter((node) => node !== leaver)
        if (nodes.length === 0) continue
        const after = rebalance(before, membersOf(nodes), copies)
        check(after, nodes, copies, name)
        checkMoves(before, after, nodes, copies, name)
      }
    }
  })

  test('a node is replaced: what it had moves, and nothing else', () => {
    for (const { partitions, nodeCount } of all) {
      const before = placeOwners(partitions, nodesOf(nodeCount), copies)
      const nodes = nodesOf(nodeCount + 1).slice(1)
      const name = `Q=${partitions} S=${nodeCount} n=${copies}`
      const after = rebalance(before, membersOf(nodes), copies)
      check(after, nodes, copies, name)
      const moved = movedBetween(before, after)
      if (moved.some((at) => before[at] !== 1)) expect.fail(`${name}: others moved too`)
      check(substitute(before, 1, nodeCount + 1), nodes, copies, name)
    }
  })

  test('one after the other joins until there are eight, then the oldest leave', () => {
    for (let partitions = 4; partitions <= 64; partitions += 3) {
      let owners = placeOwners(partitions, [1], copies)
      const step = (nodes: readonly number[]) => {
        const name = `Q=${partitions} n=${copies} nodes=${nodes}`
        const after = rebalance(owners, membersOf(nodes), copies)
        check(after, nodes, copies, name)
        checkMoves(owners, after, nodes, copies, name)
        owners = after
      }
      for (let newest = 2; newest <= 8; newest++) step(nodesOf(newest))
      for (let oldest = 2; oldest <= 8; oldest++) step(nodesOf(8).slice(oldest - 1))
    }
  })
})

/** Whether there is a balanced plan that spoils no row, with an owner for each partition out of those given for it. */
function exists(
  partitions: number,
  nodes: readonly number[],
  span: number,
  ownersOf: (at: number) => readonly number[],
): boolean {
  const most = Math.ceil(partitions / nodes.length)
  const least = Math.floor(partitions / nodes.length)
  const plan = new Uint16Array(partitions)
  const counts = new Map(nodes.map((node) => [node, 0]))
  const extend = (at: number): boolean => {
    if (at === partitions) {
      return (
        [...counts.values()].every((count) => count >= least) && rowsTwice(plan, span, (node) => node) === 0
      )
    }
    for (const owner of ownersOf(at)) {
      const count = counts.get(owner) as number
      if (count === most || plan.subarray(Math.max(0, at - span + 1), at).includes(owner)) continue
      plan[at] = owner
      counts.set(owner, count + 1)
      const found = extend(at + 1)
      counts.set(owner, count)
      if (found) return true
    }
    return false
  }
  return extend(0)
}

describe('one for one whenever that can be', () => {
  test('only the new node gets any', () => {
    for (const { partitions, nodeCount, copies } of sizes) {
      if (partitions > 24) continue
      const before = placeOwners(partitions, nodesOf(nodeCount), copies)
      const joiner = nodeCount + 1
      const span = Math.min(copies, joiner, partitions)
      const after = rebalance(before, membersOf(nodesOf(joiner)), copies)
      const isOneForOne = movedBetween(before, after).every((at) => after[at] === joiner)
      if (isOneForOne && rowsTwice(after, span, (node) => node) === 0) continue
      const found = exists(partitions, nodesOf(joiner), span, (at) => [joiner, before[at] as number])
      expect(found, `Q=${partitions} S=${nodeCount} n=${copies}`).toBe(false)
    }
  })

  test('only the partitions of the leaver move', () => {
    for (const { partitions, nodeCount, copies } of sizes) {
      if (partitions > 48 || nodeCount < 2) continue
      const before = placeOwners(partitions, nodesOf(nodeCount), copies)
      const others = nodesOf(nodeCount - 1)
      const span = Math.min(copies, others.length, partitions)
      const after = rebalance(before, membersOf(others), copies)
      const isOneForOne = movedBetween(before, after).every((at) => before[at] === nodeCount)
      if (isOneForOne && rowsTwice(after, span, (node) => node) === 0) continue
      const found = exists(partitions, others, span, (at) =>
        before[at] === nodeCount ? others : [before[at] as number],
      )
      expect(found, `Q=${partitions} S=${nodeCount} n=${copies}`).toBe(false)
    }
  })

  test('the search finds what is there', () => {
    const six = [1, 2, 3, 1, 2, 3]
    expect(exists(6, [1, 2, 3, 4], 2, (at) => [4, six[at] as number])).toBe(true)
    expect(exists(6, [1, 2, 3], 3, (at) => [3, at % 2 === 0 ? 1 : 2])).toBe(false)
    const eight = [1, 2, 3, 4, 1, 2, 3, 4]
    const without = (at: number) => (eight[at] === 4 ? [1, 2, 3] : [eight[at] as number])
    expect(exists(8, [1, 2, 3], 1, without)).toBe(true)
    expect(exists(8, [1, 2, 3], 3, without)).toBe(false)
  })
})
