// A node's objects in memory, in one SharedArrayBuffer that outlives its thread: a log of entries in segments
// and an index over it. Written by its node alone. When the node dies, its replacement adopts the memory and
// finds everything that `put` had answered true for. Dynamo 6.1's object buffer, and a cache besides.
//
// Invariants: an entry is reached only when it is whole, and an older one of its key stays whole until then,
// so a death at any instruction costs nothing that was stored before; unflushed entries are never dropped.
// Room is made by second chance (FIFO with reinsertion of what was read since): the segment with the least
// that lives is cleaned when most of it is dead, otherwise the oldest, which drops what was not read.

import { assert } from '../base/assert.js'
import { latin1Slice, latin1Write } from '../base/bytes.js'
import type { Key } from '../base/units.js'
import { DirtyQueue } from './ob-dirty.js'
import { ObjectIndex } from './ob-index.js'
import {
  type BufferShape,
  entryHeaderBytes,
  entrySequenceWord,
  entryStates,
  entryWord,
  header,
  headerBytes,
  kindMask,
  magic,
  shapeOf,
  visitedBit,
} from './ob-layout.js'
import { Segments } from './ob-segments.js'

export type EntryState = 'clean' | 'dirty' | 'volatile'

export interface Adoption {
  readonly objects: number
  readonly dirty: number
  readonly dropped: number
}

export function createObjectBuffer(budgetBytes: number): SharedArrayBuffer {
  const shape = shapeOf(budgetBytes)
  const memory = new SharedArrayBuffer(shape.bytes)
  const words = new Int32Array(memory, 0, headerBytes / 4)
  words[header.segmentBytes] = shape.segmentBytes
  words[header.segments] = shape.segments
  words[header.slots] = shape.slots
  Atomics.store(words, header.magic, magic)
  return memory
}

export class ObjectBuffer {
  readonly capacityBytes: number
  evictions = 0
  private readonly head: Int32Array
  private readonly words: Int32Array
  private readonly doubles: Float64Array
  private readonly buffer: Buffer
  private readonly segments: Segments
  private readonly index: ObjectIndex
  private readonly dirty = new DirtyQueue()
  private sequence = 0

  constructor(memory: SharedArrayBuffer) {
    this.head = new Int32Array(memory, 0, headerBytes / 4)
    assert(Atomics.load(this.head, header.magic) === magic, 'this memory is an object buffer')
    const shape = shapeFrom(memory, this.head)
    this.words = new Int32Array(memory)
    this.doubles = new Float64Array(memory)
    this.buffer = Buffer.from(memory)
    this.segments = new Segments(memory, shape)
    this.index = new ObjectIndex(memory, shape)
    this.capacityBytes = shape.segments * shape.segmentBytes
  }

  get objects(): number {
    return this.index.size
  }

  /** Bytes of entries that live, headers included. */
  get bytes(): number {
    return this.segments.liveBytes
  }

  get dirtyObjects(): number {
    return this.dirty.size
  }

  get dirtyBytes(): number {
    return this.dirty.bytes
  }

  /** True while everything that the store holds is here. Set by the owner; an eviction takes it back. */
  get complete(): boolean {
    return this.head[header.complete] === 1
  }

  set complete(complete: boolean) {
    this.head[header.complete] = complete ? 1 : 0
  }

  has(key: Key, hash: number): boolean {
    return this.find(key, hash) !== 0
  }

  /** A view, good until the next put. */
  get(key: Key, hash: number): Uint8Array | undefined {
    const at = this.find(key, hash)
    if (at === 0) return undefined
    const word = at / 4
    this.words[word + entryWord.state] = (this.words[word + entryWord.state] as number) | visitedBit
    return this.valueAt(at)
  }

  private valueAt(at: number): Uint8Array {
    const word = at / 4
    const start = at + entryHeaderBytes + (this.words[word + entryWord.keyLength] as number)
    return this.buffer.subarray(start, start + (this.words[word + entryWord.valueLength] as number))
  }

  private keyAt(at: number): Key {
    const start = at + entryHeaderBytes
    return latin1Slice(
      this.buffer,
      start,
      start + (this.words[at / 4 + entryWord.keyLength] as number),
    ) as Key
  }

  /** Byte offset of the entry, 0 for none. */
  private find(key: Key, hash: number): number {
    return this.index.find(hash, (at) => this.isKey(at, key))
  }

  private isKey(at: number, key: Key): boolean {
    const { length } = key
    if (this.words[at / 4 + entryWord.keyLength] !== length) return false
    const { buffer } = this
    const start = at + entryHeaderBytes
    if (length > 64) return latin1Slice(buffer, start, start + length) === key
    for (let i = 0; i < length; i++) if (buffer[start + i] !== key.charCodeAt(i)) return false
    return true
  }

  /** False, and nothing changed, when there is no room because what is here is unflushed. */
  put(key: Key, hash: number, value: Uint8Array, state: EntryState): boolean {
    const bytes = entryBytes(key.length, value.length)
    if (!this.makeRoom(bytes)) return false
    const before = this.find(key, hash)
    assert(
      before === 0 || state !== 'clean' || !this.isDirty(before),
      'a clean object never replaces an unflushed one',
    )
    const at = this.append(key, hash, value, entryStates[state], bytes)
    this.index.set(hash, before, at)
    if (before !== 0) this.bury(before)
    if (state === 'dirty') this.dirty.note(key, hash, this.sequence, bytes)
    else if (before !== 0) this.dirty.forget(key)
    return true
  }

  private isDirty(at: number): boolean {
    return ((this.words[at / 4 + entryWord.state] as number) & kindMask) === entryStates.dirty
  }

  private append(key: Key, hash: number, value: Uint8Array, kind: number, bytes: number): number {
    const at = this.segments.place(bytes)
    const word = at / 4
    this.words[word + entryWord.hash] = hash | 0
    this.words[word + entryWord.state] = kind
    this.words[word + entryWord.keyLength] = key.length
    this.words[word + entryWord.valueLength] = value.length
    this.doubles[(word + entrySequenceWord) / 2] = ++this.sequence
    latin1Write(this.buffer, key, at + entryHeaderBytes)
    this.buffer.set(value, at + entryHeaderBytes + key.length)
    this.words[word + entryWord.bytes] = bytes
    // The last store: from here on an adopter finds the entry.
    this.segments.commit(at, bytes)
    return at
  }

  private bury(at: number): void {
    const word = at / 4
    this.words[word + entryWord.state] = entryStates.dead
    this.segments.died(at, this.words[word + entryWord.bytes] as number)
  }

  remove(key: Key, hash: number): void {
    const at = this.find(key, hash)
    if (at === 0) return
    this.index.remove(hash, at, (other) => this.words[other / 4 + entryWord.hash] as number)
    this.bury(at)
    this.dirty.forget(key)
  }

  /** Hands out one unflushed object to be written; undefined when it is flushed. */
  take(key: Key, hash: number): { readonly value: Uint8Array; readonly token: number } | undefined {
    const token = this.dirty.take(key)
    if (token === undefined) return undefined
    const at = this.find(key, hash)
    return at === 0 ? undefined : { value: this.valueAt(at), token }
  }

  /** Hands out unflushed objects, oldest first, each once until it is written again; answers how many. */
  nextDirty(
    countMax: number,
    bytesMax: number,
    take: (key: Key, hash: number, value: Uint8Array, token: number) => void,
  ): number {
    return this.dirty.next(countMax, bytesMax, (key, hash, token) => {
      take(key, hash, this.valueAt(this.find(key, hash)), token)
    })
  }

  /** What was handed out with this token is in the store; an object that was written since stays unflushed. */
  markClean(key: Key, hash: number, token: number): void {
    if (!this.dirty.clean(key, token)) return
    const at = this.find(key, hash)
    if (at === 0) return
    const word = at / 4 + entryWord.state
    this.words[word] = ((this.words[word] as number) & ~kindMask) | entryStates.clean
  }

  /** Makes sure that an entry of this size fits, cleaning segments as needed. */
  private makeRoom(bytes: number): boolean {
    if (bytes > this.segments.entryBytesMax) return false
    // While the index is too full, objects have to go as well.
    while (this.index.isFull) if (!this.clean(true)) return false
    while (!this.segments.fits(bytes)) {
      const run = bytes > this.segments.segmentBytes
      if (!(run ? this.clearRun(bytes) : this.clean(false))) return false
    }
    return true
  }

  /** Frees a segment: copies on what must stay, drops the rest. False when nothing can be gained. */
  private clean(mustEvict: boolean): boolean {
    for (let tries = 0; tries < 2 * this.segments.count; tries++) {
      const victim = this.segments.victim(mustEvict)
      if (victim < 0) return false
      const gained = this.evacuate(victim)
      if (gained > 0) return true
    }
    return false
  }

  private clearRun(bytes: number): boolean {
    for (const segment of this.segments.window(bytes)) {
      if (!this.segments.isFree(segment)) this.evacuate(segment)
    }
    return this.segments.fits(bytes)
  }

  /** Empties a segment; answers how many bytes came free that were not free before. */
  private evacuate(segment: number): number {
    const { words } = this
    const sparing = this.segments.mostlyDead(segment)
    let gained = this.segments.sizeOf(segment)
    const staying: number[] = []
    this.segments.forEachEntry(segment, (at) => {
      const state = words[at / 4 + entryWord.state] as number
      const kind = state & kindMask
      if (kind === entryStates.dead) return
      if (kind === entryStates.dirty || sparing || (state & visitedBit) !== 0) {
        staying.push(at)
        gained -= words[at / 4 + entryWord.bytes] as number
      } else this.evict(at, kind)
    })
    if (!this.moveAll(staying)) return 0
    this.segments.free(segment)
    return gained
  }

  private evict(at: number, kind: number): void {
    const hash = this.words[at / 4 + entryWord.hash] as number
    this.index.remove(hash, at, (other) => this.words[other / 4 + entryWord.hash] as number)
    this.bury(at)
    this.evictions++
    if (kind === entryStates.clean) this.complete = false
  }

  /** Copies entries to the end of the log; false when they do not fit (then the rest stays where it is). */
  private moveAll(entries: readonly number[]): boolean {
    const { words } = this
    for (const at of entries) {
      const word = at / 4
      const bytes = words[word + entryWord.bytes] as number
      if (!this.segments.fitsWhileCleaning(bytes)) return false
      const to = this.segments.place(bytes)
      this.buffer.copy(this.buffer, to, at, at + bytes)
      words[to / 4 + entryWord.state] = (words[word + entryWord.state] as number) & ~visitedBit
      this.segments.commit(to, bytes)
      this.index.set(words[word + entryWord.hash] as number, at, to)
      this.bury(at)
    }
    return true
  }

  /**
   * Takes over the memory of an owner that died at any point: walks all segments, keeps of each key the newest
   * entry that `isWhole`, and builds index, counts and the order of unflushed objects anew.
   */
  adopt(isWhole: (key: Key, hash: number, value: Uint8Array) => boolean): Adoption {
    const { words } = this
    let dropped = 0
    const newest = new Map<Key, number>()
    this.segments.recover((at) => {
      const word = at / 4
      const sequence = this.sequenceAt(at)
      this.sequence = Math.max(this.sequence, sequence)
      if (((words[word + entryWord.state] as number) & kindMask) === entryStates.dead) return
      const key = this.keyAt(at)
      if (!isWhole(key, (words[word + entryWord.hash] as number) >>> 0, this.valueAt(at))) {
        dropped++
        words[word + entryWord.state] = entryStates.dead
        return
      }
      const other = newest.get(key)
      if (other !== undefined && this.sequenceAt(other) > sequence) {
        words[word + entryWord.state] = entryStates.dead
        return
      }
      if (other !== undefined) words[other / 4 + entryWord.state] = entryStates.dead
      newest.set(key, at)
    })
    this.index.clear()
    this.dirty.clear()
    const dirty: number[] = []
    for (const at of newest.values()) {
      this.index.set(words[at / 4 + entryWord.hash] as number, 0, at)
      if (this.isDirty(at)) dirty.push(at)
    }
    dirty.sort((a, b) => this.sequenceAt(a) - this.sequenceAt(b))
    for (const at of dirty) {
      const word = at / 4
      this.dirty.note(
        this.keyAt(at),
        (words[word + entryWord.hash] as number) >>> 0,
        this.sequenceAt(at),
        words[word + entryWord.bytes] as number,
      )
    }
    this.segments.recount(
      (at) => ((words[at / 4 + entryWord.state] as number) & kindMask) !== entryStates.dead,
    )
    if (dropped > 0) this.complete = false
    return { objects: newest.size, dirty: dirty.length, dropped }
  }

  private sequenceAt(at: number): number {
    return this.doubles[(at / 4 + entrySequenceWord) / 2] as number
  }
}

function entryBytes(keyLength: number, valueLength: number): number {
  return (entryHeaderBytes + keyLength + valueLength + 7) & ~7
}

function shapeFrom(memory: SharedArrayBuffer, head: Int32Array): BufferShape {
  const segmentBytes = head[header.segmentBytes] as number
  const segments = head[header.segments] as number
  const slots = head[header.slots] as number
  const tableAt = headerBytes
  const segmentsAt = memory.byteLength - segments * segmentBytes
  return {
    segmentBytes,
    segments,
    slots,
    tableAt,
    indexAt: segmentsAt - Math.ceil((slots * 8) / 4096) * 4096,
    segmentsAt,
    bytes: memory.byteLength,
  }
}
