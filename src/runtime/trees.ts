// The trees of a node: what its objects are, as 64 bits a leaf, partition by partition (Dynamo 4.7). Two of
// each: `live` is what the node would answer now, `stored` what is in its store, which is what a later life
// begins with. Every change comes through the turn, every batch through the journal, so both are kept up to
// date without reading anything again.
//
// Invariants: live = all objects of the partition, in memory or store; stored = all rows of the store after
// the last batch. `bases` has the signature that the store holds for exactly the objects that are unflushed.
//
// What the trees cannot know (a row that could not be read was overwritten) makes a partition unsound: its
// rows are read again at the next start, and a comparison with a peer puts right what is live.

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
  private readonly live: (VersionTree | undefined)[] = []
  private readonly stored: (VersionTree | undefined)[] = []
  private readonly bases = new Map<Key, Signature>()
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

  /** What the node holds of a partition now. */
  tree(partition: Partition): VersionTree {
    return this.treeIn(this.live, partition)
  }

  leafOf(hash: number): number {
    return leafOf(hash, this.partitions, this.leaves)
  }

  partitionOf(hash: number): Partition {
    return Math.floor((hash * this.partitions) / 0x1_0000_0000)
  }

  private treeIn(trees: (VersionTree | undefined)[], partition: Partition): VersionTree {
    let tree = trees[partition]
    if (tree === undefined) {
      tree = new VersionTree(this.leaves)
      trees[partition] = tree
    }
    return tree
  }

  // -- changes ------------------------------------------------------------------------------------------

  /**
   * An object is about to be `after` that was `before` (undefined: none). `isStored` says whether it goes to
   * the store, `wasStored` whether what was before had.
   */
  changed(
    key: Key,
    hash: number,
    before: Uint8Array | undefined,
    wasStored: boolean,
    after: Uint8Array | undefined,
    isStored: boolean,
    now: Millis,
  ): void {
    const partition = this.partitionOf(hash)
    const leaf = this.leafOf(hash)
    sign(before, hash, this.before)
    sign(after, hash, this.after)
    const tree = this.treeIn(this.live, partition)
    tree.toggle(leaf, this.before.high ^ this.after.high, this.before.low ^ this.after.low)
    tree.changedAt = now
    if (isStored && !this.bases.has(key)) {
      // What the store has of an object that was kept in memory only until now, nobody knows.
      if (!wasStored && before !== undefined) this.doubt(partition)
      this.bases.set(key, { high: this.before.high, low: this.before.low })
    }
    if (after === undefined && wasStored) this.forgotten(key, partition, leaf)
  }

  /** Its row is deleted with the next batch. */
  private forgotten(key: Key, partition: Partition, leaf: number): void {
    const { high, low } = this.bases.get(key) ?? this.before
    this.bases.delete(key)
    this.changes.push({ partition, leaf, high, low })
  }

  /** The stored tree of this partition is not to be trusted any more. */
  doubt(partition: Partition): void {
    if (this.unsound.has(partition)) return
    this.unsound.add(partition)
    this.unsoundNew.add(partition)
  }

  /** A listing has shown that a leaf is not the sum of what is in it: by this difference. */
  correct(partition: Partition, leaf: number, high: number, low: number): void {
    this.treeIn(this.live, partition).toggle(leaf, high, low)
    this.changes.push({ partition, leaf, high: high >>> 0, low: low >>> 0 })
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
      const high = (base.high ^ this.after.high) >>> 0
      const low = (base.low ^ this.after.low) >>> 0
      if (high !== 0 || low !== 0) changes.push({ partition, leaf: this.leafOf(hash), high, low })
    }
    for (const { partition, leaf, high, low } of changes)
      this.treeIn(this.stored, partition).toggle(leaf, high, low)
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
    this.stored.forEach((tree, partition) => {
      if (tree === undefined || !(tree.isDirty || this.rewriteAll)) return
      tree.isDirty = false
      rows.push({ row: leavesRow(partition), value: encodeLeaves(tree.toWords()) })
    })
    this.rewriteAll = false
  }

  // -- a new life (trees-restore) -----------------------------------------------------------------------

  /** Leaves of a checkpoint. */
  restoreLeaves(partition: Partition, words: Uint32Array): void {
    const stored = this.treeIn(this.stored, partition)
    stored.add(words)
    stored.isDirty = false
    this.treeIn(this.live, partition).add(words)
  }

  /** Changes of a batch after it. */
  restoreChanges(row: string, changes: readonly LeafChange[]): void {
    this.changeRows.push(row)
    this.changesSince += changes.length
    for (const { partition, leaf, high, low } of changes) {
      this.treeIn(this.stored, partition).toggle(leaf, high, low)
      this.treeIn(this.live, partition).toggle(leaf, high, low)
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
    const partition = this.partitionOf(hash)
    const { high, low } = this.after
    this.treeIn(this.stored, partition).toggle(this.leafOf(hash), high, low)
    this.treeIn(this.live, partition).toggle(this.leafOf(hash), high, low)
  }

  /** An object in memory that is not in the store, or not as it is now; `row` is what the store has. */
  restoreMemory(
    key: Key,
    hash: number,
    value: Uint8Array,
    row: Uint8Array | undefined,
    isStored: boolean,
  ): void {
    this.changed(key, hash, row, true, value, isStored, 0)
  }
}
