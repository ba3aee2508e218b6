// Dynamo 6.2, strategy 3: the plan of owners against an exhaustive search for better ones.

import { describe, expect, test } from 'vitest'
import { placeOwners, violations, writeRounds } from '../../src/ring/placement.js'

const nodesOf = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

/** Slow and obvious: looks at every row of `span` partitions. */
function countRows(owners: ArrayLike<number>, span: number): number {
  let count = 0
  for (let start = 0; start < owners.length; start++) {
    const row = new Set<number>()
    for (let i = 0; i < span; i++) row.add(owners[(start + i) % owners.length] as number)
    if (row.size < span) count++
  }
  return count
}

/**
 * Whether any balanced plan has fewer than `bound` violating rows: tries all, up to the names of the nodes
 * (a new node is always the lowest unused one), leaving a branch when it has too many rows already.
 */
function existsBetter(partitions: number, nodeCount: number, span: number, bound: number): boolean {
  const plan: number[] = []
  const counts = new Array<number>(nodeCount).fill(0)
  const share = Math.floor(partitions / nodeCount)
  let heavyLeft = partitions % nodeCount
  const extend = (used: number, bad: number): boolean => {
    if (bad >= bound) return false
    if (plan.length === partitions) return countRows(plan, span) < bound
    for (let node = 0; node < Math.min(used + 1, nodeCount); node++) {
      const count = counts[node] as number
      const heavier = count === share
      if (count > share || (heavier && heavyLeft === 0)) continue
      if (heavier) heavyLeft--
      counts[node] = count + 1
      plan.push(node)
      const row = plan.slice(-span)
      const repeats = row.length === span && new Set(row).size < span
      const found = extend(Math.max(used, node + 1), bad + (repeats ? 1 : 0))
      plan.pop()
      counts[node] = count
      if (heavier) heavyLeft++
      if (found) return true
    }
    return false
  }
  return extend(0, 0)
}

/** The closed form that docs/decisions/placement.md proves. */
function fewest(partitions: number, nodeCount: number, span: number): number {
  const share = Math.floor(partitions / nodeCount)
  const heavy = partitions % nodeCount
  if (heavy === 0 || (share + 1) * span <= partitions) return 0
  return span - 1 - share * (nodeCount - span)
}

function shares(owners: Uint16Array, nodes: readonly number[]): number[] {
  return nodes.map((node) => owners.filter((owner) => owner === node).length)
}

describe('a plan of owners', () => {
  test('is written in rounds in which the heavier nodes come first', () => {
    const rounds = writeRounds(14, 4, 3)
    expect([...rounds.owners]).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 0, 1, 3])
    expect(rounds.starts).toEqual([0, 4, 8, 11, 14])
  })

  test('keeps the nodes of every round, in an order that changes from round to round', () => {
    const owners = placeOwners(40, [1, 2, 3, 4, 5, 6, 7, 8], 3)
    const rounds = Array.from({ length: 5 }, (_, round) => [...owners.subarray(round * 8, round * 8 + 8)])
    expect(rounds[0]).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    for (const round of rounds) expect(round.toSorted()).toEqual(rounds[0])
    expect(new Set(rounds.map((round) => round.join())).size).toBe(5)
  })

  test('of a large ring repeats a block, so that few preference lists differ', () => {
    const owners = placeOwners(8 * 200, nodesOf(8), 3)
    expect(owners.subarray(512, 1024)).toEqual(owners.subarray(0, 512))
    expect(violations(owners, 3)).toBe(0)
  })

  test('is taken in turn when every node owns the same', () => {
    expect([...placeOwners(6, [7, 8, 9], 3)]).toEqual([7, 8, 9, 7, 8, 9])
  })

  test('is the same whenever it is made', () => {
    expect(placeOwners(256, nodesOf(7), 3)).toEqual(placeOwners(256, nodesOf(7), 3))
  })

  test('gives each of a few partitions its own node', () => {
    expect([...placeOwners(2, [4, 5, 6], 3)]).toEqual([4, 5])
  })

  test('256 partitions on 3 nodes, 3 copies: the two rows over the wrap are the fewest possible', () => {
    const owners = placeOwners(256, [1, 2, 3], 3)
    expect(violations(owners, 3)).toBe(2)
    // Only the rows that start at 254 and 255 cross the wrap; the 254 others are clean.
    for (let start = 0; start + 3 <= 256; start++) {
      expect(new Set(owners.subarray(start, start + 3)).size).toBe(3)
    }
  })
})

describe('against every balanced plan there is', () => {
  // Q to 12 for all S to 6 and n to 4; wider rows (n to 6) and Q to 14 where the search is small.
  const cases: [number, number, number][] = []
  for (let partitions = 1; partitions <= 14; partitions++) {
    for (let nodeCount = 1; nodeCount <= 6; nodeCount++) {
      for (let copies = 1; copies <= 6; copies++) cases.push([partitions, nodeCount, copies])
    }
  }

  test.each([1, 2, 3, 4, 5, 6])('%i nodes: none has fewer violations', (nodeCount) => {
    for (const [partitions, , copies] of cases.filter(([, count]) => count === nodeCount)) {
      const name = `Q=${partitions} S=${nodeCount} n=${copies}`
      const span = Math.min(copies, nodeCount, partitions)
      const owners = placeOwners(partitions, nodesOf(nodeCount), copies)
      const found = violations(owners, copies)
      expect(found, name).toBe(countRows(owners, span))
      expect(found, name).toBe(fewest(partitions, nodeCount, span))
      expect(existsBetter(partitions, nodeCount, span, found), name).toBe(false)
      const share = shares(owners, nodesOf(nodeCount))
      expect(Math.max(...share) - Math.min(...share), name).toBeLessThanOrEqual(1)
    }
  })

  test('the search itself finds a better plan where there is one', () => {
    expect(existsBetter(6, 3, 3, 1)).toBe(true)
    expect(existsBetter(4, 3, 3, 3)).toBe(true)
    expect(existsBetter(4, 3, 3, 2)).toBe(false)
  })
})

describe('the plans of real rings', () => {
  test.each([256, 1024, 4096])('%i partitions, 1 to 64 nodes, 1 to 16 copies', (partitions) => {
    for (let nodeCount = 1; nodeCount <= 64; nodeCount++) {
      const nodes = nodesOf(nodeCount)
      for (const copies of [1, 2, 3, 4, 5, 8, 15, 16]) {
        const name = `Q=${partitions} S=${nodeCount} n=${copies}`
        const owners = placeOwners(partitions, nodes, copies)
        const counts = new Array<number>(nodeCount).fill(0)
        for (const owner of owners) counts[owner - 1] = (counts[owner - 1] as number) + 1
        expect(Math.max(...counts) - Math.min(...counts), name).toBeLessThanOrEqual(1)
        const span = Math.min(copies, nodeCount)
        const clean = nodeCount > copies || partitions % nodeCount === 0
        expect(violations(owners, copies), name).toBe(clean ? 0 : span - 1)
      }
    }
  })

  test('whatever cannot be kept apart starts in the last rows before the wrap', () => {
    for (let nodeCount = 2; nodeCount <= 16; nodeCount++) {
      const owners = placeOwners(1000, nodesOf(nodeCount), nodeCount)
      for (let start = 0; start + nodeCount <= 1000; start++) {
        const row = owners.subarray(start, start + nodeCount)
        expect(new Set(row).size, `S=${nodeCount}, row ${start}`).toBe(nodeCount)
      }
    }
  })
})
