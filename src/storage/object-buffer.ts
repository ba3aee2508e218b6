// A node's objects in memory: bytes by key in one SharedArrayBuffer, written by the node alone, readable by
// every thread, adopted by the node's next life. Dynamo (section 5) calls it the object buffer; here it is
// the cache as well, because what is flushed stays until room is needed. A log of entries in segments
// (object-buffer-arena) and an index that names the live ones (object-buffer-index).
//
// Invariants: an unflushed entry is never evicted; a put has not happened until one atomic store, and is
// whole from that store on; what it replaced stays whole until a later put needs its segment.
// Left to others: what the bytes mean, when to flush, and how a thread reads another's (object-buffer-reader).

import { assert } from '../base/assert.js'
import { latin1Slice, latin1Write } from '../base/bytes.js'
import type { Key } from '../base/units.js'
import type { Located } from '../versions/object-codec.js'
import { type Adoption, adoptMemory, type IsWhole } from './object-buffer-adopt.js'
import { fresh, type Kind, kept } from './object-buffer-arena.js'
import {
  entryHeaderBytes,
  entryState,
  entryUnits,
  entryWord,
  headerWord,
  keyLengthShift,
  objectBytesMaxOf,
} from './object-buffer-layout.js'
import { makePlace, makeRoom, makeRun } from './object-buffer-reclaim.js'
import { ObjectTable } from './object-buffer-table.js'

/** `dirty` must be flushed before it may be evicted; `volatile` is never flushed and may be evicted. */
export type ObjectState = 'clean' | 'dirty' | 'volatile'

export type Take = (key: Key, hash: number, value: Uint8Array, token: number) => void

/** Shorter keys are written faster by a loop than by a call. */
const shortKey = 12

export class ObjectBuffer {
  private table: ObjectTable
  private readonly found: Located = { bytes: new Uint8Array(0), start: 0, end: 0 }
  private mayWrite: boolean
  private sequence = 0

  /** For fresh memory. Memory with a past is readable at once, and writable after `adopt`. */
  constructor(memory: SharedArrayBuffer) {
    this.table = new ObjectTable(memory)
    this.mayWrite = this.table.words[headerWord.begun] === 0
  }

  get objects(): number {
    return this.table.objects
  }

  /** Bytes that live objects take, headers included. */
  get bytes(): number {
    return this.table.arena.liveUnits * 8
  }

  get dirtyObjects(): number {
    return this.table.dirtyObjects
  }

  /** Bytes that unflushed objects take, headers included; what is being flushed is not flushed yet. */
  get dirtyBytes(): number {
    return this.table.arena.dirtyUnits * 8
  }

  /** Objects that were dropped to make room, volatile ones too. */
  get evictions(): number {
    return this.table.evictions
  }

  /** Bytes for objects. An object may take a quarter of it. */
  get capacityBytes(): number {
    return this.table.arena.segments * this.table.arena.segmentUnits * 8
  }

  /** Of these, those that nothing lies in. */
  get freeBytes(): number {
    const { arena } = this.table
    return arena.freeSegments * arena.segmentUnits * 8
  }

  get objectBytesMax(): number {
    return objectBytesMaxOf(this.capacityBytes)
  }

  /** True while memory holds everything that the store has. Turns false when a clean object is evicted. */
  get complete(): boolean {
    return this.table.complete
  }

  set complete(value: boolean) {
    this.table.complete = value
  }

  /** True while something was removed whose row may still be in the store: kept for a successor. */
  get forgetting(): boolean {
    return this.table.forgetting
  }

  set forgetting(value: boolean) {
    this.table.forgetting = value
  }

  get restored(): boolean {
    return this.table.restored
  }

  set restored(value: boolean) {
    this.table.restored = value
  }

  /** A view of the value, good until the next put. Counts as a use. */
  get(key: Key, hash: number): Uint8Array | undefined {
    return this.peek(key, hash, true)
  }

  /** Where the value lies, good until the next put. Counts as a use unless it is only a look. */
  locate(key: Key, hash: number, into: Located, isUse: boolean): boolean {
    const { index, bytes } = this.table
    const slot = index.find(key, hash)
    if (slot < 0) return false
    if (isUse) index.use(slot)
    const unit = index.unit(slot)
    into.bytes = bytes
    into.start = unit * 8 + entryHeaderBytes + key.length
    into.end = into.start + this.table.valueLength(unit)
    return true
  }

  /** Like get, for walks over many objects: does not count as a use, so it keeps nothing from eviction. */
  peek(key: Key, hash: number, isUse = false): Uint8Array | undefined {
    const { found } = this
    return this.locate(key, hash, found, isUse) ? found.bytes.subarray(found.start, found.end) : undefined
  }

  has(key: Key, hash: number): boolean {
    return this.table.index.find(key, hash) >= 0
  }

  /** Loads what looks for keys with these hashes will need, most likely: all at once, so that they wait once. */
  touch(hashes: Uint32Array, count: number): void {
    this.table.touch(hashes, count)
  }

  private view(unit: number, keyLength: number): Buffer {
    const { table } = this
    return Buffer.from(table.memory, unit * 8 + entryHeaderBytes + keyLength, table.valueLength(unit))
  }

  /**
   * Stores a value. An unflushed object stays unflushed whatever `state` says, and keeps its place in the
   * order of flushing; when it is just being flushed, it goes to the end. False: there is no room because
   * too much is unflushed, or the object is larger than a quarter of all; nothing has changed then, except
   * that others may have been evicted.
   */
  put(key: Key, hash: number, value: Uint8Array, state: ObjectState): boolean {
    const { table } = this
    const { index, arena } = table
    const units = entryUnits(key.length, value.length)
    if (units > arena.segmentUnits) return this.putLarge(key, hash, value, state, units)
    let slot = index.find(key, hash)
    const kind = this.kindFor(slot, hash)
    if (!arena.hasRoom(units, kind) || (slot < 0 && table.objects >= table.objectsMax)) {
      const own = value.buffer === table.memory ? Buffer.from(value) : value
      if (!this.prepare(slot, units, kind)) return false
      slot = index.find(key, hash)
      return this.store(slot, key, hash, own, state, arena.place(kind), units, kind)
    }
    return this.store(slot, key, hash, value, state, arena.place(kind), units, kind)
  }

  private kindFor(slot: number, hash: number): Kind {
    const { table } = this
    if (slot >= 0) return table.arena.kindOf(table.index.unit(slot))
    return table.wasEvicted(hash) ? kept : fresh
  }

  /** Makes room for an entry that is not large. */
  private prepare(slot: number, units: number, kind: Kind): boolean {
    this.begin()
    return (slot >= 0 || makePlace(this.table)) && makeRoom(this.table, units, kind)
  }

  private begin(): void {
    assert(this.mayWrite, 'memory with a past is adopted before it is written')
    Atomics.store(this.table.words, headerWord.begun, 1)
  }

  private putLarge(key: Key, hash: number, value: Uint8Array, state: ObjectState, units: number): boolean {
    const { table } = this
    if (units > table.arena.unitsMax) return false
    this.begin()
    const own = value.buffer === table.memory ? Buffer.from(value) : value
    if (table.index.find(key, hash) < 0 && !makePlace(table)) return false
    const unit = makeRun(table, units)
    if (unit === 0) return false
    return this.store(table.index.find(key, hash), key, hash, own, state, unit, units, undefined)
  }

  /** Writes the entry where nothing is alive, and then lets the index name it. */
  private store(
    slot: number,
    key: Key,
    hash: number,
    value: Uint8Array,
    state: ObjectState,
    unit: number,
    units: number,
    kind: Kind | undefined,
  ): boolean {
    const { words, index, arena } = this.table
    if (slot < 0 && !index.mayFill(~slot)) {
      if (kind === undefined) arena.release(unit, units)
      return false
    }
    const old = slot < 0 ? 0 : index.unit(slot)
    const oldState = old === 0 ? entryState.clean : this.table.state(old)
    const wasDirty = (oldState & entryState.dirty) !== 0
    assert(!wasDirty || state !== 'clean', 'what comes from the store is older than what is unflushed')
    const isDirty = wasDirty || state === 'dirty'
    const at = unit * 2
    const newState = isDirty ? entryState.dirty : entryState[state]
    words[at + entryWord.hash] = hash
    words[at + entryWord.state] = (key.length << keyLengthShift) | newState
    words[at + entryWord.valueLength] = value.length
    words[at + entryWord.sequence] = ++this.sequence
    this.copy(key, value, unit * 8 + entryHeaderBytes)
    if (kind !== undefined) arena.append(units, kind)
    if (isDirty) this.note(unit, units, old, oldState)
    if (old === 0) {
      index.fill(~slot, hash, unit)
      this.table.objects++
    } else {
      index.point(slot, unit)
      index.use(slot)
      arena.release(old, this.table.units(old))
    }
    return true
  }

  private copy(key: Key, value: Uint8Array, start: number): void {
    const { bytes } = this.table
    const length = key.length
    if (length < shortKey) for (let i = 0; i < length; i++) bytes[start + i] = key.charCodeAt(i)
    else latin1Write(bytes, key, start)
    bytes.set(value, start + length)
  }

  /** Counts the new entry as unflushed instead of the old one. */
  private note(unit: number, units: number, old: number, oldState: number): void {
    const { table } = this
    const { arena, order } = table
    arena.countDirty(unit, units)
    if ((oldState & entryState.dirty) === 0) {
      table.dirtyObjects++
      order.append(unit)
      return
    }
    arena.countDirty(old, -table.units(old))
    if ((oldState & entryState.flushing) === 0) order.replace(old, unit)
    else order.append(unit)
  }

  remove(key: Key, hash: number): void {
    const { table } = this
    assert(this.mayWrite, 'memory with a past is adopted before it is written')
    const slot = table.index.find(key, hash)
    if (slot >= 0) table.kill(slot, table.index.unit(slot))
  }

  /** Hands out one unflushed object to be written: its bytes now, good until the next put. */
  take(key: Key, hash: number): { readonly value: Uint8Array; readonly token: number } | undefined {
    const unit = this.findDirty(key, hash)
    if (unit === 0) return undefined
    this.handOut(unit)
    return { value: this.view(unit, key.length), token: this.token(unit) }
  }

  /**
   * Hands out unflushed objects that are not handed out yet, the longest unflushed first: at most
   * `countMax`, and as many as have `bytesMax` bytes of keys and values, but one at least. `take` must not
   * put or remove. Returns how many.
   */
  nextDirty(countMax: number, bytesMax: number, take: Take): number {
    const { table } = this
    const { words, bytes, order } = table
    let count = 0
    let room = bytesMax
    for (let unit = order.oldest; unit !== 0 && count < countMax; unit = order.oldest) {
      const keyLength = table.keyLength(unit)
      room -= keyLength + table.valueLength(unit)
      if (room < 0 && count > 0) break
      this.handOut(unit)
      count++
      const start = unit * 8 + entryHeaderBytes
      const key = latin1Slice(bytes, start, start + keyLength) as Key
      const hash = (words[unit * 2 + entryWord.hash] as number) >>> 0
      take(key, hash, this.view(unit, keyLength), this.token(unit))
    }
    return count
  }

  private handOut(unit: number): void {
    const { table } = this
    if ((table.state(unit) & entryState.flushing) !== 0) return
    table.order.remove(unit)
    table.setState(unit, entryState.dirty | entryState.flushing)
  }

  private token(unit: number): number {
    return (this.table.words[unit * 2 + entryWord.sequence] as number) >>> 0
  }

  /** The unit of an unflushed object, or 0. */
  private findDirty(key: Key, hash: number): number {
    const { table } = this
    const slot = table.index.find(key, hash)
    if (slot < 0) return 0
    const unit = table.index.unit(slot)
    return (table.state(unit) & entryState.dirty) === 0 ? 0 : unit
  }

  /** Visits all objects that are unflushed and not handed out; nothing is put or removed meanwhile. */
  eachDirty(visit: (key: Key, hash: number, value: Uint8Array) => void): void {
    const { table } = this
    const { words, bytes, order } = table
    for (let unit = order.oldest; unit !== 0; unit = words[unit * 2 + entryWord.newer] as number) {
      const keyLength = table.keyLength(unit)
      const start = unit * 8 + entryHeaderBytes
      const key = latin1Slice(bytes, start, start + keyLength) as Key
      visit(key, (words[unit * 2 + entryWord.hash] as number) >>> 0, this.view(unit, keyLength))
    }
  }

  /** What was handed out with this token is in the store. No effect when it was overwritten since. */
  markClean(key: Key, hash: number, token: number): void {
    const { table } = this
    const unit = this.findDirty(key, hash)
    if (unit === 0 || this.token(unit) !== token) return
    if ((table.state(unit) & entryState.flushing) === 0) table.order.remove(unit)
    table.setState(unit, entryState.clean)
    table.dirtyObjects--
    table.arena.countDirty(unit, -table.units(unit))
  }

  /** What was handed out with this token could not be written: it is the first to be handed out again. */
  markDirtyAgain(key: Key, hash: number, token: number): void {
    const { table } = this
    const unit = this.findDirty(key, hash)
    if (unit === 0 || this.token(unit) !== token) return
    if ((table.state(unit) & entryState.flushing) === 0) return
    table.setState(unit, entryState.dirty)
    table.order.prepend(unit)
  }

  /** Takes over memory whose writer died at any instant; `dropped`: of what puts returned true for, what is not whole. */
  adopt(isWhole: IsWhole): Adoption {
    const table = new ObjectTable(this.table.memory)
    const { sequence, ...adoption } = adoptMemory(table, isWhole)
    this.table = table
    this.sequence = sequence
    this.mayWrite = true
    return adoption
  }

  /**
   * Walks over all objects, some places of the index at a time: from cursor 0 on until it returns 0 again.
   * What is there during the whole walk is visited at least once, whatever is put and removed in between.
   */
  walk(
    cursor: number,
    placesMax: number,
    visit: (key: Key, hash: number, value: Uint8Array) => void,
  ): number {
    const { index, bytes } = this.table
    // Downwards, because a removal moves entries to lower places.
    let slot = index.slots - cursor
    for (const end = Math.max(0, slot - placesMax); slot > end; ) {
      const unit = index.unit(--slot)
      if (unit === 0) continue
      const start = unit * 8 + entryHeaderBytes
      const key = latin1Slice(bytes, start, start + this.table.keyLength(unit)) as Key
      visit(key, index.hash(slot) >>> 0, this.view(unit, key.length))
    }
    return slot === 0 ? 0 : index.slots - slot
  }
}
