// What the writer of an object buffer knows of its memory: the views, the index, the arena, the order of
// unflushed entries, and the counts; and the steps that keep them in agreement when an entry moves or dies.
//
// Invariants: every live entry is named by one place of the index and counted once in its segment;
// `complete` turns false before the first clean object leaves, so that no instant of a crash finds it true
// and an object missing. Left to others: when to reclaim (object-buffer-reclaim), what a put is
// (object-buffer).

import { limits } from '../base/limits.js'
import { Arena, fresh, type Kind } from './object-buffer-arena.js'
import { DirtyOrder } from './object-buffer-dirty.js'
import { ObjectIndex } from './object-buffer-index.js'
import {
  entryState,
  entryUnits,
  entryWord,
  geometryOf,
  headerWord,
  keyLengthShift,
} from './object-buffer-layout.js'

/** Evicted keys that are remembered, at most: one word each, outside the shared memory. */
const ghostsMax = 1 << 18
/** The index is full at this share of its homes: longer searches cost more than the objects are worth. */
const fullness = 0.85
/** Words of a cache line. */
const lineWords = 16

export class ObjectTable {
  readonly memory: SharedArrayBuffer
  readonly words: Int32Array
  readonly bytes: Buffer
  readonly index: ObjectIndex
  readonly arena: Arena
  readonly order: DirtyOrder
  readonly objectsMax: number
  /** Hashes of keys that were evicted unused: S3-FIFO's ghost queue, as a table that forgets by collision. */
  private readonly ghosts: Int32Array
  private readonly ghostShift: number
  private readonly touchedUnits = new Int32Array(limits.turnMessagesMax)
  /** What `touch` has read, so that nobody leaves its reading out. */
  touched = 0
  objects = 0
  dirtyObjects = 0
  evictions = 0

  constructor(memory: SharedArrayBuffer) {
    const geometry = geometryOf(memory)
    this.memory = memory
    this.words = new Int32Array(memory)
    this.bytes = Buffer.from(memory)
    this.index = new ObjectIndex(this.words, this.bytes, geometry)
    this.arena = new Arena(this.words, geometry)
    this.order = new DirtyOrder(this.words)
    this.objectsMax = Math.floor(geometry.homes * fullness)
    const ghosts = Math.min(ghostsMax, 1 << (31 - Math.clz32(geometry.homes >>> 2)))
    this.ghosts = new Int32Array(ghosts)
    this.ghostShift = 32 - Math.log2(ghosts)
  }

  /** See ObjectBuffer.touch. */
  touch(hashes: Uint32Array, count: number): void {
    const { words, index } = this
    const last = words.length - 2 * lineWords - 1
    const units = this.touchedUnits
    let seen = 0
    for (let i = 0; i < count; i++) {
      const slot = index.home(hashes[i] as number)
      units[i] = index.unit(slot)
      seen += index.uses(slot)
    }
    for (let i = 0; i < count; i++) {
      const at = Math.min((units[i] as number) * 2, last)
      seen +=
        (words[at] as number) + (words[at + lineWords] as number) + (words[at + 2 * lineWords] as number)
    }
    this.touched = seen
  }

  keyLength(unit: number): number {
    return (this.words[unit * 2 + entryWord.state] as number) >>> keyLengthShift
  }

  valueLength(unit: number): number {
    return this.words[unit * 2 + entryWord.valueLength] as number
  }

  units(unit: number): number {
    return entryUnits(this.keyLength(unit), this.valueLength(unit))
  }

  state(unit: number): number {
    return (this.words[unit * 2 + entryWord.state] as number) & entryState.mask
  }

  /** One store: a reader or a successor sees the old state or the new one. */
  setState(unit: number, state: number): void {
    const at = unit * 2 + entryWord.state
    this.words[at] = ((this.words[at] as number) & ~entryState.mask) | state
  }

  get complete(): boolean {
    return this.words[headerWord.complete] === 1
  }

  set complete(value: boolean) {
    const word = value ? 1 : 0
    if (this.words[headerWord.complete] !== word) Atomics.store(this.words, headerWord.complete, word)
  }

  get forgetting(): boolean {
    return this.words[headerWord.forgetting] === 1
  }

  set forgetting(value: boolean) {
    const word = value ? 1 : 0
    if (this.words[headerWord.forgetting] !== word) Atomics.store(this.words, headerWord.forgetting, word)
  }

  get restored(): boolean {
    return this.words[headerWord.restored] === 1
  }

  set restored(value: boolean) {
    Atomics.store(this.words, headerWord.restored, value ? 1 : 0)
  }

  /** The entry of this place is gone, in memory and in all counts. */
  kill(slot: number, unit: number): void {
    const units = this.units(unit)
    const state = this.state(unit)
    this.index.remove(slot)
    this.objects--
    if ((state & entryState.dirty) !== 0) {
      this.dirtyObjects--
      this.arena.countDirty(unit, -units)
      if ((state & entryState.flushing) === 0) this.order.remove(unit)
    }
    this.arena.release(unit, units)
  }

  /** Drops a flushed or volatile entry. */
  evict(slot: number, unit: number): void {
    if (this.state(unit) === entryState.clean) this.complete = false
    this.evictions++
    if (this.arena.kindOf(unit) === fresh) {
      const hash = this.index.hash(slot)
      this.ghosts[this.ghostOf(hash)] = hash
    }
    this.kill(slot, unit)
  }

  /** Copies an entry to `target`, where there must be room, and lets the index name the copy. */
  move(slot: number, unit: number, units: number, kind: Kind): void {
    const { arena, words } = this
    const target = arena.place(kind)
    this.bytes.copyWithin(target * 8, unit * 8, (unit + units) * 8)
    arena.append(units, kind)
    const state = (words[unit * 2 + entryWord.state] as number) & entryState.mask
    if ((state & entryState.dirty) !== 0) {
      arena.countDirty(unit, -units)
      arena.countDirty(target, units)
      if ((state & entryState.flushing) === 0) this.order.replace(unit, target)
    }
    this.index.point(slot, target)
    arena.release(unit, units)
  }

  private ghostOf(hash: number): number {
    return Math.imul(hash, 0x85ebca6b) >>> this.ghostShift
  }

  /** True when a key of this hash was evicted not long ago and now comes back. */
  wasEvicted(hash: number): boolean {
    return this.ghosts[this.ghostOf(hash)] === (hash | 0)
  }
}
