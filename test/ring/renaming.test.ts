// The assignment of names against every permutation there is.

import { describe, expect, test } from 'vitest'
import { randomBelow, seededRandom } from '../../src/base/random.js'
import { assign } from '../../src/ring/renaming.js'

function bestOf(gains: readonly (readonly number[])[], row = 0, used = 0): number {
  if (row === gains.length) return 0
  let best = Number.NEGATIVE_INFINITY
  for (let column = 0; column < gains.length; column++) {
    if ((used & (1 << column)) !== 0) continue
    const gain = gains[row]?.[column] as number
    best = Math.max(best, gain + bestOf(gains, row + 1, used | (1 << column)))
  }
  return best
}

describe('names', () => {
  test('that are clear are given', () => {
    expect(assign([[5]])).toEqual([0])
    expect(
      assign([
        [0, 9, 0],
        [0, 0, 9],
        [9, 0, 0],
      ]),
    ).toEqual([1, 2, 0])
  })

  test('one row steps back where all gain by it', () => {
    expect(
      assign([
        [8, 7],
        [9, 1],
      ]),
    ).toEqual([1, 0])
  })

  test('gain the most possible, each is given once', () => {
    const random = seededRandom(1)
    for (let round = 0; round < 300; round++) {
      const size = 1 + (round % 7)
      const gains = Array.from({ length: size }, () =>
        Array.from({ length: size }, () => randomBelow(random, 12)),
      )
      const names = assign(gains)
      expect(new Set(names).size).toBe(size)
      const sum = names.reduce((total, column, row) => total + (gains[row]?.[column] as number), 0)
      expect(sum).toBe(bestOf(gains))
    }
  })

  test('of 64 nodes are found at once', () => {
    const random = seededRandom(2)
    const gains = Array.from({ length: 64 }, () =>
      Array.from({ length: 64 }, () => randomBelow(random, 1024)),
    )
    expect(new Set(assign(gains)).size).toBe(64)
  })
})
