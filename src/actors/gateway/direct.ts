// A last-write-wins put that no coordinator leads: the gateway makes the version itself, sends it to all n replicas at
// once, and they answer whoever waits. Dynamo 6.4: where versions are timestamps, any node may coordinate. One hop to
// each replica and one back, instead of two and two; and no thread has more to do with a put than its own copy.
//
// Only where nothing but the stamp decides, and while all n replicas are healthy and the ring stands still. Whenever
// that turns out to be untrue before the put is answered, a coordinator leads it (put-led.ts): it makes a later version,
// so what has been stored of this one is replaced. Once it is answered no later version may be made: for a replica
// that does not answer then, somebody keeps a hint (Dynamo 4.6).
// Invariants: the stamp is later than all that this thread has stamped, and than the clock at the start of any node.
// A replica that holds a later one nevertheless says so, and leads the put: since two write quorums overlap (2w > n),
// no put is answered before somebody was asked who has what was answered before it began.

import { crc32 } from '../../base/crc.js'
import { errorTable } from '../../base/errors.js'
import type { NodeId, RequestId } from '../../base/units.js'
import { type Address, vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import {
  Copy,
  isDecided,
  type Level,
  type Put,
  type Replicated,
  type ReplicateFailed,
  StampedAnswer,
} from '../../protocol/write.js'
import { countBits, noteFailed, noteStored, writeVerdict } from '../../quorum/tally.js'
import { preferenceList } from '../../ring/preference.js'
import { partitionOf, type Ring } from '../../ring/ring.js'
import { withMode } from '../../versions/mode.js'
import { decodeObject, encodeFresh } from '../../versions/object-codec.js'
import { stampSeconds } from '../../versions/stamp.js'
import { nextWriteStamp } from '../../versions/write.js'
import { generationOf, nextRequest, type Turn } from '../actor.js'
import { hintFailed, keepFor } from './hints.js'
import { open } from './open.js'
import { putLed } from './put-led.js'
import { type GatewayState, isBrisk, PendingDirect } from './state.js'
import { chooseWriters, writerHeard } from './writers.js'

const nothing = Buffer.alloc(0)

/** Whether it depends on nothing that is stored, while everybody on `list` who shall have it can be asked. */
function mayGoDirect(
  state: GatewayState,
  ring: Ring,
  list: readonly NodeId[],
  message: Put,
  turn: Turn,
): boolean {
  if (message.conflicts !== 'last-write-wins' || isDecided(message) || message.returnPrevious) return false
  // Where two quorums need not overlap, only a coordinator that has led the earlier one knows of it: gateways count apart
  // within a millisecond.
  if (2 * message.w <= message.n) return false
  if (message.pw > 0 || ring.change !== undefined || turn.rarely('put-led')) return false
  if (list.length < message.n) return false
  for (let place = 0; place < message.n; place++) if (!isBrisk(state, list[place] as number)) return false
  return crc32(message.value, message.hash) === message.checksum
}

/** Sends the put to all its replicas. False: it must be led, and nothing was done. */
export function putDirect(state: GatewayState, ring: Ring, envelope: Envelope<Put>, turn: Turn): boolean {
  const { message } = envelope
  const { key, hash, n, dw, level } = message
  const partition = partitionOf(ring, hash)
  const list = preferenceList(ring, partition)
  if (!mayGoDirect(state, ring, list, message, turn)) return false
  const object = newVersion(state, message, turn)
  const { travelEnd } = turn
  // dw of them write through before they answer; all log what they hold soon after.
  const writers = level === 'memory' ? 0 : chooseWriters(state.writers, ring, list, n, dw, turn.now)
  const request = nextRequest(state)
  open(state, request, new PendingDirect(state, envelope, list, object, travelEnd, writers), turn)
  const durable = new Copy(key, hash, object, level)
  const others = level === 'memory' ? durable : new Copy(key, hash, object, 'memory')
  for (let place = 0; place < n; place++) {
    const node = list[place] as number
    turn.send(
      vnodeAddress(node, partition),
      ((writers >>> place) & 1) === 1 ? durable : others,
      request,
      travelEnd,
    )
  }
  return true
}

/** Nothing that is stored is looked at: a last-write-wins version has a clock of its own event alone. */
function newVersion(state: GatewayState, message: Put, turn: Turn): Uint8Array {
  const { change, conflicts, context, encoding, expires, hash, level, n, value } = message
  state.lastStamp = nextWriteStamp(undefined, context, state.lastStamp, turn.wall)
  const isDelete = change === 'delete'
  const sibling = {
    dot: { actor: state.actor, counter: ++state.counter },
    stamp: state.lastStamp,
    expires: isDelete ? 0 : expires,
    deleted: isDelete,
    encoding: withMode(encoding, conflicts, level === 'memory', n),
    value: isDelete ? nothing : value,
  }
  return encodeFresh(sibling, stampSeconds(state.lastStamp), hash)
}

/** A replica has what it was sent: a put, or (request 0) what a read found it to lack. */
export function replicated(state: GatewayState, envelope: Envelope, message: Replicated, turn: Turn): void {
  const pending = state.pending.get(envelope.request)
  if (envelope.request === 0) state.readRepairs++
  if (pending?.type === 'hint') state.pending.delete(envelope.request)
  if (pending?.type !== 'direct') return
  const place = placeOf(pending, envelope)
  if (place < 0) return
  if (message.existed === true) pending.existed = true
  if (message.overtaken === true && !pending.answered)
    return giveToCoordinator(state, envelope.request, pending, envelope.from.node, turn)
  const { level } = pending.envelope.message
  const isThrough = level !== 'memory' && message.level === level
  if (isThrough) writerHeard(state.writers, envelope.from.node, turn.now)
  noteStored(pending.tally, place, isThrough || level === 'memory')
  settle(state, envelope.request, pending, turn)
}

/** It does not have it, or nobody knows. A read finds again what it lacks. */
export function replicateFailed(
  state: GatewayState,
  envelope: Envelope,
  message: ReplicateFailed,
  turn: Turn,
): void {
  const pending = state.pending.get(envelope.request)
  if (envelope.request === 0) state.readRepairsFailed++
  if (pending?.type === 'hint') return hintFailed(state, envelope.request, pending, turn)
  if (pending?.type !== 'direct') return
  const place = placeOf(pending, envelope)
  if (place < 0) return
  lose(state, envelope.request, pending, place, errorTable[message.code].outcome !== 'refused', turn)
}

function placeOf({ list, tally }: PendingDirect, { from }: Envelope): number {
  const place = list.indexOf(from.node)
  return place < tally.n ? place : -1
}

function lose(
  state: GatewayState,
  request: RequestId,
  pending: PendingDirect,
  place: number,
  mayHaveIt: boolean,
  turn: Turn,
): void {
  const { tally } = pending
  if (mayHaveIt) pending.unsure |= 1 << place
  if (((tally.failed >>> place) & 1) === 1) return
  noteFailed(tally, place)
  if (pending.answered) keepFor(state, pending, place, turn)
  settle(state, request, pending, turn)
}

function settle(state: GatewayState, request: RequestId, pending: PendingDirect, turn: Turn): void {
  const { tally } = pending
  const { level } = pending.envelope.message
  const all = (1 << tally.n) - 1
  const isHeard = (tally.stored | tally.failed) === all
  if (!pending.answered) {
    const verdict = writeVerdict(tally)
    // Nobody else was asked to write through.
    const writerFailed = (tally.failed & ~tally.durable & pending.writers) !== 0
    // All have refused so far: whether the put may be called refused, only the rest can tell.
    const mayBeRefused = tally.stored === 0 && pending.unsure === 0
    if (verdict === 'lost' && mayBeRefused && !isHeard) return
    if (verdict === 'lost' || (verdict === 'waiting' && writerFailed))
      return giveToCoordinator(state, request, pending, pending.envelope.message.coordinator, turn)
    if (verdict === 'ok') answer(state, pending, level, turn)
  }
  if (pending.answered && isHeard) state.pending.delete(request)
}

function answer(state: GatewayState, pending: PendingDirect, level: Level, turn: Turn): void {
  const { tally, envelope, stamp, counter, existed } = pending
  pending.answered = true
  turn.send(
    envelope.from as Address<'client'>,
    new StampedAnswer({ actor: state.actor, counter, time: stampSeconds(stamp) }, stamp, {
      stored: countBits(tally.stored),
      durable: countBits(tally.durable),
      level,
      existed,
    }),
    envelope.request,
  )
  for (let place = 0; place < tally.n; place++)
    if (((tally.failed >>> place) & 1) === 1) keepFor(state, pending, place, turn)
}

/**
 * Not answered, and not to be had this way: a coordinator makes a later version, with the stamp of this one for what the
 * writer has seen. `coordinator`: who holds something later, and so stamps later than that. The value is that of the
 * version, because the caller's own may be another by now, which would be refused.
 */
function giveToCoordinator(
  state: GatewayState,
  request: RequestId,
  pending: PendingDirect,
  coordinator: NodeId,
  turn: Turn,
): void {
  state.pending.delete(request)
  const { tally, unsure, envelope, stamp, object } = pending
  const { message } = envelope
  const waited = ((1 << tally.n) - 1) & ~tally.failed
  const context = { clock: message.context?.clock ?? [], stamp }
  const [version] = decodeObject(object, message.hash).siblings
  const value = message.change === 'value' && version !== undefined ? version.value : message.value
  const led = { ...envelope, message: { ...message, coordinator, context, value } }
  putLed(state, led, turn, { hasBegun: (tally.stored | unsure | waited) !== 0, direct: pending })
}

/** The deadline of the put, or the end of its copies' travels: who has been silent so far has not stored it any more. */
export function directOver(
  state: GatewayState,
  request: RequestId,
  pending: PendingDirect,
  turn: Turn,
): boolean {
  const { deadline } = pending.envelope
  const isDeadline = deadline !== 0 && turn.now >= deadline
  if (isDeadline || turn.now <= pending.travelEnd) return isDeadline
  // Without a deadline of its own, or with one that is far away: it must end some day.
  for (let place = 0; place < pending.tally.n; place++)
    if ((((pending.tally.stored | pending.tally.failed) >>> place) & 1) === 0)
      lose(state, request, pending, place, true, turn)
  return false
}

/** The nodes are others: whoever was asked and is not as it was will not answer, or not soon. */
export function directNodesChanged(
  state: GatewayState,
  request: RequestId,
  pending: PendingDirect,
  turn: Turn,
): void {
  const { list, tally, nodes } = pending
  for (let place = 0; place < tally.n; place++) {
    const node = list[place] as number
    const isSame = isBrisk(state, node) && generationOf(state, node) === nodes[node]?.generation
    if (isSame || ((tally.stored >>> place) & 1) === 1) continue
    lose(state, request, pending, place, true, turn)
    if (!state.pending.has(request)) return
  }
}
