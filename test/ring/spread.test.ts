// Dynamo 4.2: who takes over from a dead node. The orders of the rounds, against a walk of every list.

import { describe, expect, test } from 'vitest'
import { placeOwners, violations, writeRounds } from '../../src/ring/placement.js'
import { spreadRounds } from '../../src/ring/spread.js'

const nodesOf = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

/** Slow and obvious: of all partitions that `dead` holds, who is next; largest and mean over the survivors. */
function takenOver(owners: Uint16Array, dead: number, copies: number): { largest: number; mean: number } {
  const extra = new Map([...new Set(owners)].filter((node) => node !== dead).map((node) => [node, 0]))
  let total = 0
  for (let partition = 0; partition < owners.length; partition++) {
    const list = [...new Set([...owners.subarray(partition), ...owners.subarray(0, partition)])]
    if (list.indexOf(dead) >= copies) continue
    const heir = list[copies] as number
    extra.set(heir, (extra.get(heir) ?? 0) + 1)
    total++
  }
  return { largest: Math.max(...extra.values()), mean: total / extra.size }
}

describe('what a dead node held goes to all others', () => {
  test.each([
    [5, 256],
    [6, 256],
    [7, 100],
    [8, 128],
    [8, 256],
    [16, 256],
    [16, 1000],
    [30, 1024],
  ])(
    '%i nodes, %i partitions: nobody takes more than one and a half times the mean',
    (nodeCount, partitions) => {
      const owners = placeOwners(partitions, nodesOf(nodeCount), 3)
      for (const dead of nodesOf(nodeCount)) {
        const { largest, mean } = takenOver(owners, dead, 3)
        expect(largest, `node ${dead}`).toBeLessThanOrEqual(1.5 * mean)
      }
    },
  )

  test('where there are hardly more partitions than pairs of nodes, nobody takes more than two', () => {
    const owners = placeOwners(256, nodesOf(30), 3)
    for (const dead of nodesOf(30)) expect(takenOver(owners, dead, 3).largest).toBeLessThanOrEqual(2)
  })

  test('rounds in one order would give it to those that always follow', () => {
    const { owners } = writeRounds(256, 16, 3)
    const { largest, mean } = takenOver(owners, 5, 3)
    expect(largest / mean).toBeCloseTo(15 / 3)
  })
})

describe('orders of rounds', () => {
  test('there is none where as many nodes as copies leave no choice', () => {
    const rounds = writeRounds(9, 3, 3)
    expect([...(spreadRounds(rounds, 3) ?? rounds.owners)]).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2])
  })

  test('are clean whenever they are given, and then keep every round', () => {
    for (let partitions = 4; partitions <= 40; partitions++) {
      for (let nodeCount = 2; nodeCount <= 8; nodeCount++) {
        for (let copies = 1; copies < nodeCount; copies++) {
          const name = `Q=${partitions} S=${nodeCount} n=${copies}`
          const rounds = writeRounds(partitions, nodeCount, copies)
          const owners = spreadRounds(rounds, copies)
          if (owners === undefined) continue
          expect(violations(owners, copies), name).toBe(0)
          for (let round = 0; round + 1 < rounds.starts.length; round++) {
            const [start, end] = [rounds.starts[round] as number, rounds.starts[round + 1] as number]
            const before = rounds.owners.slice(start, end).sort()
            expect(owners.slice(start, end).sort(), name).toEqual(before)
            if (round === 0)
              expect([...owners.slice(start, end)]).toEqual([...rounds.owners.slice(start, end)])
          }
        }
      }
    }
  })
})
