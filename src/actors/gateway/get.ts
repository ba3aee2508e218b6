// The coordinator's part of a read, Dynamo 4.5: ask the N replicas, wait for R, merge what they said.
// Any thread may lead a read, since it makes no version.

import { Malformed } from '../../base/bytes.js'
import type { RequestId } from '../../base/units.js'
import { type Address, vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Fetched, FetchFailed, Get } from '../../protocol/read.js'
import type { Put } from '../../protocol/write.js'
import { countBits, noteRead, noteReadFailed, readTally, readVerdict } from '../../quorum/tally.js'
import { preferenceList } from '../../ring/preference.js'
import { partitionOf, type Ring } from '../../ring/ring.js'
import { merge } from '../../versions/merge.js'
import { decodeObject, encodeObject } from '../../versions/object-codec.js'
import type { Turn } from '../actor.js'
import { repairWaitMs, settleRepair } from './read-repair.js'
import { type GatewayState, generationOf, isUp, nextRequest, type PendingGet } from './state.js'
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
  const message = envelope.message
  const partition = partitionOf(ring, message.hash)
  const replicas = preferenceList(ring, partition).slice(0, message.n)
  const pending: PendingGet = {
    type: 'get',
    envelope,
    tally: readTally(replicas.length, r),
    replicas,
    generations: replicas.map((node) => generationOf(state, node)),
    object: undefined,
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
  for (let index = 0; index < replicas.length; index++) {
    const node = replicas[index] as number
    if (isUp(state, node)) turn.send(vnodeAddress(node, partition), question, request, envelope.deadline)
    else noteReadFailed(pending.tally, index)
  }
  open(state, request, pending, turn)
  settleGet(state, request, pending, turn)
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
  const index = pending.replicas.indexOf(envelope.from.node)
  if (index < 0) return
  if (message.code === 'unreadable') noteDamaged(pending, index)
  noteReadFailed(pending.tally, index)
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
