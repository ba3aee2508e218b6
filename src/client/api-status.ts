// What an application sees of the state of its cluster: one line a node, read from shared memory, so that asking
// costs no message and a blocked node cannot hold it up.

import type { Millis, NodeId } from '../base/units.js'
import type { Level } from '../protocol/write.js'

export interface NodeStatus {
  readonly node: NodeId
  /** up; slow: its event loop is blocked; starting; down: restarting after a failure; failed: given up. */
  readonly state: 'starting' | 'up' | 'slow' | 'down' | 'failed' | 'draining'
  /** Lives so far, from 1. */
  readonly generation: number
  /** Partitions of which it is a primary replica (with the cluster's n). */
  readonly partitions: number
  /** False while it catches up after it started with less than it had acknowledged. */
  readonly complete: boolean
  readonly puts: number
  readonly gets: number
  readonly replications: number
  readonly turns: number
  readonly commits: number
  readonly fsyncs: number
  readonly queued: number
  readonly objects: number
  readonly bufferBytes: number
  readonly dirtyBytes: number
  readonly heapBytes: number
  /** Writes that this node keeps for nodes that are away, and their bytes. */
  readonly hints: number
  readonly hintBytes: number
  /** Hints that were refused for want of room, damaged, or given up by an operator, in this life. */
  readonly hintsLost: number
  /** Pairs of replicas that this node has compared, and objects that were sent or fetched because of it. */
  readonly compared: number
  readonly mended: number
  /** Deleted and expired objects that this node has had forgotten on all nodes. */
  readonly reaped: number
  /** The longest delay of its event loop in the last second. */
  readonly loopDelayMs: Millis
}

export interface ClusterStatus {
  readonly version: string
  readonly id: string
  readonly partitions: number
  readonly epoch: number
  readonly n: number
  readonly r: number
  readonly w: number
  readonly dw: number
  readonly durability: Level
  readonly uptimeMs: Millis
  readonly requestsInFlight: number
  /** Stale or damaged copies that reads have found and that were mended, since the cluster was opened. */
  readonly readRepairs: number
  readonly nodes: readonly NodeStatus[]
}
