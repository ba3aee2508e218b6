// The coordinator's part of a read, Dynamo 4.5: ask the N replicas, wait for R, merge what they said.
// Any thread may lead a read, since it makes no version.

import { Malformed } from '../../base/bytes.js'
import type { NodeId, RequestId } from '../../base/units.js'
import { type Address, singleAddress, vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Fetched, FetchFailed, Get } from '../../protocol/read.js'
import type { Put } from '../../protocol/write.js'
import {
  countBits,
  noteRead,
  noteReadAway,
  noteReadFailed,
  readTally,
  readVerdict,
} from '../../quorum/tally.js'
import { preferenceList } from '../../ring/preference.js'
import { partitionOf, type Ring } from '../../ring/ring.js'
import { merge } from '../../versions/merge.js'
import { decodeObject, encodeObject } from '../../versions/object-codec.js'
import type { Turn } from '../actor.js'
import { repairWaitMs, settleRepair } from './read-repair.js'
import {
  type GatewayState,
  generationOf,
  isBrisk,
  isSuspected,
  isUp,
  nextRequest,
  type PendingGet,
} from './state.js'
import { fail, open } from './sweep.js'

export function get(state: GatewayState, envelope: Envelope<Get>, turn: Turn): void {
  const { ring } = state
  if (ring !== undefined) return askReplicas(state, ring, envelope, envelope.message.r, turn)
  const client = envelope.from as Address<'client'>
  turn.send(client, { type: 'get-failed', code: 'unavailable', details: {} }, envelope.request)
}

/** Asks the N replicas of the key and waits for R of them. */
export function askReplicas(
  state: GatewayState,
  ring: Ring,
  envelope: Envelope<Get | Put>,
  r: number,
  turn: Turn,
): void {
  const { message } = envelope
  const partition = partitionOf(ring, message.hash)
  const replicas = preferenceList(ring, partition).slice(0, message.n)
  const pr = message.type === 'get' ? message.pr : 0
  const pending: PendingGet = {
    type: 'get',
    envelope,
    tally: readTally(replicas.length, r, pr),
    replicas,
    generations: replicas.map((node) => generationOf(state, node)),
    object: undefined,
    standIns: [],
    first: undefined,
    fastest: 0,
    answered: false,
    repairDue: 0,
    answers: [],
    differ: false,
    damaged: 0,
  }
  const request = nextRequest(state)
  const question = { type: 'fetch', key: message.key, hash: message.hash } as const
  for (let place = 0; place < replicas.length; place++) {
    const node = replicas[place] as number
    const isAsked = isUp(state, node)
    if (!isAsked || isSuspected(state, node)) noteReadAway(pending.tally, place)
    if (isAsked) turn.send(vnodeAddress(node, partition), question, request, envelope.deadline)
    if (isBrisk(state, node)) continue
    if (!askStandIn(state, request, pending, place, turn) && !isAsked) noteReadFailed(pending.tally, place)
  }
  open(state, request, pending, turn)
  settleGet(state, request, pending, turn)
}

/** Asks the next healthy node of the list what it keeps for the node of this place (Dynamo 4.6). */
function askStandIn(
  state: GatewayState,
  request: RequestId,
  pending: PendingGet,
  place: number,
  turn: Turn,
): boolean {
  const { ring } = state
  if (ring === undefined) return false
  const { envelope, replicas, standIns } = pending
  const { key, hash } = envelope.message
  const preference = preferenceList(ring, partitionOf(ring, hash))
  for (let index = replicas.length; index < preference.length; index++) {
    const node = preference[index] as NodeId
    if (!isBrisk(state, node) || standIns.some((other) => other.node === node)) continue
    standIns.push({ node, place })
    const question = { type: 'fetch-kept', owner: replicas[place] as NodeId, key, hash } as const
    turn.send(singleAddress('courier', node), question, request, envelope.deadline)
    return true
  }
  return false
}

export function fetched(state: GatewayState, envelope: Envelope, message: Fetched, turn: Turn): void {
  const pending = state.pending.get(envelope.request)
  if (pending === undefined || pending.type !== 'get') return
  if (envelope.from.kind === 'courier') {
    fetchedKept(pending, envelope.from.node, message)
  } else {
    const index = pending.replicas.indexOf(envelope.from.node)
    if (index < 0) return
    if (takeAnswer(pending, index, message)) {
      if (pending.fastest === 0) pending.fastest = envelope.from.node
      noteRead(pending.tally, index, message.complete)
    } else {
      noteDamaged(pending, index)
      noteReadFailed(pending.tally, index)
    }
  }
  settleGet(state, envelope.request, pending, turn)
}

/**
 * A stand-in that keeps something answers for the owner. One that keeps nothing knows nothing: while the owner
 * lives it is waited for; when it does not, this is as incomplete an answer as there is.
 */
function fetchedKept(pending: PendingGet, node: NodeId, message: Fetched): void {
  const place = pending.standIns.find((standIn) => standIn.node === node)?.place
  if (place === undefined) return
  const { object: bytes } = message
  const { hash, conflicts } = pending.envelope.message
  const isAway = ((pending.tally.away >>> place) & 1) === 1
  if (bytes === undefined) {
    if (isAway) noteRead(pending.tally, place, false, false)
    return
  }
  try {
    pending.object = merge(pending.object, decodeObject(bytes, hash), conflicts)
    pending.differ = true
    noteRead(pending.tally, place, true, false)
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    if (isAway) noteReadFailed(pending.tally, place)
  }
}

/** Merges an answer into what is known; false when its checksum is wrong, which is never returned to anybody. */
function takeAnswer(pending: PendingGet, index: number, message: Fetched): boolean {
  const bytes = message.object
  const isFirst = (pending.tally.complete | pending.tally.incomplete) === 0
  pending.answers[index] = bytes
  if (bytes === undefined) {
    if (pending.first !== undefined) pending.differ = true
    return true
  }
  if (pending.first !== undefined && Buffer.compare(pending.first, bytes) === 0) return true
  if (!isFirst) pending.differ = true
  const { conflicts, hash } = pending.envelope.message
  try {
    pending.object = merge(pending.object, decodeObject(bytes, hash), conflicts)
    pending.first ??= bytes
    return true
  } catch (error) {
    if (error instanceof Malformed) return false
    throw error
  }
}

function noteDamaged(pending: PendingGet, index: number): void {
  pending.damaged |= 1 << index
  pending.differ = true
}

export function fetchFailed(state: GatewayState, envelope: Envelope, message: FetchFailed, turn: Turn): void {
  const pending = state.pending.get(envelope.request)
  if (pending === undefined || pending.type !== 'get') return
  const { node, kind } = envelope.from
  const index =
    kind === 'courier'
      ? (pending.standIns.find((standIn) => standIn.node === node)?.place ?? -1)
      : pending.replicas.indexOf(node)
  if (index < 0) return
  if (kind === 'courier') {
    if (((pending.tally.away >>> index) & 1) === 1) noteReadFailed(pending.tally, index)
  } else if (message.code === 'unreadable') {
    noteDamaged(pending, index)
    noteReadFailed(pending.tally, index)
  } else if (askStandIn(state, envelope.request, pending, index, turn)) {
    noteReadAway(pending.tally, index)
  } else {
    noteReadFailed(pending.tally, index)
  }
  settleGet(state, envelope.request, pending, turn)
}

export function settleGet(state: GatewayState, request: RequestId, pending: PendingGet, turn: Turn): void {
  if (pending.answered) return settleRepair(state, request, pending, turn)
  const verdict = readVerdict(pending.tally)
  if (verdict === 'waiting') return
  if (verdict === 'enough') {
    answer(state, pending, turn)
    pending.answered = true
    pending.repairDue = turn.now + repairWaitMs
    settleRepair(state, request, pending, turn)
    return
  }
  state.pending.delete(request)
  // A write that looks first makes do with what it found: it is refused only when it cannot be led.
  if (pending.envelope.message.type === 'put') return answer(state, pending, turn)
  // Known before all have answered: who may still answer was reached.
  const { n, r, complete, incomplete, failed } = pending.tally
  const details = {
    needed: r,
    reached: n - countBits((incomplete | failed) & ~complete),
    incomplete: countBits(incomplete),
    of: pending.replicas.length,
  }
  fail(pending, 'unavailable', details, turn)
}

/** To the client; or, when this was the look before a write, to oneself: now the write can be led. */
function answer(state: GatewayState, pending: PendingGet, turn: Turn): void {
  const { envelope, object, fastest } = pending
  const { message } = envelope
  if (message.type === 'get') {
    turn.send(envelope.from as Address<'client'>, { type: 'get-answered', object, fastest }, envelope.request)
    return
  }
  const seen = object === undefined ? undefined : encodeObject(object, message.hash)
  turn.forward({ ...envelope, message: { ...message, looked: true, seen } }, state.self)
}
