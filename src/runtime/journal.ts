// The commit of turns: what was written becomes one batch of the store, one batch at a time; while it is
// under way the next turns gather theirs (group commit). "Durable before acknowledged" is a property of this
// file: an envelope that waits for a level is released only when the batch with everything written before it
// has reached that level, and the high-water mark says so.
//
//     note, gate ... pump --> [ commit batch ] --> high water --> release gates --> pump
//
// A batch logs what was written since the last one (redo.ts). Rows are written by flushes: Dynamo 6.1 flushes its
// object buffer by a writer thread; here some unflushed objects ride along in each batch while a flush is going on, so
// that two versions of a key are never under way at once. When it has ended, what was logged before it began goes.

import { copyBytes } from '../base/bytes.js'
import { limits } from '../base/limits.js'
import type { Key, Millis, Partition } from '../base/units.js'
import type { Envelope } from '../protocol/envelope.js'
import { isHintKey } from '../protocol/hint.js'
import type { Level } from '../protocol/write.js'
import { encodeMeta, metaRow } from '../storage/meta.js'
import { redoRow } from '../storage/redo-rows.js'
import { type CommitLevel, objectRow, type RowKey, type Write } from '../storage/store.js'
import type { Stamp } from '../versions/object.js'
import { modeOf } from '../versions/object-codec.js'
import { lookMax } from './ahead.js'
import { Flush } from './flush.js'
import type { HostPorts, HostStorage } from './ports.js'
import { RedoLog } from './redo.js'

/** What is written through but waited for by nobody (dw 0) may gather this long, so that batches are worth their cost. */
const lingerMs = 5
/** The longest that what was asked of memory alone waits to be logged, when no batch comes by: lost by kill -9 alone. */
const logEveryMs = 20
/** Objects that are flushed with one batch: to take more at once would hold up the turns that come after. */
const flushObjects = 512
/** The longest that what is in the log waits for an fsync that nobody asked for. */
const syncEveryMs = 1_000
/** Logged bytes that end the gathering before its time. */
const lingerBytes = 256 * 1024

interface Gate {
  readonly level: CommitLevel
  readonly envelope: Envelope
  readonly otherwise: Envelope
}

interface Taken {
  readonly key: Key
  readonly hash: number
  readonly token: number
}

export interface JournalCounters {
  commits: number
  syncs: number
  flushed: number
}

export class Journal {
  private readonly ports: HostPorts
  private readonly storage: HostStorage
  private readonly release: (envelope: Envelope) => void
  private readonly partitionOf: (hash: number) => Partition
  /** What the node may still lack, while it catches up. */
  private readonly owing: () => Stamp | undefined
  private readonly redo = new RedoLog()
  private readonly flush: Flush
  /** Objects whose rows are written with the next batch: large ones. */
  private wanted = new Map<Key, number>()
  /** Rows to be deleted with the next batch, and with the one that is under way. */
  private forgotten = new Map<Key, RowKey>()
  private forgetting: ReadonlyMap<Key, RowKey> = new Map()
  /** Rows that are no objects: what the node knows of the cluster. */
  private named = new Map<RowKey, Uint8Array>()
  /** Rows that were to be deleted in this life. */
  forgets = 0
  private level: CommitLevel = 'os'
  /** When the next batch begins at the latest, whether or not anybody waits for it. */
  private batchDue: Millis = Number.POSITIVE_INFINITY
  /** The shortest that anything since the last batch may wait. */
  private lingering: Millis = Number.POSITIVE_INFINITY
  private gates: Gate[] = []
  private committing = false
  private sequence: number
  /** What was received before this (wall clock) is in the store, in rows or logged. */
  private storedToWall: Millis
  private metaDirty = true
  private readonly hashes = new Uint32Array(lookMax)
  private closing: ((error: Error | undefined) => void) | undefined
  /** When the first commit since the last fsync was, 0 for none. */
  private unsyncedSince: Millis = 0
  /**
   * The next life stamps above this: the latest instant that the wall clock has shown, though it was set back since.
   * Never ahead of it: who stamps ahead wins against whoever stamps by the clock.
   */
  private stampFloor: Stamp
  failed: Error | undefined
  readonly counters: JournalCounters = { commits: 0, syncs: 0, flushed: 0 }

  constructor(
    ports: HostPorts,
    storage: HostStorage,
    release: (envelope: Envelope) => void,
    partitionOf: (hash: number) => Partition,
    owing: () => Stamp | undefined,
  ) {
    this.owing = owing
    this.ports = ports
    this.storage = storage
    this.release = release
    this.partitionOf = partitionOf
    this.sequence = storage.sequence
    this.stampFloor = ports.life.stampFloor
    this.flush = new Flush(storage.memory, ports.now())
    this.storedToWall = storage.memory.dirtyObjects === 0 || storage.logged ? ports.wall() : 0
    // What came over from a life that died alone may not have been logged by it.
    if (storage.logged) return
    storage.memory.eachDirty((key, hash, value) => {
      if (!modeOf(value).volatile) this.write(key, hash, value, 'memory')
    })
  }

  /** The last batch that is in the store. */
  get lastSequence(): number {
    return this.committing ? this.sequence - 1 : this.sequence
  }

  /** What the object of this key is now is stored with the next batch; for `memory` that may take a while. */
  write(key: Key, hash: number, value: Uint8Array, level: Level): void {
    if (!this.redo.object(key, hash, value)) this.wanted.set(key, hash)
    this.persist(level)
  }

  /** What was written so far reaches this level soon. */
  persist(level: Level): void {
    if (level === 'disk') this.level = 'disk'
    // All of it is in a batch already: who waits for that has a gate.
    if (this.redo.bytes === 0) return
    const linger = level === 'memory' ? logEveryMs : lingerMs
    // The clock is asked once a batch and kind: until then it cannot be due earlier than it is.
    if (linger < this.lingering) {
      this.lingering = linger
      this.batchDue = Math.min(this.batchDue, this.ports.now() + linger)
    }
  }

  /** The row of this key is deleted with the next batch, unless it is written again: deletions come first. */
  forget(partition: Partition, key: Key): void {
    this.redo.deleted(key)
    this.persist('os')
    this.wanted.delete(key)
    this.forgets++
    this.storage.memory.forgetting = true
    this.forgotten.set(key, objectRow(partition, key))
  }

  /** This row, which is no object's, is written with the next batch. */
  keep(row: RowKey, value: Uint8Array): void {
    this.named.set(row, value)
  }

  isForgotten(key: Key): boolean {
    return this.forgotten.has(key) || this.forgetting.has(key)
  }

  /** Releases `envelope` when all that was noted so far has reached `level`, or `otherwise` when it cannot. */
  gate(level: CommitLevel, envelope: Envelope, otherwise: Envelope): void {
    if (this.failed !== undefined) {
      this.release(otherwise)
      return
    }
    if (level === 'disk') this.level = 'disk'
    this.gates.push({ level, envelope, otherwise })
  }

  /** Calls back when everything received before `begunAt` has its row. */
  barrier(begunAt: Millis, done: () => void): void {
    this.flush.barrier(begunAt, done)
  }

  /** When the journal wants to be pumped next although nothing happens, or undefined. */
  nextDue(): Millis | undefined {
    if (this.failed !== undefined || this.committing) return undefined
    let due = Math.min(this.flush.nextDue(), this.batchDue)
    if (this.unsyncedSince > 0) due = Math.min(due, this.unsyncedSince + syncEveryMs)
    return due === Number.POSITIVE_INFINITY ? undefined : due
  }

  get idle(): boolean {
    return !this.committing && this.gates.length === 0 && this.redo.bytes === 0
  }

  /** Starts a batch when none is under way and there is something to write. */
  pump(): void {
    if (this.committing || this.failed !== undefined || this.finish()) return
    const now = this.ports.now()
    if (this.flush.begin(now, this.sequence)) this.flushDone(now)
    const syncDue = this.unsyncedSince > 0 && now >= this.unsyncedSince + syncEveryMs
    if (syncDue) this.level = 'disk'
    if (syncDue || this.gates.length > 0 || this.flush.left > 0 || this.lingered(now)) this.commitBatch()
  }

  private lingered(now: Millis): boolean {
    if (this.redo.bytes === 0) return false
    return this.redo.bytes >= lingerBytes || now >= this.batchDue || this.closing !== undefined
  }

  private flushDone(now: Millis): void {
    this.flush.ended(now)
    this.metaDirty = true
    this.dropLog()
  }

  /** What was logged before the flush began is in rows now; all of it, when nothing is unflushed. */
  private dropLog(): void {
    const { memory, store } = this.storage
    const isAll = memory.dirtyObjects === 0 && this.redo.bytes === 0
    const logged = this.flush.superfluous(isAll ? this.sequence : undefined)
    if (logged === undefined) return
    store.deleteRange(redoRow(logged.from), redoRow(logged.to + 1), (error) => {
      if (error !== undefined) this.fail(error, [])
    })
  }

  private commitBatch(): void {
    const { memory, store } = this.storage
    const writes: Write[] = []
    this.forgetting = this.forgotten
    this.forgotten = new Map()
    for (const row of this.forgetting.values()) writes.push({ row, value: undefined })
    const taken: Taken[] = []
    const objects: Taken[] = []
    const take = (key: Key, hash: number, view: Uint8Array, token: number) => {
      const value = copyBytes(view)
      writes.push({ row: objectRow(this.partitionOf(hash), key), value })
      // Is kept in memory only by now, and was not logged: replay must not bring back what it replaced.
      if (modeOf(value).volatile) this.redo.row(key)
      const object = { key, hash, token }
      taken.push(object)
      if (!isHintKey(key)) objects.push(object)
    }
    for (const [key, hash] of this.wanted) {
      const current = memory.take(key, hash)
      if (current !== undefined) take(key, hash, current.value, current.token)
    }
    const room = Math.min(this.flush.left, flushObjects, limits.batchOperationsMax - writes.length)
    if (room > 0) this.flush.took(memory.nextDirty(room, limits.batchBytesMax, take))
    const flushEnds = this.flush.endsHere
    for (const [row, value] of this.named) writes.push({ row, value })
    this.named = new Map()
    const { gates, level } = this
    this.wanted = new Map()
    this.gates = []
    this.level = 'os'
    this.batchDue = Number.POSITIVE_INFINITY
    this.lingering = Number.POSITIVE_INFINITY
    const logged = this.redo.take()
    if (logged !== undefined) {
      this.flush.noteLogged(logged.length)
      writes.push({ row: redoRow(this.sequence + 1), value: logged })
    }
    if (writes.length === 0 && gates.length === 0 && level === 'os' && !this.metaDirty) {
      if (flushEnds) this.flushDone(this.ports.now())
      return
    }
    this.sequence++
    this.metaDirty = false
    // All that was received before this is in this batch, or in one before it.
    this.storedToWall = this.ports.wall()
    for (const row of this.storage.trees.rowsOf(this.sequence, objects)) writes.push(row)
    writes.push({ row: metaRow, value: this.meta() })
    this.committing = true
    store.commit(writes, level, (error) => this.committed(error, taken, gates, level, flushEnds))
  }

  /** Loads what the next of these will look at, all at once. */
  private look(keys: readonly { readonly hash: number }[], first: number): void {
    const { memory, trees } = this.storage
    const count = Math.min(lookMax, keys.length - first)
    for (let i = 0; i < count; i++) this.hashes[i] = (keys[first + i] as Taken).hash
    memory.touch(this.hashes, count)
    trees.touch(this.hashes, count)
  }

  private meta(): Uint8Array {
    this.stampFloor = Math.max(this.stampFloor, Math.ceil(this.ports.wall() * 2048))
    return encodeMeta({
      incarnation: this.ports.life.incarnation,
      sequence: this.sequence,
      flushedTo: this.storedToWall,
      stampFloor: this.stampFloor,
      clean: this.closing !== undefined && this.storage.memory.dirtyObjects === 0,
      owing: this.owing(),
      peers: this.ports.peers(),
    })
  }

  /**
   * Writes all that is unflushed, fsyncs, and says in the meta row that the node was closed in order. Calls
   * back when that is done, or with the error of the store. Nothing may be noted after it.
   */
  drain(done: (error: Error | undefined) => void): void {
    if (this.failed !== undefined) return done(this.failed)
    this.closing = done
    this.flush.hurry()
    this.pump()
  }

  /** The last batch of an orderly end: everything before it is in the store, so it alone may say "clean". */
  private finish(): boolean {
    if (this.closing === undefined || this.committing || this.storage.memory.dirtyObjects > 0) return false
    if (this.gates.length > 0 || this.redo.bytes > 0) return false
    const done = this.closing
    this.dropLog()
    this.sequence++
    this.committing = true
    const meta = this.meta()
    this.storage.store.commit([{ row: metaRow, value: meta }], 'disk', (error) => {
      if (this.failed !== undefined) return
      if (error !== undefined) return this.fail(error, [])
      this.storage.highWater.note(this.ports.life.incarnation, this.sequence)
      done(undefined)
    })
    return true
  }

  private committed(
    error: Error | undefined,
    taken: readonly Taken[],
    gates: readonly Gate[],
    level: CommitLevel,
    flushEnds: boolean,
  ): void {
    this.committing = false
    if (error !== undefined) return this.fail(error, gates)
    this.forgetting = new Map()
    this.counters.commits++
    if (level === 'disk') {
      this.counters.syncs++
      this.unsyncedSince = 0
    } else if (this.unsyncedSince === 0) this.unsyncedSince = this.ports.now()
    this.counters.flushed += taken.length
    const { memory, highWater } = this.storage
    if (this.forgotten.size === 0) memory.forgetting = false
    for (let at = 0; at < taken.length; at++) {
      if (at % lookMax === 0) this.look(taken, at)
      const { key, hash, token } = taken[at] as Taken
      memory.markClean(key, hash, token)
    }
    highWater.note(this.ports.life.incarnation, this.sequence)
    for (const gate of gates) this.release(gate.envelope)
    if (flushEnds) this.flushDone(this.ports.now())
    this.pump()
    this.ports.wake()
  }

  /** The store is in an unknown state: nothing that waits for it is promised any more. */
  private fail(error: Error, gates: readonly Gate[]): void {
    for (const gate of gates) this.release(gate.otherwise)
    if (this.failed !== undefined) return
    this.failed = error
    for (const gate of this.gates) this.release(gate.otherwise)
    this.gates = []
    if (this.closing === undefined) this.ports.fatal(error)
    else this.closing(error)
  }
}
