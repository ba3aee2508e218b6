// Giving a place to another node (Dynamo 4.9). Until the receiver takes over, the giver serves as always and passes
// on every write. From then on it is a shell: it still stores what comes, but the receiver is asked before anything
// is answered, because whoever has heard of the new ring speaks to the receiver alone. Those who have not heard
// notice nothing.
//
// Invariant: when `taken` is said, every write that this node has acknowledged for the place is with the receiver.

import type { Millis, NodeId, RequestId } from '../../base/units.js'
import { type Address, vnodeAddress } from '../../protocol/address.js'
import type { Envelope, Message, VnodeMessage } from '../../protocol/envelope.js'
import type { Give as GiveMessage, Release } from '../../protocol/handoff.js'
import { transfersOf } from '../../ring/preference.js'
import { modeOf } from '../../versions/object-codec.js'
import { generationOf, nextRequest, type Turn } from '../actor.js'
import { clearPartition } from './clear.js'
import { type Gift, isUp, type VnodeState } from './state.js'

/** What was passed on and is not confirmed by then has not arrived. */
const confirmMs: Millis = 5_000

export function give(state: VnodeState, envelope: Envelope, message: GiveMessage, turn: Turn): void {
  const { node } = envelope.from
  // Who lacks something itself has nothing to give yet; who has not heard of the receiver, or not that the place is to
  // be its own, would serve on in its stead. The claimant asks again.
  if (!state.complete || !isUp(state, node) || state.ring === undefined) return
  const agreed = transfersOf(state.ring, state.self.partition).find(({ place }) => place === message.place)
  if (agreed?.giver !== state.self.node || agreed.receiver !== node) return
  const known = state.gifts.findIndex((each) => each.receiver === node)
  if (isUnderWay(state, known, agreed.place)) {
    return turn.send(envelope.from as Address<'vnode'>, { type: 'giving' }, envelope.request)
  }
  const gift: Gift = {
    receiver: node,
    generation: generationOf(state, node),
    place: agreed.place,
    until: agreed.until,
    stage: 'passing-on',
    isOver: false,
    outstanding: 0,
    oldest: 0,
    failed: 0,
    take: undefined,
    refused: 0,
  }
  if (known < 0) state.gifts.push(gift)
  else state.gifts[known] = gift
  turn.send(envelope.from as Address<'vnode'>, { type: 'giving' }, envelope.request)
}

/** Asked once more for what is being given: what is on its way must not be forgotten. */
function isUnderWay(state: VnodeState, known: number, place: number): boolean {
  const gift = state.gifts[known]
  if (gift === undefined || gift.stage !== 'passing-on' || gift.place !== place) return false
  return gift.generation === generationOf(state, gift.receiver)
}

/** A write was stored here: whoever receives this place gets it too, as durable as it was asked for. */
export function passOn(state: VnodeState, copy: Passed, turn: Turn): void {
  for (const gift of state.gifts) {
    if (gift.stage !== 'passing-on' || !isFor(gift, modeOf(copy.object).copies)) continue
    const request = nextRequest(state)
    if (gift.outstanding === 0) gift.oldest = turn.now
    gift.outstanding++
    state.passed.set(request, gift)
    const { key, hash, object, level } = copy
    const message = { type: 'replicate', key, hash, object, level } as const
    turn.send(vnodeAddress(gift.receiver, state.self.partition), message, request, turn.travelEnd)
  }
}

type Passed = Pick<Extract<VnodeMessage, { readonly type: 'replicate' }>, 'key' | 'hash' | 'object' | 'level'>

/** The receiver has, or has not, what was passed on; false when the envelope answers something else. */
export function passedOn(state: VnodeState, request: RequestId, arrived: boolean, turn: Turn): boolean {
  const gift = state.passed.get(request)
  if (gift === undefined) return false
  state.passed.delete(request)
  gift.outstanding--
  if (!arrived) gift.failed++
  settleTake(gift, turn)
  return true
}

export function take(state: VnodeState, envelope: Envelope, turn: Turn): void {
  const gift = state.gifts.find((each) => each.receiver === envelope.from.node)
  if (gift === undefined) {
    // Another life had promised it.
    turn.send(envelope.from as Address<'vnode'>, { type: 'take-refused' }, envelope.request)
    return
  }
  // It was refused, and that was not heard.
  if (gift.refused === envelope.request) {
    return turn.send(envelope.from as Address<'vnode'>, { type: 'take-refused' }, envelope.request)
  }
  if (gift.outstanding > 0 && turn.now > gift.oldest + confirmMs) {
    gift.failed += gift.outstanding
    gift.outstanding = 0
    for (const [request, of] of state.passed) if (of === gift) state.passed.delete(request)
  }
  gift.take = envelope
  settleTake(gift, turn)
}

function settleTake(gift: Gift, turn: Turn): void {
  const { take: asked } = gift
  if (asked === undefined || gift.outstanding > 0) return
  gift.take = undefined
  const receiver = asked.from as Address<'vnode'>
  if (gift.failed > 0) {
    gift.failed = 0
    gift.refused = asked.request
    return turn.send(receiver, { type: 'take-refused' }, asked.request)
  }
  gift.stage = 'given'
  turn.send(receiver, { type: 'taken' }, asked.request)
}

function isFor({ place, until }: Gift, copies: number): boolean {
  return copies > place && copies <= until
}

/** The node that has taken over from this one what is for so many nodes, if one has. */
export function successor(state: VnodeState, copies: number): NodeId | undefined {
  const gift = state.gifts.find((each) => each.stage === 'given' && isFor(each, copies))
  return gift !== undefined && isUp(state, gift.receiver) ? gift.receiver : undefined
}

/** True when the successor itself says this: its vnode, and not somebody else on its node, such as its courier. */
export function isOf(heir: NodeId, { from }: Envelope): boolean {
  return from.kind === 'vnode' && from.node === heir
}

/** Asks the successor what this node was asked, and answers what it answers. */
export function relay(state: VnodeState, envelope: Envelope, to: NodeId, turn: Turn): void {
  const request = nextRequest(state)
  state.relayed.set(request, envelope)
  turn.send(
    vnodeAddress(to, state.self.partition),
    envelope.message as VnodeMessage,
    request,
    envelope.deadline === 0 ? turn.now + confirmMs : envelope.deadline,
  )
  turn.after(2 * confirmMs, state.self, { type: 'relay-due' })
}

/** The successor's answer, for whoever asked this node; false when the envelope answers something else. */
export function relayed(state: VnodeState, envelope: Envelope, turn: Turn): boolean {
  const asked = state.relayed.get(envelope.request)
  if (asked === undefined) return false
  state.relayed.delete(envelope.request)
  const { message, deadline } = envelope
  turn.send(asked.from as Address<'gateway'>, message as never as Message as never, asked.request, deadline)
  return true
}

/** Questions that nobody will answer any more; whoever asked has given up long ago. */
export function relayDue(state: VnodeState, turn: Turn): void {
  for (const [request, { deadline }] of state.relayed) {
    if (deadline !== 0 && turn.now > deadline + confirmMs) state.relayed.delete(request)
    else if (deadline === 0 && state.relayed.size > relayedMax) state.relayed.delete(request)
  }
}

const relayedMax = 4096

/** A receiver that has a new life does not remember that it received: this node serves on, it has everything. */
export function receiverChanged(state: VnodeState): void {
  for (let at = state.gifts.length - 1; at >= 0; at--) {
    const gift = state.gifts[at] as Gift
    if (state.nodes[gift.receiver]?.generation === gift.generation) continue
    if (gift.stage === 'given' && gift.isOver) gift.generation = generationOf(state, gift.receiver)
    else state.gifts.splice(at, 1)
  }
}

/** The ring says so now. What this node is a replica of again it answers for by itself. */
export function hasMoved(state: VnodeState): void {
  const at = state.preference.indexOf(state.self.node)
  for (let index = state.gifts.length - 1; index >= 0; index--) {
    const gift = state.gifts[index] as Gift
    gift.isOver = true
    if (at >= 0) gift.until = Math.min(gift.until, at)
    if (gift.until <= gift.place || gift.stage !== 'given') state.gifts.splice(index, 1)
  }
}

/** Everybody knows what has moved. Who is no replica of the partition any more forgets it. */
export function release(state: VnodeState, message: Release, turn: Turn): void {
  for (let at = state.gifts.length - 1; at >= 0; at--) {
    if (state.gifts[at]?.isOver) state.gifts.splice(at, 1)
  }
  // Said before it was asked to receive again, and heard after.
  if (state.receiving !== undefined || state.hasReceived) return
  if (state.preference.slice(0, message.copies).includes(state.self.node)) return
  state.complete = false
  clearPartition(state, turn)
}
