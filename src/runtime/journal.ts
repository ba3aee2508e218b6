// The commit of turns: what was written becomes one batch of the store, one batch at a time; while it is
// under way the next turns gather theirs (group commit). "Durable before acknowledged" is a property of this
// file: an envelope that waits for a level is released only when the batch with everything written before it
// has reached that level, and the high-water mark says so.
//
//     note, gate ... pump --> [ commit batch ] --> high water --> release gates --> pump
//
// Dynamo 6.1 flushes its object buffer by a writer thread; here the buffer's unflushed objects ride along in
// the same batches, so that two versions of a key are never under way at once.

import { copyBytes } from '../base/bytes.js'
import { limits } from '../base/limits.js'
import type { Key, Millis, Partition } from '../base/units.js'
import type { Envelope } from '../protocol/envelope.js'
import { isHintKey } from '../protocol/hint.js'
import { encodeMeta, metaRow } from '../storage/meta.js'
import { type CommitLevel, objectRow, type RowKey, type Write } from '../storage/store.js'
import type { Stamp } from '../versions/object.js'
import { lookMax } from './ahead.js'
import type { HostPorts, HostStorage } from './ports.js'

/** The longest that an unflushed object waits. Longer coalesces more overwrites, and leaves more to repair after kill -9. */
const flushEveryMs = 2_000
/** Unflushed bytes that start a flush before its time. */
const flushBytes = 16 * 1024 * 1024
/** What is written through but waited for by nobody (dw 0) may gather this long, so that batches are worth their cost. */
const lingerMs = 5
/** Objects that are flushed with one batch: to take more at once would hold up the turns that come after. */
const flushObjects = 512
/** The longest that what is in the log waits for an fsync that nobody asked for. */
const syncEveryMs = 1_000
/** Objects that end the gathering before its time. */
const lingerObjects = 1_000

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
  private wanted = new Map<Key, number>()
  /** Rows to be deleted with the next batch, and with the one that is under way. */
  private forgotten = new Map<Key, RowKey>()
  private forgetting: ReadonlyMap<Key, RowKey> = new Map()
  /** Rows that are no objects: what the node knows of the cluster. */
  private named = new Map<RowKey, Uint8Array>()
  /** Rows that were to be deleted in this life. */
  forgets = 0
  private level: CommitLevel = 'os'
  private wantedSince: Millis = 0
  private gates: Gate[] = []
  private committing = false
  private sequence: number
  /** Objects still to be flushed in the flush that is going on. */
  private flushLeft = 0
  private flushBegunAt: Millis = 0
  private flushDue: Millis
  /** What was received before this is in the store. */
  flushedTo: Millis
  /** The same instant by the wall clock, for the meta row. */
  private flushedToWall: Millis
  private flushBegunWall: Millis = 0
  private readonly barriers: { readonly begunAt: Millis; readonly done: () => void }[] = []
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
    const now = ports.now()
    this.flushDue = now + flushEveryMs
    this.flushedTo = storage.memory.dirtyObjects === 0 ? now : 0
    this.flushedToWall = storage.memory.dirtyObjects === 0 ? ports.wall() : 0
  }

  /** The last batch that is in the store. */
  get lastSequence(): number {
    return this.committing ? this.sequence - 1 : this.sequence
  }

  /** The object of this key goes into the next batch, as it is then. */
  note(key: Key, hash: number, level: CommitLevel): void {
    if (this.wanted.size === 0 && this.forgotten.size === 0) this.wantedSince = this.ports.now()
    this.wanted.set(key, hash)
    if (level === 'disk') this.level = 'disk'
  }

  /** The row of this key is deleted with the next batch, unless it is written again: deletions come first. */
  forget(partition: Partition, key: Key): void {
    if (this.wanted.size === 0 && this.forgotten.size === 0) this.wantedSince = this.ports.now()
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

  /** Calls back when everything received before `begunAt` is in the store. */
  barrier(begunAt: Millis, done: () => void): void {
    if (this.flushedTo >= begunAt) return done()
    this.barriers.push({ begunAt, done })
    this.flushDue = 0
  }

  /** When the journal wants to be pumped next although nothing happens, or undefined. */
  nextDue(): Millis | undefined {
    if (this.failed !== undefined || this.committing) return undefined
    let due = this.storage.memory.dirtyObjects > 0 ? this.flushDue : Number.POSITIVE_INFINITY
    if (this.wanted.size > 0 || this.forgotten.size > 0) due = Math.min(due, this.wantedSince + lingerMs)
    if (this.unsyncedSince > 0) due = Math.min(due, this.unsyncedSince + syncEveryMs)
    return due === Number.POSITIVE_INFINITY ? undefined : due
  }

  get idle(): boolean {
    return !this.committing && this.gates.length === 0 && this.wanted.size === 0 && this.forgotten.size === 0
  }

  /** Starts a batch when none is under way and there is something to write. */
  pump(): void {
    if (this.committing || this.failed !== undefined || this.finish()) return
    const now = this.ports.now()
    this.beginFlush(now)
    const syncDue = this.unsyncedSince > 0 && now >= this.unsyncedSince + syncEveryMs
    if (syncDue) this.level = 'disk'
    if (syncDue || this.gates.length > 0 || this.flushLeft > 0 || this.lingered(now)) this.commitBatch()
  }

  private lingered(now: Millis): boolean {
    if (this.wanted.size === 0 && this.forgotten.size === 0) return false
    return (
      this.wanted.size >= lingerObjects || now >= this.wantedSince + lingerMs || this.closing !== undefined
    )
  }

  private beginFlush(now: Millis): void {
    const { memory } = this.storage
    if (this.flushLeft > 0) return
    if (now < this.flushDue && memory.dirtyBytes < Math.min(flushBytes, memory.capacityBytes / 8)) return
    this.flushBegunAt = now
    this.flushBegunWall = this.ports.wall()
    this.flushLeft = memory.dirtyObjects
    if (this.flushLeft === 0) this.flushDone(now)
  }

  private flushDone(now: Millis): void {
    this.flushedTo = this.flushBegunAt
    this.flushedToWall = this.flushBegunWall
    this.flushDue = now + flushEveryMs
    this.metaDirty = true
    for (let i = this.barriers.length - 1; i >= 0; i--) {
      const waiting = this.barriers[i]
      if (waiting === undefined || waiting.begunAt > this.flushedTo) continue
      this.barriers.splice(i, 1)
      waiting.done()
    }
    if (this.barriers.length > 0) this.flushDue = 0
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
      const object = { key, hash, token }
      taken.push(object)
      if (!isHintKey(key)) objects.push(object)
    }
    for (const [key, hash] of this.wanted) {
      const current = memory.take(key, hash)
      if (current !== undefined) take(key, hash, current.value, current.token)
    }
    const room = Math.min(this.flushLeft, flushObjects, limits.batchOperationsMax - writes.length)
    let flushing = 0
    if (room > 0) {
      flushing = memory.nextDirty(room, limits.batchBytesMax, take)
      // Nothing left to hand out: the rest of this flush was overwritten or written through meanwhile.
      this.flushLeft = flushing === 0 ? 0 : this.flushLeft - flushing
    }
    const flushEnds = this.flushBegunAt > this.flushedTo && this.flushLeft === 0
    for (const [row, value] of this.named) writes.push({ row, value })
    this.named = new Map()
    const { gates, level } = this
    this.wanted = new Map()
    this.gates = []
    this.level = 'os'
    if (writes.length === 0 && gates.length === 0 && level === 'os' && !this.metaDirty) {
      if (flushEnds) this.flushDone(this.ports.now())
      return
    }
    this.sequence++
    this.metaDirty = false
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
      flushedTo: this.flushedToWall,
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
    this.flushDue = 0
    this.pump()
  }

  /** The last batch of an orderly end: everything before it is in the store, so it alone may say "clean". */
  private finish(): boolean {
    if (this.closing === undefined || this.committing || this.storage.memory.dirtyObjects > 0) return false
    if (this.wanted.size > 0 || this.gates.length > 0 || this.forgotten.size > 0) return false
    const done = this.closing
    this.sequence++
    this.committing = true
    const meta = this.meta()
    this.storage.store.commit([{ row: metaRow, value: meta }], 'disk', (error) => {
      if (error === undefined) this.storage.highWater.note(this.ports.life.incarnation, this.sequence)
      else this.failed = error
      done(error)
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
    if (error !== undefined) {
      this.failed = error
      for (const gate of gates) this.release(gate.otherwise)
      for (const gate of this.gates) this.release(gate.otherwise)
      this.gates = []
      if (this.closing === undefined) this.ports.fatal(error)
      else this.closing(error)
      return
    }
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
}
