// Forgetting a partition: what a node holds of it although it is no replica of it, page by page, because it can be
// much and a turn must stay short.

import { limits } from '../../base/limits.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { RowsRead } from '../../protocol/walk.js'
import { hashOf } from '../../ring/ring.js'
import { nextRequest, type Turn } from '../actor.js'
import type { VnodeState } from './state.js'

export function clearPartition(state: VnodeState, turn: Turn, after = ''): void {
  state.clearing = nextRequest(state)
  turn.walk({
    asker: state.self,
    partition: state.self.partition,
    owner: 0,
    request: state.clearing,
    prefix: '',
    after,
    limit: limits.walkRowsMax,
    begunAt: turn.now,
    since: 0,
  })
}

/** A page to be forgotten. 'other' when the rows are of something else, 'end' when it was the last. */
export function clearPage(
  state: VnodeState,
  envelope: Envelope,
  message: RowsRead,
  turn: Turn,
): 'other' | 'more' | 'end' {
  if (state.clearing === 0 || state.clearing !== envelope.request || state.ring === undefined) return 'other'
  for (const { key, object } of message.rows) {
    turn.delete(state.self.partition, key, hashOf(state.ring, key), object)
  }
  if (message.next !== undefined && !message.failed) {
    clearPartition(state, turn, message.next)
    return 'more'
  }
  state.clearing = 0
  return 'end'
}
