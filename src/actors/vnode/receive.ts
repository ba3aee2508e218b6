// Taking over a place of the preference list from another node (Dynamo 4.9): let the giver confirm that it passes on
// every write from now on, take all that is there, compare, and take over. Whoever dies meanwhile, it begins again
// from the start and is not half done.
//
// What an earlier time here has left is kept and merged: it may be an acknowledged write that nobody else has, when
// everything died before the ring that says so was kept. It is never older than what was forgotten meanwhile,
// because nothing is forgotten while any node holds such a thing (actors/reaper).
//
// Invariant: `received` is said only when this node holds everything that the giver held, on disk what the giver had
// there, or, when the giver is gone for good, everything that any other replica holds.

import type { ErrorCode } from '../../base/errors.js'
import type { Millis, NodeId } from '../../base/units.js'
import { singleAddress, supervisorThread, vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Receive } from '../../protocol/handoff.js'
import { generationOf, nextRequest, type Turn } from '../actor.js'
import { isUp, type Receiving, type VnodeState } from './state.js'

/** Pause before a giver that says nothing is asked again; twice as long each time, up to a limit. */
const askAgainMs: Millis = 100
const askAgainMsMax: Millis = 1_600
/** A giver that has said nothing for so long is left alone: the claimant begins what else waits, and this again. */
const patienceMs: Millis = 20_000

export function receive(state: VnodeState, _envelope: Envelope, message: Receive, turn: Turn): void {
  const { ring } = state
  const { place, giver } = message
  // What is being forgotten of an earlier time would take what comes now with it.
  const isBusy = (state.repair !== undefined && state.receiving === undefined) || state.clearing !== 0
  if (ring?.change === undefined || isBusy) return fail(state, place, 'recovering', turn)
  state.repair = undefined
  const { copies } = ring.change
  const isHolder = state.hasReceived || state.preference.slice(0, copies).includes(state.self.node)
  const receiving: Receiving = {
    place,
    giver,
    generation: generationOf(state, giver),
    isHolder,
    stage: 'asking',
    request: 0,
    askedAt: 0,
    since: turn.now,
    pause: askAgainMs,
    objects: 0,
    bytes: 0,
  }
  state.receiving = receiving
  if (!isHolder) state.complete = false
  ask(state, receiving, turn)
}

function ask(state: VnodeState, receiving: Receiving, turn: Turn): void {
  const { giver } = receiving
  if (giver === 0) return fetchAll(state, receiving, turn)
  if (!isUp(state, giver)) return abandon(state, receiving, 'unavailable', turn)
  receiving.stage = 'asking'
  // The same number when it is asked again: a slow answer is as good.
  if (receiving.request === 0) receiving.request = nextRequest(state)
  say(state, receiving, turn)
}

/** Asks the giver what it is to be asked at this stage, and again when it says nothing. */
function say(state: VnodeState, receiving: Receiving, turn: Turn): void {
  const { giver, place, stage, request, pause } = receiving
  receiving.askedAt = turn.now
  const message = stage === 'asking' ? ({ type: 'give', place } as const) : ({ type: 'take' } as const)
  turn.send(vnodeAddress(giver, state.self.partition), message, request)
  turn.after(pause, state.self, { type: 'receive-due' })
}

/** A giver that has not heard yet of this node, or of the change, says nothing; it soon has. Or a word was lost. */
export function receiveDue(state: VnodeState, turn: Turn): void {
  const { receiving } = state
  if (receiving === undefined || receiving.stage === 'fetching') return
  if (turn.now < receiving.askedAt + receiving.pause) return
  if (turn.now > receiving.since + patienceMs) return abandon(state, receiving, 'recovering', turn)
  receiving.pause = Math.min(askAgainMsMax, receiving.pause * 2)
  say(state, receiving, turn)
}

export function giving(state: VnodeState, envelope: Envelope, turn: Turn): void {
  const { receiving } = state
  if (receiving?.stage !== 'asking' || receiving.request !== envelope.request) return
  fetchAll(state, receiving, turn)
}

/** Everything from the giver, then a comparison with it; without a giver, with each of the others. */
function fetchAll(state: VnodeState, receiving: Receiving, turn: Turn): void {
  const { giver, place, isHolder } = receiving
  receiving.stage = 'fetching'
  const others = state.preference
    .slice(0, state.ring?.change?.copies ?? 0)
    .filter((node) => node !== state.self.node && isUp(state, node))
  const missing: NodeId[] = giver === 0 ? [...others] : [giver]
  if (missing.length === 0) return abandon(state, receiving, 'unavailable', turn)
  // After everything has come from the first, what was written meanwhile is compared.
  if (!isHolder) missing.unshift(missing[0] as NodeId)
  state.repair = {
    isBare: !isHolder,
    place,
    missing,
    optional: new Set(),
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
  }
  turn.after(0, state.self, { type: 'repair-due' })
}

/** All is here (repair): the giver stops. */
export function allFetched(state: VnodeState, turn: Turn): void {
  const { receiving } = state
  if (receiving === undefined) return
  if (receiving.giver === 0) return done(state, receiving, turn)
  receiving.stage = 'taking'
  receiving.request = nextRequest(state)
  receiving.since = turn.now
  receiving.pause = askAgainMs
  say(state, receiving, turn)
}

export function taken(state: VnodeState, envelope: Envelope, turn: Turn): void {
  const { receiving } = state
  if (receiving?.stage === 'taking' && receiving.request === envelope.request) done(state, receiving, turn)
}

/** Something that the giver passed on did not come: compare again. */
export function takeRefused(state: VnodeState, envelope: Envelope, turn: Turn): void {
  const { receiving } = state
  if (receiving?.stage !== 'taking' || receiving.request !== envelope.request) return
  fetchAll(state, { ...receiving, isHolder: true }, turn)
  receiving.stage = 'fetching'
}

function done(state: VnodeState, receiving: Receiving, turn: Turn): void {
  if (turn.rarely('transfer-again')) return abandon(state, receiving, 'unavailable', turn)
  const { partition } = state.self
  const { place, objects, bytes } = receiving
  state.receiving = undefined
  state.hasReceived = true
  state.complete = true
  state.repair = undefined
  const claimant = singleAddress('claimant', supervisorThread)
  const received = { type: 'received', partition, place, objects, bytes } as const
  const notKept = { type: 'receive-failed', partition, place, code: 'storage-failed' } as const
  // The giver forgets what it had, so what it had on disk is on disk here first.
  turn.sendDurable('disk', claimant, received, notKept, 0)
}

export function abandon(state: VnodeState, receiving: Receiving, code: ErrorCode, turn: Turn): void {
  state.receiving = undefined
  state.repair = undefined
  fail(state, receiving.place, code, turn)
}

function fail(state: VnodeState, place: number, code: ErrorCode, turn: Turn): void {
  const claimant = singleAddress('claimant', supervisorThread)
  turn.send(claimant, { type: 'receive-failed', partition: state.self.partition, place, code })
}

/** Rows have come: whoever looks sees how far it is. */
export function progressed(state: VnodeState, objects: number, bytes: number, turn: Turn): void {
  const { receiving } = state
  if (receiving === undefined) return
  receiving.objects += objects
  receiving.bytes += bytes
  const { partition } = state.self
  const { place } = receiving
  const message = {
    type: 'receiving',
    partition,
    place,
    objects: receiving.objects,
    bytes: receiving.bytes,
  } as const
  turn.send(singleAddress('claimant', supervisorThread), message)
}

/** The giver has a new life, and does not know any more that it gives: from the start. */
export function giverChanged(state: VnodeState, turn: Turn): void {
  const { receiving } = state
  if (receiving === undefined || receiving.giver === 0) return
  const { giver, generation } = receiving
  if (isUp(state, giver) && state.nodes[giver]?.generation === generation) return
  abandon(state, receiving, 'unavailable', turn)
}
