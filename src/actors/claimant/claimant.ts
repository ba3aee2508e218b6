// The actor that brings a ring to where it shall be (Dynamo 4.9): has every place that passes to another node
// taken over by it, a bounded number at once, and tells everybody when a partition has arrived. One in a
// cluster. It begins what can be begun, never because nothing else happens, and says what waits and why.
//
// Invariant: a partition's replicas are those of afterwards, for anybody, only after each of them has said that
// it holds all that its place needs, and after the ring that says so would be found after a crash.

import { unreachable } from '../../base/assert.js'
import type { Key, Millis, NodeId } from '../../base/units.js'
import { type Address, singleAddress, supervisorThread, vnodeAddress } from '../../protocol/address.js'
import type { ClaimantMessage, Envelope } from '../../protocol/envelope.js'
import type { BeginChange, Received, ReceiveFailed, Receiving } from '../../protocol/handoff.js'
import type { NodeView } from '../../protocol/life.js'
import { transfersOf } from '../../ring/preference.js'
import { beginChange as changeOf, type Ring, withMoved } from '../../ring/ring.js'
import { type Actor, generationOf, type Turn } from '../actor.js'
import { type ClaimantState, type TransferState, transferKey } from './state.js'

/** How often it looks; what has arrived is told together. */
const lookMs: Millis = 50
/** Transfers in which one node may have a part at once. */
const runningMax = 2
/** A transfer of which nothing is heard for so long is begun again. */
const silentMs: Millis = 30_000
/** After this nobody speaks to a former holder as if it were one. */
const releaseMs: Millis = 10_000

export const claimantActor: Actor<ClaimantState, ClaimantMessage> = {
  start(self: Address): ClaimantState {
    return {
      self: self as Address<'claimant'>,
      ring: undefined,
      nodes: [],
      transfers: new Map(),
      arrived: [],
      keeping: undefined,
      releases: [],
      isArmed: false,
    }
  },

  reads(): Key | undefined {
    return undefined
  },

  receive(state: ClaimantState, envelope: Envelope<ClaimantMessage>, turn: Turn): void {
    const message = envelope.message
    switch (message.type) {
      case 'begin-change':
        return beginChange(state, message, turn)
      case 'ring-kept':
        return ringKept(state, message.epoch, turn)
      case 'received':
        return received(state, message, turn)
      case 'receive-failed':
        return receiveFailed(state, envelope, message, turn)
      case 'receiving':
        return receiving(state, message, turn)
      case 'claim-due':
        return claimDue(state, turn)
      case 'ring-changed':
        state.ring ??= message.ring
        return resume(state, turn)
      case 'nodes-changed': {
        const nodes = []
        for (const view of message.nodes) nodes[view.node] = view
        state.nodes = nodes
        return arm(state, turn)
      }
    }
    return unreachable(message)
  },
}

function arm(state: ClaimantState, turn: Turn): void {
  const isBusy = state.transfers.size > 0 || state.releases.length > 0 || state.keeping !== undefined
  if (state.isArmed || !isBusy) return
  state.isArmed = true
  turn.after(lookMs, state.self, { type: 'claim-due' })
}

function beginChange(state: ClaimantState, message: BeginChange, turn: Turn): void {
  const { ring } = state
  if (ring === undefined || ring.change !== undefined || state.keeping !== undefined) return
  keep(state, changeOf(ring, Uint16Array.from(message.owners), message.copies), turn)
  arm(state, turn)
}

function keep(state: ClaimantState, ring: Ring, turn: Turn): void {
  state.keeping = ring
  turn.send(singleAddress('machine', supervisorThread), { type: 'keep-ring', ring })
}

/** It would be found after a crash: now it is true. */
function ringKept(state: ClaimantState, epoch: number, turn: Turn): void {
  const ring = state.keeping
  if (ring === undefined || ring.epoch !== epoch) return
  state.keeping = undefined
  // Without one nothing is begun.
  const before = state.ring as Ring
  state.ring = ring
  turn.send(singleAddress('host', supervisorThread), { type: 'ring-changed', ring })
  // Also to those who have left: they may still have something to give back.
  const known = state.nodes.flatMap((view) => (view as NodeView).node)
  for (const node of new Set([...before.nodes, ...ring.nodes, ...known])) {
    if (mayHear(state, node)) turn.send(singleAddress('host', node), { type: 'ring-changed', ring })
  }
  if (ring.change === undefined) endChange(state, before.change?.copies ?? ring.copies, turn)
  else resume(state, turn)
}

function isThere(state: ClaimantState, node: NodeId): boolean {
  const now = state.nodes[node]?.state
  return now === 'up' || now === 'slow' || now === 'starting'
}

/** One that is suspected may hear all the same, and is not told again when it turns out to be well. */
function mayHear(state: ClaimantState, node: NodeId): boolean {
  return isThere(state, node) || state.nodes[node]?.state === 'suspected'
}

/** Notes what a change still needs; partitions that need nothing have arrived. */
function resume(state: ClaimantState, turn: Turn): void {
  const { ring } = state
  if (ring?.change === undefined || state.transfers.size > 0) return arm(state, turn)
  for (let partition = 0; partition < ring.partitions; partition++) {
    if (ring.change.moved[partition] === 1) continue
    const transfers = transfersOf(ring, partition)
    if (transfers.length === 0) state.arrived.push(partition)
    for (const transfer of transfers) {
      state.transfers.set(transferKey(partition, transfer.place), {
        transfer,
        stage: 'waiting',
        generation: 0,
        giverGeneration: 0,
        begunAt: 0,
        endedAt: 0,
        heardAt: 0,
        objects: 0,
        bytes: 0,
        tries: 0,
        reason: 'waits for its turn',
      })
    }
  }
  if (state.transfers.size === 0 && state.arrived.length > 0) tellArrived(state, turn)
  arm(state, turn)
}

function endChange(state: ClaimantState, copies: number, turn: Turn): void {
  for (const { transfer, giverGeneration: generation } of state.transfers.values()) {
    const { giver: node, partition } = transfer
    state.releases.push({ node, partition, copies, generation, due: turn.now + releaseMs })
  }
  state.transfers.clear()
  state.arrived = []
  arm(state, turn)
}

function claimDue(state: ClaimantState, turn: Turn): void {
  state.isArmed = false
  release(state, turn)
  const running = new Map<NodeId, number>()
  const count = (node: NodeId, by: number) => running.set(node, (running.get(node) ?? 0) + by)
  for (const each of state.transfers.values()) {
    if (each.stage === 'done') doubt(state, each)
    if (each.stage !== 'running') continue
    const { receiver, giver } = each.transfer
    const isSilent = turn.now > each.heardAt + silentMs
    if (isSilent || state.nodes[receiver]?.generation !== each.generation) each.stage = 'waiting'
    else {
      count(receiver, 1)
      count(giver, 1)
    }
  }
  for (const each of state.transfers.values()) {
    if (each.stage !== 'waiting') continue
    const { receiver, giver } = each.transfer
    each.reason = whyNot(state, each, running)
    if (each.reason !== '') continue
    count(receiver, 1)
    count(giver, 1)
    begin(state, each, turn)
  }
  tellArrived(state, turn)
  arm(state, turn)
}

/**
 * What was taken over is in doubt again when the giver begins a new life before the ring says so: that life has never
 * given anything, and what it acknowledges goes to nobody.
 */
function doubt(state: ClaimantState, each: TransferState): void {
  const { giver, receiver, partition } = each.transfer
  const ring = state.keeping ?? state.ring
  if (ring?.change === undefined || ring.change.moved[partition] === 1) return
  const isSame = (node: NodeId, generation: number) => state.nodes[node]?.generation === generation
  if ((isGone(state, giver) || isSame(giver, each.giverGeneration)) && isSame(receiver, each.generation))
    return
  each.stage = 'waiting'
  state.arrived = state.arrived.filter((arrived) => arrived !== partition)
}

/** Why a transfer cannot begin now; '' when it can. */
function whyNot(state: ClaimantState, each: TransferState, running: ReadonlyMap<NodeId, number>): string {
  const { partition, place, receiver, giver } = each.transfer
  for (let earlier = 0; earlier < place; earlier++) {
    const other = state.transfers.get(transferKey(partition, earlier))
    if (other?.transfer.receiver === receiver && other.stage !== 'done') return `place ${earlier} comes first`
  }
  if (state.nodes[receiver]?.state !== 'up') return `node ${receiver}, which receives, is not up`
  if (!isGone(state, giver) && state.nodes[giver]?.state !== 'up')
    return `node ${giver}, which gives, is not up`
  // Until it is released it hands on what it is told for an earlier time as a replica, and would to this one's giver.
  const isHeld = state.releases.some((held) => held.node === receiver && held.partition === partition)
  if (isHeld) return `node ${receiver} has not forgotten yet that it was a replica before`
  for (const node of [receiver, giver]) {
    if ((running.get(node) ?? 0) >= runningMax) return `node ${node} is busy with others`
  }
  return ''
}

/** True for a node that will not come back by itself. */
function isGone(state: ClaimantState, node: NodeId): boolean {
  const now = state.nodes[node]?.state
  return now === undefined || now === 'failed' || now === 'draining'
}

function begin(state: ClaimantState, each: TransferState, turn: Turn): void {
  const { partition, place, giver, receiver } = each.transfer
  each.stage = 'running'
  each.generation = generationOf(state, receiver)
  each.giverGeneration = generationOf(state, giver)
  each.begunAt = turn.now
  each.heardAt = turn.now
  each.tries++
  each.objects = 0
  each.bytes = 0
  const message = { type: 'receive', place, giver: isGone(state, giver) ? 0 : giver } as const
  turn.send(vnodeAddress(receiver, partition), message)
}

function received(state: ClaimantState, message: Received, turn: Turn): void {
  const { partition, place, objects, bytes } = message
  const each = state.transfers.get(transferKey(partition, place))
  if (each === undefined || each.stage === 'done') return
  each.stage = 'done'
  each.endedAt = turn.now
  each.objects = objects
  each.bytes = bytes
  for (let other = 0; other < 64; other++) {
    const sibling = state.transfers.get(transferKey(partition, other))
    if (sibling !== undefined && sibling.stage !== 'done') return
  }
  state.arrived.push(partition)
}

function receiveFailed(state: ClaimantState, envelope: Envelope, message: ReceiveFailed, turn: Turn): void {
  const key = transferKey(message.partition, message.place)
  const each = state.transfers.get(key)
  if (each?.stage !== 'running' || envelope.from.node !== each.transfer.receiver) return
  each.stage = 'waiting'
  each.reason = `failed: ${message.code}`
  // A receiver that still forgets what it had before has begun nothing.
  if (message.code === 'recovering' && each.objects === 0) each.tries--
  // Behind the others, which may have givers that answer.
  state.transfers.delete(key)
  state.transfers.set(key, each)
  arm(state, turn)
}

function receiving(state: ClaimantState, message: Receiving, turn: Turn): void {
  const each = state.transfers.get(transferKey(message.partition, message.place))
  if (each?.stage !== 'running') return
  each.heardAt = turn.now
  each.objects = message.objects
  each.bytes = message.bytes
}

function tellArrived(state: ClaimantState, turn: Turn): void {
  const { ring, arrived } = state
  if (ring === undefined || arrived.length === 0 || state.keeping !== undefined) return
  state.arrived = []
  keep(state, withMoved(ring, arrived), turn)
}

function release(state: ClaimantState, turn: Turn): void {
  const due = state.releases.filter((each) => each.due <= turn.now)
  if (due.length === 0) return
  state.releases = state.releases.filter((each) => each.due > turn.now)
  for (const { node, partition, copies, generation } of due) {
    // Another life than the one that gave may have something that nobody was given: it gives it back (give-back.ts).
    const isSame = state.nodes[node]?.generation === generation
    if (isSame && isThere(state, node)) turn.send(vnodeAddress(node, partition), { type: 'release', copies })
  }
}
