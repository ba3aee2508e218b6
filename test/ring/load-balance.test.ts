// The figures of load balance on rings small enough to count by hand.

import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.js'
import {
  efficiency,
  outOfBalance,
  ownership,
  requestLoads,
  succession,
  takeover,
} from '../../src/ring/load-balance.js'
import { byOwners } from '../../src/ring/strategies.js'

const small = byOwners([1, 2, 3], Uint16Array.of(1, 2, 1, 3))

describe('ownership', () => {
  test('one copy: what each node owns', () => {
    expect([...ownership(small, 1)]).toEqual([
      [1, 0.5],
      [2, 0.25],
      [3, 0.25],
    ])
  })

  test('two copies: the next node holds it too', () => {
    // 1 2 | 2 1 | 1 3 | 3 1
    expect([...ownership(small, 2)]).toEqual([
      [1, 1],
      [2, 0.5],
      [3, 0.5],
    ])
  })

  test('more copies than nodes: every node holds everything', () => {
    expect(efficiency(ownership(small, 5))).toBe(1)
  })
})

describe('efficiency', () => {
  test('is the mean over the most', () => {
    expect(efficiency(ownership(small, 1))).toBeCloseTo(1 / 3 / 0.5)
  })

  test('nodes 15 percent off the mean are out of balance', () => {
    const loads = (...values: number[]) => new Map(values.map((value, node) => [node, value]))
    expect(outOfBalance(loads(100, 100, 100, 100))).toBe(0)
    expect(outOfBalance(loads(86, 100, 100, 114))).toBe(0)
    expect(outOfBalance(loads(85, 100, 100, 115))).toBe(0.5)
  })
})

describe('requests', () => {
  test('count for each of the first n nodes of their keys', () => {
    const hashes = [0, 0, 0.3, 0.9].map((share) => share * 2 ** 32)
    let next = 0
    const loads = requestLoads(small, 2, 4, () => hashes[next++] as number)
    expect([...loads]).toEqual([
      [1, 4],
      [2, 3],
      [3, 1],
    ])
  })

  test('for evenly drawn keys come to what ownership says', () => {
    const random = seededRandom(1)
    const loads = requestLoads(small, 2, 100_000, () => random() * 2 ** 32)
    for (const [node, share] of ownership(small, 2)) {
      expect((loads.get(node) ?? 0) / 100_000).toBeCloseTo(share, 2)
    }
  })
})

describe('when a node dies', () => {
  test('the node after the first n takes over its copies, the second what it was first for', () => {
    // 1 2 3 | 2 1 3 | 1 3 2 | 3 1 2, a quarter each
    expect([...takeover(small, 2, 1)]).toEqual([
      [2, 0.5],
      [3, 0.5],
    ])
    expect([...takeover(small, 1, 1)]).toEqual([
      [2, 0.25],
      [3, 0.25],
    ])
    expect([...succession(small, 1)]).toEqual([
      [2, 0.25],
      [3, 0.25],
    ])
    expect([...succession(small, 2)]).toEqual([
      [1, 0.25],
      [3, 0],
    ])
  })

  test('nobody takes over when everybody holds everything', () => {
    expect([...takeover(small, 3, 1).values()]).toEqual([0, 0])
  })
})
