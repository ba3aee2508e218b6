// Counting what an earlier life has left, so that the limits of hints hold over restarts: page by page, for one owner
// after the other, once in a life. What is delivered or kept meanwhile makes the count a little wrong; a round of
// delivery that finds nothing puts it right.

import { limits } from '../../base/limits.js'
import type { NodeId } from '../../base/units.js'
import type { RowsRead } from '../../protocol/walk.js'
import { nextRequest, type Turn } from '../actor.js'
import type { CourierState } from './state.js'

/** The next owner of whom it is not known how much is kept. */
export function countNext(state: CourierState, turn: Turn, owner: NodeId = 1, after = ''): void {
  if (owner > limits.nodesMax) return
  const request = nextRequest(state)
  state.counting = { owner, request }
  turn.walk({
    asker: state.self,
    partition: 0,
    owner,
    request,
    prefix: '',
    after,
    limit: limits.hintsInFlightMax,
    begunAt: turn.now,
    since: 0,
  })
}

/** A page that is counted; false when the rows are of something else. */
export function countPage(state: CourierState, request: number, message: RowsRead, turn: Turn): boolean {
  const { counting } = state
  if (counting === undefined || counting.request !== request) return false
  const { owner } = counting
  state.counting = undefined
  const owed = state.owners.get(owner)
  if (owed !== undefined) {
    for (const { key, object } of message.rows) {
      owed.count++
      owed.bytes += key.length + object.length
    }
  }
  if (message.next !== undefined && !message.failed) countNext(state, turn, owner, message.next)
  else countNext(state, turn, owner + 1)
  return true
}
