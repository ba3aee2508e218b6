// What a host is given by whoever runs it, a worker thread or the simulated world: time, randomness, the
// way to other threads, memory and store. Nothing in runtime/ reaches for any of these by itself.

import type { CatchUp, RareBranch } from '../actors/actor.js'
import type { GossipOptions } from '../actors/gossip/state.js'
import type { Random } from '../base/random.js'
import type { Incarnation, Key, Millis, NodeId } from '../base/units.js'
import type { History } from '../membership/history.js'
import type { Envelope } from '../protocol/envelope.js'
import type { NodesChanged, RingChanged } from '../protocol/life.js'
import type { Store } from '../storage/store.js'
import type { Stamp } from '../versions/object.js'
import type { Located } from '../versions/object-codec.js'
import type { ServingNotes } from './serving-table.js'
import type { Trees } from './trees.js'

/** The node's objects in memory (storage/object-buffer): bytes by key, unflushed ones kept until flushed. */
export interface Memory {
  /** A view, good until the next put. It does not count as a use: walks would flood the cache. */
  peek(key: Key, hash: number): Uint8Array | undefined
  /** Where it lies, instead of a view; false when it is not there. */
  locate(key: Key, hash: number, into: Located, isUse: boolean): boolean
  has(key: Key, hash: number): boolean
  /** Loads what looks for keys with the first `count` of these hashes need. No effect besides. */
  touch(hashes: Uint32Array, count: number): void
  /** False when everything in it is unflushed and there is no room. */
  put(key: Key, hash: number, value: Uint8Array, state: 'clean' | 'dirty' | 'volatile'): boolean
  remove(key: Key, hash: number): void
  /** Hands out the current bytes of one unflushed object to be written; undefined when it is flushed already. */
  take(key: Key, hash: number): { readonly value: Uint8Array; readonly token: number } | undefined
  /** Hands out the oldest unflushed objects that are not handed out already. */
  nextDirty(
    countMax: number,
    bytesMax: number,
    take: (key: Key, hash: number, value: Uint8Array, token: number) => void,
  ): number
  /** Visits all objects that are unflushed and not handed out; nothing is put or removed meanwhile. */
  eachDirty(visit: (key: Key, hash: number, value: Uint8Array) => void): void
  /** What was handed out is in the store; it stays unflushed when it was overwritten since. */
  markClean(key: Key, hash: number, token: number): void
  readonly objects: number
  readonly dirtyBytes: number
  readonly dirtyObjects: number
  readonly capacityBytes: number
  /** Of these, those that nothing lies in. */
  readonly freeBytes: number
  /** Objects that were dropped to make room. */
  readonly evictions: number
  /** The largest object that it takes. */
  readonly objectBytesMax: number
  /** True while memory holds everything that the store holds: then what is not here does not exist. */
  complete: boolean
  /** True while something was removed here whose row the store may still have: whoever adopts this memory must know. */
  forgetting: boolean
  /** True since all that the redo log of the store holds is here or in rows. Whoever adopts this memory must know. */
  restored: boolean
}

/** What is kept by another way than the store, to notice that the store lost something. */
export interface HighWater {
  note(incarnation: Incarnation, sequence: number): void
}

export interface HostStorage {
  readonly memory: Memory
  readonly store: Store
  readonly highWater: HighWater
  /** Of the versions of its objects, by partition. */
  readonly trees: Trees
  /** The last batch number that an earlier life committed. */
  readonly sequence: number
  /** What is unflushed in memory is in the log of the store: it came from there. */
  readonly logged: boolean
}

/** One life of a node, as recovery found it (storage/recovery). */
export interface Life {
  readonly incarnation: Incarnation
  readonly stampFloor: Stamp
  readonly catchUp: CatchUp | undefined
  /** Keys of buckets kept in memory only that came over from the life before: no store lists them. */
  readonly volatile: readonly VolatileKey[]
}

export interface VolatileKey {
  readonly key: Key
  readonly hash: number
}

export type Posted = 'sent' | 'full' | 'dead'

export interface HostPorts {
  readonly thread: NodeId
  /** A clock that only goes forward, the same on every thread. */
  readonly now: () => Millis
  readonly wall: () => Millis
  readonly random: Random
  /** Sends to another thread. */
  readonly post: (envelope: Envelope) => Posted
  /** Envelopes to a client or the machine on this thread. */
  readonly outside: (envelope: Envelope) => void
  /** Something is to be done although no message came: a disk answered. */
  readonly wake: () => void
  /** The store failed: this life must end. */
  readonly fatal: (error: Error) => void
  /** The host has heard the supervisor's word of this version, and everything it does from here on knows it. */
  readonly heard: (version: number) => void
  /** The longest that a copy may be on its way from one store to another; the same on every thread. */
  readonly travelMsMax: Millis
  /** How long what is dead is kept at least, before it is forgotten (actors/reaper); 0: for ever. */
  readonly reapAfterMs: Millis
  /** Pause between two comparisons of replicas (actors/mender); 0: only when asked. */
  readonly mendEveryMs: Millis
  readonly life: Life
  readonly storage: HostStorage | undefined
  /** The last batch that each node has reported, by node number: kept for them in case they forget. */
  readonly peers: () => readonly number[]
  /** What the supervisor and the claimant have told this host, for those who hear it from here. */
  readonly news?: (message: NodesChanged | RingChanged) => void
  /** Where a node says what may be read of it without asking; left out where nobody reads so. */
  readonly serving?: ServingNotes
  /** False where memory is not to be filled from the store: in stories of what is read from disks. */
  readonly warms?: boolean
  /** Set when membership is told from node to node; left out where the nodes are given once for all. */
  readonly gossip?: GossipOptions
  /** Set in the simulated world alone: makes branches likely that are rare. */
  readonly rarely?: (branch: RareBranch) => boolean
  /** The history of membership says more than it did; what is done here is kept when this returns. */
  readonly membershipHeard?: (history: History) => void
}
