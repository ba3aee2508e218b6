// What the store holds otherwise than it is now, for the trees: one row of words for each such object. Most puts make
// or change one, and it stays for seconds: objects of JavaScript in a Map by texts took a tenth of the time of a put
// that is flushed later, for the collector and for finding them.
//
// Rows are found by the hash of the key, and then by the key. Invariant: every row in use is in exactly one chain,
// the one of its hash; every other is in the list of the free ones.

import type { Key } from '../base/units.js'

const none = -1
const fewestRows = 64
/** Words of a row: the next of its chain, the hash of its key, and then these. */
const rowWords = 9
const next = 0
const hashWord = 1

/** Where in a row a word is: of what the store holds, and of what it is now. */
export const unflushedWord = { leaf: 2, slot: 3, high: 4, low: 5, newSlot: 6, newHigh: 7, newLow: 8 } as const

export class Unflushed {
  private keys: (Key | undefined)[] = []
  /** By the middle bits of the mixed hash: where the first row of a chain begins. */
  private heads = new Int32Array(fewestRows).fill(none)
  words = new Int32Array(fewestRows * rowWords)
  private free = none
  private count = 0

  constructor() {
    this.release(0)
  }

  get size(): number {
    return this.count
  }

  private chain(hash: number): number {
    return (Math.imul(hash, 0x9e3779b1) >>> 7) & (this.heads.length - 1)
  }

  /** Where the row of a key begins in `words`, or -1. */
  find(key: Key, hash: number): number {
    const { words } = this
    let at = this.heads[this.chain(hash)] as number
    while (at !== none && (words[at + hashWord] !== (hash | 0) || this.keys[at / rowWords] !== key))
      at = words[at + next] as number
    return at
  }

  /** A word of what `find` will look at, most likely. */
  peek(hash: number): number {
    const at = this.heads[this.chain(hash)] as number
    return at < 0 ? 0 : (this.words[at] as number)
  }

  /** A row for a key that has none; whoever asks fills it. */
  add(key: Key, hash: number): number {
    if (this.free === none) this.grow()
    const at = this.free
    this.free = this.words[at + next] as number
    this.keys[at / rowWords] = key
    this.words[at + hashWord] = hash
    this.link(at)
    this.count++
    return at
  }

  remove(at: number): void {
    const { heads, words } = this
    const chain = this.chain(words[at + hashWord] as number)
    let before = heads[chain] as number
    if (before === at) heads[chain] = words[at + next] as number
    else {
      while (words[before + next] !== at) before = words[before + next] as number
      words[before + next] = words[at + next] as number
    }
    this.keys[at / rowWords] = undefined
    words[at + next] = this.free
    this.free = at
    this.count--
  }

  /** Visits all rows. */
  each(visit: (at: number) => void): void {
    for (let row = 0; row < this.keys.length; row++) if (this.keys[row] !== undefined) visit(row * rowWords)
  }

  private link(at: number): void {
    const chain = this.chain(this.words[at + hashWord] as number)
    this.words[at + next] = this.heads[chain] as number
    this.heads[chain] = at
  }

  /** All rows from here on, which nobody has used yet. */
  private release(first: number): void {
    const { keys, words } = this
    // One by one: an array that is written far behind its end becomes a table.
    while (keys.length < words.length / rowWords) keys.push(undefined)
    for (let at = words.length - rowWords; at >= first; at -= rowWords) {
      words[at + next] = this.free
      this.free = at
    }
  }

  /** Only when no row is free: all that there are are linked anew. */
  private grow(): void {
    const { length } = this.words
    const words = new Int32Array(2 * length)
    words.set(this.words)
    this.words = words
    this.heads = new Int32Array(2 * this.heads.length).fill(none)
    for (let at = 0; at < length; at += rowWords) this.link(at)
    this.release(length)
  }
}
