// Every request is answered by its deadline, whatever became of those who were asked.

import type { ErrorCode, ErrorDetails } from '../../base/errors.js'
import type { RequestId } from '../../base/units.js'
import type { Address } from '../../protocol/address.js'
import { countBits } from '../../quorum/tally.js'
import type { Turn } from '../actor.js'
import { keepForSilent } from './hints.js'
import { endRead } from './read-repair.js'
import type { GatewayState, Pending } from './state.js'

/** How exact deadlines are. Lower costs a walk over the open requests more often. */
const sweepMs = 25

/** Remembers an open request and sees to it that its deadline is looked at. */
export function open(state: GatewayState, request: RequestId, pending: Pending, turn: Turn): void {
  state.pending.set(request, pending)
  if (state.sweeping) return
  state.sweeping = true
  turn.after(sweepMs, state.self, { type: 'request-sweep-due' })
}

export function requestSweepDue(state: GatewayState, turn: Turn): void {
  for (const [request, pending] of state.pending) {
    if (pending.type === 'get' && pending.answered) {
      if (turn.now >= pending.repairDue) endRead(state, request, pending, turn)
      continue
    }
    const { deadline } = pending.envelope
    if (deadline === 0 || turn.now < deadline) continue
    state.pending.delete(request)
    if (pending.type === 'direct') keepForSilent(state, pending, turn)
    if (pending.type === 'direct' && pending.answered) continue
    // A write that was still looking has not begun.
    const begun = pending.type !== 'get' || pending.envelope.message.type === 'get'
    fail(pending, begun ? 'deadline' : 'expired', deadlineDetails(pending), turn)
  }
  state.sweeping = state.pending.size > 0
  if (state.sweeping) turn.after(sweepMs, state.self, { type: 'request-sweep-due' })
}

function deadlineDetails(pending: Pending): ErrorDetails {
  if (pending.type === 'put') return { coordinator: pending.coordinator }
  if (pending.type === 'direct')
    return { needed: pending.tally.w, stored: countBits(pending.tally.stored), of: pending.tally.n }
  if (pending.type === 'audit') return {}
  const { complete, incomplete, r } = pending.tally
  return { needed: r, reached: countBits(complete | incomplete) }
}

/** Answers a request with an error, in the words of its kind. A read that fails had no effect. */
export function fail(pending: Pending, code: ErrorCode, details: ErrorDetails, turn: Turn): void {
  const client = pending.envelope.from as Address<'client'>
  const { request, message } = pending.envelope
  if (message.type === 'put') turn.send(client, { type: 'put-failed', code, details }, request)
  else if (message.type === 'get') turn.send(client, { type: 'get-failed', code, details }, request)
  else if (message.type === 'audit') turn.send(client, { type: 'audit-failed', code }, request)
  else turn.send(client, { type: 'scan-failed', code, details }, request)
}
