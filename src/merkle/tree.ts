// A summary of a partition that two replicas can compare without listing it: a tree of hashes over the
// versions of its objects (Dynamo 4.7). A leaf stands for a range of the key hash; a node is the exclusive or
// of what is under it, so a write changes one path by one difference and nothing is read again.
//
// Invariants: every node is the exclusive or of its children, the root of all signatures; which objects were
// added in which order does not matter; adding one twice takes it out again.
//
// Left to others: what a signature is (signature.ts), where the bytes are kept (runtime/trees).

import { assert } from '../base/assert.js'
import type { Millis } from '../base/units.js'

/** Children of a node. Two levels of them are 1,024 leaves: 8 KiB, and about one message each to compare. */
export const fanOut = 32
const fanOutBits = 5
/** Leaves of a tree, unless a ring has so many partitions that their trees would fill the memory. */
const leavesMax = fanOut * fanOut
/** All leaves of a node's trees together. */
const leavesOfNodeMax = 1 << 20

/** How many leaves the tree of one partition has, of a ring of this many: 32 or 1,024. */
export function leavesOf(partitions: number): number {
  return partitions * leavesMax <= leavesOfNodeMax ? leavesMax : fanOut
}

/** The leaf of a key hash: equal ranges of what its partition covers, in hash order. */
export function leafOf(keyHash: number, partitions: number, leaves: number): number {
  const position = (keyHash * partitions) / 0x1_0000_0000
  return Math.floor((position - Math.floor(position)) * leaves)
}

/** Levels below the root: a tree of 32 leaves has 1, of 1,024 has 2. */
export function depthOf(leaves: number): number {
  return leaves === fanOut ? 1 : 2
}

export class VersionTree {
  readonly leaves: number
  readonly depth: number
  /** Root, then each level in order, two words a node. */
  private readonly words: Uint32Array
  /** Where each level begins, in nodes. */
  private readonly starts: readonly number[]
  /** When it was last changed, by the clock of whoever changes it. */
  changedAt: Millis = 0

  constructor(leaves: number) {
    assert(leaves === fanOut || leaves === leavesMax, 'a tree has one or two levels of leaves')
    this.leaves = leaves
    this.depth = depthOf(leaves)
    this.starts = this.depth === 1 ? [0, 1] : [0, 1, 1 + fanOut]
    this.words = new Uint32Array(2 * (1 + (this.depth === 1 ? 0 : fanOut) + leaves))
  }

  /** Adds what was not in it, takes out what was: (high, low) is a signature, or the difference of two. */
  toggle(leaf: number, high: number, low: number): void {
    const { words, starts } = this
    let at = leaf
    for (let level = this.depth; level >= 0; level--) {
      const word = 2 * ((starts[level] as number) + at)
      words[word] = (words[word] as number) ^ high
      words[word + 1] = (words[word + 1] as number) ^ low
      at >>>= fanOutBits
    }
  }

  /** One word of a leaf. */
  peek(leaf: number): number {
    return this.words[2 * ((this.starts[this.depth] as number) + leaf)] as number
  }

  /** The nodes of a level as words, two each; those under `parent` of the level above, or all of it. */
  hashes(level: number, parent: number): Uint32Array {
    if (level === 0) return this.words.slice(0, 2)
    const from = (this.starts[level] as number) + parent * fanOut
    return this.words.slice(2 * from, 2 * (from + fanOut))
  }

  isEmpty(): boolean {
    return this.words[0] === 0 && this.words[1] === 0
  }

  /** The leaves, two words each; a copy. The rest follows from them. */
  toWords(): Uint32Array {
    return this.words.slice(2 * (this.starts[this.depth] as number))
  }

  /** Adds the leaves of another tree of the same size: the tree of both sets of objects. */
  add(leafWords: Uint32Array): void {
    for (let leaf = 0; leaf < this.leaves; leaf++) {
      const high = leafWords[2 * leaf] as number
      const low = leafWords[2 * leaf + 1] as number
      if (high !== 0 || low !== 0) this.toggle(leaf, high, low)
    }
  }
}

/** The children, as indexes of their level, in which two answers to `hashes` differ. */
export function differing(mine: Uint32Array, theirs: Uint32Array, parent: number): number[] {
  const found: number[] = []
  for (let child = 0; 2 * child < mine.length; child++) {
    const isSame = mine[2 * child] === theirs[2 * child] && mine[2 * child + 1] === theirs[2 * child + 1]
    if (!isSame) found.push(parent * fanOut + child)
  }
  return found
}
