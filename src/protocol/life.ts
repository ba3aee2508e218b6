// The conversation about nodes: who is up, what the ring is, and what the supervisor wants done.
//
//   machine --node-ready, node-exited, node-slow, node-brisk--> supervisor --spawn, give-up--> machine
//   supervisor --nodes-changed, ring-changed--> every host
//   host --probe--> host --probed--> host

import type { Millis, NodeId } from '../base/units.js'
import type { Ring } from '../ring/ring.js'

/**
 * up, slow and suspected nodes are spoken to; slow means that its event loop is blocked, never that it is dead.
 * suspected is nobody's word but one's own: it has not answered here (membership/suspicion).
 */
export type NodeState = 'starting' | 'up' | 'slow' | 'suspected' | 'down' | 'failed' | 'draining'

export interface NodeView {
  readonly node: NodeId
  readonly state: NodeState
  /** Counts the lives of the node, from 1: a changed generation means that requests in flight to it are lost. */
  readonly generation: number
}

export interface NodesChanged {
  readonly type: 'nodes-changed'
  /** Counts what the supervisor says, from 1: an older word that comes later is not heard. 0: found at birth. */
  readonly version: number
  readonly nodes: readonly NodeView[]
}

export interface RingChanged {
  readonly type: 'ring-changed'
  readonly ring: Ring
}

/** From one host to another that has been silent: are you there? */
export interface Probe {
  readonly type: 'probe'
}

export interface Probed {
  readonly type: 'probed'
}

/** It will never be back, and nothing of it is left. */
export interface NodeRemoved {
  readonly type: 'node-removed'
  readonly node: NodeId
}

/** To the machine: begin a life of this node. */
export interface Spawn {
  readonly type: 'spawn'
  readonly node: NodeId
}

/** To the machine: this node failed too often and is not begun again. */
export interface GiveUp {
  readonly type: 'give-up'
  readonly node: NodeId
}

export interface NodeReady {
  readonly type: 'node-ready'
  readonly node: NodeId
  readonly generation: number
}

export interface NodeExited {
  readonly type: 'node-exited'
  readonly node: NodeId
  readonly generation: number
  readonly reason: string
  /** False when the end was wanted (drain, close): then nothing is restarted. */
  readonly failure: boolean
}

export interface NodeSlow {
  readonly type: 'node-slow'
  readonly node: NodeId
  readonly silentMs: Millis
}

export interface NodeBrisk {
  readonly type: 'node-brisk'
  readonly node: NodeId
}

export interface RestartDue {
  readonly type: 'restart-due'
  readonly node: NodeId
}
