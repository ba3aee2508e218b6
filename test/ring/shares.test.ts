// Whose share is rounded up.

import { describe, expect, test } from 'vitest'
import type { Member } from '../../src/ring/member.js'
import { crewOf } from '../../src/ring/members.js'
import { chooseShares } from '../../src/ring/shares.js'
import { membersOf, nodesOf } from './members.js'

function sharesOf(
  members: readonly Member[],
  partitions: number,
  counts: readonly number[] = [],
  copies = 1,
): number[] {
  const crew = crewOf(members, copies, partitions)
  return [
    ...chooseShares(
      crew,
      partitions,
      Int32Array.from(crew.nodes, (_, i) => counts[i] ?? 0),
    ),
  ]
}

describe('shares', () => {
  test('are equal within one, the first get more', () => {
    expect(sharesOf(membersOf(nodesOf(3)), 8)).toEqual([3, 3, 2])
    expect(sharesOf(membersOf(nodesOf(4)), 8)).toEqual([2, 2, 2, 2])
    expect(sharesOf(membersOf(nodesOf(5)), 3)).toEqual([1, 1, 1, 0, 0])
  })

  test('whoever has more already keeps it', () => {
    expect(sharesOf(membersOf(nodesOf(3)), 8, [2, 3, 3])).toEqual([2, 3, 3])
  })

  test('follow weights, and what comes out whole stays whole', () => {
    const members = membersOf(nodesOf(3), (node) => ({ weight: node }))
    expect(sharesOf(members, 60)).toEqual([10, 20, 30])
    expect(sharesOf(members, 61)).toEqual([10, 20, 31])
    expect(
      sharesOf(
        membersOf(nodesOf(3), () => ({ weight: 0.1 })),
        9,
      ),
    ).toEqual([3, 3, 3])
  })

  test('whoever would be in its own way when rounded up is not, if another can be', () => {
    // Three copies of 16: nobody can have more than 5. Node 1 has exactly 5.33, the others 3.56.
    const members = membersOf(nodesOf(4), (node) => ({ weight: node === 1 ? 1.5 : 1 }))
    expect(sharesOf(members, 16, [9, 0, 0, 0], 3)).toEqual([5, 4, 4, 3])
  })

  test('a zone is not rounded up twice when that spoils rows', () => {
    // Three zones of two: 85 each of 255, so one node of each zone has 43.
    const members = membersOf(nodesOf(6), (node) => ({ zone: `z${node % 3}` }))
    const shares = sharesOf(members, 255, [43, 43, 0, 43, 43, 0], 3)
    for (const zone of [0, 1, 2]) {
      const total = shares.reduce((sum, share, i) => sum + ((i + 1) % 3 === zone ? share : 0), 0)
      expect(total).toBe(85)
    }
  })
})
