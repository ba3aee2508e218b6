// The actor that has replicas compared, on its own node and for ever (Dynamo 4.7): pair after pair, each
// partition of which this node is the first replica with each of the others. One comparison at a time, and a
// pause between two, so that the foreground does not feel it: equal replicas cost two short messages.

import { unreachable } from '../../base/assert.js'
import { limits } from '../../base/limits.js'
import type { Key, Millis, NodeId, Partition, RequestId } from '../../base/units.js'
import { type Address, vnodeAddress } from '../../protocol/address.js'
import type { Envelope, MenderMessage } from '../../protocol/envelope.js'
import type { NodeView } from '../../protocol/life.js'
import { addReports, nothingDone, type Synced, type SyncReport } from '../../protocol/sync.js'
import { preferenceList } from '../../ring/preference.js'
import type { Ring } from '../../ring/ring.js'
import { type Actor, nextRequest, type Turn } from '../actor.js'

/** After a change of the ring the former holders are told to forget; this is for those who did not hear it. */
const leftoversMs: Millis = 60_000

interface Pair {
  readonly partition: Partition
  readonly peer: NodeId
}

export interface MenderState {
  readonly self: Address<'mender'>
  ring: Ring | undefined
  nodes: readonly (NodeView | undefined)[]
  /** Of this round, still to be compared. */
  pairs: Pair[]
  /** Pairs that come first: something is known to be missing there. */
  urgent: Pair[]
  /** Nodes for which something was not kept, until they are back. */
  readonly owed: Set<NodeId>
  lastRequest: RequestId
  /** The comparison that is going on, 0 for none. */
  open: RequestId
  isArmed: boolean
  /** When to look next for what this node holds and is no replica of. */
  leftoversDue: Millis
  /** What all comparisons so far did together. */
  total: SyncReport
  rounds: number
  compared: number
  failed: number
}

export const menderActor: Actor<MenderState, MenderMessage> = {
  start(self: Address): MenderState {
    return {
      self: self as Address<'mender'>,
      ring: undefined,
      nodes: [],
      pairs: [],
      urgent: [],
      owed: new Set(),
      lastRequest: 0,
      open: 0,
      isArmed: false,
      leftoversDue: 0,
      total: nothingDone,
      rounds: 0,
      compared: 0,
      failed: 0,
    }
  },

  reads(): Key | undefined {
    return undefined
  },

  receive(state: MenderState, envelope: Envelope<MenderMessage>, turn: Turn): void {
    const message = envelope.message
    switch (message.type) {
      case 'mend-due':
        return mendDue(state, turn)
      case 'mend-wanted':
        state.owed.add(message.owner)
        return hurry(state, turn)
      case 'synced':
        return synced(state, envelope, message, turn)
      case 'nodes-changed': {
        const nodes = []
        for (const view of message.nodes) nodes[view.node] = view
        state.nodes = nodes
        return hurry(state, turn)
      }
      case 'ring-changed':
        state.ring = message.ring
        state.pairs = []
        state.leftoversDue = turn.now + leftoversMs
        return arm(state, turn)
    }
    return unreachable(message)
  },
}

function arm(state: MenderState, turn: Turn): void {
  const isIdle = turn.mendEveryMs === 0 && state.urgent.length === 0
  if (state.isArmed || state.open !== 0 || isIdle) return
  state.isArmed = true
  // Nodes that began together do not go on together.
  const pause = state.urgent.length > 0 ? 0 : turn.mendEveryMs * (0.5 + turn.random())
  turn.after(pause, state.self, { type: 'mend-due' })
}

function mendDue(state: MenderState, turn: Turn): void {
  state.isArmed = false
  if (turn.now >= state.leftoversDue) giveLeftovers(state, turn)
  const pair = nextPair(state, turn)
  if (pair === undefined) return arm(state, turn)
  state.open = nextRequest(state)
  const { partition, peer } = pair
  const message = { type: 'sync', peer, mends: true, deep: false, isRoutine: true, copiesMin: 0 } as const
  turn.send(vnodeAddress(state.self.node, partition), message, state.open)
}

/** The next whose peer is up; those whose peer is not come again in the next round. */
function nextPair(state: MenderState, turn: Turn): Pair | undefined {
  // A node that must keep clients waiting does not look for more to do.
  if (turn.overloaded) return undefined
  for (const list of [state.urgent, state.pairs]) {
    for (let pair = list.shift(); pair !== undefined; pair = list.shift()) {
      if (state.nodes[pair.peer]?.state === 'up') return pair
    }
  }
  state.pairs = pairsOf(state, turn)
  if (state.pairs.length > 0) state.rounds++
  return undefined
}

/**
 * Each partition of which this node is the first replica, with each of the others; or those that `owner` and this
 * node share. Beyond the usual number of copies only where something is that shall be on more nodes.
 */
function pairsOf(state: MenderState, turn: Turn, owner: NodeId = 0): Pair[] {
  const { ring, self } = state
  const pairs: Pair[] = []
  if (ring === undefined) return pairs
  for (let partition = 0; partition < ring.partitions; partition++) {
    const replicas = preferenceList(ring, partition).slice(0, limits.copiesMax)
    const isLeader = replicas[0] === self.node
    for (let place = 0; place < replicas.length; place++) {
      const peer = replicas[place] as NodeId
      if (peer === self.node) continue
      if (place >= ring.copies && !turn.holds(partition, place + 1, limits.copiesMax)) break
      if (owner === 0 ? isLeader : peer === owner && replicas.includes(self.node))
        pairs.push({ partition, peer })
    }
  }
  return pairs
}

/** Those who should have been told to forget what they had may have been away. */
function giveLeftovers(state: MenderState, turn: Turn): void {
  const { ring, self } = state
  state.leftoversDue = turn.now + leftoversMs
  if (ring === undefined || ring.change !== undefined) return
  for (let partition = 0; partition < ring.partitions; partition++) {
    const place = preferenceList(ring, partition).indexOf(self.node)
    const copiesMax = place < 0 ? limits.copiesMax : place
    if (place >= 0 && place < ring.copies) continue
    if (turn.holds(partition, 1, copiesMax))
      turn.send(vnodeAddress(self.node, partition), { type: 'give-back' })
  }
}

/** Whoever is back and is known to lack something comes first. */
function hurry(state: MenderState, turn: Turn): void {
  for (const owner of state.owed) {
    if (state.nodes[owner]?.state !== 'up') continue
    state.owed.delete(owner)
    state.urgent = state.urgent.filter((pair) => pair.peer !== owner)
    state.urgent.push(...pairsOf(state, turn, owner))
  }
  if (state.urgent.length > 0) arm(state, turn)
}

function synced(state: MenderState, envelope: Envelope, message: Synced, turn: Turn): void {
  if (envelope.request !== state.open) return
  state.open = 0
  state.compared++
  if (message.failure !== undefined) state.failed++
  state.total = addReports(state.total, { ...message.report, keys: [] })
  arm(state, turn)
}
