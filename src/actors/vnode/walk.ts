// A page of a partition, for a listing or for a peer that catches up. The vnode asks its host for rows
// (which may have to come from disk) and answers when they are there; meanwhile it does other work.

import { limits } from '../../base/limits.js'
import type { Address } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { RowsRead, Walk } from '../../protocol/walk.js'
import { nextRequest, type Turn } from '../actor.js'
import { clearPage } from './clear.js'
import { isOf, relay, successor } from './give.js'
import { leftoverPage } from './give-back.js'
import type { VnodeState } from './state.js'

export function walk(state: VnodeState, envelope: Envelope, message: Walk, turn: Turn): void {
  // Who stays for some objects of the partition answers by itself.
  const heir = successor(state, state.ring?.change?.copies ?? state.ring?.copies ?? 0)
  if (heir !== undefined && !isOf(heir, envelope)) return relay(state, envelope, heir, turn)
  const request = nextRequest(state)
  state.walks.set(request, envelope as Envelope<Walk>)
  turn.walk({
    asker: state.self,
    partition: state.self.partition,
    owner: 0,
    request,
    prefix: message.prefix,
    after: message.after,
    limit: turn.rarely('page-of-one') ? 1 : Math.min(Math.max(1, message.limit), limits.walkRowsMax),
    begunAt: message.begunAt,
    since: message.since,
  })
}

export function rowsRead(state: VnodeState, envelope: Envelope, message: RowsRead, turn: Turn): void {
  if (leftoverPage(state, envelope.request, message, turn)) return
  const clearing = clearPage(state, envelope, message, turn)
  const asked = state.walks.get(envelope.request)
  if (clearing !== 'other' || asked === undefined) return
  state.walks.delete(envelope.request)
  const requester = asked.from as Address<'gateway'> | Address<'vnode'>
  if (message.failed) {
    turn.send(requester as Address<'gateway'>, { type: 'walk-failed', code: 'unreadable' }, asked.request)
    return
  }
  turn.send(
    requester as Address<'gateway'>,
    { type: 'walked', rows: message.rows, next: message.next, complete: state.complete },
    asked.request,
    // The rows are younger than the question.
    asked.deadline,
  )
}
