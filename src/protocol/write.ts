// The conversation of a write, Dynamo 4.5: client -> gateway -> coordinator -> replicas and back.
//
//   client --put--> gateway --put--> coordinator --replicate--> replicas
//   client <------- gateway <------- coordinator <--replicated--
//              put-answered | put-failed      replicate-failed

import type { ErrorCode, ErrorDetails } from '../base/errors.js'
import type { Incarnation, Key, Millis, NodeId } from '../base/units.js'
import type { ClockEntry, Conflicts, Context, Stamp } from '../versions/object.js'

/** How far a copy has come: in the buffer of its node; in the store's log; fsynced. */
export type Level = 'memory' | 'os' | 'disk'

/** Asks the coordinator to make a new version. Nothing else does. */
export interface Put {
  readonly type: 'put'
  readonly key: Key
  /** Of the key, by the ring's hash. */
  readonly hash: number
  /** touch: same value, other expiry; only a live value can be touched. */
  readonly change: 'value' | 'delete' | 'touch'
  readonly value: Uint8Array
  readonly encoding: number
  /** crc32 of the value, begun with the key's hash, made where the value came in: checked before it is stored. */
  readonly checksum: number
  readonly context: Context | undefined
  /** The node that shall coordinate if it can, 0 for none: who answered the preceding read first. */
  readonly coordinator: NodeId
  /** Set by the gateway when a node beyond the first n is to lead: the one among them in whose place it does. */
  readonly standsInFor: NodeId
  /** When the new version expires, 0 for never. */
  readonly expires: Millis
  readonly keepExpiry: boolean
  readonly condition: 'none' | 'absent' | 'present'
  readonly returnPrevious: boolean
  readonly conflicts: Conflicts
  readonly n: number
  readonly w: number
  readonly dw: number
  /** How many of the first n nodes of the preference list must have it themselves. 0: hints count too. */
  readonly pw: number
  /** What `dw` counts. With dw 0 one replica is still asked to write that far, and not awaited. */
  readonly level: Level
  /** The gateway has asked the replicas what they have, because the write depends on it. */
  readonly looked: boolean
  /** What they have together, encoded, where the coordinator may lack some of it. */
  readonly seen: Uint8Array | undefined
  /** Until when that may travel; 0 without it. */
  readonly seenUntil: Millis
  /** Of a put that was looked for: the ring by which its coordinator was chosen. */
  readonly epoch?: number
}

/** A put as its client asks for it, before anything was found out. By a constructor, as `Letter`. */
export class AskedPut implements Put {
  readonly type = 'put'
  readonly key: Key
  readonly hash: number
  readonly change: Put['change']
  readonly value: Uint8Array
  readonly encoding: number
  readonly checksum: number
  readonly context: Context | undefined
  readonly coordinator: NodeId
  readonly standsInFor = 0
  readonly expires: Millis
  readonly keepExpiry: boolean
  readonly condition: Put['condition']
  readonly returnPrevious: boolean
  readonly conflicts: Conflicts
  readonly n: number
  readonly w: number
  readonly dw: number
  readonly pw: number
  readonly level: Level
  readonly looked = false
  readonly seen = undefined
  readonly seenUntil = 0

  constructor(
    { key, hash }: Pick<Put, 'key' | 'hash'>,
    wanted: Pick<Put, 'change' | 'expires' | 'keepExpiry' | 'condition' | 'returnPrevious'>,
    { value, encoding, checksum }: Pick<Put, 'value' | 'encoding' | 'checksum'>,
    { context, coordinator }: Pick<Put, 'context' | 'coordinator'>,
    { conflicts, n, w, dw, pw, level }: Pick<Put, 'conflicts' | 'n' | 'w' | 'dw' | 'pw' | 'level'>,
  ) {
    this.key = key
    this.hash = hash
    this.change = wanted.change
    this.value = value
    this.encoding = encoding
    this.checksum = checksum
    this.context = context
    this.coordinator = coordinator
    this.expires = wanted.expires
    this.keepExpiry = wanted.keepExpiry
    this.condition = wanted.condition
    this.returnPrevious = wanted.returnPrevious
    this.conflicts = conflicts
    this.n = n
    this.w = w
    this.dw = dw
    this.pw = pw
    this.level = level
  }
}

/** True when what is stored decides whether or what is written: all such puts of a key are led by one node. */
export function isDecided(put: Put): boolean {
  return put.condition !== 'none' || put.change === 'touch' || put.keepExpiry
}

export interface PutAnswered {
  readonly type: 'put-answered'
  readonly context: Context
  readonly stored: number
  readonly durable: number
  readonly level: Level
  readonly existed: boolean
  /** Encoded object that the coordinator held before, when it was asked for and there was one. */
  readonly previous: Uint8Array | undefined
}

/** The answer to a put that only its stamp decided, by a constructor too. What its writer has seen is made when asked for. */
export class StampedAnswer implements PutAnswered {
  readonly type = 'put-answered'
  readonly stored: number
  readonly durable: number
  readonly level: Level
  readonly existed: boolean
  readonly previous = undefined
  private readonly actor: Incarnation
  private readonly counter: number
  private readonly time: number
  private readonly stamp: Stamp

  /** `time`: of the stamp, as a clock has it. */
  constructor(
    { actor, counter, time }: ClockEntry,
    stamp: Stamp,
    { stored, durable, level, existed }: Pick<PutAnswered, 'stored' | 'durable' | 'level' | 'existed'>,
  ) {
    this.actor = actor
    this.counter = counter
    this.time = time
    this.stamp = stamp
    this.stored = stored
    this.durable = durable
    this.level = level
    this.existed = existed
  }

  get context(): Context {
    const { actor, counter, time, stamp } = this
    return { clock: [{ actor, counter, time }], stamp }
  }
}

export interface PutFailed {
  readonly type: 'put-failed'
  readonly code: ErrorCode
  readonly details: ErrorDetails
}

/** The one door into the store: put, repair, handoff and bulk load all end here. Idempotent. */
export interface Replicate {
  readonly type: 'replicate'
  readonly key: Key
  readonly hash: number
  /** The encoded object (versions/object-codec), with its checksum; it says itself how it merges (versions/mode). */
  readonly object: Uint8Array
  /** How far it must have come before it is answered. */
  readonly level: Level
}

/** A copy on its way: a turn makes and takes in a thousand, so by a constructor, as `Letter`. */
export class Copy implements Replicate {
  readonly type = 'replicate'
  readonly key: Key
  readonly hash: number
  readonly object: Uint8Array
  readonly level: Level

  constructor(key: Key, hash: number, object: Uint8Array, level: Level) {
    this.key = key
    this.hash = hash
    this.object = object
    this.level = level
  }
}

export interface Replicated {
  readonly type: 'replicated'
  readonly level: Level
  /** For a gateway alone: the replica held a live value before; it holds a later one than the copy that came. */
  readonly existed?: boolean
  readonly overtaken?: boolean
}

export interface ReplicateFailed {
  readonly type: 'replicate-failed'
  readonly code: ErrorCode
}

/** Time for a vnode to look for puts whose deadline has passed. */
export interface PutSweepDue {
  readonly type: 'put-sweep-due'
}
