// One step of a node: gather, read, decide, commit, release. This file is the turn as actors see it; the
// host runs it. What an actor sends is noted here and leaves after its writes are in the node's buffer
// ('memory'), or with the batch that makes them durable (journal).

import type { LeafSums, ListWanted, RareBranch, RowsWanted, Turn } from '../actors/actor.js'
import { unreadable } from '../actors/actor.js'
import { Malformed, viewOf } from '../base/bytes.js'
import { limits } from '../base/limits.js'
import type { Incarnation, Key, Millis, Partition, RequestId } from '../base/units.js'
import type { VersionTree } from '../merkle/tree.js'
import type { Address, Kind } from '../protocol/address.js'
import { type Envelope, Letter, type Message, type Protocol } from '../protocol/envelope.js'
import { isHintKey } from '../protocol/hint.js'
import type { Level } from '../protocol/write.js'
import { isVolatile } from '../versions/mode.js'
import type { Stamp, StoredObject } from '../versions/object.js'
import { decodeObject, encodeObject, isMortal, type Located } from '../versions/object-codec.js'
import type { Journal } from './journal.js'
import type { Listings } from './listings.js'
import type { HostPorts, HostStorage } from './ports.js'
import type { Timers } from './timers.js'
import type { Walks } from './walks.js'

/** What the store answered for a key that is not in memory, good for the turn that it was fetched for. */
export type FetchedRows = Map<Key, Uint8Array | Error | undefined>

/** For the key and the header of an entry: the object buffer takes a quarter of its memory, all included. */
const mergedMarginBytes = 70_000

export class HostTurn implements Turn {
  now: Millis = 0
  wall: Millis = 0
  /** Who is deciding: the sender of what is sent. */
  self!: Address
  /** Noted for release, in order. */
  readonly outbox: Envelope[] = []
  fetched: FetchedRows | undefined
  /** The key that was read last, when memory had it. */
  private found: Key | undefined
  /** The last read, while nothing was written since. */
  private readKey: Key | undefined
  private readAs: 'nothing' | 'bytes' | 'unreadable' = 'nothing'
  private readonly located: Located = { bytes: new Uint8Array(0), start: 0, end: 0 }
  readonly incarnation: Incarnation
  readonly catchUp: Turn['catchUp']
  private readonly ports: HostPorts
  private readonly timers: Timers
  private readonly journal: Journal | undefined
  private readonly walks: Walks | undefined
  private readonly listings: Listings | undefined
  readonly mendEveryMs: Millis
  readonly travelMsMax: Millis
  readonly reapAfterMs: Millis
  mortals = 0
  bornInChange = 0

  constructor(
    ports: HostPorts,
    timers: Timers,
    journal: Journal | undefined,
    walks: Walks | undefined,
    listings: Listings | undefined,
  ) {
    this.listings = listings
    this.mendEveryMs = ports.mendEveryMs
    this.travelMsMax = ports.travelMsMax
    this.reapAfterMs = ports.reapAfterMs
    this.ports = ports
    this.timers = timers
    this.journal = journal
    this.walks = walks
    this.incarnation = ports.life.incarnation
    this.catchUp = ports.life.catchUp
  }

  get stampFloor(): Stamp {
    return this.ports.life.stampFloor
  }

  get travelEnd(): Millis {
    return this.now + this.travelMsMax
  }

  begin(): void {
    this.now = this.ports.now()
    this.wall = this.ports.wall()
  }

  get overloaded(): boolean {
    const memory = this.ports.storage?.memory
    if (memory === undefined) return false
    return memory.dirtyBytes > Math.min(limits.dirtyBytesMax, memory.capacityBytes / 2)
  }

  get objectBytesMax(): number {
    return this.ports.storage?.memory.objectBytesMax ?? 0
  }

  get mergedBytesMax(): number {
    return 2 * this.objectBytesMax - mergedMarginBytes
  }

  rarely(branch: RareBranch): boolean {
    return this.ports.rarely?.(branch) ?? false
  }

  random(): number {
    return this.ports.random()
  }

  send<K extends Kind>(
    to: Address<K>,
    message: Protocol[K],
    request: RequestId = 0,
    deadline: Millis = 0,
  ): void {
    this.outbox.push(new Letter<Message>(to, this.self, request, deadline, message))
  }

  sendDurable<K extends Kind>(
    level: Level,
    to: Address<K>,
    message: Protocol[K],
    otherwise: Protocol[K],
    request: RequestId,
  ): void {
    const envelope = this.envelope(to, message, request)
    if (level === 'memory' || this.journal === undefined) this.outbox.push(envelope)
    else this.journal.gate(level, envelope, this.envelope(to, otherwise, request))
  }

  private envelope(to: Address, message: Message, request: RequestId): Envelope {
    return new Letter(to, this.self, request, 0, message)
  }

  forward<K extends Kind>(envelope: Envelope, to: Address<K>): void {
    this.outbox.push({ ...envelope, to })
  }

  after<K extends Kind>(delay: Millis, to: Address<K>, message: Protocol[K]): void {
    this.timers.arm(this.now + delay, this.envelope(to, message, 0))
  }

  get(key: Key, hash: number): StoredObject | undefined | typeof unreadable {
    const bytes = this.getEncoded(key, hash)
    if (bytes === undefined || bytes === unreadable) return bytes
    try {
      return decodeObject(bytes, hash)
    } catch (error) {
      if (error instanceof Malformed) return unreadable
      throw error
    }
  }

  getEncoded(key: Key, hash: number): Uint8Array | undefined | typeof unreadable {
    const found = this.locate(key, hash)
    return found === undefined || found === unreadable ? found : viewOf(found.bytes, found.start, found.end)
  }

  locate(key: Key, hash: number): Located | undefined | typeof unreadable {
    const memory = this.ports.storage?.memory
    this.readKey = key
    if (memory?.locate(key, hash, this.located, true) === true) {
      this.found = key
      this.readAs = 'bytes'
      return this.located
    }
    this.found = undefined
    return this.lookIntoFetched(key)
  }

  private lookIntoFetched(key: Key): Located | undefined | typeof unreadable {
    const row = this.fetched?.get(key)
    this.readAs = row === undefined ? 'nothing' : row instanceof Error ? 'unreadable' : 'bytes'
    if (row instanceof Error) return unreadable
    if (row === undefined) return undefined
    const { located } = this
    located.bytes = row
    located.start = 0
    located.end = row.length
    return located
  }

  put(partition: Partition, key: Key, hash: number, object: StoredObject, level: Level): void {
    this.putEncoded(partition, key, hash, encodeObject(object, hash), level, isVolatile(object))
  }

  putEncoded(
    partition: Partition,
    key: Key,
    hash: number,
    encoded: Uint8Array,
    level: Level,
    volatile: boolean,
  ): void {
    const { storage } = this.ports
    if (storage === undefined) throw new Error('invariant broken: a host without storage was asked to store')
    const { memory, trees } = storage
    if (!isHintKey(key)) {
      trees.changed(key, hash, this.before(key, hash), encoded, this.now)
      if (isMortal(encoded)) this.mortals++
    }
    this.readKey = undefined
    if (!memory.put(key, hash, encoded, volatile ? 'volatile' : 'dirty')) {
      throw new Error('invariant broken: the object buffer is full of unflushed objects')
    }
    this.fetched?.delete(key)
    if (volatile) {
      // What was there before is in the list already.
      if (this.found !== key) this.walks?.noteVolatile(partition, key)
    } else this.journal?.write(key, hash, encoded, level)
  }

  /** What is replaced. */
  private before(key: Key, hash: number): Located | undefined {
    const { memory, trees } = this.ports.storage as HostStorage
    if (this.readKey !== key) {
      if (memory.locate(key, hash, this.located, false)) this.readAs = 'bytes'
      else this.lookIntoFetched(key)
    }
    this.readKey = undefined
    if (this.readAs === 'bytes') return this.located
    // What it was nobody can read, so nobody can take it out of the tree.
    if (this.readAs === 'unreadable') trees.doubt(trees.partitionOf(hash))
    return undefined
  }

  delete(partition: Partition, key: Key, hash: number, known?: Uint8Array): void {
    const { storage } = this.ports
    if (storage !== undefined && !isHintKey(key)) {
      const was = known && { bytes: known, start: 0, end: known.length }
      storage.trees.changed(key, hash, was ?? this.before(key, hash), undefined, this.now)
    }
    // In this order: a life that ends between the two has only said too much.
    this.journal?.forget(partition, key)
    storage?.memory.remove(key, hash)
    this.fetched?.delete(key)
  }

  persist(level: Level): void {
    this.journal?.persist(level)
  }

  walk(wanted: RowsWanted): void {
    this.walks?.begin(wanted)
  }

  list(wanted: ListWanted): void {
    this.listings?.begin(wanted)
  }

  tree(partition: Partition, copiesMin: number): VersionTree {
    const { storage } = this.ports
    if (storage === undefined)
      throw new Error('invariant broken: a host without storage was asked to compare')
    return storage.trees.tree(partition, copiesMin)
  }

  holds(partition: Partition, copiesMin: number, copiesMax: number): boolean {
    return this.ports.storage?.trees.holds(partition, copiesMin, copiesMax) ?? false
  }

  correctLeaves(found: LeafSums): number {
    const { partition, copiesMin, leaves, sums, since } = found
    return this.ports.storage?.trees.correct(partition, copiesMin, leaves, sums, since) ?? 0
  }
}
