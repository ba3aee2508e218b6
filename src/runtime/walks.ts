// Long walks over a partition, page by page: rows of the store, with what memory holds newer in their place,
// and the keys of buckets that are kept in memory only. A page waits until what was unflushed when the walk began is
// in the store, so that a key that was there throughout is seen.

import type { RowsWanted } from '../actors/actor.js'
import { copyBytes, Malformed } from '../base/bytes.js'
import { limits } from '../base/limits.js'
import type { Key, NodeId, Partition } from '../base/units.js'
import type { Envelope } from '../protocol/envelope.js'
import { isHintKey, keyOfHint, ownerOfHint } from '../protocol/hint.js'
import type { RowsRead, WalkedRow } from '../protocol/walk.js'
import { partitionOf, type Ring } from '../ring/ring.js'
import { hintBounds, hintKeyOfRow } from '../storage/layout.js'
import { objectRow, type Row, type RowKey } from '../storage/store.js'
import type { Stamp } from '../versions/object.js'
import { decodeObject } from '../versions/object-codec.js'
import type { Journal } from './journal.js'
import type { HostPorts, HostStorage, VolatileKey } from './ports.js'

/** Characters before the key in the row of an object. */
const rowPrefixLength = objectRow(0, '' as Key).length

/** Keys beyond twice the objects in memory before the list is looked through. */
const volatileSlack = 4_096

/** The fewest rows that are asked for at once. */
const rowsMin = 4

export class Walks {
  private readonly ports: HostPorts
  private readonly storage: HostStorage
  private readonly journal: Journal
  private readonly hashOf: (key: Key) => number
  private readonly deliver: (envelope: Envelope) => void
  /** About the largest row of late: decides how many are asked for at once. */
  private rowBytes = 4096
  private readonly volatile = new Map<Partition, Set<Key>>()
  /** At least as many as there are in `volatile`. */
  private volatileKeyCount = 0

  constructor(
    ports: HostPorts,
    storage: HostStorage,
    journal: Journal,
    hashOf: (key: Key) => number,
    deliver: (envelope: Envelope) => void,
  ) {
    this.ports = ports
    this.storage = storage
    this.journal = journal
    this.hashOf = hashOf
    this.deliver = deliver
  }

  /** Keys that no store lists and that were in memory before this life began. */
  restore(keys: readonly VolatileKey[], ring: Ring): void {
    for (const { key, hash } of keys) this.noteVolatile(partitionOf(ring, hash), key)
  }

  /** A key that no store will ever list. */
  noteVolatile(partition: Partition, key: Key): void {
    const place = isHintKey(key) ? hintsOf(ownerOfHint(key)) : partition
    let keys = this.volatile.get(place)
    if (keys === undefined) {
      keys = new Set()
      this.volatile.set(place, keys)
    }
    keys.add(key)
    this.volatileKeyCount++
    if (this.volatileKeyCount > 2 * this.storage.memory.objects + volatileSlack) this.sweepVolatile()
  }

  /** Memory lets go of what is kept in it only, and tells nobody. */
  private sweepVolatile(): void {
    this.volatileKeyCount = 0
    for (const [place, keys] of this.volatile) {
      for (const key of keys) {
        const hash = this.hashOf(isHintKey(key) ? keyOfHint(key) : key)
        if (!this.storage.memory.has(key, hash)) keys.delete(key)
      }
      if (keys.size === 0) this.volatile.delete(place)
      this.volatileKeyCount += keys.size
    }
  }

  begin(wanted: RowsWanted): void {
    this.rows(wanted, (message) =>
      this.deliver({ to: wanted.asker, from: wanted.asker, request: wanted.request, deadline: 0, message }),
    )
  }

  /** Calls back with one page. */
  rows(wanted: RowsWanted, done: (rows: RowsRead) => void): void {
    // Of each page: the one before may have come from another node.
    this.journal.barrier(wanted.begunAt, () => this.read(wanted, done))
  }

  private read(wanted: RowsWanted, done: (rows: RowsRead) => void): void {
    if (wanted.owner !== 0) return this.readHints(wanted, done)
    const { partition } = wanted
    const from = wanted.after > wanted.prefix ? wanted.after : wanted.prefix
    const after = objectRow(partition, from as Key)
    const limit = this.rowsOf(wanted)
    this.storage.store.walk(after, endOf(partition, wanted.prefix), limit, (error, rows) => {
      done(error === undefined ? this.page(wanted, rows, limit) : nothingRead)
      this.ports.wake()
    })
  }

  /** So many rows that they are about a page of bytes, by what rows were like lately: rows can be large. */
  private rowsOf(wanted: RowsWanted): number {
    return Math.min(wanted.limit, Math.max(rowsMin, Math.floor(limits.walkBytesMax / this.rowBytes)))
  }

  private noteRowBytes(largest: number): void {
    this.rowBytes = Math.max(largest, (this.rowBytes + largest) / 2)
  }

  /** Hints for one node; a page ends at a row, because keys of several partitions are no order of rows. */
  private readHints(wanted: RowsWanted, done: (rows: RowsRead) => void): void {
    const { after, before } = hintBounds(wanted.owner)
    const from = wanted.after === '' ? after : wanted.after
    const limit = this.rowsOf(wanted)
    this.storage.store.walk(from, before, limit, (error, rows) => {
      done(error === undefined ? this.hintPage(wanted, rows, limit) : nothingRead)
      this.ports.wake()
    })
  }

  private hintPage(wanted: RowsWanted, stored: readonly Row[], limit: number): RowsRead {
    const rows: WalkedRow[] = []
    let largest = 0
    const taken = new Set<Key>()
    const take = (key: Key, value: Uint8Array | undefined) => {
      // What became durable is a row and still listed as kept in memory only.
      if (taken.has(key)) return
      const view = this.storage.memory.peek(key, this.hashOf(keyOfHint(key)))
      // Deleted from the store it may be, and written again in memory since.
      const object = view !== undefined ? copyBytes(view) : this.journal.isForgotten(key) ? undefined : value
      if (object === undefined) return
      taken.add(key)
      rows.push({ key, object })
    }
    for (const { row, value } of stored) {
      take(hintKeyOfRow(row), value)
      largest = Math.max(largest, value.length)
    }
    if (stored.length > 0) this.noteRowBytes(largest)
    const volatile = this.volatile.get(hintsOf(wanted.owner))
    if (wanted.after === '' && volatile !== undefined) {
      for (const key of volatile) {
        if (rows.length >= 2 * limit) break
        if (this.storage.memory.has(key, this.hashOf(keyOfHint(key)))) take(key, undefined)
        else volatile.delete(key)
      }
    }
    const next = stored.length < limit ? undefined : stored.at(-1)?.row
    return { type: 'rows-read', rows, next, failed: false }
  }

  private page(wanted: RowsWanted, rows: readonly Row[], limit: number): RowsRead {
    const stored = new Map<Key, Uint8Array | undefined>()
    let largest = 0
    for (const { row, value } of rows) {
      stored.set(row.slice(rowPrefixLength) as Key, value)
      largest = Math.max(largest, value.length)
    }
    this.noteRowBytes(largest)
    const lastStored = rows.length < limit ? undefined : rows.at(-1)?.row.slice(rowPrefixLength)
    for (const key of this.volatileKeys(wanted, lastStored)) stored.set(key, undefined)
    const keys = [...stored.keys()].sort(byBytes)
    const page: WalkedRow[] = []
    let bytes = 0
    let last: string | undefined
    let cut = false
    for (const key of keys) {
      if (page.length >= wanted.limit || (bytes >= limits.walkBytesMax && page.length > 0)) {
        cut = true
        break
      }
      last = key
      const object = this.current(wanted, key, stored.get(key))
      if (object === undefined) continue
      page.push({ key, object })
      bytes += object.length + key.length
    }
    return { type: 'rows-read', rows: page, next: cut ? last : lastStored, failed: false }
  }

  private volatileKeys(wanted: RowsWanted, last: string | undefined): Key[] {
    const keys = this.volatile.get(wanted.partition)
    if (keys === undefined) return []
    const found: Key[] = []
    for (const key of keys) {
      if (!key.startsWith(wanted.prefix) || key <= wanted.after) continue
      if (last !== undefined && key > last) continue
      if (this.storage.memory.has(key, this.hashOf(key))) found.push(key)
      else keys.delete(key)
    }
    return found
  }

  /** The newest bytes of a row, or undefined when it is older than what is asked for. */
  private current(wanted: RowsWanted, key: Key, stored: Uint8Array | undefined): Uint8Array | undefined {
    const hash = this.hashOf(key)
    const view = this.storage.memory.peek(key, hash)
    const bytes = view === undefined ? stored : copyBytes(view)
    if (bytes === undefined || wanted.since === 0) return bytes
    return newestStamp(bytes, hash) >= wanted.since ? bytes : undefined
  }
}

const nothingRead: RowsRead = { type: 'rows-read', rows: [], next: undefined, failed: true }

/** A damaged row counts as new: it is for the reader to find out. */
function newestStamp(bytes: Uint8Array, hash: number): Stamp {
  try {
    let newest = 0
    for (const sibling of decodeObject(bytes, hash).siblings) {
      if (sibling.stamp > newest) newest = sibling.stamp
    }
    return newest
  } catch (error) {
    if (error instanceof Malformed) return Number.POSITIVE_INFINITY
    throw error
  }
}

/** Where the keys of volatile hints for a node are noted: no partition's number. */
function hintsOf(owner: NodeId): number {
  return -owner
}

/** The row after the last one with this prefix: no byte of a bucket's name is as large as 0xff. */
function endOf(partition: Partition, prefix: string): RowKey {
  if (prefix === '') return objectRow(partition, '' as Key).slice(0, 1) + nextPartition(partition)
  return objectRow(
    partition,
    (prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)) as Key,
  )
}

function nextPartition(partition: Partition): string {
  if (partition === 0xffff) return 'ÿÿÿ'
  const next = partition + 1
  return String.fromCharCode(next >>> 8, next & 0xff)
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
