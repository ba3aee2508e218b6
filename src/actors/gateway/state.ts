// What a gateway remembers: its open requests. A gateway leads requests for whoever asks it; one lives in
// every client's thread (client-driven coordination) and one on every node (server-driven). Dynamo 4.5, 6.4.

import type { NumberMap } from '../../base/number-map.js'
import type { Incarnation, Key, Millis, NodeId, RequestId } from '../../base/units.js'
import type { Address } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { NodeView } from '../../protocol/life.js'
import type { Get } from '../../protocol/read.js'
import type { Audit, SyncReport } from '../../protocol/sync.js'
import type { Scan } from '../../protocol/walk.js'
import type { Put } from '../../protocol/write.js'
import { type ReadTally, WriteTally } from '../../quorum/tally.js'
import type { Ring } from '../../ring/ring.js'
import type { Stamp, StoredObject } from '../../versions/object.js'
import type { Writers } from './writers.js'

/** Replicas that were asked, with the life in which they were asked. */
export interface Asked {
  readonly replicas: readonly NodeId[]
  readonly generations: readonly number[]
}

/** Somebody who was asked what it keeps for the node of a place. */
export interface StandIn {
  readonly node: NodeId
  readonly place: number
  answered: boolean
  /** It keeps something for this place. */
  keeps: boolean
  /** What it keeps for this place could not be read, if it keeps anything. */
  failed: boolean
}

export interface PendingGet extends Asked {
  readonly type: 'get'
  /** A get, or a put that depends on what is stored. */
  readonly envelope: Envelope<Get | Put>
  readonly tally: ReadTally
  /** All answers so far, merged, and until when they may travel. */
  object: StoredObject | undefined
  travelEnd: Millis
  /** Who was asked what it keeps for one of the replicas, and for which, by its place. */
  readonly standIns: StandIn[]
  /** Encoded form of the first answer: an equal one need not be decoded. */
  first: Uint8Array | undefined
  fastest: NodeId
  /** The client has its answer; what is still to come is for read repair. */
  answered: boolean
  /** When waiting for the rest ends. */
  repairDue: Millis
  /** What each replica answered, by its place; undefined for none, or one that could not be read. */
  readonly answers: (Uint8Array | undefined)[]
  /** True when the answers are not all the same. */
  differ: boolean
  /** Replicas, as bits by their place, whose copy has a wrong checksum. */
  damaged: number
}

export interface PendingPut {
  readonly type: 'put'
  readonly envelope: Envelope<Put>
  /** Who leads the write now. */
  coordinator: NodeId
  generation: number
  /** Coordinators that refused for a reason of their own. */
  readonly tried: NodeId[]
  /** A version of it may have been stored before it was led. */
  readonly hasBegun: boolean
  /** The same put as it went to all replicas at once, if it did. */
  readonly direct: PendingDirect | undefined
}

/** A put that was sent to all its replicas at once. By a constructor, as `Letter`. */
export class PendingDirect {
  readonly type = 'direct'
  readonly envelope: Envelope<Put>
  /** The first n have a place each, the others may keep a hint: the ring's word when it began. */
  readonly list: readonly NodeId[]
  /** What the nodes were when they were asked. */
  readonly nodes: GatewayState['nodes']
  readonly tally: WriteTally
  /** The encoded version, until when it may travel, and what it is called. */
  readonly object: Uint8Array
  readonly travelEnd: Millis
  readonly stamp: Stamp
  readonly counter: number
  /** Places, as bits, that were asked to write through. */
  readonly writers: number
  /** Some replica held a live value before. */
  existed = false
  answered = false
  /** Places, as bits, that have failed in a way that may have stored it all the same. */
  unsure = 0

  constructor(
    state: GatewayState,
    envelope: Envelope<Put>,
    list: readonly NodeId[],
    object: Uint8Array,
    travelEnd: Millis,
    writers: number,
  ) {
    const { n, w, dw } = envelope.message
    this.envelope = envelope
    this.list = list
    this.nodes = state.nodes
    this.tally = new WriteTally(n, w, dw)
    this.object = object
    this.travelEnd = travelEnd
    this.stamp = state.lastStamp
    this.counter = state.counter
    this.writers = writers
  }
}

/** A hint that somebody was asked to keep, for the replica of a place that did not answer a direct put. */
export interface PendingHint {
  readonly type: 'hint'
  /** Of the put. */
  readonly envelope: Envelope<Put>
  readonly of: PendingDirect
  readonly place: number
  readonly holder: NodeId
  readonly generation: number
  /** Who was asked before. */
  readonly tried: readonly NodeId[]
}

export interface ReadRow {
  readonly key: Key
  readonly object: StoredObject
}

/** A replica's page of a listing, up to where it could be read. */
export interface ReadPage {
  readonly rows: readonly ReadRow[]
  /** Where the next page begins; undefined at the end of the partition. */
  readonly next: string | undefined
}

export interface PendingScan extends Asked {
  readonly type: 'scan'
  readonly envelope: Envelope<Scan>
  readonly tally: ReadTally
  readonly pages: ReadPage[]
}

/** `replicas` is the one that compares itself with the others, one after the other. */
export interface PendingAudit extends Asked {
  readonly type: 'audit'
  readonly envelope: Envelope<Audit>
  readonly peers: NodeId[]
  readonly missing: NodeId[]
  report: SyncReport
}

export type Pending = PendingGet | PendingPut | PendingDirect | PendingHint | PendingScan | PendingAudit

export interface GatewayState {
  readonly self: Address<'gateway'>
  ring: Ring | undefined
  /** By node number. */
  nodes: readonly (NodeView | undefined)[]
  lastRequest: RequestId
  /** Names this gateway in the dots of the versions that it makes; counter and stamp are the last issued. */
  readonly actor: Incarnation
  counter: number
  lastStamp: Stamp
  /** Who writes through what is put directly. */
  readonly writers: Writers
  readonly pending: NumberMap<Pending>
  /** Stale copies that reads have found and that are mended, so far; and those that could not be. */
  readRepairs: number
  readRepairsFailed: number
  sweeping: boolean
}

export function isUp(state: GatewayState, node: NodeId): boolean {
  const now = state.nodes[node]?.state
  return now === 'up' || now === 'slow' || now === 'suspected'
}

/** True when the node does not answer here, though it may live. */
export function isSuspected(state: GatewayState, node: NodeId): boolean {
  return state.nodes[node]?.state === 'suspected'
}

export function isBrisk(state: GatewayState, node: NodeId): boolean {
  return state.nodes[node]?.state === 'up'
}
