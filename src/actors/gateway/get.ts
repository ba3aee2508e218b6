// The coordinator's part of a read, Dynamo 4.5: ask the N replicas, wait for R, merge what they said.
// Any thread may lead a read, since it makes no version.

import { onlyMalformed } from '../../base/bytes.js'
import type { NodeId, RequestId } from '../../base/units.js'
import { type Address, singleAddress, vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Fetched, FetchFailed, Get } from '../../protocol/read.js'
import type { Put } from '../../protocol/write.js'
import { noteRead, noteReadAway, noteReadFailed, readTally } from '../../quorum/tally.js'
import { preferenceList } from '../../ring/preference.js'
import { partitionOf, type Ring } from '../../ring/ring.js'
import { merge } from '../../versions/merge.js'
import { decodeObject } from '../../versions/object-codec.js'
import { generationOf, nextRequest, type Turn } from '../actor.js'
import { settleGet } from './get-settle.js'
import { standInFailed } from './kept.js'
import { open } from './open.js'
import { type GatewayState, isBrisk, isSuspected, isUp, type PendingGet } from './state.js'

/** Of each place whose node is away. */
const standInsMax = 8

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
    travelEnd: turn.travelEnd,
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

/**
 * Asks the healthy nodes further down the list what they keep for the node of this place (Dynamo 4.6). All of them:
 * who kept a write was the first of them then, and need not be now. False when there is none.
 */
function askStandIn(
  state: GatewayState,
  request: RequestId,
  pending: PendingGet,
  place: number,
  turn: Turn,
): boolean {
  // What is open was begun with a ring.
  const ring = state.ring as Ring
  const { envelope, replicas, standIns } = pending
  const { key, hash } = envelope.message
  const preference = preferenceList(ring, partitionOf(ring, hash))
  const owner = replicas[place] as NodeId
  let asked = 0
  for (let index = replicas.length; index < preference.length && asked < standInsMax; index++) {
    const node = preference[index] as NodeId
    if (!isBrisk(state, node) || standIns.some((other) => other.node === node && other.place === place))
      continue
    standIns.push({ node, place, answered: false, keeps: false, failed: false })
    turn.send(
      singleAddress('courier', node),
      { type: 'fetch-kept', owner, key, hash },
      request,
      envelope.deadline,
    )
    asked++
  }
  return asked > 0
}

export function fetched(state: GatewayState, envelope: Envelope, message: Fetched, turn: Turn): void {
  const pending = state.pending.get(envelope.request)
  if (pending === undefined || pending.type !== 'get') return
  const index = pending.replicas.indexOf(envelope.from.node)
  if (index < 0) return
  if (takeAnswer(pending, index, message)) {
    if (pending.fastest === 0) pending.fastest = envelope.from.node
    noteRead(pending.tally, index, message.complete)
  } else {
    noteDamaged(pending, index)
    noteReadFailed(pending.tally, index)
  }
  settleGet(state, envelope.request, pending, turn)
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
    onlyMalformed(error)
    return false
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
  if (kind === 'courier') {
    standInFailed(pending, node)
    return settleGet(state, envelope.request, pending, turn)
  }
  const index = pending.replicas.indexOf(node)
  if (index < 0) return
  if (message.code === 'unreadable') {
    noteDamaged(pending, index)
    noteReadFailed(pending.tally, index)
  } else if (askStandIn(state, envelope.request, pending, index, turn)) {
    noteReadAway(pending.tally, index)
  } else {
    noteReadFailed(pending.tally, index)
  }
  settleGet(state, envelope.request, pending, turn)
}
