// Every request is answered by its deadline, whatever became of those who were asked.

import type { ErrorDetails } from '../../base/errors.js'
import { countBits } from '../../quorum/tally.js'
import type { Turn } from '../actor.js'
import { directOver } from './direct.js'
import { hintFailed, keepForSilent } from './hints.js'
import { fail, sweepMs } from './open.js'
import { endRead } from './read-repair.js'
import type { GatewayState, Pending } from './state.js'

export function requestSweepDue(state: GatewayState, turn: Turn): void {
  for (const [request, pending] of state.pending) {
    if (pending.type === 'get' && pending.answered) {
      if (turn.now >= pending.repairDue) endRead(state, request, pending, turn)
      continue
    }
    if (pending.type === 'hint') {
      if (turn.now > pending.of.travelEnd) hintFailed(state, request, pending, turn)
      continue
    }
    if (pending.type === 'direct' && !directOver(state, request, pending, turn)) continue
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
  if (pending.type === 'audit' || pending.type === 'hint') return {}
  const { complete, incomplete, r } = pending.tally
  return { needed: r, reached: countBits(complete | incomplete) }
}
