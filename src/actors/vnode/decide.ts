// Who decides a put with a condition while the first node of the preference list becomes another (Dynamo 4.9 moves
// places; conditions are ours). By each ring that is the first node that is up, but not everybody hears of a ring at
// the same moment. So the first of afterwards decides nothing before the first of before has said that it does not any
// more; what comes meanwhile is held there. And a put that was sent by an earlier ring is handed on.
//
// Invariant: while nodes live and answer, one node decides, and it holds all that was decided before. Where one is
// gone the next decides without its word, as when a first node dies (docs/decisions/conditional-writes.md).

import type { Millis, NodeId } from '../../base/units.js'
import { type Address, vnodeAddress } from '../../protocol/address.js'
import type { Cede } from '../../protocol/cede.js'
import type { Envelope } from '../../protocol/envelope.js'
import { isDecided, type Put } from '../../protocol/write.js'
import { countBits } from '../../quorum/tally.js'
import { nextRequest, type Turn } from '../actor.js'
import { askAgainMs } from './decide-state.js'
import { isUp, type PendingPut, type VnodeState } from './state.js'

/** Puts that a vnode holds, and for how long: then whoever sent them is told to try again. */
const heldMax = 256
const heldMs: Millis = 2_000
/** The longest pause before the first of before is asked again: each is twice the last. */
const askAgainMsMax: Millis = 320
/** Nobody has claimed it for so long, with both alive and silent about it: better decided than refused for ever. */
const patienceMs: Millis = 30_000
/** What was decided may be on its way to a replica that is slow; the look before each put finds it all the same. */
const spreadMs: Millis = 1_000
const hopsMax = 8
const never = Number.POSITIVE_INFINITY

/** True when this node decides the put now. When not, it was handed on, or is held. */
export function decides(state: VnodeState, envelope: Envelope, message: Put, turn: Turn): boolean {
  const { deciding, ring, preference, self } = state
  if (ring === undefined) return true
  const { heir, epoch } = deciding
  const sentBy = message.epoch ?? 0
  const first = preference[0] as NodeId
  if (heir !== 0 && epoch > ring.epoch && sentBy <= epoch && isUp(state, heir)) {
    return handOn(state, envelope, message, heir, epoch, turn)
  }
  // By a ring that is not known here yet this node may be the first, or not any more.
  if (sentBy > ring.epoch) return hold(state, envelope as Envelope<Put>, turn)
  if (first === self.node) return deciding.awaited === 0 || hold(state, envelope as Envelope<Put>, turn)
  if (sentBy < ring.epoch && isUp(state, first)) {
    return handOn(state, envelope, message, first, ring.epoch, turn)
  }
  // Whoever sent it knows the same ring, and that the first is not up.
  return true
}

function handOn(
  state: VnodeState,
  envelope: Envelope,
  message: Put,
  to: NodeId,
  epoch: number,
  turn: Turn,
): false {
  turn.forward({ ...envelope, message: { ...message, epoch } }, vnodeAddress(to, state.self.partition))
  return false
}

function hold(state: VnodeState, envelope: Envelope<Put>, turn: Turn): false {
  const { held } = state.deciding
  if (held.length >= heldMax) letGo(state, envelope, turn)
  else held.push({ envelope, until: turn.now + heldMs })
  arm(state, turn)
  return false
}

function letGo(state: VnodeState, envelope: Envelope<Put>, turn: Turn): void {
  const details = { node: state.self.node }
  const refusal = { type: 'put-failed', code: 'recovering', details } as const
  turn.send(envelope.from as Address<'gateway'>, refusal, envelope.request)
}

/** What is held is looked at again: something has become known. */
function resume({ deciding, self }: VnodeState, turn: Turn): void {
  for (const { envelope } of deciding.held.splice(0)) turn.forward(envelope, self)
}

/** A ring was heard; `before` was the first node by the one before. */
export function firstChanged(state: VnodeState, before: NodeId | undefined, turn: Turn): void {
  const { deciding, preference, ring, self } = state
  // Who is not the first any more asks on: the next may be told that this node decides, and waits for its word.
  const isFirst = preference[0] === self.node
  const { heard, heir } = deciding
  deciding.heard = ring?.epoch ?? 0
  deciding.last = before ?? 0
  // Of rings before nothing is known: nobody decides yet, or a life before this one did.
  if (before === undefined) deciding.holds = isFirst
  if (isFirst) {
    if (!deciding.holds && deciding.awaited === 0 && deciding.heard > deciding.epoch) {
      // Whom it was given to, if it was once its own; otherwise whoever was the first by the last ring it knew.
      deciding.awaited = heir === 0 ? (before as NodeId) : heir
      deciding.by = heir === 0 ? heard : deciding.epoch
      deciding.since = turn.now
    }
    if (deciding.awaited !== 0) {
      deciding.asks = deciding.heard
      deciding.pause = askAgainMs
      ask(state, turn)
    }
  }
  resume(state, turn)
}

function ask(state: VnodeState, turn: Turn): void {
  const { deciding, self } = state
  if (!isUp(state, deciding.awaited) || turn.now > deciding.since + patienceMs) return begin(state, turn)
  if (deciding.request === 0) deciding.request = nextRequest(state)
  deciding.askAt = turn.now + deciding.pause
  deciding.pause = Math.min(askAgainMsMax, deciding.pause * 2)
  const message = { type: 'cede', epoch: deciding.asks, by: deciding.by, hops: 0 } as const
  turn.send(vnodeAddress(deciding.awaited, self.partition), message, deciding.request)
  arm(state, turn)
}

/** From now on this node decides. */
function begin(state: VnodeState, turn: Turn): void {
  const { deciding } = state
  deciding.holds = true
  deciding.awaited = 0
  deciding.request = 0
  deciding.heir = 0
  deciding.epoch = 0
  resume(state, turn)
}

export function cede(state: VnodeState, envelope: Envelope, message: Cede, turn: Turn): void {
  const { deciding, preference, self } = state
  const { node } = envelope.from
  const { epoch, hops } = message
  const handTo = (to: NodeId) => {
    if (hops >= hopsMax) return
    turn.forward({ ...envelope, message: { ...message, hops: hops + 1 } }, vnodeAddress(to, self.partition))
  }
  // Its own question has come back: nobody else decides.
  if (node === self.node) {
    if (envelope.request === deciding.request) begin(state, turn)
    return
  }
  // Somebody asks by an earlier ring than others did, and will soon hear of theirs.
  if (deciding.heir !== 0 && deciding.epoch > epoch) return
  if (deciding.awaited !== 0 && deciding.awaited !== node) {
    // Once it decides itself it can cede; when it never will, whoever decides does.
    if (preference[0] !== self.node) handTo(deciding.awaited)
    return
  }
  // Whom this node waits for waits for it, or asks by a ring that is over: the later ring says who shall.
  const own = preference[0] === self.node ? deciding.heard : deciding.asks
  if ((deciding.awaited === node || deciding.holds) && own > epoch) return
  const { heir } = deciding
  if (heir !== 0 && heir !== node && isUp(state, heir)) return handTo(heir)
  if (!deciding.holds && heir === 0 && deciding.awaited === 0) {
    // It was to become the first, and has not heard of that; or never did, because it heard of a later ring at once.
    if (deciding.heard < message.by) return
    if (deciding.last !== 0 && deciding.last !== self.node && deciding.last !== node)
      return handTo(deciding.last)
  }
  if (heir !== node) deciding.cededAt = turn.now
  deciding.holds = false
  deciding.awaited = 0
  deciding.request = 0
  deciding.heir = node
  deciding.epoch = epoch
  resume(state, turn)
  // While something is on its way, nothing is said, and it is asked again.
  if (isSpread(state, turn)) turn.send(envelope.from as Address<'vnode'>, { type: 'ceded' }, envelope.request)
}

/** True when nothing that was decided here can still become known: each such put is answered, and all have it. */
function isSpread(state: VnodeState, turn: Turn): boolean {
  const mayBeLate = turn.now > state.deciding.cededAt + spreadMs
  for (const [, pending] of state.puts) {
    if (!isDecided(pending.envelope.message as Put)) continue
    if (!pending.answered || !(mayBeLate || isEverywhere(pending))) return false
  }
  return true
}

function isEverywhere({ tally }: PendingPut): boolean {
  return countBits(tally.stored | tally.failed) === tally.n
}

export function ceded(state: VnodeState, envelope: Envelope, turn: Turn): void {
  const { request } = state.deciding
  if (request !== 0 && request === envelope.request) begin(state, turn)
}

/** Who is gone cannot say anything; who is there may be asked again. */
export function deciderChanged(state: VnodeState, turn: Turn): void {
  const { awaited } = state.deciding
  if (awaited !== 0 && !isUp(state, awaited)) begin(state, turn)
}

/** Sees to it that it is asked again, and that nothing is held for too long. */
function arm({ deciding, self }: VnodeState, turn: Turn): void {
  const { request, held, askAt, alarmAt } = deciding
  const due = Math.min(request === 0 ? never : askAt, held[0]?.until ?? never)
  if (due === never || (alarmAt !== 0 && alarmAt <= due)) return
  deciding.alarmAt = due
  turn.after(Math.max(1, due - turn.now), self, { type: 'cede-due' })
}

export function cedeDue(state: VnodeState, turn: Turn): void {
  const { deciding } = state
  // An alarm that was overtaken by an earlier one.
  if (deciding.alarmAt === 0 || turn.now < deciding.alarmAt) return
  deciding.alarmAt = 0
  if (deciding.request !== 0 && turn.now >= deciding.askAt) ask(state, turn)
  for (let [first] = deciding.held; first !== undefined && turn.now >= first.until; [first] = deciding.held) {
    deciding.held.shift()
    letGo(state, first.envelope, turn)
  }
  arm(state, turn)
}
