// The shapes of the public library: what goes in and what comes out. Types only; bucket.ts and cluster.ts
// implement them. Dynamo 4.1: get(key) answers the values and an opaque context, put(key, context, value)
// gives it back.

import type { Millis, NodeId } from '../base/units.js'
import type { Conflicts } from '../versions/object.js'
import type { ClusterStatus } from './api-status.js'

/** How far a write must have come on a replica to count for `dw`; see the README's table of guarantees. */
export type Durability = 'memory' | 'os' | 'disk'

/** A key: text (stored as its UTF-8 bytes) or bytes. 1 to 65,536 bytes. */
export type KeyInput = string | Uint8Array

/** An opaque token for the versions that a read saw. Text that can be stored, sent and given back; nothing else. */
export type ContextToken = string

export interface RequestOptions {
  /** Milliseconds until the request is answered with `deadline`. 1 to 3,600,000; default 5,000. */
  readonly timeout?: Millis
  /** Aborting ends the wait at once. A write that was already sent is then indeterminate. */
  readonly signal?: AbortSignal
}

export interface ReadOptions extends RequestOptions {
  /** Replicas whose answers a read waits for. 1 <= r <= n. */
  readonly r?: number
  /**
   * How many of those must be of the key's n nodes themselves: no answer of one that stands in for a node that
   * is away. 0 <= pr <= r; default 0.
   */
  readonly pr?: number
}

export interface WriteOptions extends RequestOptions {
  /** The context of an earlier get or put of this key: the write replaces exactly what that had seen. */
  readonly context?: ContextToken
  /** Replicas that must have stored the write. 1 <= w <= n. */
  readonly w?: number
  /** How many of those must have reached the bucket's durability. 0 <= dw <= w. */
  readonly dw?: number
  /**
   * How many of the w must be of the key's n nodes themselves: no copy that another keeps for a node that is
   * away. 0 <= pw <= w; default 0, which is what makes a store always writeable (Dynamo 4.6).
   */
  readonly pw?: number
}

export interface PutOptions extends WriteOptions {
  /** Milliseconds from now until the value ceases to be. */
  readonly ttl?: Millis
  /** The instant at which it ceases to be (milliseconds since the epoch), instead of `ttl`. */
  readonly expiresAt?: Millis
  /** Keep the expiry that the key has now. Not with `ttl` or `expiresAt`. */
  readonly keepExpiry?: boolean
  /**
   * Write only when the key is absent (or present), decided where the key's writes are serialised: on the
   * first node of its preference list that is up. Otherwise the put is refused with `condition-failed`.
   */
  readonly condition?: 'absent' | 'present'
  /** Answer also the values that the coordinator held before (`previous`). */
  readonly returnPrevious?: boolean
}

export interface GetResult<T> {
  /** All values that no other supersedes: none when the key is absent, one mostly, several after concurrent writes. */
  readonly values: readonly T[]
  /** The only value, undefined when there is none; throws `too-many-siblings` when there are several. */
  readonly value: T | undefined
  /** To be given back with a put or delete. Undefined for a key that was never written. */
  readonly context: ContextToken | undefined
  /** When the first of the values expires, 0 for never or none. */
  readonly expiresAt: Millis
}

export interface WriteResult<T> {
  /** What the writer has seen now: its own context and this write. Never a sibling that it has not read. */
  readonly context: ContextToken
  /** Replicas that had stored the write when it was acknowledged. */
  readonly w: number
  /** How many of those had reached `level`. */
  readonly dw: number
  readonly level: Durability
  /** Whether the coordinator held a live value before this write. */
  readonly existed: boolean
  /** Those values, when asked for with `returnPrevious`. */
  readonly previous: readonly T[]
}

export interface ScanOptions extends RequestOptions {
  /** Where an earlier page ended. */
  readonly cursor?: string
  /** Keys wanted at most per page; 1 to 512. Default 128. */
  readonly limit?: number
}

export interface ScanPage<T> {
  readonly entries: readonly { readonly key: Uint8Array; readonly values: readonly T[] }[]
  /** For the next page; undefined at the end. */
  readonly cursor: string | undefined
}

/** Properties of a bucket; what is left out keeps its value, or takes the cluster's default. They persist. */
export interface BucketProperties {
  /** Default 'last-write-wins' for the bucket named `default`, 'siblings' for every other. */
  readonly conflicts: Conflicts
  readonly n: number
  readonly r: number
  readonly w: number
  readonly dw: number
  readonly durability: Durability
}

export interface BucketOptions<T> extends Partial<BucketProperties> {
  /** Makes one value of several siblings when they are read. Must be commutative, associative and idempotent: see checkMerge. */
  readonly merge?: (a: T, b: T) => T
  /**
   * How values become bytes. 'auto' (default): Uint8Array and string as they are, anything else by MessagePack.
   * 'bytes': Uint8Array in and out, whatever is stored.
   */
  readonly codec?: 'auto' | 'bytes'
}

export interface Bucket<T> {
  readonly name: string
  readonly properties: BucketProperties
  get(key: KeyInput, options?: ReadOptions): Promise<GetResult<T>>
  /**
   * The same at once, where `r` replicas hold the key in memory and agree; undefined when it takes messages to tell
   * (use `get` then). A key that is not there has a result like any other: one without values. Throws what `get`
   * rejects with.
   */
  getSync(key: KeyInput, options?: ReadOptions): GetResult<T> | undefined
  put(key: KeyInput, value: T, options?: PutOptions): Promise<WriteResult<T>>
  delete(
    key: KeyInput,
    options?: WriteOptions & { readonly returnPrevious?: boolean },
  ): Promise<WriteResult<T>>
  /**
   * Changes the expiry of a live key and leaves its value: an instant, or 0 for never. Refused with
   * `condition-failed` when there is no live value.
   */
  expire(
    key: KeyInput,
    expiresAt: Millis,
    options?: WriteOptions & { readonly returnPrevious?: boolean },
  ): Promise<WriteResult<T>>
  /** Results in the order of the keys. Fails as a whole with the first error. */
  getMany(keys: readonly KeyInput[], options?: ReadOptions): Promise<GetResult<T>[]>
  putMany(entries: readonly (readonly [KeyInput, T])[], options?: PutOptions): Promise<WriteResult<T>[]>
  /** One page of live keys, in no order that means anything; a key that is there throughout is seen once. */
  scan(options?: ScanOptions): Promise<ScanPage<T>>
  keys(options?: ScanOptions): AsyncIterable<Uint8Array>
  entries(options?: ScanOptions): AsyncIterable<{ readonly key: Uint8Array; readonly values: readonly T[] }>
  /** Live keys now, counted by a walk over one replica of every partition. */
  count(options?: RequestOptions): Promise<number>
  /** Deletes every key by tombstones and answers how many. */
  clear(options?: RequestOptions): Promise<number>
}

export interface ClusterOptions extends Partial<Omit<BucketProperties, 'conflicts'>> {
  /** The data directory. Left out: nothing is written to disk, and `durability` can only be 'memory'. */
  readonly dir?: string
  /** Worker threads, each a node. Default: the number of cores, at least 3. */
  readonly nodes?: number
  /** Q, fixed when the directory is made. Default 256. */
  readonly partitions?: number
  /** Hash of the ring, fixed when the directory is made. Default 'halfsip'; 'md5' is the paper's, and slower. */
  readonly hash?: 'halfsip' | 'md5'
  /** Bytes of memory for objects on each node. Default 256 MiB. */
  readonly memory?: number
  /** The longest value accepted. Default 1 MiB, at most 64 MiB. */
  readonly valueBytesMax?: number
  /**
   * How long what was deleted or has expired is kept at least, in milliseconds, before it is forgotten; that happens
   * only when no copy, hint or message can bring it back. Default 10 minutes; 0 keeps it for ever.
   */
  readonly reapAfterMs?: Millis
  /** How often a node speaks with another about who is a member, in milliseconds. Default 1,000. */
  readonly gossipEveryMs?: Millis
  /** 'client' (default): this thread coordinates reads and sends writes to their coordinator. 'server': a node does both. */
  readonly routing?: 'client' | 'server'
  /** Where log lines go. Default: warnings and errors to standard error. */
  readonly log?: (level: 'info' | 'warn' | 'error', text: string) => void
}

/** Real faults, made on purpose. Nodes are named by their number, from 1. */
export interface Faults {
  /** Ends the thread of the node, as a crash would. It begins again by itself, with what it had in memory. */
  kill(node: NodeId): void
  /** Blocks the node's event loop, 1 to 600,000 ms from now. Resolves when it begins. */
  stall(node: NodeId, ms: Millis): Promise<void>
  /** Ends the node and empties its directory and memory. It begins again with nothing and asks the others. */
  wipe(node: NodeId): Promise<void>
  /** Loses all messages between the node and `from`; without `from`, between it and everybody, this thread included. */
  isolate(node: NodeId, from?: NodeId): void
  /** Mends all links. */
  heal(): void
}

/** What a comparison of all replicas found, and what was done about it. */
export interface Comparison {
  /** True when all replicas of all partitions were reached and none differed. */
  readonly equal: boolean
  readonly partitions: number
  /** Partitions of which some replica could not be compared, because its node is down or did not answer. */
  readonly missing: number
  /** Keys that were compared one by one; with `deep` all of them, otherwise those in parts that differ. */
  readonly listed: number
  readonly differing: number
  /** Copies whose checksum is wrong, as often as they were compared. Looked for only with `deep`. */
  readonly damaged: number
  /** Objects that were fetched or sent to mend a replica, and their bytes. */
  readonly mended: number
  readonly bytes: number
  /** Messages that replicas exchanged for it, objects not counted. */
  readonly messages: number
  readonly ms: Millis
  /** Some of the keys that differ. */
  readonly keys: readonly { readonly bucket: string; readonly key: Uint8Array }[]
}

/** What one node keeps for another that is, or was, away. */
export interface HintReport {
  readonly keeper: NodeId
  readonly owner: NodeId
  readonly count: number
  readonly bytes: number
  /** Of the oldest. */
  readonly ageMs: Millis
  /** Held back by `pauseHints`. */
  readonly paused: boolean
}

export interface RingReport {
  readonly epoch: number
  readonly partitions: number
  /** The n that the ring is placed for. */
  readonly copies: number
  readonly hash: 'halfsip' | 'md5'
  readonly nodes: readonly {
    readonly node: NodeId
    /** Partitions that it owns: the first replica of. */
    readonly owned: number
    /** Partitions of which it is one of `copies` replicas. */
    readonly replicas: number
  }[]
  /** For every partition all nodes, in the order in which they should hold it. */
  readonly preferences: readonly (readonly NodeId[])[]
  /** Who came and went: every plan that was ever committed, in the order in which all nodes take them. */
  readonly history: readonly {
    /** Time of issue, by the clock of the node that served it, and later than all that it knew of. */
    readonly at: Millis
    readonly issuer: NodeId
    readonly changes: readonly Readonly<Record<string, string | number>>[]
  }[]
}

export interface JoinOptions {
  /** Share of the ring relative to the others, 0.001 to 1,000. Default 1. */
  readonly weight?: number
  /** What fails with the node: replicas are spread over hosts first, then zones. */
  readonly host?: string
  readonly zone?: string
}

export interface PlanOptions {
  /** So many new nodes, or new nodes with these properties. */
  readonly join?: number | readonly JoinOptions[]
  readonly leave?: readonly NodeId[]
  /** The node leaves and a new one takes exactly its places: also for one that is dead. */
  readonly replace?: readonly ({ readonly node: NodeId } & JoinOptions)[]
  readonly weight?: readonly { readonly node: NodeId; readonly weight: number }[]
}

/** What a change of members would do. */
export interface Plan {
  readonly changes: readonly { readonly kind: string; readonly node: NodeId; readonly successor?: NodeId }[]
  /** Partitions whose owner differs. */
  readonly moved: number
  /** Pairs of partition and node that have to be filled. */
  readonly replicaMoves: number
  /** Bytes that move, about. */
  readonly bytes: number
  /** Mean over maximum of partitions by weight: 1 is even. */
  readonly balanceBefore: number
  readonly balanceAfter: number
  /** Rows of n partitions that name a node (host, zone) twice. */
  readonly violationsBefore: Readonly<Record<'nodes' | 'hosts' | 'zones', number>>
  readonly violationsAfter: Readonly<Record<'nodes' | 'hosts' | 'zones', number>>
  readonly nodes: readonly {
    readonly node: NodeId
    readonly before: number
    readonly after: number
    readonly gained: number
    readonly lost: number
  }[]
}

export interface TransferReport {
  readonly partition: number
  readonly place: number
  readonly giver: NodeId
  readonly receiver: NodeId
  readonly stage: 'waiting' | 'running' | 'done'
  readonly objects: number
  readonly bytes: number
  /** How often it was begun. */
  readonly tries: number
  /** Why it waits; '' when it does not. */
  readonly reason: string
}

export interface ChangeReport {
  /** False when the ring is where it should be. */
  readonly isChanging: boolean
  readonly partitions: number
  readonly moved: number
  readonly bytes: number
  readonly bytesPerSecond: number
  /** Until all is done at the rate so far; undefined when that cannot be told. */
  readonly etaMs: Millis | undefined
  readonly transfers: readonly TransferReport[]
}

/** For whoever runs the cluster. Nodes are named by their number, from 1. */
export interface Admin {
  ring(): RingReport
  /** Plans a change of members and stages it; nothing happens yet. A later plan takes its place. */
  plan(options: PlanOptions): Plan
  /** Begins what was planned last. Resolves when new nodes are up and the first parts are on their way. */
  commit(): Promise<Plan>
  /** How far the ring is on its way. */
  transfers(): ChangeReport
  /** Compares all replicas now and mends what differs. `deep`: by reading every object, not by the trees. */
  repair(options?: RequestOptions & { readonly deep?: boolean }): Promise<Comparison>
  /** What is kept for nodes that are away, by keeper and owner. */
  hints(): Promise<readonly HintReport[]>
  /** Holds back what is kept for this node, until `resumeHints` or the end of the process. */
  pauseHints(owner: NodeId): Promise<void>
  resumeHints(owner: NodeId): Promise<void>
  /** Gives up what is kept for this node now. Its replicas are compared when it is up, which brings it back. */
  dropHints(owner: NodeId): Promise<void>
}

/** Stands for an open cluster in another thread of this process: see `Cluster.attach`. Goes through postMessage and workerData. */
export interface ClusterHandle {
  readonly kind: 'ringspun-cluster'
  readonly format: number
  readonly version: string
  readonly thread: number
  readonly name: string
}

/** A cluster that another thread has open. Closing it ends this thread's use of it, and nothing else. */
export type AttachedCluster = Omit<Cluster, 'admin' | 'faults' | 'verify' | 'handle'>

export interface Cluster extends AsyncDisposable {
  readonly options: Readonly<Required<Omit<ClusterOptions, 'dir' | 'log'>>> & {
    readonly dir: string | undefined
  }
  bucket<T = unknown>(name: string, options?: BucketOptions<T>): Bucket<T>
  /** Buckets that have been given properties or were used, by name. */
  buckets(): readonly { readonly name: string; readonly properties: BucketProperties }[]
  /** Sets and persists properties of a bucket. */
  setBucket(name: string, properties: Partial<BucketProperties>): Promise<BucketProperties>
  status(): ClusterStatus
  /**
   * Compares all replicas of all objects, reading each and verifying its checksum, and reports; mends nothing.
   * With `deep: false` the trees of versions are compared: quick, and it reads only where they differ.
   */
  verify(options?: RequestOptions & { readonly deep?: boolean }): Promise<Comparison>
  /** For other threads of this process: `Cluster.attach(handle)` there is this cluster, with a way of its own to the nodes. */
  handle(): ClusterHandle
  readonly admin: Admin
  readonly faults: Faults
  /** Finishes what is in flight, flushes, and ends the threads. */
  close(): Promise<void>
}
