// Laws of the ring (Dynamo 4.2, 4.3), for any ring.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { placeOwners, violations } from '../../src/ring/placement.js'
import { preferenceList } from '../../src/ring/preference.js'
import { createRing, partitionOf, type Ring, ringFromJson, ringToJson } from '../../src/ring/ring.js'

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const nodeSet = fc.uniqueArray(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 64 })

/** A ring as the cluster makes it. */
const planned = fc
  .record({ nodes: nodeSet, partitions: fc.integer({ min: 1, max: 2000 }), seed: fc.tuple(u32, u32) })
  .chain(({ nodes, partitions, seed }) =>
    fc
      .integer({ min: 1, max: Math.min(16, nodes.length) })
      .map((copies) => createRing({ epoch: 1, partitions, copies, hash: 'halfsip', seed, nodes })),
  )

/** A ring with owners in any order, as a change of members may leave it. */
const arbitrary = fc
  .record({ nodes: nodeSet, picks: fc.array(fc.nat(1000), { minLength: 1, maxLength: 300 }) })
  .map(({ nodes, picks }) => {
    const sorted = [...nodes].sort((a, b) => a - b)
    const owners = picks.map((pick) => sorted[pick % sorted.length] as number)
    return ringFromJson({
      epoch: 1,
      partitions: owners.length,
      copies: 1,
      hash: 'md5',
      seed: [0, 0],
      nodes: sorted,
      owners,
    })
  })

const anyRing = fc.oneof(planned, arbitrary)

/** Slow and obvious: walks the ring once, then adds who was not met. */
function walk(ring: Ring, partition: number): number[] {
  const seen = new Set<number>()
  for (let i = 0; i < ring.partitions; i++) {
    seen.add(ring.owners[(partition + i) % ring.partitions] as number)
  }
  for (const node of ring.nodes) seen.add(node)
  return [...seen]
}

describe('the preference list', () => {
  test('is what a walk around the ring meets', () => {
    fc.assert(
      fc.property(anyRing, fc.nat(), (ring, pick) => {
        const partition = pick % ring.partitions
        expect(preferenceList(ring, partition)).toEqual(walk(ring, partition))
      }),
    )
  })

  test('names every node once, the owner first', () => {
    fc.assert(
      fc.property(anyRing, (ring) => {
        for (let partition = 0; partition < ring.partitions; partition++) {
          const list = preferenceList(ring, partition)
          expect(list[0]).toBe(ring.owners[partition])
          expect(list).toHaveLength(ring.nodes.length)
          expect(new Set(list)).toEqual(new Set(ring.nodes))
        }
      }),
      { numRuns: 30 },
    )
  })

  test('for n copies is a prefix of the list for n + 1: the ring of more copies with equal owners agrees', () => {
    fc.assert(
      fc.property(planned, (ring) => {
        fc.pre(ring.copies < Math.min(16, ring.nodes.length))
        const more = ringFromJson({ ...ringToJson(ring), copies: ring.copies + 1 })
        for (let partition = 0; partition < ring.partitions; partition++) {
          const primaries = preferenceList(ring, partition).slice(0, ring.copies)
          expect(preferenceList(more, partition).slice(0, ring.copies)).toEqual(primaries)
        }
      }),
      { numRuns: 30 },
    )
  })

  test('is the same on every thread: a ring that was cloned or read from JSON gives the same lists', () => {
    fc.assert(
      fc.property(anyRing, fc.nat(), (ring, pick) => {
        const partition = pick % ring.partitions
        const read = ringFromJson(JSON.parse(JSON.stringify(ringToJson(ring))))
        expect(preferenceList(structuredClone(ring), partition)).toEqual(preferenceList(ring, partition))
        expect(preferenceList(read, partition)).toEqual(preferenceList(ring, partition))
      }),
      { numRuns: 50 },
    )
  })

  test('makes every node a primary of its share, within n partitions', () => {
    fc.assert(
      fc.property(planned, (ring) => {
        fc.pre(ring.partitions >= ring.nodes.length)
        const primaryOf = new Map<number, number>()
        for (let partition = 0; partition < ring.partitions; partition++) {
          for (const node of preferenceList(ring, partition).slice(0, ring.copies)) {
            primaryOf.set(node, (primaryOf.get(node) ?? 0) + 1)
          }
        }
        const mean = (ring.partitions * ring.copies) / ring.nodes.length
        for (const node of ring.nodes) {
          expect(Math.abs((primaryOf.get(node) ?? 0) - mean)).toBeLessThanOrEqual(ring.copies)
        }
      }),
      { numRuns: 60 },
    )
  })
})

describe('partitions', () => {
  test('cover the hashes from first to last in ranges of equal size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 65_536 }), (partitions) => {
        const ring = createRing({ epoch: 1, partitions, copies: 1, hash: 'md5', seed: [0, 0], nodes: [1] })
        const firstOf = (partition: number): number =>
          Number((BigInt(partition) * 2n ** 32n + BigInt(partitions) - 1n) / BigInt(partitions))
        const size = 2 ** 32 / partitions
        for (let partition = 0; partition < partitions; partition++) {
          const first = firstOf(partition)
          const end = firstOf(partition + 1)
          const found = [partitionOf(ring, first), partitionOf(ring, end - 1)]
          // One comparison for each partition: expect() itself is slow.
          if (found[0] !== partition || found[1] !== partition || Math.abs(end - first - size) >= 1) {
            expect.fail(`Q=${partitions}: ${first} to ${end} should be ${partition}, are in ${found}`)
          }
        }
        expect(firstOf(partitions)).toBe(2 ** 32)
      }),
      { numRuns: 20 },
    )
  })
})

describe('a plan of owners', () => {
  const size = fc.record({
    partitions: fc.oneof(fc.constantFrom(256, 1024, 4096, 65_536), fc.integer({ min: 1, max: 65_536 })),
    nodeCount: fc.integer({ min: 1, max: 64 }),
    copies: fc.integer({ min: 1, max: 16 }),
  })

  test('is balanced within one, and clean exactly when no node has more partitions than fit apart', () => {
    fc.assert(
      fc.property(size, ({ partitions, nodeCount, copies }) => {
        const nodes = Array.from({ length: nodeCount }, (_, i) => 64 - i)
        const owners = placeOwners(partitions, nodes, copies)
        const counts = new Map(nodes.map((node) => [node, 0]))
        for (const owner of owners) counts.set(owner, (counts.get(owner) as number) + 1)
        const largest = Math.max(...counts.values())
        expect(counts.size).toBe(nodeCount)
        expect(largest - Math.min(...counts.values())).toBeLessThanOrEqual(1)

        const span = Math.min(copies, nodeCount, partitions)
        expect(violations(owners, copies) === 0).toBe(largest * span <= partitions)
      }),
      { numRuns: 200 },
    )
  })

  test('is clean with more nodes than copies, once a node owns copies - 1 partitions or more', () => {
    fc.assert(
      fc.property(size, ({ partitions, nodeCount, copies }) => {
        fc.pre(nodeCount > copies && partitions >= nodeCount * (copies - 1))
        const nodes = Array.from({ length: nodeCount }, (_, i) => i + 1)
        expect(violations(placeOwners(partitions, nodes, copies), copies)).toBe(0)
      }),
      { numRuns: 200 },
    )
  })
})
