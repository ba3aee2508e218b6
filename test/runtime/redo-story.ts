// A node without actors, for stories of what its store keeps: journal, memory and log, on a disk that does what it is
// given when the story says so, through deaths of the thread, of the process, and power cuts. Of each key it knows all
// versions in order, and the last that was promised to survive each of them.

import type { Key } from '../../src/base/units.js'
import { singleAddress } from '../../src/protocol/address.js'
import type { Envelope } from '../../src/protocol/envelope.js'
import { Journal } from '../../src/runtime/journal.js'
import type { HostPorts } from '../../src/runtime/ports.js'
import { restoreRedo } from '../../src/runtime/redo-restore.js'
import { Trees } from '../../src/runtime/trees.js'
import { createMemoryStore, type MemoryStore } from '../../src/storage/memory-store.js'
import { decodeMeta, type Meta, metaRow } from '../../src/storage/meta.js'
import { ObjectBuffer } from '../../src/storage/object-buffer.js'
import { createObjectBuffer } from '../../src/storage/object-buffer-layout.js'
import { readRedo, redoBounds } from '../../src/storage/redo-rows.js'
import { type CommitLevel, type Done, objectRow, type Row, type Store } from '../../src/storage/store.js'
import { isVolatile, withMode } from '../../src/versions/mode.js'
import { decodeObject, encodeObject } from '../../src/versions/object-codec.js'
import { handDriven, key } from './hand-driven.js'

/** `stored`: what the thread's death leaves; `os`: what the process's does; `disk`: what a power cut does. */
type Kept = 'os' | 'disk'

interface Versions {
  /** `undefined` is a deletion, or nothing yet. */
  readonly all: (string | undefined)[]
  readonly kept: Record<Kept, number>
  volatileNow: boolean
}

export type End = 'thread' | 'process' | 'power' | 'close'

export class RedoStory {
  disk: MemoryStore
  memory: ObjectBuffer
  private bytes: SharedArrayBuffer
  journal!: Journal
  now = 1_000
  private life = 0
  private jobs: (() => void)[] = []
  private readonly answers: (() => void)[] = []
  private readonly versions = new Map<string, Versions>()
  private readonly waiting = new Map<Envelope, () => void>()
  private sequence = 0
  /** Number of the last version of whatever key: none is used twice. */
  private last = 0

  constructor(memoryBytes: number) {
    this.disk = createMemoryStore((task) => void this.answers.push(task))
    this.bytes = createObjectBuffer(memoryBytes)
    this.memory = new ObjectBuffer(this.bytes)
    this.memory.restored = true
    this.begin(true)
  }

  private of(name: string): Versions {
    const known = this.versions.get(name)
    if (known !== undefined) return known
    const versions = { all: [undefined], kept: { os: 0, disk: 0 }, volatileNow: false }
    this.versions.set(name, versions)
    return versions
  }

  get names(): readonly string[] {
    return [...this.versions.keys()]
  }

  /** What this life gives to the disk happens when `run` comes to it, and is answered then. */
  private port(): Store {
    const life = this.life
    const inTurn = (job: (done: Done) => void, done: Done) => {
      this.jobs.push(() => {
        job((error) => {
          if (life === this.life) done(error)
        })
      })
    }
    return {
      commit: (writes, level, done) => {
        const copies = writes.map(({ row, value }) => ({ row, value: value && Uint8Array.from(value) }))
        inTurn((answer) => this.disk.commit(copies, level, answer), done)
      },
      deleteRange: (from, to, done) => inTurn((answer) => this.disk.deleteRange(from, to, answer), done),
      read: (rows, done) => this.disk.read(rows, done),
      walk: (after, before, limit, done) => this.disk.walk(after, before, limit, done),
      close: (done) => this.disk.close(done),
    }
  }

  private begin(logged: boolean): void {
    const { ports, storage } = handDriven()
    const own: HostPorts = { ...ports, now: () => this.now, wall: () => this.now, fatal: () => {} }
    this.sequence = this.journal === undefined ? 0 : this.journal['sequence'] + 1
    this.journal = new Journal(
      own,
      {
        ...storage,
        memory: this.memory,
        store: this.port(),
        trees: new Trees(16),
        sequence: this.sequence,
        logged,
      },
      (envelope) => this.waiting.get(envelope)?.(),
      () => 0,
      () => undefined,
    )
  }

  /** Writes a version, unless the node would refuse it. */
  write(name: string, size: number, level: CommitLevel | 'memory', ofMemory = false): void {
    const { memory, journal } = this
    const versions = this.of(name)
    const value = `${name} ${++this.last} `.padEnd(size, '.')
    const encoded = objectOf(value, ofMemory)
    if (encoded.length > memory.objectBytesMax || memory.dirtyBytes > memory.capacityBytes / 2) return
    if (!memory.put(key(name), hashOf(name), encoded, ofMemory ? 'volatile' : 'dirty')) return
    versions.all.push(value)
    versions.volatileNow = ofMemory
    if (ofMemory) return
    journal.write(key(name), hashOf(name), encoded, level)
    if (level !== 'memory') this.promise(name, level)
  }

  remove(name: string): void {
    const versions = this.of(name)
    this.journal.forget(0, key(name))
    this.memory.remove(key(name), hashOf(name))
    versions.all.push(undefined)
    versions.volatileNow = false
    this.promise(name, 'disk')
  }

  /** As for a copy that was asked for again, durable now. */
  persist(name: string, level: CommitLevel): void {
    const { all, volatileNow } = this.of(name)
    if (volatileNow || all.at(-1) === undefined) return
    this.journal.persist(level)
    this.promise(name, level)
  }

  /** Says that the newest version is kept, when it is. */
  private promise(name: string, level: CommitLevel): void {
    const { kept, all } = this.of(name)
    const at = all.length - 1
    const envelope = envelopeOf()
    this.waiting.set(envelope, () => {
      kept.os = Math.max(kept.os, at)
      if (level === 'disk') kept.disk = Math.max(kept.disk, at)
    })
    this.journal.gate(level, envelope, envelopeOf())
  }

  pass(ms: number): void {
    this.now += ms
    this.journal.pump()
  }

  /** So many jobs of the disk happen, and are answered. */
  run(count: number): void {
    for (let i = 0; i < count && this.jobs.length > 0; i++) {
      this.jobs.shift()?.()
      this.answer()
    }
  }

  private answer(): void {
    for (let task = this.answers.shift(); task !== undefined; task = this.answers.shift()) task()
  }

  /** Until nothing is to be done any more. */
  settle(): void {
    for (let i = 0; i < 10_000; i++) {
      this.run(Number.MAX_SAFE_INTEGER)
      const due = this.journal.nextDue()
      if (due === undefined) return
      this.now = Math.max(this.now, due)
      this.journal.pump()
    }
    throw new Error('does not come to rest')
  }

  /** Flushes as if the time for it had come. */
  flush(): void {
    this.journal.barrier(this.now, () => {})
    this.journal.pump()
  }

  /**
   * This life ends and the next begins, in memory of so many bytes where the old one is gone. Of what the disk was
   * given so many jobs happen all the same. `restarts`: lives that end before they have read the log.
   */
  end(kind: End, memoryBytes: number, jobs: number, keep = 0, restarts = 0): void {
    if (kind === 'close') this.close()
    for (const job of this.jobs.slice(0, jobs)) job()
    this.life++
    this.jobs = []
    this.answers.length = 0
    if (kind !== 'close') this.disk = this.disk.crash(kind === 'power' ? 'power' : 'process', keep)
    if (kind !== 'thread') this.bytes = createObjectBuffer(memoryBytes)
    let isAdopted = kind === 'thread'
    for (let i = restarts; i >= 0; i--) {
      this.memory = new ObjectBuffer(this.bytes)
      if (isAdopted) this.memory.adopt(() => true)
      isAdopted = true
      restoreRedo({ store: this.disk, memory: this.memory, partitionOf: () => 0 }, () => {})
      if (i === 0) this.answer()
      else {
        // Somewhere between its first page and its last row.
        for (let step = 0; step < i % 3; step++) this.answers.shift()?.()
        this.answers.length = 0
      }
    }
    this.begin(kind !== 'thread' && restarts === 0)
    for (const [name, versions] of this.versions) this.settleOn(name, versions, kind)
  }

  private close(): void {
    let isClosed = false
    this.journal.drain((error) => {
      isClosed = error === undefined
    })
    this.settle()
    if (!isClosed) throw new Error('was not closed')
    if (!this.meta.clean) throw new Error('is not clean')
    if (this.logRows.length > 0) throw new Error('a log was left')
    for (const { kept, all, volatileNow } of this.versions.values()) {
      // What is kept in memory only is not promised to survive; what it replaced may be there or not.
      if (!volatileNow) kept.os = all.length - 1
    }
  }

  get meta(): Meta {
    return decodeMeta(this.disk.look(metaRow) as Uint8Array)
  }

  get logRows(): readonly Row[] {
    let found: readonly Row[] = []
    const asked = this.answers.splice(0)
    this.disk.walk(redoBounds.after, redoBounds.before, 1_000_000, (_error, rows) => {
      found = rows
    })
    this.answer()
    this.answers.push(...asked)
    return found
  }

  /** Throws when the log would bring back what is older than the row, or tells of what is kept in memory only. */
  checkStore(): void {
    const newest = new Map<Key, Uint8Array>()
    for (const { value } of this.logRows) {
      readRedo(value, {
        object: (of, _hash, bytes) => {
          if (isVolatile(decodeObject(bytes, 0))) throw new Error(`${of} was logged`)
          newest.set(of, bytes)
        },
        settled: (of) => void newest.delete(of),
      })
    }
    for (const [of, bytes] of newest) {
      const row = this.disk.look(objectRow(0, of))
      if (row !== undefined && numberOf(row) > numberOf(bytes))
        throw new Error(`the log of ${of} is older than its row`)
    }
  }

  /** What the node answers: memory, then the row. */
  look(name: string): string | undefined {
    const bytes =
      this.memory.peek(key(name), hashOf(name)) ??
      (this.journal.isForgotten(key(name)) ? undefined : this.disk.look(objectRow(0, key(name))))
    return bytes && textOf(bytes)
  }

  /** Throws when what the life before has left is older than what was promised, or is nothing that there ever was. */
  private settleOn(name: string, versions: Versions, kind: End): void {
    const found = this.look(name)
    const { all, kept, volatileNow } = versions
    const at = all.lastIndexOf(found)
    // The death of a thread takes nothing from memory but what was deleted and not committed: that may be back.
    const newest = all.length - 1
    const least =
      kind === 'thread' && all[newest] !== undefined && !volatileNow
        ? newest
        : kept[kind === 'power' ? 'disk' : 'os']
    if (at < least) throw new Error(`${name}: after ${kind} ${found} is back, promised was ${all[least]}`)
    all.length = at + 1
    if (kind === 'process') kept.os = at
    if (kind === 'power' || kind === 'close') kept.os = kept.disk = at
    kept.os = Math.min(kept.os, at)
    kept.disk = Math.min(kept.disk, at)
  }

  /** Throws when a living node does not answer with the newest version. */
  check(): void {
    for (const [name, { all, volatileNow }] of this.versions) {
      const found = this.look(name)
      if (!volatileNow && found !== all.at(-1)) throw new Error(`${name}: ${found}, not ${all.at(-1)}`)
    }
  }
}

const self = singleAddress('host', 1)

function envelopeOf(): Envelope {
  return { to: self, from: self, request: 0, deadline: 0, message: { type: 'repair-due' } }
}

export function hashOf(name: string): number {
  return (name.charCodeAt(0) * 0x9e3779b1) >>> 0
}

export function objectOf(value: string, ofMemory = false): Uint8Array {
  const dot = { actor: 1, counter: 1 }
  const sibling = {
    dot,
    stamp: 1,
    expires: 0,
    deleted: false,
    encoding: withMode(1, 'last-write-wins', ofMemory, 3),
    value: Buffer.from(value),
  }
  return encodeObject({ clock: [{ ...dot, time: 1 }], siblings: [sibling] }, 0)
}

function numberOf(bytes: Uint8Array): number {
  return Number(textOf(bytes).split(' ')[1])
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(decodeObject(bytes, 0).siblings[0]?.value ?? []).toString()
}
