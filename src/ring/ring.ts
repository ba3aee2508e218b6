// The ring: the hashed key space cut into Q equal partitions, and the owner of each (Dynamo 4.2; 6.2,
// strategy 3). A value that nobody changes: a new ring has a new epoch and is a new object, so it can be
// compared by epoch, sent as a message and used as the key of a cache (preference.ts).
//
// Invariants: owners has Q entries, each one of nodes; nodes are sorted and distinct; copies <= nodes.
// Hosts that were told the same nodes in another order make the same ring.
//
// Left to others: which node takes which partition (placement.ts), who is in and who is up (membership).

import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { NodeId, Partition } from '../base/units.js'
import { type HashSeed, hashKey } from './hash.js'
import { md5Position } from './md5.js'
import { placeOwners } from './placement.js'

/** 'halfsip': fast, seeded (hash.ts). 'md5': the paper's, no seed (md5.ts). */
export type RingHash = 'halfsip' | 'md5'

export interface RingOptions {
  /** Grows with every ring of a cluster. 0 <= epoch < 2^53. */
  readonly epoch: number
  /** Q, 1 to 65,536; fixed when the data directory is made. */
  readonly partitions: number
  /** The n that the ring is placed for, 1 to 16, at most the number of nodes. Buckets may use another. */
  readonly copies: number
  readonly hash: RingHash
  /** Key of the hash; drawn once per cluster. Not used by 'md5'. */
  readonly seed: HashSeed
  /** 1 to 64 nodes, each once. Any order; the ring has them sorted. */
  readonly nodes: readonly NodeId[]
}

export interface Ring extends RingOptions {
  /** The node of each partition. Never written after the ring is made. */
  readonly owners: Uint16Array
  /** Set while partitions are on their way to other nodes (Dynamo 4.9). */
  readonly change: RingChange | undefined
}

/** Where a ring is going. `nodes` of the ring are all that have a part in it, before or after. */
export interface RingChange {
  /** The node of each partition afterwards. */
  readonly owners: Uint16Array
  /** 1 for each partition whose replicas are already those of afterwards. */
  readonly moved: Uint8Array
  /** How many places of a preference list hold objects: the largest n of any bucket. */
  readonly copies: number
}

/** A ring as JSON holds it. */
export interface RingJson extends RingOptions {
  readonly owners: readonly number[]
  readonly change?:
    | { readonly owners: readonly number[]; readonly moved: readonly number[]; readonly copies: number }
    | undefined
}

/** Makes a ring with owners planned from nothing. Throws `option-invalid`, or `quorum-invalid` when copies > nodes. */
export function createRing(options: RingOptions): Ring {
  const reason = mistake(options)
  if (reason !== undefined) throw new RingspunError('option-invalid', reason)
  if (options.copies > options.nodes.length) {
    throw new RingspunError('quorum-invalid', 'more copies than nodes', {
      copies: options.copies,
      nodes: options.nodes.length,
    })
  }
  const nodes = [...options.nodes].sort((a, b) => a - b)
  return freeze(options, nodes, placeOwners(options.partitions, nodes, options.copies), undefined)
}

/** Where a key lies: 0 <= hash < 2^32. `head`: what stands before it. */
export function hashOf(ring: Ring, key: string, head = ''): number {
  return ring.hash === 'md5' ? md5Position(head + key) : hashKey(ring.seed, key, head)
}

/** The partition of a hash: ranges of equal size (within one hash when Q is no power of two), in hash order. */
export function partitionOf(ring: Ring, hash: number): Partition {
  // Exact: the product is below 2^48, and dividing by a power of two only moves the exponent.
  return Math.floor((hash * ring.partitions) / 0x1_0000_0000)
}

/** The ring as plain data for JSON.stringify. It holds the seed, which is a secret of the cluster. */
export function ringToJson(ring: Ring): RingJson {
  return {
    epoch: ring.epoch,
    partitions: ring.partitions,
    copies: ring.copies,
    hash: ring.hash,
    seed: ring.seed,
    nodes: ring.nodes,
    owners: Array.from(ring.owners),
    change: ring.change && {
      owners: Array.from(ring.change.owners),
      moved: Array.from(ring.change.moved),
      copies: ring.change.copies,
    },
  }
}

/** The ring that was given to `ringToJson`. Throws `data-dir-invalid` when the data is not a ring. */
export function ringFromJson(json: unknown): Ring {
  if (typeof json !== 'object' || json === null) throw notARing('not an object')
  const ring = json as RingJson
  const reason = mistake(ring)
  if (reason !== undefined) throw notARing(reason)
  if (ring.copies > ring.nodes.length) throw notARing('more copies than nodes')
  for (let i = 1; i < ring.nodes.length; i++) {
    if ((ring.nodes[i - 1] as NodeId) > (ring.nodes[i] as NodeId)) throw notARing('nodes are not sorted')
  }
  if (!Array.isArray(ring.owners) || ring.owners.length !== ring.partitions) {
    throw notARing('owners are not one per partition')
  }
  checkOwners(ring, ring.owners)
  const { change } = ring
  if (change === undefined) return freeze(ring, ring.nodes, Uint16Array.from(ring.owners), undefined)
  if (typeof change !== 'object' || change === null) throw notARing('its change is not an object')
  checkOwners(ring, change.owners)
  const isFlag = (flag: unknown) => flag === 0 || flag === 1
  if (
    !Array.isArray(change.moved) ||
    change.moved.length !== ring.partitions ||
    !change.moved.every(isFlag)
  ) {
    throw notARing('its change does not say what has moved')
  }
  if (!isWhole(change.copies, 1, limits.copiesMax)) throw notARing('its change has no number of copies')
  return freeze(ring, ring.nodes, Uint16Array.from(ring.owners), {
    owners: Uint16Array.from(change.owners),
    moved: Uint8Array.from(change.moved),
    copies: change.copies,
  })
}

function checkOwners(ring: RingJson, owners: unknown): void {
  if (!Array.isArray(owners) || owners.length !== ring.partitions) {
    throw notARing('owners are not one per partition')
  }
  const known = new Set(ring.nodes)
  // Array.from, because every() would skip holes.
  if (!Array.from(owners as unknown[]).every((owner) => known.has(owner as NodeId))) {
    throw notARing('an owner is not a node of the ring')
  }
}

/** The ring on its way to other owners: nothing has moved yet. `copies` is the largest n of any bucket. */
export function beginChange(ring: Ring, owners: Uint16Array, copies: number): Ring {
  const nodes = [...new Set([...ring.nodes, ...owners])].sort((a, b) => a - b)
  const moved = new Uint8Array(ring.partitions)
  return freeze({ ...ring, epoch: ring.epoch + 1 }, nodes, ring.owners, { owners, moved, copies })
}

/** The same with these partitions at their new nodes. When all are, the change is over and who is gone is gone. */
export function withMoved(ring: Ring, partitions: Iterable<Partition>): Ring {
  const { change } = ring
  if (change === undefined) return ring
  const moved = Uint8Array.from(change.moved)
  for (const partition of partitions) moved[partition] = 1
  const epoch = ring.epoch + 1
  if (moved.includes(0)) return freeze({ ...ring, epoch }, ring.nodes, ring.owners, { ...change, moved })
  const nodes = [...new Set(change.owners)].sort((a, b) => a - b)
  return freeze(
    { ...ring, epoch, copies: Math.min(ring.copies, nodes.length) },
    nodes,
    change.owners,
    undefined,
  )
}

function notARing(reason: string): RingspunError {
  return new RingspunError('data-dir-invalid', `the stored ring cannot be used: ${reason}`)
}

/** One place that makes rings, so that all have the same shape (hidden class) on the hot path. */
function freeze(
  options: RingOptions,
  nodes: readonly NodeId[],
  owners: Uint16Array,
  change: RingChange | undefined,
): Ring {
  return Object.freeze({
    epoch: options.epoch,
    partitions: options.partitions,
    copies: options.copies,
    hash: options.hash,
    seed: Object.freeze<[number, number]>([options.seed[0], options.seed[1]]),
    nodes: Object.freeze([...nodes]),
    owners,
    change,
  })
}

function isWhole(value: unknown, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
}

/** What is wrong with options that may come from outside and be of any type; undefined when nothing is. */
function mistake(options: RingOptions): string | undefined {
  const { epoch, partitions, copies, hash, seed, nodes } = options
  if (!isWhole(epoch, 0, Number.MAX_SAFE_INTEGER)) return 'epoch must be a whole number from 0'
  if (!isWhole(partitions, 1, limits.partitionsMax)) {
    return `partitions must be a whole number from 1 to ${limits.partitionsMax}`
  }
  if (!isWhole(copies, 1, limits.copiesMax)) {
    return `copies must be a whole number from 1 to ${limits.copiesMax}`
  }
  if (hash !== 'halfsip' && hash !== 'md5') return 'hash must be halfsip or md5'
  if (!Array.isArray(seed) || seed.length !== 2) return 'seed must be two numbers'
  if (!isWhole(seed[0], 0, 0xffff_ffff) || !isWhole(seed[1], 0, 0xffff_ffff)) {
    return 'seed must be whole numbers from 0 to 4294967295'
  }
  if (!Array.isArray(nodes) || nodes.length < 1 || nodes.length > limits.nodesMax) {
    return `nodes must be 1 to ${limits.nodesMax} numbers`
  }
  // A Set has holes as undefined, which is no whole number.
  for (const node of new Set<unknown>(nodes)) {
    if (!isWhole(node, 1, limits.nodesMax)) {
      return `a node must be a whole number from 1 to ${limits.nodesMax}`
    }
  }
  if (new Set(nodes).size !== nodes.length) return 'a node is named twice'
  return undefined
}
