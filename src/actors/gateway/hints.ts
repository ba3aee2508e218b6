// Hints of puts that no coordinator led (direct.ts): a put that is answered must come to all its replicas some day,
// whoever did not answer (Dynamo 4.6). Nobody waits for a hint; one that is lost too is found by a comparison.

import { singleAddress } from '../../protocol/address.js'
import { nextRequest, type Turn } from '../actor.js'
import { type GatewayState, isBrisk, isUp, type PendingDirect } from './state.js'

/** A hint for the node of a place: with who stands in, else with another replica. Nobody waits for it. */
export function keepFor(state: GatewayState, pending: PendingDirect, place: number, turn: Turn): void {
  const { list, tally, object, travelEnd } = pending
  const { key, hash } = pending.envelope.message
  if (((tally.stored >>> place) & 1) === 1) return
  const owner = list[place] as number
  // What is too old to travel is where it was stored, or was replaced there: a comparison finds it.
  if (turn.now > travelEnd) {
    const node = list.find((_, at) => ((tally.stored >>> at) & 1) === 1)
    if (node !== undefined) turn.send(singleAddress('mender', node), { type: 'mend-wanted', owner })
    return
  }
  let holder: number | undefined
  for (let at = tally.n; at < list.length && holder === undefined; at++)
    if (isBrisk(state, list[at] as number)) holder = list[at]
  // Rather with one that has it.
  for (const mustHave of [true, false])
    for (let at = 0; at < tally.n && holder === undefined; at++) {
      const hasIt = ((tally.stored >>> at) & 1) === 1
      if (at !== place && hasIt === mustHave && isUp(state, list[at] as number)) holder = list[at]
    }
  if (holder === undefined) return
  const hint = { type: 'keep', owner, key, hash, object, level: 'memory', needed: false } as const
  turn.send(singleAddress('courier', holder), hint, nextRequest(state), travelEnd)
}

/** The deadline is over: whoever has not been heard of may never have heard of the put. */
export function keepForSilent(state: GatewayState, pending: PendingDirect, turn: Turn): void {
  for (let place = 0; place < pending.tally.n; place++)
    if (((pending.tally.failed >>> place) & 1) === 0) keepFor(state, pending, place, turn)
}
