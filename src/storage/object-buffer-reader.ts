// Reads objects out of another thread's object buffer, without a message: look up, copy, and prove that what
// was copied is what the index named. Two threads share plain bytes here, so every step is a claim that a
// later step checks; what cannot be proved is read again, or left to the node.
//
// The proof: while a segment's generation stands still, no key or value in it changes. The generation is read
// before the index is asked a second time, and again after the copy. On ARM a plain load may complete after
// a later atomic load, so an atomic store to a word of our own lies between: no load passes it backwards,
// and no atomic load passes it forwards. An undefined answer proves nothing: ask the node.

import type { Key } from '../base/units.js'
import { hasKey, homeOf } from './object-buffer-index.js'
import { entryHeaderBytes, entryWord, type Geometry, geometryOf, headerWord } from './object-buffer-layout.js'

/** Whoever is overtaken this often in one read leaves the answer to the node. */
const triesMax = 8
const usesMax = 3
/** Larger values are checked once more before room for them is made. */
const smallValue = 16 * 1024

/** The result of one try that must be repeated. */
const again = Symbol('again')

export class ObjectReader {
  private readonly memory: SharedArrayBuffer
  private readonly words: Int32Array
  private readonly bytes: Buffer
  private readonly geometry: Geometry
  private readonly scale: number
  private readonly isWhole: ((value: Uint8Array, hash: number) => boolean) | undefined
  /** A word that nobody else looks at: see `fence`. */
  private readonly own = new Int32Array(new SharedArrayBuffer(4))

  /** `isWhole` looks at what was copied, for those who trust no memory; a value that it refuses is not returned. */
  constructor(memory: SharedArrayBuffer, isWhole?: (value: Uint8Array, hash: number) => boolean) {
    this.memory = memory
    this.words = new Int32Array(memory)
    this.bytes = Buffer.from(memory)
    this.geometry = geometryOf(memory)
    this.scale = this.geometry.homes / 0x1_0000_0000
    this.isWhole = isWhole
  }

  /**
   * A copy of the newest value of a key, or undefined when it is not in memory (or was out of reach: the
   * node knows). Into the beginning of `into` if that is large enough, otherwise into fresh bytes.
   */
  read(key: Key, hash: number, into?: Uint8Array): Uint8Array | undefined {
    for (let tries = 0; tries < triesMax; tries++) {
      const result = this.attempt(key, hash, into)
      if (result !== again) return result
    }
    return undefined
  }

  /** Every load before it is done before any load after it. */
  private fence(): void {
    Atomics.store(this.own, 0, 0)
  }

  private attempt(
    key: Key,
    hash: number,
    into: Uint8Array | undefined,
  ): Uint8Array | undefined | typeof again {
    const { words, bytes, geometry } = this
    const wanted = hash | 0
    const moves = Atomics.load(words, headerWord.moves)
    let slot = homeOf(hash, this.scale)
    for (let at = geometry.indexWord + slot * 2; slot < geometry.slots; at += 2, slot++) {
      const unit = Atomics.load(words, at + 1)
      if (unit === 0) break
      if (words[at] !== wanted) continue
      const table = geometry.tableWord + ((unit - geometry.arenaUnit) >> geometry.segmentUnitsShift) * 2
      const generation = Atomics.load(words, table)
      // Still named, so the entry is one of this generation or of a later one.
      if (Atomics.load(words, at + 1) !== unit) return again
      if (!hasKey(words, bytes, unit, key)) continue
      const value = this.copy(unit, key.length, into, table, generation)
      this.fence()
      if (value === undefined || Atomics.load(words, table) !== generation) return again
      const use = geometry.usesByte + slot
      const uses = bytes[use] as number
      // Only a hint for eviction: whoever's count it becomes, nothing else is touched.
      if (uses < usesMax) bytes[use] = uses + 1
      return this.isWhole === undefined || this.isWhole(value, hash) ? value : undefined
    }
    this.fence()
    return (moves & 1) === 0 && Atomics.load(words, headerWord.moves) === moves ? undefined : again
  }

  /** Copies what may still turn out to be garbage; undefined when it already does. */
  private copy(
    unit: number,
    keyLength: number,
    into: Uint8Array | undefined,
    table: number,
    generation: number,
  ): Uint8Array | undefined {
    const length = this.words[unit * 2 + entryWord.valueLength] as number
    const start = unit * 8 + entryHeaderBytes + keyLength
    if (length < 0 || start + length > this.bytes.length) return undefined
    const source = new Uint8Array(this.memory, start, length)
    if (into !== undefined && into.length >= length) {
      into.set(source)
      return into.subarray(0, length)
    }
    if (length > smallValue) {
      this.fence()
      if (Atomics.load(this.words, table) !== generation) return undefined
    }
    const copy = Buffer.allocUnsafe(length)
    copy.set(source)
    return copy
  }
}
