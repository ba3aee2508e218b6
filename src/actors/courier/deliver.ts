// Delivering: when an owner is healthy, everything kept for it is sent to it in rounds over all its hints, a
// bounded number on their way at once, and each is deleted when the owner has confirmed it and not before
// (Dynamo 4.6). A round that is cut short, by either's death, begins again; what comes twice changes nothing.

import { limits } from '../../base/limits.js'
import type { Millis, NodeId } from '../../base/units.js'
import { vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import { keyOfHint } from '../../protocol/hint.js'
import type { RowsRead } from '../../protocol/walk.js'
import type { ReplicateFailed } from '../../protocol/write.js'
import { preferenceList } from '../../ring/preference.js'
import { hashOf, partitionOf } from '../../ring/ring.js'
import { generationOf, nextRequest, type Turn } from '../actor.js'
import { type CourierState, isHealthy, lost, type Owed, type Round } from './state.js'

/** Pause between two looks while something is kept. */
const lookMs: Millis = 200
/** A page or an answer that has not come by then is lost: between hosts that happens. */
const answerMs: Millis = 10_000

/** Sees to it that somebody looks, as long as there is anybody to deliver to. */
export function look(state: CourierState, turn: Turn, delay: Millis = lookMs): void {
  if (state.lookDue !== 0 && state.lookDue <= turn.now + delay) return
  for (const owner of state.owners.keys()) {
    if (!isHealthy(state, owner)) continue
    state.lookDue = turn.now + delay
    turn.after(delay, state.self, { type: 'hints-due' })
    return
  }
}

/** Before the usual pause has passed. */
export function lookSoon(state: CourierState, turn: Turn): void {
  look(state, turn, 1)
}

export function hintsDue(state: CourierState, turn: Turn): void {
  // An alarm that was overtaken by an earlier one.
  if (turn.now < state.lookDue || state.lookDue === 0) return
  state.lookDue = 0
  for (const [owner, owed] of state.owners) {
    const { round } = owed
    const isGone = round !== undefined && state.nodes[owner]?.generation !== round.generation
    if (isGone || (round !== undefined && turn.now > round.pageAskedAt + answerMs))
      endRound(state, owner, owed)
    if (owed.round === undefined && isHealthy(state, owner)) beginRound(state, owner, owed, turn)
  }
  look(state, turn)
}

function beginRound(state: CourierState, owner: NodeId, owed: Owed, turn: Turn): void {
  owed.keptSince = 0
  owed.round = {
    generation: generationOf(state, owner),
    begunAt: turn.now,
    page: 0,
    pageAskedAt: turn.now,
    next: undefined,
    touched: new Set(),
    outstanding: 0,
    found: 0,
    failed: 0,
  }
  askPage(state, owner, owed.round, turn)
}

/** Forgets what was on its way in it: the next round sends it again. */
export function endRound(state: CourierState, owner: NodeId, owed: Owed): void {
  owed.round = undefined
  for (const [request, sent] of state.sent) {
    if (sent.owner !== owner) continue
    state.sent.delete(request)
    state.sentByHint.delete(sent.hint)
  }
}

function askPage(state: CourierState, owner: NodeId, round: Round, turn: Turn): void {
  round.page = nextRequest(state)
  round.touched.clear()
  round.pageAskedAt = turn.now
  turn.walk({
    asker: state.self,
    partition: 0,
    owner,
    request: round.page,
    prefix: '',
    after: round.next ?? '',
    limit: turn.rarely('hint-alone') ? 1 : limits.hintsInFlightMax,
    begunAt: round.begunAt,
    since: 0,
  })
}

export function rowsRead(state: CourierState, envelope: Envelope, message: RowsRead, turn: Turn): void {
  const { ring } = state
  for (const [owner, owed] of state.owners) {
    const { round } = owed
    if (round === undefined || round.page !== envelope.request || ring === undefined) continue
    if (message.failed) return endRound(state, owner, owed)
    round.page = 0
    round.next = message.next
    round.found += message.rows.length
    for (const { key: hint, object } of message.rows) {
      const key = keyOfHint(hint)
      const hash = hashOf(ring, key)
      const partition = partitionOf(ring, hash)
      const request = nextRequest(state)
      const isStale = round.touched.has(hint)
      const sent = { owner, hint, hash, partition, bytes: key.length + object.length, isStale }
      state.sent.set(request, sent)
      state.sentByHint.set(hint, sent)
      round.outstanding++
      // Who has left has an heir: the first that lives of those who shall have it now.
      const list = preferenceList(ring, partition)
      const isMember = ring.nodes.includes(owner)
      const target = isMember ? owner : (list.find((node) => isHealthy(state, node)) ?? owner)
      turn.send(
        vnodeAddress(target, partition),
        { type: 'replicate', key, hash, object, level: 'disk' },
        request,
        // The rows are younger than the question.
        round.pageAskedAt + answerMs,
      )
    }
    if (round.outstanding === 0) pageDone(state, owner, owed, round, turn)
    return
  }
}

function pageDone(state: CourierState, owner: NodeId, owed: Owed, round: Round, turn: Turn): void {
  if (round.next !== undefined) return askPage(state, owner, round, turn)
  owed.round = undefined
  const isEmpty = round.found === 0 && owed.keptSince === 0
  if (isEmpty) state.owners.delete(owner)
  else if (round.failed === 0) beginRound(state, owner, owed, turn)
}

/** The owner has it: now, and only now, the hint goes. */
export function replicated(state: CourierState, envelope: Envelope, turn: Turn): void {
  state.delivered++
  settle(state, envelope, true, turn)
}

/** It keeps it for the next round; but what fails its checksum can never be delivered, and is no copy any more. */
export function replicateFailed(
  state: CourierState,
  envelope: Envelope,
  message: ReplicateFailed,
  turn: Turn,
): void {
  // Neither can ever be delivered.
  const isDamaged = message.code === 'unreadable' || message.code === 'value-too-large'
  if (isDamaged) {
    state.damaged++
    const owner = state.sent.get(envelope.request)?.owner
    if (owner !== undefined) lost(state, owner, turn)
  }
  settle(state, envelope, isDamaged, turn)
}

function settle(state: CourierState, envelope: Envelope, isDone: boolean, turn: Turn): void {
  const sent = state.sent.get(envelope.request)
  if (sent === undefined) return
  state.sent.delete(envelope.request)
  state.sentByHint.delete(sent.hint)
  const owed = state.owners.get(sent.owner)
  if (isDone && !sent.isStale) {
    turn.delete(sent.partition, sent.hint, sent.hash)
    if (owed !== undefined) {
      owed.count = Math.max(0, owed.count - 1)
      owed.bytes = Math.max(0, owed.bytes - sent.bytes)
    }
  }
  const round = owed?.round
  if (owed === undefined || round === undefined) return
  if (!isDone) round.failed++
  round.outstanding--
  if (round.outstanding === 0 && round.page === 0) pageDone(state, sent.owner, owed, round, turn)
}
