// Dynamo 6.2: one suite over the three strategies, then what is particular to each.

import { describe, expect, test } from 'vitest'
import { type Random, seededRandom } from '../../src/base/random.js'
import { placeOwners } from '../../src/ring/placement.js'
import { preferenceList } from '../../src/ring/preference.js'
import { createRing, partitionOf } from '../../src/ring/ring.js'
import { byOwners, type Partitioning, partitioning, type Strategy } from '../../src/ring/strategies.js'

const hashes = 2 ** 32
const nodesOf = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)
const strategies: readonly Strategy[] = [1, 2, 3]

interface Size {
  readonly nodeCount: number
  readonly tokens: number
  readonly partitions: number
}

const sizes: readonly Size[] = [
  { nodeCount: 1, tokens: 1, partitions: 1 },
  { nodeCount: 2, tokens: 1, partitions: 3 },
  { nodeCount: 5, tokens: 3, partitions: 16 },
  { nodeCount: 8, tokens: 32, partitions: 100 },
  { nodeCount: 30, tokens: 16, partitions: 256 },
  { nodeCount: 64, tokens: 2, partitions: 40 },
]

const make = (strategy: Strategy, size: Size, seed = 1): Partitioning =>
  partitioning(strategy, { ...size, nodes: nodesOf(size.nodeCount), copies: 3, random: seededRandom(seed) })

const rangesOf = ({ ranges }: Partitioning): number[] => Array.from({ length: ranges }, (_, range) => range)

/** A source that says what it is told. */
function told(values: readonly number[]): Random {
  const left = [...values]
  return () => (left.shift() as number) / hashes
}

describe.each(strategies)('strategy %i', (strategy) => {
  describe.each(sizes)('$nodeCount nodes, T = $tokens, Q = $partitions', (size) => {
    const found = make(strategy, size)

    test('every list names every node once', () => {
      for (const range of rangesOf(found)) {
        const list = found.preferenceList(range)
        expect([...list].sort((a, b) => a - b)).toEqual(nodesOf(size.nodeCount))
      }
    })

    test('the shares sum to 1', () => {
      const sum = rangesOf(found).reduce((total, range) => total + found.share(range), 0)
      expect(sum).toBeCloseTo(1, 9)
      for (const range of rangesOf(found)) expect(found.share(range)).toBeGreaterThan(0)
    })

    test('hashes fall into ranges as their shares say', () => {
      const draws = 200_000
      const counts = new Float64Array(found.ranges)
      const random = seededRandom(7)
      for (let i = 0; i < draws; i++) {
        const range = found.rangeOf(Math.floor(random() * hashes))
        counts[range] = (counts[range] as number) + 1
      }
      for (const range of rangesOf(found)) {
        const expected = found.share(range) * draws
        const off = Math.abs((counts[range] as number) - expected)
        expect(off, `range ${range}`).toBeLessThanOrEqual(6 * Math.sqrt(expected) + 6)
      }
    })

    test('the first and the last hash have a range', () => {
      for (const hash of [0, 1, hashes / 2, hashes - 1]) {
        expect(found.rangeOf(hash)).toBeGreaterThanOrEqual(0)
        expect(found.rangeOf(hash)).toBeLessThan(found.ranges)
      }
    })

    test('is the same for the same seed', () => {
      const again = make(strategy, size)
      for (const range of rangesOf(found)) {
        expect(again.preferenceList(range)).toEqual(found.preferenceList(range))
      }
      expect(again.metadataBytes).toBe(found.metadataBytes)
    })
  })

  test('a list for n copies is a prefix of the list for n + 1', () => {
    const of = (copies: number) =>
      partitioning(strategy, {
        nodes: nodesOf(8),
        copies,
        tokens: 4,
        partitions: 256,
        random: seededRandom(3),
      })
    // Strategy 3 is placed for its copies; with the owners given, the number asked for makes no difference.
    const lists = strategy === 3 ? byOwners(nodesOf(8), placeOwners(256, nodesOf(8), 3)) : of(3)
    for (let range = 0; range < lists.ranges; range++) {
      const list = lists.preferenceList(range)
      for (let copies = 1; copies < 8; copies++) {
        expect(list.slice(0, copies)).toEqual(list.slice(0, copies + 1).slice(0, -1))
      }
      if (strategy !== 3) expect(of(5).preferenceList(range)).toEqual(list)
    }
  })
})

describe('strategy 1', () => {
  // Tokens of node 1 at 100 and 300, of node 2 at 200 and 4000.
  const found = partitioning(1, { nodes: [1, 2], copies: 1, tokens: 2, random: told([100, 300, 200, 4000]) })

  test.each([
    [0, 0, 1],
    [100, 0, 1],
    [101, 1, 2],
    [200, 1, 2],
    [300, 2, 1],
    [301, 3, 2],
    [4000, 3, 2],
    [4001, 0, 1],
    [hashes - 1, 0, 1],
  ])('hash %i is in the range of token %i, which is of node %i', (hash, range, node) => {
    expect(found.rangeOf(hash)).toBe(range)
    expect(found.preferenceList(range)[0]).toBe(node)
  })

  test('the range over the wrap has what lies on both sides', () => {
    expect(found.share(0)).toBe((hashes - 4000 + 100) / hashes)
    expect(found.share(3)).toBe(3700 / hashes)
  })

  test('two tokens are never at one place', () => {
    const twice = partitioning(1, { nodes: [1, 2], copies: 1, tokens: 1, random: told([5, 5, 5, 6]) })
    expect([twice.rangeOf(5), twice.rangeOf(6)]).toEqual([0, 1])
  })
})

describe('strategy 2', () => {
  test('a partition goes to the first nodes from its end, over the wrap for the last', () => {
    const quarter = hashes / 4
    const at = [quarter, quarter * 2 + 1, quarter * 4 - 1]
    const found = partitioning(2, { nodes: [1, 2, 3], copies: 2, tokens: 1, partitions: 4, random: told(at) })
    expect(found.preferenceList(0)).toEqual([1, 2, 3])
    expect(found.preferenceList(1)).toEqual([2, 3, 1])
    expect(found.preferenceList(2)).toEqual([3, 1, 2])
    expect(found.preferenceList(3)).toEqual([1, 2, 3])
  })
})

describe('strategy 3', () => {
  test('is the ring that clusters run', () => {
    const nodes = nodesOf(7)
    const ring = createRing({ epoch: 1, partitions: 256, copies: 3, hash: 'md5', seed: [0, 0], nodes })
    const found = partitioning(3, { nodes, copies: 3, partitions: 256, random: seededRandom(1) })
    for (let partition = 0; partition < 256; partition++) {
      expect(found.preferenceList(partition)).toEqual(preferenceList(ring, partition))
    }
    const random = seededRandom(2)
    for (let i = 0; i < 1000; i++) {
      const hash = Math.floor(random() * hashes)
      expect(found.rangeOf(hash)).toBe(partitionOf(ring, hash))
    }
  })
})

test('what a strategy needs must be given', () => {
  const options = { nodes: [1, 2], copies: 1, random: seededRandom(1) }
  expect(() => partitioning(1, options)).toThrow('has tokens')
  expect(() => partitioning(2, { ...options, tokens: 1 })).toThrow('have a number')
  expect(() => partitioning(3, options)).toThrow('have a number')
  expect(() => partitioning(3, { ...options, nodes: [], partitions: 8 })).toThrow('has nodes')
})
