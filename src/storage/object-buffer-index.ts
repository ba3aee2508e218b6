// The index of an object buffer: open addressing with linear probing over pairs (hash, unit), in shared
// memory. It is the truth about what is alive: an entry that no pair names does not exist.
//
// Invariants: between the home of a key and its place there is no empty place, at every instant, so that a
// reader and the successor of a dead writer always find it; a pair comes to life and dies by one atomic
// store of its unit. Removal moves the followers back instead of leaving tombstones (Knuth, TAOCP 6.4,
// algorithm R), because a cache that evicts all day would fill up with them; it copies a pair before it
// clears the old place. Left to others: room, states, orders.

import { latin1Slice } from '../base/bytes.js'
import type { Key } from '../base/units.js'
import {
  entryHeaderBytes,
  entryWord,
  type Geometry,
  headerWord,
  keyLengthShift,
} from './object-buffer-layout.js'

/** From here on a comparison of texts beats a loop over bytes. */
const longKey = 96
/** Uses beyond this are not told apart (S3-FIFO counts in two bits). */
const usesMax = 3

/** True when the entry at `unit` has this key. Harmless on garbage: it reads nothing outside the memory. */
export function hasKey(words: Int32Array, bytes: Buffer, unit: number, key: string, head = ''): boolean {
  const from = head.length
  const length = from + key.length
  if ((words[unit * 2 + entryWord.state] as number) >>> keyLengthShift !== length) return false
  const start = unit * 8 + entryHeaderBytes
  if (length >= longKey) {
    return start + length <= bytes.length && latin1Slice(bytes, start, start + length) === head + key
  }
  for (let i = 0; i < from; i++) if (bytes[start + i] !== head.charCodeAt(i)) return false
  for (let i = from; i < length; i++) if (bytes[start + i] !== key.charCodeAt(i - from)) return false
  return true
}

/**
 * The place where the search for a hash begins; `scale` is homes / 2^32. Mixed first, because the high bits
 * of a hash say its partition, and a node holds only some of those.
 */
export function homeOf(hash: number, scale: number): number {
  return ((Math.imul(hash, 0x9e3779b1) >>> 0) * scale) | 0
}

export class ObjectIndex {
  private readonly words: Int32Array
  private readonly bytes: Buffer
  private readonly first: number
  private readonly usesByte: number
  private readonly scale: number
  readonly slots: number

  constructor(words: Int32Array, bytes: Buffer, geometry: Geometry) {
    this.words = words
    this.bytes = bytes
    this.first = geometry.indexWord
    this.usesByte = geometry.usesByte
    this.scale = geometry.homes / 0x1_0000_0000
    this.slots = geometry.slots
  }

  home(hash: number): number {
    return homeOf(hash, this.scale)
  }

  unit(slot: number): number {
    return this.words[this.first + slot * 2 + 1] as number
  }

  hash(slot: number): number {
    return this.words[this.first + slot * 2] as number
  }

  /** The place of a key, or `~place` of the empty one that ended the search. */
  find(key: Key, hash: number): number {
    const words = this.words
    const wanted = hash | 0
    let slot = homeOf(hash, this.scale)
    for (let at = this.first + slot * 2; ; at += 2, slot++) {
      const unit = words[at + 1] as number
      if (unit === 0) return ~slot
      if (words[at] === wanted && hasKey(words, this.bytes, unit, key)) return slot
    }
  }

  /** The place that names exactly this entry, or -1 when the entry is dead. */
  findUnit(hash: number, unit: number): number {
    const words = this.words
    let slot = homeOf(hash, this.scale)
    for (let at = this.first + slot * 2; ; at += 2, slot++) {
      const found = words[at + 1] as number
      if (found === unit) return slot
      if (found === 0) return -1
    }
  }

  /** False for the last place, which stays empty. */
  mayFill(slot: number): boolean {
    return slot < this.slots - 1
  }

  /** Fills an empty place. The hash first: a reader that sees the unit sees the hash. */
  fill(slot: number, hash: number, unit: number): void {
    const at = this.first + slot * 2
    this.words[at] = hash
    this.bytes[this.usesByte + slot] = 0
    Atomics.store(this.words, at + 1, unit)
  }

  /** From one atomic store on, the key of this place has another entry. */
  point(slot: number, unit: number): void {
    Atomics.store(this.words, this.first + slot * 2 + 1, unit)
  }

  remove(slot: number): void {
    const { words, bytes, first, usesByte } = this
    let hole = slot
    let unit = words[first + slot * 2 + 3] as number
    if (unit !== 0) {
      Atomics.store(words, headerWord.moves, (words[headerWord.moves] as number) | 1)
      for (let next = slot + 1; unit !== 0; unit = words[first + ++next * 2 + 1] as number) {
        const hash = words[first + next * 2] as number
        if (this.home(hash) > hole) continue
        // Atomic too, so that no reader sees it before it sees that something moves.
        Atomics.store(words, first + hole * 2, hash)
        bytes[usesByte + hole] = bytes[usesByte + next] as number
        Atomics.store(words, first + hole * 2 + 1, unit)
        hole = next
      }
    }
    Atomics.store(words, first + hole * 2 + 1, 0)
    this.settle()
  }

  /** Tells readers that nothing moves any more. */
  settle(): void {
    const moves = this.words[headerWord.moves] as number
    if ((moves & 1) === 1) Atomics.store(this.words, headerWord.moves, (moves + 1) | 0)
  }

  uses(slot: number): number {
    return this.bytes[this.usesByte + slot] as number
  }

  setUses(slot: number, uses: number): void {
    this.bytes[this.usesByte + slot] = uses
  }

  use(slot: number): void {
    const at = this.usesByte + slot
    const uses = this.bytes[at] as number
    if (uses < usesMax) this.bytes[at] = uses + 1
  }
}
