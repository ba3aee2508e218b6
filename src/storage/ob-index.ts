// The index of an object buffer: open addressing with linear probing over pairs of words (hash, place of the
// entry in units of 8 bytes, plus 1). Removal shifts back what follows, so there are no tombstones and a probe
// ends at the first empty slot. One writer; a reader in another thread may miss an entry while one is shifted,
// which for it means "not in memory", and checks what it finds.

import type { BufferShape } from './ob-layout.js'

export class ObjectIndex {
  size = 0
  private readonly slots: Int32Array
  private readonly mask: number
  private readonly sizeMax: number

  constructor(memory: SharedArrayBuffer, shape: BufferShape) {
    this.slots = new Int32Array(memory, shape.indexAt, shape.slots * 2)
    this.mask = shape.slots - 1
    this.sizeMax = Math.floor(shape.slots * 0.75)
  }

  get isFull(): boolean {
    return this.size >= this.sizeMax
  }

  /** Byte offset of the entry with this hash that `isIt` accepts, 0 for none. */
  find(hash: number, isIt: (at: number) => boolean): number {
    const { slots, mask } = this
    const wanted = hash | 0
    for (let slot = spread(hash) & mask; ; slot = (slot + 1) & mask) {
      const place = slots[slot * 2 + 1] as number
      if (place === 0) return 0
      if (slots[slot * 2] === wanted) {
        const at = offsetOf(place)
        if (isIt(at)) return at
      }
    }
  }

  /** Points the hash at `to` instead of `from`, or adds it when `from` is 0. */
  set(hash: number, from: number, to: number): void {
    const { slots, mask } = this
    const before = from === 0 ? 0 : placeOf(from)
    for (let slot = spread(hash) & mask; ; slot = (slot + 1) & mask) {
      const place = slots[slot * 2 + 1] as number
      if (place !== before) {
        if (place === 0) throw new Error('invariant broken: an entry to be replaced is not in the index')
        continue
      }
      if (before === 0) {
        Atomics.store(slots, slot * 2, hash | 0)
        this.size++
      }
      Atomics.store(slots, slot * 2 + 1, placeOf(to))
      return
    }
  }

  /** `hashAt` tells the hash of an entry, to see where it belongs. */
  remove(hash: number, at: number, hashAt: (at: number) => number): void {
    const { slots, mask } = this
    const gone = placeOf(at)
    let hole = spread(hash) & mask
    while (slots[hole * 2 + 1] !== gone) {
      if (slots[hole * 2 + 1] === 0)
        throw new Error('invariant broken: an entry to be removed is not in the index')
      hole = (hole + 1) & mask
    }
    for (let slot = (hole + 1) & mask; ; slot = (slot + 1) & mask) {
      const place = slots[slot * 2 + 1] as number
      if (place === 0) break
      const home = spread(hashAt(offsetOf(place))) & mask
      // It may move back only as far as where its probe begins.
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      Atomics.store(slots, hole * 2, slots[slot * 2] as number)
      Atomics.store(slots, hole * 2 + 1, place)
      hole = slot
    }
    Atomics.store(slots, hole * 2 + 1, 0)
    Atomics.store(slots, hole * 2, 0)
    this.size--
  }

  clear(): void {
    this.slots.fill(0)
    this.size = 0
  }
}

/** Partitions take the high bits of a hash: a node's keys share some. The low ones are mixed with them. */
function spread(hash: number): number {
  return (hash ^ (hash >>> 15)) >>> 0
}

function placeOf(at: number): number {
  return (at / 8 + 1) | 0
}

function offsetOf(place: number): number {
  return ((place >>> 0) - 1) * 8
}
