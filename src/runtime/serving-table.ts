// What must be true of a replica before it may be read from shared memory without asking it: that its node holds
// the partition in this life, as a full replica, by the ring that the reader knows; and that nobody keeps a write
// for it that it lacks (Dynamo 4.6). Written by the nodes, before what they do because of it can be heard of;
// read by every thread. docs/decisions/shared-reads.md has the argument.
//
//   epoch, changes | by owner: who keeps something for it, a bit a node | by node: a mark a partition
//
// Invariants: a mark is there only while the vnode could answer a read by itself; a bit is there from before the
// write that it stands for is acknowledged until after its owner has that write.

import { limits } from '../base/limits.js'
import type { NodeId, Partition } from '../base/units.js'

const epochWord = 0
const changesWord = 1
const headerWords = 16
/** Keepers are nodes 1 to 64: two words of bits for each owner, and a row 0 for owners that have left. */
const wordsPerOwner = 2
const marksWord = headerWords + (1 + limits.nodesMax) * wordsPerOwner + 14
const wordBits = 32

function rowWords(partitions: number): number {
  // Each node writes to cache lines of its own.
  return Math.ceil(partitions / 16) * 16
}

/** Pages are touched when they are used: most of this is never resident. */
export function createServingTable(partitions: number): SharedArrayBuffer {
  return new SharedArrayBuffer((marksWord + (1 + limits.nodesMax) * rowWords(partitions)) * 4)
}

/** What is written for a partition that is served: it is of one life and of one ring. 0 is never served. */
export function markOf(generation: number, epoch: number): number {
  return ((generation & 0x7fff) << 16) | (epoch & 0xffff)
}

/** A view of the table; as many as wanted, in any thread. */
export class ServingTable {
  private readonly words: Int32Array
  private readonly rowWords: number

  constructor(memory: SharedArrayBuffer, partitions: number) {
    this.words = new Int32Array(memory)
    this.rowWords = rowWords(partitions)
  }

  /** A new ring holds from here on. Before anybody is told of it. */
  setEpoch(epoch: number): void {
    Atomics.store(this.words, epochWord, epoch & 0x7fff_ffff)
    this.changed()
  }

  /**
   * As long as it stays, so does everything else here: one word to look at instead of many. It moves after what it
   * stands for, and before anything that is done because of that.
   */
  changes(): number {
    return Atomics.load(this.words, changesWord)
  }

  private changed(): void {
    Atomics.add(this.words, changesWord, 1)
  }

  isEpoch(epoch: number): boolean {
    return Atomics.load(this.words, epochWord) === (epoch & 0x7fff_ffff)
  }

  setMark(node: NodeId, partition: Partition, mark: number): void {
    const at = marksWord + node * this.rowWords + partition
    if (this.words[at] === mark) return
    Atomics.store(this.words, at, mark)
    this.changed()
  }

  isServed(node: NodeId, partition: Partition, mark: number): boolean {
    return mark !== 0 && Atomics.load(this.words, marksWord + node * this.rowWords + partition) === mark
  }

  /** Nobody knows yet what these nodes keep: anything. So it is until each of them has looked. */
  doubt(keepers: readonly NodeId[]): void {
    for (const keeper of keepers)
      for (let owner = 0; owner <= limits.nodesMax; owner++) this.owe(keeper, owner, true)
  }

  /** This node keeps nothing, and never will again: it has left. */
  forget(keeper: NodeId): void {
    for (let owner = 0; owner <= limits.nodesMax; owner++) this.owe(keeper, owner, false)
  }

  /** Whether `keeper` may keep something for `owner`. */
  owe(keeper: NodeId, owner: NodeId, owes: boolean): void {
    const at = headerWords + owner * wordsPerOwner + (keeper > wordBits ? 1 : 0)
    const bit = 1 << ((keeper - 1) % wordBits)
    const before = owes ? Atomics.or(this.words, at, bit) : Atomics.and(this.words, at, ~bit)
    if (((before & bit) !== 0) !== owes) this.changed()
  }

  /** True when somebody may keep a write that this node lacks. */
  isOwed(owner: NodeId): boolean {
    const at = headerWords + owner * wordsPerOwner
    return Atomics.load(this.words, at) !== 0 || Atomics.load(this.words, at + 1) !== 0
  }
}

/** One node's hand on the table, for one life. */
export class ServingNotes {
  private readonly table: ServingTable
  private readonly node: NodeId
  private readonly generation: number
  private mark = 0
  /** For whom this node was said to keep something; undefined before the first word of this life. */
  private owed: Set<NodeId> | undefined

  constructor(table: ServingTable, node: NodeId, generation: number) {
    this.table = table
    this.node = node
    this.generation = generation
  }

  /** Marks from here on are of this ring. Those that are there must be made anew. */
  ringChanged(epoch: number): void {
    this.mark = markOf(this.generation, epoch)
  }

  serve(partition: Partition, serves: boolean): void {
    this.table.setMark(this.node, partition, serves ? this.mark : 0)
  }

  /**
   * Whom this node may keep something for. When one of them is no member any more it is everybody: who has its places
   * now may lack what is kept for it.
   */
  keepFor(owners: Iterable<NodeId>, members: readonly NodeId[]): void {
    const { table, node } = this
    const now = new Set<NodeId>(owners)
    for (const owner of now) {
      if (members.includes(owner)) continue
      for (const member of members) now.add(member)
      break
    }
    if (this.owed === undefined) {
      for (let owner = 0; owner <= limits.nodesMax; owner++) table.owe(node, owner, now.has(owner))
    } else {
      for (const owner of now) if (!this.owed.has(owner)) table.owe(node, owner, true)
      for (const owner of this.owed) if (!now.has(owner)) table.owe(node, owner, false)
    }
    this.owed = now
  }

  /** True when nothing is kept and everybody has been told so. */
  get isIdle(): boolean {
    return this.owed !== undefined && this.owed.size === 0
  }
}
