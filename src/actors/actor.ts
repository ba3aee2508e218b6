// The contract of an actor: plain state and a handler that never waits. Time, randomness, memory and sending
// come in through the turn, so the same actor runs on a worker thread and in the simulated world.
//
//     gather --> read --> decide --> commit --> release
//
// A handler is synchronous and runs to completion: between two lines of it nothing else happens, so reading,
// changing and writing a key is one function. What it sends leaves only after the commit of the turn.

import type { Incarnation, Key, Millis, NodeId, Partition, RequestId } from '../base/units.js'
import type { Signature } from '../merkle/signature.js'
import type { VersionTree } from '../merkle/tree.js'
import type { Address, Kind } from '../protocol/address.js'
import type { Envelope, Message, Protocol } from '../protocol/envelope.js'
import type { NodeView } from '../protocol/life.js'
import type { Level } from '../protocol/write.js'
import type { Stamp, StoredObject } from '../versions/object.js'
import type { Located } from '../versions/object-codec.js'

export interface Actor<State, M extends Message> {
  /** The first state; timers may be armed. */
  start(self: Address, turn: Turn): State
  /** The key that must be in memory before `receive` is called, if any. */
  reads(message: M): Key | undefined
  receive(state: State, envelope: Envelope<M>, turn: Turn): void
}

/** A stored copy that failed its checksum or could not be read: not the same as an absent one. */
export const unreadable = Symbol('unreadable')

/** Marked places where an actor may do what is rare: everything stays right when it does. */
export type RareBranch =
  /** A put is refused as if the node held too much unflushed. */
  | 'put-overloaded'
  /** A copy is refused as if the node held too much unflushed. */
  | 'copy-overloaded'
  /** A courier has no room for a hint that nobody needs. */
  | 'hint-refused'
  /** A courier delivers one hint at a time. */
  | 'hint-alone'
  /** A page of repair or handoff has one row. */
  | 'page-of-one'
  /** A replica says that it cannot read what it holds. */
  | 'fetch-unreadable'
  /** A vote to forget what is dead is put off. */
  | 'reap-later'
  /** A transfer is told that it has failed, when it has not. */
  | 'transfer-again'
  /** A put that could go to all its replicas at once is led by a coordinator. */
  | 'put-led'

export interface Turn {
  /** One instant for the whole turn, by a clock that only goes forward: for deadlines and timers. */
  readonly now: Millis
  /** The same instant by the wall clock, which may jump: for expiry and stamps, never for order. */
  readonly wall: Millis
  /** A number in [0, 1). */
  random(): number
  /** Always false but in the simulated world, which takes a rare branch now and then although nothing calls for it. */
  rarely(branch: RareBranch): boolean
  /** Leaves after the commit of this turn. */
  send<K extends Kind>(to: Address<K>, message: Protocol[K], request?: RequestId, deadline?: Millis): void
  /**
   * Leaves when all that this turn has written so far has reached `level` in the store; `otherwise` is
   * sent instead when that fails. With level 'memory' the same as send.
   */
  sendDurable<K extends Kind>(
    level: Level,
    to: Address<K>,
    message: Protocol[K],
    otherwise: Protocol[K],
    request: RequestId,
  ): void
  /** Passes an envelope on to another address as it is: the answer goes to whoever sent it first. */
  forward<K extends Kind>(envelope: Envelope, to: Address<K>): void
  /** A timer is a message to somebody (mostly oneself), later. */
  after<K extends Kind>(delay: Millis, to: Address<K>, message: Protocol[K]): void
  /**
   * The object as stored, or as written earlier in this turn. Only the key that `reads` named. Its bytes are
   * views of the node's buffer, good until the next put: what is to be sent or kept longer is copied.
   */
  get(key: Key, hash: number): StoredObject | undefined | typeof unreadable
  /** The same, not decoded and not verified: for deciding by its first bytes alone. */
  getEncoded(key: Key, hash: number): Uint8Array | undefined | typeof unreadable
  /** Where that lies, good until the next put or look: without a view of it. */
  locate(key: Key, hash: number): Located | undefined | typeof unreadable
  /** `level`: 'memory' lets the buffer flush it later, the others write it through with this turn's batch. */
  put(partition: Partition, key: Key, hash: number, object: StoredObject, level: Level): void
  /** Stores an encoded object, whose checksum was verified, as it is. */
  putEncoded(
    partition: Partition,
    key: Key,
    hash: number,
    encoded: Uint8Array,
    level: Level,
    volatile: boolean,
  ): void
  /** Forgets the object, in memory at once and in the store with the next batch. `known`: what it is, when `reads` did not name its key. */
  delete(partition: Partition, key: Key, hash: number, known?: Uint8Array): void
  /** What was stored before this becomes durable soon: for a copy that is there already. */
  persist(level: Level): void
  /** True when the node holds so much unflushed that new work must be refused. */
  readonly overloaded: boolean
  /** The largest encoded object that may be written. */
  readonly objectBytesMax: number
  /** The largest that the node can hold: writes that meet make more than each of them is. */
  readonly mergedBytesMax: number
  /** Asks the host for rows of a partition, or hints; it answers `rows-read` to the asker, with `request`. */
  walk(walk: RowsWanted): void
  /** The same for keys and signatures; it answers `listed`. */
  list(list: ListWanted): void
  /** What this node holds of a partition, of objects that shall be on so many nodes at least. Not to be changed. */
  tree(partition: Partition, copiesMin: number): VersionTree
  /** True when this node holds anything of the partition that shall be on so many nodes at least, and at most. */
  holds(partition: Partition, copiesMin: number, copiesMax: number): boolean
  /** A listing has shown what is in some leaves: trees that say otherwise are put right. Answers how many leaves. */
  correctLeaves(found: LeafSums): number
  /**
   * Until when a copy that is read or made in this turn may be on its way: the deadline of what carries it. Who
   * passes it on from memory keeps the deadline that it came with. So, that long after the last store has let go
   * of a version, nobody can bring it back.
   */
  readonly travelEnd: Millis
  readonly travelMsMax: Millis
  /** How long what is dead is kept at least; 0: for ever. */
  readonly reapAfterMs: Millis
  /** How many objects were written in this life that are dead, or will be. */
  readonly mortals: number
  /** Pause between two comparisons of replicas that nobody asked for; 0 for none at all. */
  readonly mendEveryMs: Millis
  /** This life of the node. The same for all its vnodes; with the partition it names an actor for ever. */
  readonly incarnation: Incarnation
  /** The epoch of the ring that this life began with, when it was changing; 0 when not. */
  readonly bornInChange: number
  /** No stamp may be issued at or below this: what an earlier life may have issued. */
  readonly stampFloor: Stamp
  /** Set when this life began with less than the node had acknowledged: it must ask its peers. */
  readonly catchUp: CatchUp | undefined
}

export interface CatchUp {
  /** What may be missing has a version at least this new; 0 when anything may be missing. */
  readonly since: Stamp
  /** The largest n of any bucket: a vnode further down its preference list holds nothing. */
  readonly copies: number
}

/** What a listing of a partition has found. */
export interface LeafSums {
  readonly partition: Partition
  readonly copiesMin: number
  /** Undefined: all. */
  readonly leaves: readonly number[] | undefined
  /** Of signatures, by leaf and number of copies: leaf * 16 + copies - 1. */
  readonly sums: ReadonlyMap<number, Signature>
  /** When it began: a tree that was changed since is left alone. */
  readonly since: Millis
}

export interface ListWanted {
  readonly asker: Address<'vnode'>
  readonly request: RequestId
  /** Only objects that shall be on so many nodes at least. */
  readonly copiesMin: number
  /** Only keys in these leaves of the partition's tree; undefined: in all. */
  readonly leaves: ReadonlySet<number> | undefined
  readonly after: string
  readonly limit: number
  /** Checksums are verified. */
  readonly deep: boolean
  readonly begunAt: Millis
}

export interface RowsWanted {
  readonly asker: Address<'vnode'> | Address<'courier'> | Address<'reaper'>
  readonly partition: Partition
  /** Whose hints, of all partitions; 0: the objects of the partition. */
  readonly owner: NodeId
  readonly request: RequestId
  readonly prefix: string
  readonly after: string
  readonly limit: number
  readonly begunAt: Millis
  readonly since: Stamp
}

/** Of this life: 1 to 2^32 - 1, then from 1 again, when nothing of the first ones is on its way any more. */
export function nextRequest(state: { lastRequest: RequestId }): RequestId {
  state.lastRequest = state.lastRequest >= 0xffff_ffff ? 1 : state.lastRequest + 1
  return state.lastRequest
}

/** Which life a node has, as far as this actor knows: 0 when it has not heard of it. */
export function generationOf(
  { nodes }: { readonly nodes: readonly (NodeView | undefined)[] },
  node: NodeId,
): number {
  return nodes[node]?.generation ?? 0
}
