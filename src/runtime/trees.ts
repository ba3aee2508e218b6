// The trees of a node: what its objects are, as 64 bits a leaf, partition by partition (Dynamo 4.7). Every change
// comes through the turn, every batch through the journal, so they are kept up to date without reading anything
// again. A partition has a tree for each number of copies, because two replicas compare only what both shall have,
// and others for what is kept in memory only, because a later life will not find that.
//
// Invariants: a tree is the sum of all objects of its slot, in memory or store. `unflushed` has, for exactly the
// objects that the store holds otherwise than they are now, what it holds instead: so the trees without these
// differences are those of the store, which is what a later life begins with.
//
// What the trees cannot know (a row that could not be read was overwritten) makes a partition unsound: its
// rows are read again at the next start, and a comparison with a peer puts right what is live.

import { limits } from '../base/limits.js'
import type { Key, Millis, Partition } from '../base/units.js'
import { type Signature, sign, signAt } from '../merkle/signature.js'
import { leafOf, leavesOf, VersionTree } from '../merkle/tree.js'
import type { RowKey, Write } from '../storage/store.js'
import {
  changesRow,
  encodeLeaves,
  encodeMarker,
  type LeafChange,
  LeafChanges,
  leavesRow,
  treeMarkerRow,
  unsoundRow,
} from '../storage/tree-rows.js'
import { type Located, type Mode, modeAt, modeOf } from '../versions/object-codec.js'
import { Unflushed, unflushedWord as word } from './unflushed.js'

/** Changes in the rows of batches that start a checkpoint: read at a start, 14 bytes each. */
const changesMax = 128 * 1024
/** Rows of batches that do the same. */
const rowsMax = 16 * 1024
/** Marks the slot of what is kept in memory only. */
const volatileBit = 0x10_0000

export class Trees {
  readonly partitions: number
  readonly leaves: number
  private readonly trees: (VersionTree | undefined)[][] = []
  private readonly unflushed = new Unflushed()
  /** What the next batch changes in the store, beside the objects that it writes. */
  private readonly changes = new LeafChanges()
  private readonly unsound = new Set<Partition>()
  private readonly unsoundNew = new Set<Partition>()
  private changeRows: RowKey[] = []
  private changesSince = 0
  /** Slots that have changed in the store since the last checkpoint. */
  private readonly stale = new Set<number>()
  private hasMarker = false
  private rewriteAll = false
  private lastRow = 0
  /** What `touch` has read, so that nobody leaves its reading out. */
  touched = 0
  private readonly before: Signature = { high: 0, low: 0 }
  private readonly after: Signature = { high: 0, low: 0 }

  constructor(partitions: number) {
    this.partitions = partitions
    this.leaves = leavesOf(partitions)
  }

  leafOf(hash: number): number {
    return leafOf(hash, this.partitions, this.leaves)
  }

  partitionOf(hash: number): Partition {
    return Math.floor((hash * this.partitions) / 0x1_0000_0000)
  }

  private treeAt(slot: number): VersionTree {
    const row = slot >>> 16
    let trees = this.trees[row]
    if (trees === undefined) {
      trees = []
      this.trees[row] = trees
    }
    const known = trees[slot & 0xffff]
    if (known !== undefined) return known
    const tree = new VersionTree(this.leaves)
    trees[slot & 0xffff] = tree
    return tree
  }

  /** Of one partition, of objects that shall be on so many nodes at least, and at most. */
  private treesOf(
    partition: Partition,
    copiesMin: number,
    copiesMax: number = limits.copiesMax,
  ): VersionTree[] {
    const found: VersionTree[] = []
    this.trees.forEach((trees, row) => {
      const tree = trees[partition]
      const copies = (row & 0xf) + 1
      if (tree !== undefined && copies >= copiesMin && copies <= copiesMax) found.push(tree)
    })
    return found
  }

  /** What the node holds of a partition now, of objects that shall be on so many nodes at least. */
  tree(partition: Partition, copiesMin: number): VersionTree {
    const found = this.treesOf(partition, copiesMin)
    const [only] = found
    if (only !== undefined && found.length === 1) return only
    const sum = new VersionTree(this.leaves)
    for (const tree of found) {
      sum.add(tree.toWords())
      sum.changedAt = Math.max(sum.changedAt, tree.changedAt)
    }
    return sum
  }

  /** True when it holds any such object. */
  holds(partition: Partition, copiesMin: number, copiesMax: number): boolean {
    return this.treesOf(partition, copiesMin, copiesMax).some((tree) => !tree.isEmpty())
  }

  // -- changes ------------------------------------------------------------------------------------------

  /** An object is about to be `after` that was `before`; undefined: none. */
  changed(
    key: Key,
    hash: number,
    before: Located | undefined,
    after: Uint8Array | undefined,
    now: Millis,
  ): void {
    const was = before === undefined ? nothing : modeAt(before.bytes, before.start, before.end)
    const will = after === undefined ? nothing : modeOf(after)
    const partition = this.partitionOf(hash)
    const leaf = this.leafOf(hash)
    const old = this.before
    const fresh = this.after
    if (before === undefined) sign(undefined, hash, old)
    else signAt(before.bytes, before.start, before.end, hash, old)
    sign(after, hash, fresh)
    const slot = slotOf(partition, before === undefined ? will : was)
    const newSlot = slotOf(partition, after === undefined ? was : will)
    if (slot === newSlot) {
      this.toggle(slot, leaf, old.high ^ fresh.high, old.low ^ fresh.low, now)
    } else {
      this.toggle(slot, leaf, old.high, old.low, now)
      this.toggle(newSlot, leaf, fresh.high, fresh.low, now)
    }
    const { unflushed } = this
    let row = unflushed.size === 0 ? -1 : unflushed.find(key, hash)
    if (after === undefined) {
      // Its row is deleted with the next batch.
      if (row >= 0) {
        const { words } = unflushed
        const at = (of: number) => words[row + of] as number
        this.changes.add(at(word.slot), leaf, at(word.high), at(word.low))
        unflushed.remove(row)
      } else if (!was.volatile) this.changes.add(slot, leaf, old.high, old.low)
      return
    }
    if (row < 0) {
      if (will.volatile && (before === undefined || was.volatile)) return
      // Of what was kept in memory only the store has nothing; of what is from now on it keeps what it has.
      const { high, low } = was.volatile ? none : old
      row = unflushed.add(key, hash)
      unflushed.words[row + word.leaf] = leaf
      unflushed.words[row + word.slot] = was.volatile ? newSlot : slot
      unflushed.words[row + word.high] = high
      unflushed.words[row + word.low] = low
    }
    unflushed.words[row + word.newSlot] = newSlot
    unflushed.words[row + word.newHigh] = fresh.high
    unflushed.words[row + word.newLow] = fresh.low
  }

  /** Loads what changes of keys with these hashes will need, when they go where the last change went. */
  touch(hashes: Uint32Array, count: number): void {
    const trees = this.trees[this.lastRow]
    if (trees === undefined) return
    let seen = 0
    for (let i = 0; i < count; i++) {
      const hash = hashes[i] as number
      seen += (trees[this.partitionOf(hash)]?.peek(this.leafOf(hash)) ?? 0) + this.unflushed.peek(hash)
    }
    this.touched = seen
  }

  private toggle(slot: number, leaf: number, high: number, low: number, now: Millis): void {
    const tree = this.treeAt(slot)
    tree.toggle(leaf, high, low)
    tree.changedAt = now
    this.lastRow = slot >>> 16
  }

  /** What is in the store of this partition is not to be told by its trees any more. */
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
      const slot = slotOf(partition, { copies, volatile: false })
      const inMemory = this.trees[(slot | volatileBit) >>> 16]?.[partition]
      const stored = this.trees[slot >>> 16]?.[partition]
      if ((inMemory?.changedAt ?? -1) >= since || (stored?.changedAt ?? -1) >= since) continue
      const words = stored?.toWords()
      const others = inMemory?.toWords()
      const word = (at: number) => (words?.[at] ?? 0) ^ (others?.[at] ?? 0)
      for (const leaf of leaves ?? allLeaves(this.leaves)) {
        const sum = sums.get(sumKey(leaf, copies))
        const high = ((sum?.high ?? 0) ^ word(2 * leaf)) >>> 0
        const low = ((sum?.low ?? 0) ^ word(2 * leaf + 1)) >>> 0
        if (high === 0 && low === 0) continue
        corrected++
        this.treeAt(slot).toggle(leaf, high, low)
        this.changes.add(slot, leaf, high, low)
      }
    }
    return corrected
  }

  // -- the store ----------------------------------------------------------------------------------------

  /** The rows that belong into a batch with these objects, each as it is now. */
  rowsOf(sequence: number, flushed: readonly { readonly key: Key; readonly hash: number }[]): Write[] {
    const { changes } = this
    for (const { key, hash } of flushed) this.flushed(key, hash)
    const rows: Write[] = []
    if (!this.hasMarker) {
      this.hasMarker = true
      rows.push({ row: treeMarkerRow, value: encodeMarker(this.partitions, this.leaves) })
    }
    for (const partition of this.unsoundNew)
      rows.push({ row: unsoundRow(partition), value: new Uint8Array(1) })
    this.unsoundNew.clear()
    this.changesSince += changes.count
    changes.eachSlot((slot) => this.stale.add(slot))
    if (this.changesSince > changesMax || this.changeRows.length > rowsMax) this.checkpoint(rows)
    else if (changes.count > 0) {
      const row = changesRow(sequence)
      this.changeRows.push(row)
      rows.push({ row, value: changes.encoded() })
    }
    changes.clear()
    return rows
  }

  /** The store will hold this object as it is now. */
  private flushed(key: Key, hash: number): void {
    const { changes, unflushed } = this
    const row = unflushed.find(key, hash)
    if (row < 0) return this.doubt(this.partitionOf(hash))
    const { words } = unflushed
    const leaf = words[row + word.leaf] as number
    const slot = words[row + word.slot] as number
    const high = words[row + word.high] as number
    const low = words[row + word.low] as number
    const newSlot = words[row + word.newSlot] as number
    const newHigh = words[row + word.newHigh] as number
    const newLow = words[row + word.newLow] as number
    const target = newSlot & ~volatileBit
    if (slot === target) changes.add(slot, leaf, high ^ newHigh, low ^ newLow)
    else {
      changes.add(slot, leaf, high, low)
      changes.add(target, leaf, newHigh, newLow)
    }
    if (target === newSlot) return unflushed.remove(row)
    // Was written once more although it is kept in memory only from now on: it took the place of what was not.
    words[row + word.slot] = target
    words[row + word.high] = newHigh
    words[row + word.low] = newLow
  }

  /** All trees that changed, as the store is with this batch; the rows of single batches are not needed any more. */
  private checkpoint(rows: Write[]): void {
    for (const row of this.changeRows) rows.push({ row, value: undefined })
    this.changeRows = []
    this.changesSince = 0
    if (this.rewriteAll) for (const slot of this.slots()) this.stale.add(slot)
    this.rewriteAll = false
    for (const [slot, tree] of this.storedTrees(this.stale)) {
      rows.push({ row: leavesRow(slot), value: encodeLeaves(tree.toWords()) })
    }
    this.stale.clear()
  }

  /** All slots of what goes to the store. */
  private slots(): number[] {
    const found: number[] = []
    this.trees.forEach((trees, row) => {
      if (row >= volatileBit >>> 16) return
      trees.forEach((_tree, partition) => void found.push(row * 0x1_0000 + partition))
    })
    return found
  }

  /** The trees of what the store holds, or will with the batch that is being made. */
  storedTrees(slots: Iterable<number> = this.slots()): Map<number, VersionTree> {
    const found = new Map<number, VersionTree>()
    for (const slot of slots) {
      const tree = new VersionTree(this.leaves)
      tree.add(this.treeAt(slot).toWords())
      found.set(slot, tree)
    }
    const { unflushed } = this
    unflushed.each((row) => {
      const at = (of: number) => unflushed.words[row + of] as number
      found.get(at(word.slot))?.toggle(at(word.leaf), at(word.high), at(word.low))
      found.get(at(word.newSlot))?.toggle(at(word.leaf), at(word.newHigh), at(word.newLow))
    })
    return found
  }

  // -- a new life (trees-restore) -----------------------------------------------------------------------

  /** Leaves of a checkpoint. */
  restoreLeaves(slot: number, words: Uint32Array): void {
    this.treeAt(slot).add(words)
  }

  /** Changes of a batch after it. */
  restoreChanges(row: RowKey, changes: readonly LeafChange[]): void {
    this.changeRows.push(row)
    this.changesSince += changes.length
    for (const { slot, leaf, high, low } of changes) {
      this.treeAt(slot).toggle(leaf, high, low)
      this.stale.add(slot)
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
    this.treeAt(slotOf(this.partitionOf(hash), { ...modeOf(value), volatile: false })).toggle(
      this.leafOf(hash),
      high,
      low,
    )
  }

  /** An object in memory that is not in the store, or not as it is now; `row` is what the store has. */
  restoreMemory(key: Key, hash: number, value: Uint8Array, row: Uint8Array | undefined): void {
    this.changed(key, hash, row && { bytes: row, start: 0, end: row.length }, value, 0)
  }
}

/** Of no object. */
const nothing: Mode = { volatile: false, copies: 1 }
const none: Signature = { high: 0, low: 0 }

/** A partition, on how many nodes an object of it shall be, and whether it is kept in memory only. */
function slotOf(partition: Partition, { copies, volatile }: Mode): number {
  return ((copies - 1) << 16) | partition | (volatile ? volatileBit : 0)
}

/** A leaf of one of the trees of a partition. */
export function sumKey(leaf: number, copies: number): number {
  return leaf * limits.copiesMax + copies - 1
}

function allLeaves(count: number): Iterable<number> {
  return Array.from({ length: count }, (_, leaf) => leaf)
}
