// Hints of puts that no coordinator led (direct.ts): a put that is answered must come to all its replicas some day,
// whoever did not answer (Dynamo 4.6). Whoever is asked to keep one confirms it; where that comes to nothing another is
// asked, and when nobody is left the mender of one that has the put is told whom to compare itself with.

import type { NodeId, RequestId } from '../../base/units.js'
import { singleAddress } from '../../protocol/address.js'
import { generationOf, nextRequest, type Turn } from '../actor.js'
import { open } from './open.js'
import { type GatewayState, isBrisk, isUp, type PendingDirect, type PendingHint } from './state.js'

/** A hint for the node of a place: with who stands in, else with another replica; with nobody who was asked already. */
export function keepFor(
  state: GatewayState,
  pending: PendingDirect,
  place: number,
  turn: Turn,
  tried: readonly NodeId[] = [],
): void {
  const { list, tally, object, travelEnd, envelope } = pending
  const { key, hash } = envelope.message
  if (((tally.stored >>> place) & 1) === 1) return
  const owner = list[place] as NodeId
  const holder = turn.now > travelEnd ? undefined : holderFor(state, pending, place, tried)
  if (holder === undefined) return tellMender(state, pending, owner, turn)
  const request = nextRequest(state)
  const generation = generationOf(state, holder)
  open(state, request, { type: 'hint', envelope, of: pending, place, holder, generation, tried }, turn)
  const hint = { type: 'keep', owner, key, hash, object, level: 'memory', needed: false } as const
  turn.send(singleAddress('courier', holder), hint, request, travelEnd)
}

function holderFor(
  state: GatewayState,
  { list, tally }: PendingDirect,
  place: number,
  tried: readonly NodeId[],
): NodeId | undefined {
  const standIn = list.find((node, at) => at >= tally.n && isBrisk(state, node) && !tried.includes(node))
  if (standIn !== undefined) return standIn
  const mayKeep = (node: NodeId, at: number) => at < tally.n && at !== place && isUp(state, node)
  // Rather one that has it.
  const others = list.filter((node, at) => mayKeep(node, at) && !tried.includes(node))
  return others.find((node) => ((tally.stored >>> list.indexOf(node)) & 1) === 1) ?? others[0]
}

/** What nobody keeps, or is too old to travel, is where it was stored, or was replaced there: a comparison finds it. */
function tellMender(state: GatewayState, { list, tally }: PendingDirect, owner: NodeId, turn: Turn): void {
  const node = list.find((each, at) => ((tally.stored >>> at) & 1) === 1 && isUp(state, each))
  if (node !== undefined) turn.send(singleAddress('mender', node), { type: 'mend-wanted', owner })
}

/** Whoever was asked does not keep it. */
export function hintFailed(state: GatewayState, request: RequestId, hint: PendingHint, turn: Turn): void {
  state.pending.delete(request)
  keepFor(state, hint.of, hint.place, turn, [...hint.tried, hint.holder])
}

/** The nodes are others: one that is not as it was has not heard of the hint, or not kept it. */
export function hintNodesChanged(
  state: GatewayState,
  request: RequestId,
  hint: PendingHint,
  turn: Turn,
): void {
  const isSame = isUp(state, hint.holder) && generationOf(state, hint.holder) === hint.generation
  if (!isSame) hintFailed(state, request, hint, turn)
}

/** The deadline is over: whoever has not been heard of may never have heard of the put. */
export function keepForSilent(state: GatewayState, pending: PendingDirect, turn: Turn): void {
  for (let place = 0; place < pending.tally.n; place++)
    if (((pending.tally.failed >>> place) & 1) === 0) keepFor(state, pending, place, turn)
}
