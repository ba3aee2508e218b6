// Reads of R replicas without a message (Dynamo 4.5): out of the object buffers of their nodes, by any thread that
// leads requests. Where everything is plain: the replicas hold the key in memory, are full replicas by the ring
// that is known here, nobody keeps a write for them, and all say the same to the byte. Whatever else there may be
// is left to the gateway and its messages, which this file does not know and does not change.
//
// Invariant: what is answered here a read by messages could have answered, between the same two instants
// (docs/decisions/shared-reads.md). One value is copied; the others are compared with it where they lie.

import { type GatewayState, isBrisk } from '../actors/gateway/state.js'
import type { NodeId, Partition } from '../base/units.js'
import { preferenceList } from '../ring/preference.js'
import { partitionOf, type Ring } from '../ring/ring.js'
import { absent, type Looked, ObjectReader } from '../storage/object-buffer-reader.js'
import { ObjectCopy } from '../storage/object-copy.js'
import { markOf, type ServingTable } from './serving-table.js'
import type { StatusTable } from './status-table.js'

/** So many reads begin at the same place of the preference list, then at the next: stale copies are found by it. */
const readsPerPlace = 256

export interface SharedReadsOptions {
  readonly serving: ServingTable
  readonly status: Pick<StatusTable, 'isFenced' | 'fences'>
  /** The objects of a node in its present life; undefined when they are not to be read from here. */
  readonly memoryOf: (node: NodeId) => SharedArrayBuffer | undefined
  /** Links that are cut on purpose: who cannot be asked is not looked into either. */
  readonly isCut: (node: NodeId) => boolean
}

export interface SharedReadsCounters {
  /** Reads that were answered here, and those that were left to messages. */
  answered: number
  left: number
}

export class SharedReads {
  readonly counters: SharedReadsCounters = { answered: 0, left: 0 }
  /** The entry of the last answer, until the next. */
  readonly copy = new ObjectCopy()
  /** Who vouched for the last answer first. */
  first: NodeId = 0
  private readonly options: SharedReadsOptions
  private readonly gateway: GatewayState
  /** The gateway's view that the rest was made of. */
  private nodes: GatewayState['nodes'] = []
  /** Lives of the nodes that may be looked into, by node number; 0 for none. */
  private generations: number[] = []
  private readonly readers: (ObjectReader | undefined)[] = []
  private readonly memories: (SharedArrayBuffer | undefined)[] = []
  private reads = 0
  private readonly units: number[] = []
  /** What was found out about places holds as long as all of these stay. */
  private changes = -1
  private fences = -1
  private ring: GatewayState['ring']
  private isQuiet = false
  private era = 0
  /** By node and partition: the era in which the replica was found fit to be looked into. */
  private readonly fitIn: (Int32Array | undefined)[] = []

  /** `gateway` is looked at, never changed: its view is when a node is well enough to be read. */
  constructor(gateway: GatewayState, options: SharedReadsOptions) {
    this.gateway = gateway
    this.options = options
  }

  /**
   * `copied`: what R replicas hold is in `copy`. `absent`: they hold nothing. Undefined: messages must tell. `head`: what
   * the key begins with, when it is not in `key`.
   */
  read(key: string, hash: number, n: number, r: number, head = ''): Looked {
    const answer = this.attempt(key, hash, n, r, head)
    if (answer === undefined) this.counters.left++
    else this.counters.answered++
    return answer
  }

  private attempt(key: string, hash: number, n: number, r: number, head: string): Looked {
    const { gateway, options, copy } = this
    const { ring, nodes } = gateway
    const { serving, status } = options
    if (nodes !== this.nodes) this.look(nodes)
    if (ring === undefined) return undefined
    // Before any memory is looked into: what happens later happens beside this read.
    const changes = serving.changes()
    const fences = status.fences()
    if (changes !== this.changes || fences !== this.fences || ring !== this.ring) {
      this.beginEra(changes, fences, ring)
    }
    if (!this.isQuiet) return undefined
    const partition = partitionOf(ring, hash)
    const list = preferenceList(ring, partition)
    const places = Math.min(n, list.length)
    let place = Math.floor(this.reads++ / readsPerPlace) % places
    // One alone is loaded as it is read.
    if (r > 1) this.touch(list, place, places, r, hash)
    let answer: Looked
    let vouched = 0
    for (let tries = places; tries > 0 && vouched + tries >= r; tries--) {
      const node = list[place] as NodeId
      place = place + 1 === places ? 0 : place + 1
      if (this.fitIn[node]?.[partition] !== this.era && !this.isFit(node, partition, ring)) continue
      if (options.isCut(node)) continue
      const reader = this.readers[node] as ObjectReader
      if (answer === undefined) {
        answer = reader.copyInto(key, hash, copy, head)
        if (answer === undefined) continue
        this.first = node
      } else {
        const same =
          answer === absent ? reader.isAbsent(key, hash, head) : reader.matches(key, hash, copy, head)
        if (same === undefined) continue
        if (!same) return undefined
      }
      if (++vouched === r) return answer
    }
    return undefined
  }

  /** Something has changed: everything is found out anew, place by place. */
  private beginEra(changes: number, fences: number, ring: Ring): void {
    this.changes = changes
    this.fences = fences
    this.ring = ring
    this.isQuiet = ring.change === undefined && this.options.serving.isEpoch(ring.epoch)
    if (this.era === 0x7fff_ffff) this.fitIn.length = 0
    this.era = (this.era % 0x7fff_ffff) + 1
  }

  /** Whether the node holds the partition as a full replica, in the life that is known here, and lacks nothing. */
  private isFit(node: NodeId, partition: Partition, ring: Ring): boolean {
    const { serving, status } = this.options
    const generation = this.generations[node] ?? 0
    if (generation === 0 || !serving.isServed(node, partition, markOf(generation, ring.epoch))) return false
    if (status.isFenced(node, generation) || serving.isOwed(node)) return false
    this.fitIn[node] ??= new Int32Array(ring.partitions)
    const fitIn = this.fitIn[node] as Int32Array
    fitIn[partition] = this.era
    return true
  }

  /** Lets the memory of all that will be looked into be loaded at once. */
  private touch(list: readonly NodeId[], first: number, places: number, r: number, hash: number): void {
    const { readers, units } = this
    for (let i = 0, place = first; i < r; i++) {
      units[i] = readers[list[place] as NodeId]?.touch(hash) ?? 0
      place = place + 1 === places ? 0 : place + 1
    }
    for (let i = 0, place = first; i < r; i++) {
      readers[list[place] as NodeId]?.touchEntry(units[i] as number)
      place = place + 1 === places ? 0 : place + 1
    }
  }

  /** The gateway was told something: who may be looked into, and where that is. */
  private look(nodes: GatewayState['nodes']): void {
    const { gateway, options, memories, readers } = this
    this.nodes = nodes
    this.changes = -1
    this.generations = Array.from({ length: Math.max(nodes.length, 1) }, () => 0)
    for (const view of nodes) {
      if (view === undefined || !isBrisk(gateway, view.node)) continue
      const { node, generation } = view
      const memory = options.memoryOf(node)
      if (memory !== memories[node]) {
        memories[node] = memory
        readers[node] = memory && new ObjectReader(memory)
      }
      if (memory !== undefined) this.generations[node] = generation
    }
  }
}
