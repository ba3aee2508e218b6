// A change that somebody wants: issued here or refused here, and answered when this node would remember it. The
// others are told before that: should this node die and forget, they have it, and it learns it from them.

import { RingspunError } from '../../base/errors.js'
import { appendChange, type History } from '../../membership/history.js'
import type { Address } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { ChangeMembership, MembershipKept } from '../../protocol/gossip.js'
import type { Turn } from '../actor.js'
import { spread } from './exchange.js'
import { adopt, type GossipState } from './state.js'

export function changeMembership(
  state: GossipState,
  envelope: Envelope,
  message: ChangeMembership,
  turn: Turn,
): void {
  const client = envelope.from as Address<'client'>
  const { request } = envelope
  let history: History
  try {
    history = appendChange(state.history, state.self.node, turn.wall, message.changes)
  } catch (error) {
    if (!(error instanceof RingspunError)) throw error
    const details = { ...error.details, reason: error.message }
    turn.send(client, { type: 'membership-refused', code: error.code, details }, request)
    return
  }
  adopt(state, history, turn)
  state.unkept.push({ version: state.version, client, request, epoch: history.entries.length + 1 })
  spread(state, turn)
}

export function membershipKept(state: GossipState, message: MembershipKept, turn: Turn): void {
  const { unkept } = state
  while (unkept[0] !== undefined && unkept[0].version <= message.version) {
    const { client, request, epoch } = unkept.shift() as (typeof unkept)[0]
    turn.send(client, { type: 'membership-changed', epoch }, request)
  }
}
