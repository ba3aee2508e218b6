// The trees of a node: what its objects are, as 64 bits a leaf, partition by partition (Dynamo 4.7). Two of
// each: `live` is what the node would answer now, `stored` what is in its store, which is what a later life
// begins with. Every change comes through the turn, every batch through the journal, so both are kept up to
// date without reading anything again.
//
// Invariants: live = all objects of the slot, in memory or store; stored = all rows of the store after
// the last batch. `bases` has the signature that the store holds for exactly the objects that are unflushed.
//
// What the trees cannot know (a row that could not be read was overwritten) makes a partition unsound: its
// rows are read again at the next start, and a comparison with a peer puts right what is live.

import { limits } from '../base/limits.js'
import type { Key, Millis, Partition } from '../base/units.js'
import { type Signature, sign } from '../merkle/signature.js'
import { leafOf, leavesOf, VersionTree } from '../merkle/tree.js'
import type { RowKey, Write } from '../storage/store.js'
import {
  changesRow,
  encodeChanges,
  encodeLeaves,
  encodeMarker,
  type LeafChange,
  leavesRow,
  treeMarkerRow,
  unsoundRow,
} from '../storage/tree-rows.js'
import { modeOf } from '../versions/object-codec.js'

/** Changes in the rows of batches that start a checkpoint: read at a start, 12 bytes each. */
const changesMax = 128 * 1024
/** Rows of batches that do the same. */
const rowsMax = 16 * 1024

export interface FlushedObject {
  readonly key: Key
  readonly hash: number
  readonly value: Uint8Array
}

export class Trees {
  readonly partitions: number
  readonly leaves: number
  /** By slot: a partition, and on how many nodes its objects shall be. */
  private readonly live = new Map<number, VersionTree>()
  private readonly stored = new Map<number, VersionTree>()
  private readonly bases = new Map<Key, Signature & { readonly slot: number }>()
  /** Changes that no written object stands for: deletions since the last batch. */
  private changes: LeafChange[] = []
  private readonly unsound = new Set<Partition>()
  private readonly unsoundNew = new Set<Partition>()
  private changeRows: RowKey[] = []
  private changesSince = 0
  private hasMarker = false
  private rewriteAll = false
  private readonly before: Signature = { high: 0, low: 0 }
  private readonly after: Signature = { high: 0, low: 0 }

  constructor(partitions: number) {
    this.partitions = partitions
    this.leaves = leavesOf(partitions)
  }

  /** What the node holds of a partition now, of objects that shall be on so many nodes at least. */
  tree(partition: Partition, copiesMin: number): VersionTree {
    const trees = this.treesOf(partition, copiesMin)
    const [only] = trees
    if (only !== undefined && trees.length === 1) return only
    const sum = new VersionTree(this.leaves)
    for (const tree of trees) {
      sum.add(tree.toWords())
      sum.changedAt = Math.max(sum.changedAt, tree.changedAt)
    }
    return sum
  }

  /** True when any of them is not empty. */
  holds(partition: Partition, copiesMin: number): boolean {
    return this.treesOf(partition, copiesMin).some((tree) => !tree.isEmpty())
  }

  private treesOf(partition: Partition, copiesMin: number): VersionTree[] {
    const trees: VersionTree[] = []
    for (let copies = copiesMin; copies <= limits.copiesMax; copies++) {
      const tree = this.live.get(slotOf(partition, copies))
      if (tree !== undefined) trees.push(tree)
    }
    return trees
  }

  leafOf(hash: number): number {
    return leafOf(hash, this.partitions, this.leaves)
  }

  partitionOf(hash: number): Partition {
    return Math.floor((hash * this.partitions) / 0x1_0000_0000)
  }

  private treeIn(trees: Map<number, VersionTree>, slot: number): VersionTree {
    let tree = trees.get(slot)
    if (tree === undefined) {
      tree = new VersionTree(this.leaves)
      trees.set(slot, tree)
    }
    return tree
  }

  // -- changes ------------------------------------------------------------------------------------------

  /** An object is about to be `after` that was `before`; undefined: none. */
  changed(
    key: Key,
    hash: number,
    before: Uint8Array | undefined,
    after: Uint8Array | undefined,
    now: Millis,
  ): void {
    const was = before && modeOf(before)
    const will = after && modeOf(after)
    const partition = this.partitionOf(hash)
    const leaf = this.leafOf(hash)
    sign(before, hash, this.before)
    sign(after, hash, this.after)
    if (was !== undefined) this.toggleLive(slotOf(partition, was.copies), leaf, this.before, now)
    if (will !== undefined) this.toggleLive(slotOf(partition, will.copies), leaf, this.after, now)
    const wasStored = was !== undefined && !was.volatile
    const slot = slotOf(partition, was?.copies ?? 1)
    if (will !== undefined && !will.volatile && !this.bases.has(key)) {
      // What the store has of an object that was kept in memory only until now, nobody knows.
      if (was?.volatile === true) this.doubt(partition)
      this.bases.set(key, { slot, high: this.before.high, low: this.before.low })
    }
    if (will === undefined && wasStored) {
      // Its row is deleted with the next batch.
      const base = this.bases.get(key) ?? { slot, ...this.before }
      this.bases.delete(key)
      push(this.changes, base.slot, leaf, base.high, base.low)
    }
  }

  private toggleLive(slot: number, leaf: number, { high, low }: Signature, now: Millis): void {
    const tree = this.treeIn(this.live, slot)
    tree.toggle(leaf, high, low)
    tree.changedAt = now
  }

  /** The stored tree of this partition is not to be trusted any more. */
  doubt(partition: Partition): void {
    if (this.unsound.has(partition)) return
    this.unsound.add(partition)
    this.unsoundNew.add(partition)
  }

  /**
   * A listing that was begun at `since` has shown what is in these leaves (undefined: in all): `sums` by leaf and
   * copies (`sumKey`). Trees that were not changed meanwhile are put right; answers how many leaves.
   */
  correct(
    partition: Partition,
    copiesMin: number,
    leaves: readonly number[] | undefined,
    sums: ReadonlyMap<number, Signature>,
    since: Millis,
  ): number {
    let corrected = 0
    for (let copies = copiesMin; copies <= limits.copiesMax; copies++) {
      const slot = slotOf(partition, copies)
      const tree = this.live.get(slot)
      if (tree !== undefined && tree.changedAt >= since) continue
      const words = tree?.toWords()
      for (const leaf of leaves ?? allLeaves(this.leaves)) {
        const sum = sums.get(sumKey(leaf, copies))
        const high = ((sum?.high ?? 0) ^ (words?.[2 * leaf] ?? 0)) >>> 0
        const low = ((sum?.low ?? 0) ^ (words?.[2 * leaf + 1] ?? 0)) >>> 0
        if (high === 0 && low === 0) continue
        corrected++
        this.treeIn(this.live, slot).toggle(leaf, high, low)
        push(this.changes, slot, leaf, high, low)
      }
    }
    return corrected
  }

  // -- the store ----------------------------------------------------------------------------------------

  /** The rows that belong into a batch with these objects. */
  rowsOf(sequence: number, flushed: readonly FlushedObject[]): Write[] {
    const { changes } = this
    this.changes = []
    for (const { key, hash, value } of flushed) {
      const partition = this.partitionOf(hash)
      const base = this.bases.get(key)
      this.bases.delete(key)
      if (base === undefined) {
        this.doubt(partition)
        continue
      }
      sign(value, hash, this.after)
      const { high, low } = this.after
      const slot = slotOf(partition, modeOf(value).copies)
      const leaf = this.leafOf(hash)
      if (slot === base.slot) {
        push(changes, slot, leaf, base.high ^ high, base.low ^ low)
      } else {
        push(changes, base.slot, leaf, base.high, base.low)
        push(changes, slot, leaf, high, low)
      }
    }
    for (const { slot, leaf, high, low } of changes) this.treeIn(this.stored, slot).toggle(leaf, high, low)
    const rows: Write[] = []
    if (!this.hasMarker) {
      this.hasMarker = true
      rows.push({ row: treeMarkerRow, value: encodeMarker(this.partitions, this.leaves) })
    }
    for (const partition of this.unsoundNew)
      rows.push({ row: unsoundRow(partition), value: new Uint8Array(1) })
    this.unsoundNew.clear()
    this.changesSince += changes.length
    if (this.changesSince > changesMax || this.changeRows.length > rowsMax) this.checkpoint(rows)
    else if (changes.length > 0) {
      const row = changesRow(sequence)
      this.changeRows.push(row)
      rows.push({ row, value: encodeChanges(changes) })
    }
    return rows
  }

  /** All trees that changed, as they are with this batch; the rows of single batches are not needed any more. */
  private checkpoint(rows: Write[]): void {
    for (const row of this.changeRows) rows.push({ row, value: undefined })
    this.changeRows = []
    this.changesSince = 0
    for (const [slot, tree] of this.stored) {
      if (!(tree.isDirty || this.rewriteAll)) continue
      tree.isDirty = false
      rows.push({ row: leavesRow(slot), value: encodeLeaves(tree.toWords()) })
    }
    this.rewriteAll = false
  }

  // -- a new life (trees-restore) -----------------------------------------------------------------------

  /** Leaves of a checkpoint. */
  restoreLeaves(slot: number, words: Uint32Array): void {
    const stored = this.treeIn(this.stored, slot)
    stored.add(words)
    stored.isDirty = false
    this.treeIn(this.live, slot).add(words)
  }

  /** Changes of a batch after it. */
  restoreChanges(row: RowKey, changes: readonly LeafChange[]): void {
    this.changeRows.push(row)
    this.changesSince += changes.length
    for (const { slot, leaf, high, low } of changes) {
      this.treeIn(this.stored, slot).toggle(leaf, high, low)
      this.treeIn(this.live, slot).toggle(leaf, high, low)
    }
  }

  /** The rows of a checkpoint were there and whole. */
  restored(): void {
    this.hasMarker = true
  }

  /** What is kept of the trees is written anew with the first batch, and these rows go. */
  rewrite(rows: readonly RowKey[]): void {
    this.changeRows = [...rows]
    this.changesSince = Number.POSITIVE_INFINITY
    this.rewriteAll = true
  }

  /** A row of the store, read because no tree of it was kept. */
  restoreRow(hash: number, value: Uint8Array): void {
    sign(value, hash, this.after)
    const { high, low } = this.after
    const slot = slotOf(this.partitionOf(hash), modeOf(value).copies)
    this.treeIn(this.stored, slot).toggle(this.leafOf(hash), high, low)
    this.treeIn(this.live, slot).toggle(this.leafOf(hash), high, low)
  }

  /** An object in memory that is not in the store, or not as it is now; `row` is what the store has. */
  restoreMemory(key: Key, hash: number, value: Uint8Array, row: Uint8Array | undefined): void {
    this.changed(key, hash, row, value, 0)
  }
}

/** A partition, and on how many nodes an object of it shall be. */
function slotOf(partition: Partition, copies: number): number {
  return (copies - 1) * 0x1_0000 + partition
}

/** A leaf of one of the trees of a partition. */
export function sumKey(leaf: number, copies: number): number {
  return leaf * limits.copiesMax + copies - 1
}

function allLeaves(count: number): Iterable<number> {
  return Array.from({ length: count }, (_, leaf) => leaf)
}

function push(changes: LeafChange[], slot: number, leaf: number, high: number, low: number): void {
  if (high !== 0 || low !== 0) changes.push({ slot, leaf, high: high >>> 0, low: low >>> 0 })
}
