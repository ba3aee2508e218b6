// What a vnode remembers between two messages. Objects are not here: they are in the node's buffer and
// store, and come in through the turn.
//
// Invariant: `counter` is the last one issued in this life and never goes back; a dot (actor, counter) of this
// partition is never issued twice, because the incarnation is new in every life of the node.

import type { NumberMap } from '../../base/number-map.js'
import type { Incarnation, Key, Millis, NodeId, RequestId } from '../../base/units.js'
import type { Signature } from '../../merkle/signature.js'
import type { Address } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { NodeView } from '../../protocol/life.js'
import type { ListAsk } from '../../protocol/sync.js'
import type { Walk, WalkedRow } from '../../protocol/walk.js'
import type { Level } from '../../protocol/write.js'
import type { WriteTally } from '../../quorum/tally.js'
import type { Ring } from '../../ring/ring.js'
import type { Context, Dot, Stamp } from '../../versions/object.js'
import type { Deciding } from './decide-state.js'
import type { SyncRun, SyncWanted } from './sync-state.js'

/** A put that this vnode leads, until all replicas have answered or its deadline has passed. */
export interface PendingPut {
  readonly envelope: Envelope
  /** Who has a place, in order, and who may stand in: the ring's word when it began. */
  readonly list: readonly NodeId[]
  readonly tally: WriteTally
  /** Whoever was asked for a copy, in order, each once. */
  readonly asked: NodeId[]
  /** For which place each was asked: the index in the preference list, which is the bit in the tally. */
  readonly places: number[]
  /** Generation of each when it was asked: a later one means that the question is lost. */
  readonly generations: number[]
  /** Places, as bits, of which somebody was asked to write through and has not dropped out. */
  writers: number
  /** Places, as bits, of which a courier was told that the write has no quorum without it. */
  wasNeeded: number
  /** The new version, for who steps in, and until when it may travel. */
  readonly encoded: Uint8Array
  readonly travelEnd: Millis
  readonly level: Level
  readonly context: Context
  readonly existed: boolean
  readonly previous: Uint8Array | undefined
  answered: boolean
}

/** Catching up: one peer after the other, each row through the one door. */
export interface Repair {
  /** Everything is asked for, page by page; when not, what differs. */
  isBare: boolean
  /** Only what is for more nodes than this counts; when taking over a place of another node, that place. */
  readonly place: number
  /** Peers that have not yet told all they have. */
  readonly missing: NodeId[]
  /** Those of them that are not waited for when they are gone. */
  readonly optional: ReadonlySet<NodeId>
  after: string
  /** Request that is open with the first of `missing`, 0 for none. */
  request: RequestId
  /** When it was asked, and in which of its lives: a later one means that the question is lost. */
  askedAt: Millis
  generation: number
  /** Rows of the current page that are not yet stored. */
  outstanding: number
  /** Rows of it that wait for their turn to be stored. */
  rows: readonly WalkedRow[]
  next: string | undefined
  begunAt: number
  /** Nothing is asked before. */
  retryAt: Millis
  /** How often this page was asked for again because a row of it was damaged. */
  damagedTries: number
}

/** A place of the preference list that this node takes over (receive.ts). */
export interface Receiving {
  readonly place: number
  /** 0: the node is gone for good, and all others are asked. */
  readonly giver: NodeId
  readonly generation: number
  /** This node has had a later place, or has taken over an earlier one: it holds a part already. */
  readonly isHolder: boolean
  stage: 'asking' | 'fetching' | 'taking'
  request: RequestId
  askedAt: Millis
  /** When this was asked for the first time, and the pause until it is asked again. */
  since: Millis
  pause: Millis
  objects: number
  bytes: number
}

/** A place that this node gives to another (give.ts). */
export interface Gift {
  readonly receiver: NodeId
  generation: number
  /** What is for more nodes than `place`, and for at most `until`. */
  readonly place: number
  until: number
  stage: 'passing-on' | 'given'
  /** Of a change that has come to its end: this node is asked only by who has not heard of that. */
  isOver: boolean
  /** Writes passed on and not confirmed yet, the instant of the first of them, and those that did not arrive. */
  outstanding: number
  oldest: Millis
  failed: number
  /** The receiver has asked to take over; and the question that was refused, which may come twice. */
  take: Envelope | undefined
  refused: RequestId
}

/** What this node holds although it is no replica: on its way to one, and the page that was asked for (give-back.ts). */
export interface GivingBack {
  page: RequestId
  readonly begunAt: Millis
  readonly epoch: number
  readonly sent: Map<RequestId, { readonly key: Key; readonly hash: number } & Signature>
  next: string | undefined
}

export interface VnodeState {
  readonly self: Address<'vnode'>
  /** Names this vnode in dots: the incarnation of the node, until a copy was lost within its life. */
  actor: Incarnation
  counter: number
  lastStamp: Stamp
  ring: Ring | undefined
  preference: readonly NodeId[]
  /** By node number. */
  nodes: readonly (NodeView | undefined)[]
  /** False while this replica may lack what it had acknowledged: its answers are flagged. */
  complete: boolean
  repair: Repair | undefined
  lastRequest: RequestId
  readonly puts: NumberMap<PendingPut>
  /** Walks of others that wait for rows from the host. */
  readonly walks: Map<RequestId, Envelope<Walk>>
  /** Listings for others that wait for the host. */
  readonly lists: Map<RequestId, Envelope<ListAsk>>
  /** The comparison with a peer that is going on, and those that wait for it. */
  run: SyncRun | undefined
  readonly syncsWaiting: SyncWanted[]
  receiving: Receiving | undefined
  /** In the change that is under way it has taken over a place, and holds what the giver had. */
  hasReceived: boolean
  readonly gifts: Gift[]
  readonly passed: Map<RequestId, Gift>
  /** Questions that were handed on to whoever has taken over from this node. */
  readonly relayed: Map<RequestId, Envelope>
  /** The last dot of each hint that writes were led into, by the hint's key. */
  readonly standIns: Map<Key, Dot>
  /** Who decides puts with a condition, when that is not for the ring to say alone (decide.ts). */
  readonly deciding: Deciding
  /** What this node holds although it is no replica any more, on its way to one (give-back.ts). */
  givingBack: GivingBack | undefined
  /** The page of this partition that is being forgotten, 0 for none. */
  clearing: RequestId
  sweeping: boolean
}

/** True for one of the first n nodes of a preference list. */
export function isAmong(list: readonly NodeId[], n: number, node: NodeId): boolean {
  const at = list.indexOf(node)
  return at >= 0 && at < n
}

/** True when a node is to be spoken to: slow is not dead. */
export function isUp(state: VnodeState, node: NodeId): boolean {
  const now = state.nodes[node]?.state
  return now === 'up' || now === 'slow' || now === 'suspected'
}

/** True when a node answers at its usual pace, as far as is known. */
export function isHealthy(state: VnodeState, node: NodeId): boolean {
  return node === state.self.node || state.nodes[node]?.state === 'up'
}

/** True when this vnode answers reads by itself and in full: then who reads its copies elsewhere hears the same. */
export function isServing(state: VnodeState): boolean {
  const { complete, receiving, clearing, gifts } = state
  if (!complete || receiving !== undefined || clearing !== 0) return false
  // Who reads by the ring of now does not ask those who have dropped out by it.
  return gifts.length === 0 || !gifts.some(({ stage, isOver }) => stage === 'given' && !isOver)
}

/** An actor that was never heard of: an odd factor maps the counters of one life to as many, lives begin anywhere. */
export function actorAfter(state: VnodeState): Incarnation {
  state.counter++
  const actor = BigInt.asUintN(53, BigInt(state.actor) + BigInt(state.counter) * 0x1b_873f_9d3a_c5a7n)
  return Math.max(1, Number(actor))
}

/** Lacks something that it shall have: who has no place in the partition any more lacks nothing. */
export function isCatchingUp(state: VnodeState, copies: number): boolean {
  if (state.complete) return false
  return state.receiving !== undefined || state.preference.slice(0, copies).includes(state.self.node)
}
