// How a request is remembered, and how one is answered that comes to nothing.

import type { ErrorCode, ErrorDetails } from '../../base/errors.js'
import type { RequestId } from '../../base/units.js'
import type { Address } from '../../protocol/address.js'
import type { Turn } from '../actor.js'
import type { GatewayState, Pending } from './state.js'

/** How exact deadlines are. Lower costs a walk over the open requests more often. */
export const sweepMs = 25

/** Remembers an open request and sees to it that its deadline is looked at. */
export function open(state: GatewayState, request: RequestId, pending: Pending, turn: Turn): void {
  state.pending.set(request, pending)
  if (state.sweeping) return
  state.sweeping = true
  turn.after(sweepMs, state.self, { type: 'request-sweep-due' })
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
