// A put that a coordinator leads: find it, pass the put on, pass the answer back. Only a vnode of the key's preference
// list may make a version that depends on what is stored (Dynamo 5), so a gateway does not.
//
// A put with a condition goes to the first node of the list that is up, always: there the key's writes are
// serialised. A put without goes to whoever answered the preceding read first, or to the first that is brisk.

import { type ErrorCode, type ErrorDetails, errorTable } from '../../base/errors.js'
import type { NodeId } from '../../base/units.js'
import { type Address, vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import { isDecided, type Put, type PutAnswered, type PutFailed } from '../../protocol/write.js'
import { preferenceList } from '../../ring/preference.js'
import { partitionOf } from '../../ring/ring.js'
import { generationOf, nextRequest, type Turn } from '../actor.js'
import { fail, open } from './open.js'
import { type GatewayState, isBrisk, isUp, type PendingPut } from './state.js'

/** Coordinators that one put is offered to, one after the other. */
const triesMax = 5

/** What came of the same put before, without a coordinator. */
type Before = Pick<PendingPut, 'hasBegun' | 'direct'>

const nothingBefore: Before = { hasBegun: false, direct: undefined }

/** `hasBegun`: a version of this put may have been stored already; then nothing may call it refused. */
export function putLed(
  state: GatewayState,
  envelope: Envelope<Put>,
  turn: Turn,
  before: Before = nothingBefore,
): void {
  const pending: PendingPut = { type: 'put', envelope, coordinator: 0, generation: 0, tried: [], ...before }
  tryCoordinator(state, pending, turn)
}

/** Sends the put to the next coordinator that has not refused it, or answers that there is none. */
function tryCoordinator(state: GatewayState, pending: PendingPut, turn: Turn): void {
  const { message } = pending.envelope
  const { ring } = state
  if (ring === undefined) return refuse(pending, 'unavailable', {}, turn)
  const partition = partitionOf(ring, message.hash)
  const preference = preferenceList(ring, partition)
  const node = chooseCoordinator(state, pending, preference)
  if (node === undefined) {
    return refuse(pending, 'unavailable', { needed: message.w, reached: 0, of: message.n }, turn)
  }
  pending.coordinator = node
  pending.generation = generationOf(state, node)
  const request = nextRequest(state)
  const primaries = preference.slice(0, message.n)
  const standsInFor = primaries.includes(node) ? 0 : primaries.find((owner) => !isBrisk(state, owner))
  const led =
    standsInFor === 0 ? message : { ...message, standsInFor: standsInFor ?? (primaries[0] as NodeId) }
  // Who is asked to decide must know the ring by which it was chosen (actors/vnode/decide).
  const asked = message.looked ? { ...led, epoch: ring.epoch } : led
  turn.send(vnodeAddress(node, partition), asked, request, pending.envelope.deadline)
  open(state, request, pending, turn)
}

/** Of the first n nodes of the list if one of them will do, else the first healthy one that can stand in. */
function chooseCoordinator(
  state: GatewayState,
  pending: PendingPut,
  preference: readonly NodeId[],
): NodeId | undefined {
  const { message } = pending.envelope
  const { tried } = pending
  const wanted = message.coordinator
  const serialised = isDecided(message)
  let firstUp: NodeId | undefined
  let firstBrisk: NodeId | undefined
  for (let index = 0; index < preference.length; index++) {
    if (index === message.n && (firstBrisk !== undefined || (serialised && firstUp !== undefined))) break
    const node = preference[index] as NodeId
    if (tried.length > 0 && tried.includes(node)) continue
    if (!serialised && node === wanted && index < message.n && isBrisk(state, node)) return node
    if (firstUp === undefined && index < message.n && isUp(state, node)) firstUp = node
    if (firstBrisk === undefined && isBrisk(state, node)) firstBrisk = node
  }
  return serialised ? (firstUp ?? firstBrisk) : (firstBrisk ?? firstUp)
}

export function putAnswered(state: GatewayState, envelope: Envelope, message: PutAnswered, turn: Turn): void {
  const pending = state.pending.get(envelope.request)
  if (pending === undefined || pending.type !== 'put') return
  state.pending.delete(envelope.request)
  // The coordinator may have found nothing but the version of this very put, and does not count that.
  const existed = message.existed || pending.direct?.existed === true
  turn.send(
    pending.envelope.from as Address<'client'>,
    existed === message.existed ? message : { ...message, existed },
    pending.envelope.request,
  )
}

export function putFailed(state: GatewayState, envelope: Envelope, message: PutFailed, turn: Turn): void {
  const pending = state.pending.get(envelope.request)
  if (pending === undefined || pending.type !== 'put') return
  state.pending.delete(envelope.request)
  const free = !isDecided(pending.envelope.message)
  // Refused for a reason of that node alone, and without effect: another replica may lead it. A node that is
  // dead already, though nobody has told us, is known by a refusal that could not count replicas.
  const dead = message.code === 'unavailable' && message.details['needed'] === undefined
  if (free && (dead || message.code === 'unreadable' || message.code === 'overloaded')) {
    pending.tried.push(pending.coordinator)
    if (pending.tried.length < triesMax) return tryCoordinator(state, pending, turn)
  }
  refuse(pending, message.code, message.details, turn)
}

function refuse(pending: PendingPut, code: ErrorCode, details: ErrorDetails, turn: Turn): void {
  const isUntrue = pending.hasBegun && errorTable[code].outcome === 'refused'
  fail(pending, isUntrue ? 'quorum-lost' : code, details, turn)
}
