// Reads objects out of another thread's object buffer, without a message: look up, copy, and prove that what
// was copied is what the index named. Two threads share plain bytes here, so every step is a claim that a
// later step checks; what cannot be proved is read again, or left to the node.
//
// The proof: while a segment's generation stands still, no key or value in it changes. The generation is read
// before the index is asked a second time, and again after the copy. On ARM a plain load may complete after
// a later atomic load, so there an atomic store to a word of our own lies between: no load passes it backwards,
// and no atomic load passes it forwards. An undefined answer proves nothing: ask the node.
// `absent` is proved: no entry moved while the index was searched, and memory holds all that the store has.

import type { Key } from '../base/units.js'
import { hasKey, homeOf } from './object-buffer-index.js'
import {
  entryHeaderBytes,
  entryWord,
  type Geometry,
  geometryOf,
  headerWord,
  keyLengthShift,
} from './object-buffer-layout.js'
import type { ObjectCopy } from './object-copy.js'

/** Whoever is overtaken this often in one read leaves the answer to the node. */
const triesMax = 8
const usesMax = 3
/** Of `find`: look again. */
const tryAgain = -2
/** Words of a cache line. */
const lineWords = 16
/** Fewer words are copied and compared faster by a loop than by a call. */
const manyWords = 128
/** Larger values are checked once more before room for them is made. */
const smallValue = 16 * 1024

/** Processors that do loads in the order of the program: there a fence would only cost time. */
const ordersLoads = process.arch === 'x64' || process.arch === 'ia32'

/** The result of one try that must be repeated. */
const again = Symbol('again')
/** The node holds nothing of this key, neither in memory nor in its store. */
export const absent = Symbol('absent')

/** It was copied. */
export const copied = Symbol('copied')

export type Looked = typeof copied | typeof absent | undefined

export class ObjectReader {
  private readonly memory: SharedArrayBuffer
  private readonly words: Int32Array
  private readonly bytes: Buffer
  private readonly geometry: Geometry
  private readonly scale: number
  private readonly isWhole: ((value: Uint8Array, hash: number) => boolean) | undefined
  /** What `find` has found. */
  private unit = 0
  private table = 0
  private generation = 0
  private same = false
  /** Only so that what is loaded early is not found superfluous. */
  touched = 0
  private reads = 0
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

  /**
   * Begins to load what a read of this hash will need: the place of the index. Waiting for
   * memory is most of a read, and the fences below keep two reads from waiting together. Returns what is there.
   */
  touch(hash: number): number {
    const { words, geometry } = this
    const slot = homeOf(hash, this.scale)
    return words[geometry.indexWord + slot * 2 + 1] as number
  }

  /** And the beginning of the entry that is there, most likely the one. */
  touchEntry(unit: number): void {
    const { words } = this
    const at = unit * 2
    if (at + 2 * lineWords >= words.length) return
    this.touched =
      (words[at] as number) + (words[at + lineWords] as number) + (words[at + 2 * lineWords] as number)
  }

  /**
   * Copies the newest entry of a key, whole. `absent` where it is certain that the node holds nothing. `head`: what the
   * key begins with, when it is not in `key`; to make one text of both takes longer than to look at each.
   */
  copyInto(key: string, hash: number, copy: ObjectCopy, head = ''): Looked {
    for (let tries = 0; tries < triesMax; tries++) {
      const result = this.attemptEntry(key, hash, copy, head)
      if (result !== again) return result
    }
    return undefined
  }

  /** Whether the newest value is the one that was copied, to the byte. Undefined when nobody can tell from here. */
  matches(key: string, hash: number, copy: ObjectCopy, head = ''): boolean | undefined {
    for (let tries = 0; tries < triesMax; tries++) {
      const result = this.compare(key, hash, copy, head)
      if (result !== again) return result
    }
    return undefined
  }

  /** Whether the node certainly holds nothing of a key. Undefined when nobody can tell from here. */
  isAbsent(key: string, hash: number, head = ''): boolean | undefined {
    for (let tries = 0; tries < triesMax; tries++) {
      const slot = this.find(key, hash, head)
      const result = slot === tryAgain ? again : slot < 0 ? this.notFound(key, hash, head) : copied
      if (result !== again) return result && result === absent
    }
    return undefined
  }

  /** Every load before it is done before any load after it. */
  private fence(): void {
    if (!ordersLoads) Atomics.store(this.own, 0, 0)
  }

  private attempt(
    key: Key,
    hash: number,
    into: Uint8Array | undefined,
  ): Uint8Array | undefined | typeof again {
    const slot = this.find(key, hash, '')
    if (slot === tryAgain) return again
    if (slot < 0) return this.notFound(key, hash, '') === again ? again : undefined
    const { unit, table, generation } = this
    const value = this.copy(unit, key.length, into, table, generation)
    this.fence()
    if (value === undefined || Atomics.load(this.words, table) !== generation) return again
    this.use(slot)
    return this.isWhole === undefined || this.isWhole(value, hash) ? value : undefined
  }

  private attemptEntry(key: string, hash: number, copy: ObjectCopy, head: string): Looked | typeof again {
    const { words } = this
    const slot = this.find(key, hash, head)
    if (slot === tryAgain) return again
    if (slot < 0) return this.notFound(key, hash, head)
    const { unit, table, generation } = this
    const from = unit * 2
    const keyEnd = entryHeaderBytes + head.length + key.length
    const valueLength = words[from + entryWord.valueLength] as number
    const end = keyEnd + valueLength
    if (valueLength < 0 || unit * 8 + end > this.bytes.length) return again
    if (valueLength > smallValue) {
      this.fence()
      if (Atomics.load(words, table) !== generation) return again
    }
    const count = (end + 3) >>> 2
    copy.reserve(count * 4)
    const target = copy.words
    const to = copy.start >>> 2
    if (count < manyWords) for (let i = 0; i < count; i++) target[to + i] = words[from + i] as number
    else target.set(new Int32Array(this.memory, from * 4, count), to)
    this.fence()
    if (Atomics.load(words, table) !== generation) return again
    copy.valueStart = copy.start + keyEnd
    copy.valueEnd = copy.start + end
    copy.keep()
    this.use(slot)
    return copied
  }

  private compare(
    key: string,
    hash: number,
    copy: ObjectCopy,
    head: string,
  ): boolean | undefined | typeof again {
    const slot = this.find(key, hash, head, copy)
    if (slot === tryAgain) return again
    if (slot < 0) {
      const found = this.notFound(key, hash, head)
      return found === absent ? false : (found as undefined | typeof again)
    }
    const { same, table, generation } = this
    this.fence()
    if (Atomics.load(this.words, table) !== generation) return again
    this.use(slot)
    return same
  }

  /** The lengths of key and value, the key and the value; on what may still turn out to be garbage. */
  private isSame(unit: number, copy: ObjectCopy): boolean {
    const { words, bytes } = this
    const from = unit * 2
    const to = copy.start >>> 2
    const length = copy.valueEnd - copy.start
    const start = unit * 8
    if (words[from + entryWord.valueLength] !== copy.words[to + entryWord.valueLength]) return false
    const state = words[from + entryWord.state] as number
    if ((state ^ (copy.words[to + entryWord.state] as number)) >>> keyLengthShift !== 0) return false
    if (start + length > bytes.length) return false
    const whole = length >>> 2
    if (whole >= manyWords) {
      const header = entryHeaderBytes
      const { start: at, valueEnd } = copy
      return bytes.compare(copy.bytes, at + header, valueEnd, start + header, start + length) === 0
    }
    const other = copy.words
    for (let i = entryHeaderBytes >>> 2; i < whole; i++) if (words[from + i] !== other[to + i]) return false
    // Behind the value lies what lay there before.
    for (let at = whole * 4; at < length; at++) {
      if (bytes[start + at] !== copy.bytes[copy.start + at]) return false
    }
    return true
  }

  /**
   * The place of a key, and its unit, the word of its segment's generation, and that. -1: not there. With `copy`, of this
   * key, also whether it is the same.
   */
  private find(key: string, hash: number, head: string, copy?: ObjectCopy): number {
    const { words, bytes, geometry } = this
    const wanted = hash | 0
    let slot = homeOf(hash, this.scale)
    for (let at = geometry.indexWord + slot * 2; slot < geometry.slots; at += 2, slot++) {
      // Whatever this is, it is asked for again below, or the search was in vain and is made under watch.
      const unit = words[at + 1] as number
      if (unit === 0) break
      if (words[at] !== wanted) continue
      const table = geometry.tableWord + ((unit - geometry.arenaUnit) >> geometry.segmentUnitsShift) * 2
      const generation = Atomics.load(words, table)
      // Still named, so the entry is one of this generation or of a later one.
      if (Atomics.load(words, at + 1) !== unit) return tryAgain
      const same = copy !== undefined && this.isSame(unit, copy)
      if (!same && !hasKey(words, bytes, unit, key, head)) {
        // Another key of this hash; or what was compared is not this entry any more.
        this.fence()
        if (Atomics.load(words, table) !== generation) return tryAgain
        continue
      }
      this.unit = unit
      this.table = table
      this.generation = generation
      this.same = same
      return slot
    }
    return -1
  }

  /** It was not found: searched once more, under watch. */
  private notFound(key: string, hash: number, head: string): Exclude<Looked, typeof copied> | typeof again {
    const { words } = this
    const moves = Atomics.load(words, headerWord.moves)
    if ((moves & 1) !== 0 || this.find(key, hash, head) !== -1) return again
    this.fence()
    if (Atomics.load(words, headerWord.moves) !== moves) return again
    // It turns false before the first object leaves for the store alone.
    return Atomics.load(words, headerWord.complete) === 1 ? absent : undefined
  }

  /** One read in four is counted: the count of a key that matters is soon full, and looking at it costs a wait. */
  private use(slot: number): void {
    if ((++this.reads & 3) !== 0) return
    const at = this.geometry.usesByte + slot
    const uses = this.bytes[at] as number
    // Only a hint for eviction: whoever's count it becomes, nothing else is touched.
    if (uses < usesMax) this.bytes[at] = uses + 1
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
