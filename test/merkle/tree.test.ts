// The laws of a tree of versions: it knows what it holds and not how it came to hold it.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Signature, sign } from '../../src/merkle/signature.js'
import { depthOf, differing, fanOut, leafOf, leavesOf, VersionTree } from '../../src/merkle/tree.js'

interface Change {
  readonly leaf: number
  readonly high: number
  readonly low: number
}

const word = fc.integer({ min: 0, max: 0xffff_ffff })
const changes = fc.array(fc.record({ leaf: fc.nat(1023), high: word, low: word }), { maxLength: 60 })

function treeOf(all: readonly Change[], leaves = 1024): VersionTree {
  const tree = new VersionTree(leaves)
  for (const { leaf, high, low } of all) tree.toggle(leaf % leaves, high, low)
  return tree
}

/** The leaves in which two trees differ, by asking level by level as replicas do. */
function leavesThatDiffer(a: VersionTree, b: VersionTree): number[] {
  let found = differing(a.hashes(0, 0), b.hashes(0, 0), 0)
  for (let level = 1; level <= a.depth; level++) {
    found = found.flatMap((parent) => differing(a.hashes(level, parent), b.hashes(level, parent), parent))
  }
  return found
}

describe('a tree of versions', () => {
  it('does not depend on the order of changes', () => {
    fc.assert(
      fc.property(changes, fc.infiniteStream(fc.nat()), (all, order) => {
        const other = [...all].sort(() => ((order.next().value as number) % 2 === 0 ? 1 : -1))
        expect(treeOf(other).toWords()).toEqual(treeOf(all).toWords())
        expect(treeOf(other).hashes(0, 0)).toEqual(treeOf(all).hashes(0, 0))
      }),
    )
  })

  it('forgets what was taken out again', () => {
    fc.assert(
      fc.property(changes, (all) => {
        const tree = treeOf([...all, ...all])
        expect(tree.isEmpty()).toBe(true)
        expect(tree.toWords().every((each) => each === 0)).toBe(true)
      }),
    )
  })

  it('comes back from its leaves, and two of them make the tree of both', () => {
    fc.assert(
      fc.property(changes, changes, (some, more) => {
        const both = new VersionTree(1024)
        both.add(treeOf(some).toWords())
        both.add(treeOf(more).toWords())
        expect(leavesThatDiffer(both, treeOf([...some, ...more]))).toEqual([])
        expect(both.hashes(0, 0)).toEqual(treeOf([...some, ...more]).hashes(0, 0))
      }),
    )
  })

  it.each([32, 1024])('of %i leaves shows exactly the leaves that differ', (leaves) => {
    fc.assert(
      fc.property(changes, changes, (shared, more) => {
        const a = treeOf(shared, leaves)
        const b = treeOf([...shared, ...more], leaves)
        const sums = treeOf(more, leaves).toWords()
        const expected = Array.from({ length: leaves }, (_, leaf) => leaf).filter(
          (leaf) => sums[2 * leaf] !== 0 || sums[2 * leaf + 1] !== 0,
        )
        expect(leavesThatDiffer(a, b)).toEqual(expected)
      }),
    )
  })

  it('has its leaves in hash order, each as large as the next', () => {
    for (const partitions of [1, 16, 100, 256, 65_536]) {
      const leaves = leavesOf(partitions)
      expect(depthOf(leaves)).toBe(leaves === fanOut ? 1 : 2)
      const size = 0x1_0000_0000 / partitions / leaves
      for (const partition of [0, 1, partitions - 1]) {
        for (const leaf of [0, 1, leaves - 1]) {
          const begins = Math.ceil((partition % partitions) * (0x1_0000_0000 / partitions) + leaf * size)
          expect(leafOf(Math.min(0xffff_ffff, begins), partitions, leaves)).toBe(leaf)
        }
      }
    }
  })

  it('takes at most 8 MiB a node, however many partitions there are', () => {
    for (const partitions of [1, 256, 1024, 1025, 65_536]) {
      expect(partitions * leavesOf(partitions) * 8).toBeLessThanOrEqual(16 * 1024 * 1024)
    }
  })
})

describe('a signature', () => {
  const signatureOf = (bytes: Uint8Array | undefined, hash: number): Signature => {
    const signature = { high: 0, low: 0 }
    sign(bytes, hash, signature)
    return signature
  }

  it('is nothing only for nothing', () => {
    expect(signatureOf(undefined, 5)).toEqual({ high: 0, low: 0 })
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 64 }), word, (bytes, hash) => {
        const { high, low } = signatureOf(bytes, hash)
        expect(high !== 0 || low !== 0).toBe(true)
      }),
    )
  })

  it('differs where the stamp, the checksum, the length or the key does', () => {
    const seen = new Set<string>()
    const base = Buffer.alloc(40, 7)
    const variants: [Buffer, number][] = [
      [base, 1],
      [base, 2],
      [base.subarray(0, 39), 1],
    ]
    for (const at of [4, 8, 11, 36, 39]) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = Buffer.from(base)
        changed[at] = (changed[at] as number) ^ (1 << bit)
        variants.push([changed, 1])
      }
    }
    for (const [bytes, hash] of variants) {
      const { high, low } = signatureOf(bytes, hash)
      expect(seen.has(`${high}:${low}`)).toBe(false)
      seen.add(`${high}:${low}`)
    }
  })
})
