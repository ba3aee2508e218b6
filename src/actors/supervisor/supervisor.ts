// Decides about the lives of nodes: which is up, when a dead one begins again, when one is given up; and
// tells every host. What it decides the machine carries out (threads, or the simulated world).
//
// Invariant: nobody but an exit makes a node dead. A silent node is slow: it keeps its place, its memory
// and its mailboxes, and nothing is restarted because of it.

import { unreachable } from '../../base/assert.js'
import { limits } from '../../base/limits.js'
import type { Key, Millis, NodeId } from '../../base/units.js'
import { type Address, singleAddress, supervisorThread } from '../../protocol/address.js'
import type { Envelope, SupervisorMessage } from '../../protocol/envelope.js'
import type { NodeExited, NodeState, NodeView } from '../../protocol/life.js'
import type { Actor, Turn } from '../actor.js'

interface NodeLife {
  state: NodeState
  generation: number
  /** When its recent failures were, oldest first: bounded by limits.restartsMax. */
  readonly failures: Millis[]
}

export interface SupervisorState {
  readonly nodes: Map<NodeId, NodeLife>
  /** Of what was told last. */
  version: number
}

/** The first wait before a restart; doubles with each failure in the window, up to `backoffMsMax`. */
const backoffMs = 20
const backoffMsMax = 5_000

export const supervisorActor: Actor<SupervisorState, SupervisorMessage> = {
  start(): SupervisorState {
    return { nodes: new Map(), version: 0 }
  },

  reads(): Key | undefined {
    return undefined
  },

  receive(state: SupervisorState, envelope: Envelope<SupervisorMessage>, turn: Turn): void {
    const message = envelope.message
    switch (message.type) {
      case 'node-ready':
        return nodeReady(state, message.node, message.generation, turn)
      case 'node-exited':
        return nodeExited(state, message, turn)
      case 'node-removed':
        return nodeRemoved(state, message.node, turn)
      case 'node-slow':
        return nodeSlow(state, message.node, turn)
      case 'node-brisk':
        return nodeBrisk(state, message.node, turn)
      case 'restart-due':
        return restartDue(state, message.node, turn)
    }
    return unreachable(message)
  },
}

function lifeOf(state: SupervisorState, node: NodeId): NodeLife {
  let life = state.nodes.get(node)
  if (life === undefined) {
    life = { state: 'starting', generation: 0, failures: [] }
    state.nodes.set(node, life)
  }
  return life
}

function nodeReady(state: SupervisorState, node: NodeId, generation: number, turn: Turn): void {
  const life = lifeOf(state, node)
  life.state = 'up'
  life.generation = generation
  tellAll(state, turn)
}

function nodeRemoved(state: SupervisorState, node: NodeId, turn: Turn): void {
  state.nodes.delete(node)
  tellAll(state, turn)
}

function nodeExited(state: SupervisorState, message: NodeExited, turn: Turn): void {
  const life = lifeOf(state, message.node)
  life.generation = Math.max(life.generation, message.generation)
  if (!message.failure) {
    life.state = 'draining'
    tellAll(state, turn)
    return
  }
  while (life.failures.length > 0 && (life.failures[0] as Millis) < turn.now - limits.restartWindowMs) {
    life.failures.shift()
  }
  life.failures.push(turn.now)
  if (life.failures.length > limits.restartsMax) {
    life.state = 'failed'
    turn.send(singleAddress('machine', supervisorThread), { type: 'give-up', node: message.node })
  } else {
    life.state = 'down'
    const wait = Math.min(backoffMsMax, backoffMs * 2 ** (life.failures.length - 1))
    // Jitter, so that nodes that died of one cause do not come back as one.
    const delay = Math.round(wait * (0.5 + turn.random() / 2))
    turn.after(delay, singleAddress('supervisor', supervisorThread), {
      type: 'restart-due',
      node: message.node,
    })
  }
  tellAll(state, turn)
}

function restartDue(state: SupervisorState, node: NodeId, turn: Turn): void {
  const life = lifeOf(state, node)
  if (life.state !== 'down') return
  life.state = 'starting'
  turn.send(singleAddress('machine', supervisorThread), { type: 'spawn', node })
}

function nodeSlow(state: SupervisorState, node: NodeId, turn: Turn): void {
  changeState(state, node, 'up', 'slow', turn)
}

function nodeBrisk(state: SupervisorState, node: NodeId, turn: Turn): void {
  changeState(state, node, 'slow', 'up', turn)
}

function changeState(state: SupervisorState, node: NodeId, from: NodeState, to: NodeState, turn: Turn): void {
  const life = lifeOf(state, node)
  if (life.state !== from) return
  life.state = to
  tellAll(state, turn)
}

/** Tells every host that lives, this one included, what the nodes are now. */
function tellAll(state: SupervisorState, turn: Turn): void {
  const nodes: NodeView[] = []
  for (const [node, life] of state.nodes) nodes.push({ node, state: life.state, generation: life.generation })
  const message = { type: 'nodes-changed', version: ++state.version, nodes } as const
  const here: Address<'host'> = singleAddress('host', supervisorThread)
  turn.send(here, message)
  for (const [node, life] of state.nodes) {
    if (life.state === 'up' || life.state === 'slow') turn.send(singleAddress('host', node), message)
  }
}
