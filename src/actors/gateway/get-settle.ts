// When a read has heard enough, or cannot any more: the answer, and what comes after it.

import type { RequestId } from '../../base/units.js'
import type { Address } from '../../protocol/address.js'
import { isDecided } from '../../protocol/write.js'
import { countBits, readVerdict } from '../../quorum/tally.js'
import { encodeObject } from '../../versions/object-codec.js'
import type { Turn } from '../actor.js'
import { fail } from './open.js'
import { repairWaitMs, settleRepair } from './read-repair.js'
import type { GatewayState, PendingGet } from './state.js'

export function settleGet(state: GatewayState, request: RequestId, pending: PendingGet, turn: Turn): void {
  if (pending.answered) return settleRepair(state, request, pending, turn)
  const verdict = readVerdict(pending.tally)
  if (verdict === 'waiting') return
  if (verdict === 'enough') answer(state, pending, turn)
  else answerLost(state, pending, turn)
  // One that has failed mends as well: of a damaged copy, who asks for all of them would fail for ever.
  pending.answered = true
  pending.repairDue = turn.now + repairWaitMs
  settleRepair(state, request, pending, turn)
}

function answerLost(state: GatewayState, pending: PendingGet, turn: Turn): void {
  // A write that looks first makes do with what it found: it is refused only when it cannot be led.
  const { message } = pending.envelope
  const isHeard = pending.tally.home !== 0 || pending.tally.kept !== 0
  if (message.type === 'put' && (isHeard || !isDecided(message))) return answer(state, pending, turn)
  const { r, incomplete } = pending.tally
  const details = {
    needed: r,
    reached: reachedOf(pending),
    incomplete: countBits(incomplete),
    of: pending.replicas.length,
  }
  fail(pending, 'unavailable', details, turn)
}

/** Known before all have answered: who may still answer was reached. A stand-in is one node, whatever it keeps. */
function reachedOf({ tally, standIns }: PendingGet): number {
  const { n, away, incomplete, home } = tally
  const homes = n - countBits(away | (incomplete & home))
  const nodes = new Set(standIns.filter(({ answered, keeps }) => keeps || !answered).map(({ node }) => node))
  return homes + Math.min(countBits(away), nodes.size)
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
  const seenUntil = pending.travelEnd
  turn.forward({ ...envelope, message: { ...message, looked: true, seen, seenUntil } }, state.self)
}
