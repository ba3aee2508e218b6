// How a replica that began with less than it had acknowledged becomes whole again: it asks each of the other
// replicas of its partition for everything that it may lack, page by page, and passes every row through the
// one door. Until all of them have told all, its answers are flagged incomplete and do not count toward r.
// One that has lost everything takes everything from the first peer; what it then lacks of the others, and
// what one that has lost little lacks of any, is found by comparing trees (Dynamo 4.7) and costs what differs.

import type { ErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { NodeId } from '../../base/units.js'
import { vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Synced } from '../../protocol/sync.js'
import type { Walked } from '../../protocol/walk.js'
import { preferenceAfter } from '../../ring/preference.js'
import { hashOf } from '../../ring/ring.js'
import { modeOf } from '../../versions/object-codec.js'
import { generationOf, nextRequest, type Turn } from '../actor.js'
import { relayed } from './give.js'
import { allFetched, progressed } from './receive.js'
import { isUp, type Repair, type VnodeState } from './state.js'

/** Pause before a peer that could not answer is asked again. */
const retryMs = 250
/** A page that has not come by then is asked for again: between hosts a question may be lost. */
const answerMs = 10_000
/** A disk that reads badly for a moment reads well a few seconds later. */
const damagedTriesMax = 20
/** How long those are waited for whose word is not needed. */
const optionalMs = 10_000

/** Called when the ring is known: nothing to do for a vnode that began whole, or that holds nothing. */
export function beginRepair(state: VnodeState, turn: Turn): void {
  if (state.complete || state.repair !== undefined) return
  // What it takes over it has never had.
  if (state.receiving !== undefined) return
  const { ring, self } = state
  const copies = turn.catchUp?.copies ?? ring?.change?.copies ?? 0
  const primaries = state.preference.slice(0, copies)
  const isPrimary = primaries.includes(self.node)
  // Who has taken over a place, in a ring that was not kept before all ended, may have acknowledged writes for it.
  const heirs = isPrimary && ring !== undefined ? preferenceAfter(ring, self.partition).slice(0, copies) : []
  const optional = new Set(heirs.filter((node) => !primaries.includes(node)))
  const missing = isPrimary ? [...primaries, ...optional].filter((node) => node !== self.node) : []
  if (missing.length === 0) {
    state.complete = true
    return
  }
  state.repair = {
    missing,
    optional,
    after: '',
    request: 0,
    askedAt: 0,
    generation: 0,
    outstanding: 0,
    rows: [],
    next: undefined,
    begunAt: turn.now,
    retryAt: 0,
    damagedTries: 0,
    isBare: turn.catchUp?.since === 0,
    place: state.preference.indexOf(state.self.node),
  }
  turn.after(0, state.self, { type: 'repair-due' })
}

export function repairDue(state: VnodeState, turn: Turn): void {
  const repair = state.repair
  if (repair === undefined) return
  if (repair.request !== 0) {
    // The alarm of a question: of this one when it is as old as that.
    if (!repair.isBare || repair.outstanding > 0 || turn.now < repair.askedAt + answerMs) return
    repair.request = 0
  }
  // An alarm of an earlier question: each that would ask now would leave one more.
  if (turn.now < repair.retryAt) return
  const peer = choosePeer(state, repair, turn)
  if (repair.missing.length === 0) return allDone(state, turn)
  if (peer === undefined) {
    turn.after(retryMs, state.self, { type: 'repair-due' })
    return
  }
  repair.request = nextRequest(state)
  repair.askedAt = turn.now
  repair.generation = generationOf(state, peer)
  if (!repair.isBare) {
    // Ends by itself, in time, with an answer.
    const copiesMin = copiesWith(state, repair, peer)
    turn.send(
      state.self,
      { type: 'sync', peer, mends: true, deep: false, isRoutine: false, copiesMin },
      repair.request,
    )
    return
  }
  turn.after(answerMs, state.self, { type: 'repair-due' })
  turn.send(
    vnodeAddress(peer, state.self.partition),
    {
      type: 'walk',
      prefix: '',
      after: repair.after,
      limit: limits.walkRowsMax,
      begunAt: repair.begunAt,
      since: 0,
    },
    repair.request,
    turn.now + answerMs,
  )
}

/** One that began in the middle of a change of the ring compares itself with those who may have taken over. */
export function beginUncertain(state: VnodeState, turn: Turn): void {
  const { ring, self } = state
  if (ring?.change === undefined || ring.change.moved[self.partition] === 1) return
  if (state.receiving !== undefined || state.repair !== undefined) return
  if (!state.preference.slice(0, ring.change.copies).includes(self.node)) return
  state.complete = false
  beginRepair(state, turn)
}

/** What is for so many nodes is shared with this peer, by its place of now, or of afterwards; 0: by both of now. */
function copiesWith(state: VnodeState, repair: Repair, peer: NodeId): number {
  if (state.receiving !== undefined) return repair.place + 1
  if (state.ring === undefined || !repair.optional.has(peer)) return 0
  return Math.max(repair.place, preferenceAfter(state.ring, state.self.partition).indexOf(peer)) + 1
}

/** The first peer that is up, moved to the front; pages of one peer are not mixed with another's. */
function choosePeer(state: VnodeState, repair: Repair, turn: Turn): NodeId | undefined {
  for (const node of turn.now > repair.begunAt + optionalMs ? repair.optional : []) {
    const at = repair.missing.indexOf(node)
    if (at >= 0 && !isUp(state, node)) repair.missing.splice(at, 1)
  }
  const current = repair.missing[0]
  if (current !== undefined && isUp(state, current)) return current
  const at = repair.missing.findIndex((node) => isUp(state, node))
  if (at < 0) return undefined
  const [peer] = repair.missing.splice(at, 1)
  repair.missing.unshift(peer as NodeId)
  repair.after = ''
  return peer
}

export function walked(state: VnodeState, envelope: Envelope, message: Walked, turn: Turn): void {
  if (relayed(state, envelope, turn)) return
  const repair = state.repair
  if (repair === undefined || envelope.request !== repair.request || state.ring === undefined) return
  if (envelope.from.node === state.self.node) return
  repair.next = message.next
  // A peer may hold what is for fewer nodes than would include this one.
  const rows = message.rows.filter((row) => modeOf(row.object).copies > repair.place)
  progressed(
    state,
    rows.length,
    rows.reduce((sum, row) => sum + row.object.length, 0),
    turn,
  )
  repair.rows = rows
  repair.outstanding = rows.length
  for (const row of rows) {
    const hash = hashOf(state.ring, row.key)
    turn.send(
      state.self,
      { type: 'replicate', key: row.key, hash, object: row.object, level: 'os' },
      repair.request,
      envelope.deadline,
    )
  }
  if (repair.outstanding === 0) pageDone(state, repair, turn)
}

/**
 * One row of the page is through the door, or (with a code) could not be: then the page is asked again. What stays
 * damaged where it is nobody can give: others have it, and are compared with.
 */
export function rowStored(state: VnodeState, turn: Turn, failure?: ErrorCode): void {
  const repair = state.repair
  if (repair === undefined) return
  // What is too large for this node will be too large the next time.
  const isHopeless =
    failure === 'value-too-large' || (failure === 'unreadable' && repair.damagedTries >= damagedTriesMax)
  if (failure !== undefined && !isHopeless) {
    if (failure === 'unreadable') repair.damagedTries++
    return walkFailedNow(state, repair, turn)
  }
  repair.outstanding--
  if (repair.outstanding === 0) pageDone(state, repair, turn)
}

function pageDone(state: VnodeState, repair: Repair, turn: Turn): void {
  repair.request = 0
  repair.rows = []
  repair.damagedTries = 0
  if (repair.next !== undefined) {
    repair.after = repair.next
  } else {
    repair.isBare = false
    return peerDone(state, repair, turn)
  }
  repairDue(state, turn)
}

function peerDone(state: VnodeState, repair: Repair, turn: Turn): void {
  repair.missing.shift()
  repair.after = ''
  if (repair.missing.length > 0) return repairDue(state, turn)
  allDone(state, turn)
}

function allDone(state: VnodeState, turn: Turn): void {
  state.repair = undefined
  if (state.receiving !== undefined) allFetched(state, turn)
  else state.complete = true
}

/** The comparison with a peer that this vnode wanted for itself has come to its end. */
export function synced(state: VnodeState, message: Synced, turn: Turn): void {
  const { repair } = state
  if (repair === undefined || repair.isBare || repair.missing[0] !== message.peer) return
  if (message.failure !== undefined) return walkFailedNow(state, repair, turn)
  // It may be readable the next time, and the only copy. What stays damaged must not hold this up for ever.
  if (message.report.unread > 0 && repair.damagedTries < damagedTriesMax) {
    repair.damagedTries++
    return walkFailedNow(state, repair, turn)
  }
  repair.damagedTries = 0
  repair.request = 0
  peerDone(state, repair, turn)
}

export function walkFailed(state: VnodeState, envelope: Envelope, turn: Turn): void {
  if (relayed(state, envelope, turn)) return
  const repair = state.repair
  if (repair === undefined || envelope.request !== repair.request) return
  walkFailedNow(state, repair, turn)
}

function walkFailedNow(state: VnodeState, repair: Repair, turn: Turn): void {
  repair.request = 0
  repair.rows = []
  repair.outstanding = 0
  repair.retryAt = turn.now + retryMs
  turn.after(retryMs, state.self, { type: 'repair-due' })
}

/**
 * The peer that was asked may be gone: ask again, or another. One that is only slow is waited for: to ask it
 * anew at each change of pace would make it slower, and no answer would ever be the one that is expected.
 */
export function repairPeersChanged(state: VnodeState, turn: Turn): void {
  const repair = state.repair
  if (repair === undefined || repair.outstanding > 0) return
  if (repair.request === 0 || !repair.isBare) return
  const peer = repair.missing[0] as NodeId
  if (isUp(state, peer) && state.nodes[peer]?.generation === repair.generation) return
  walkFailedNow(state, repair, turn)
}
