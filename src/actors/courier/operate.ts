// What an operator may do with hints: hold back those for a node, let them go again, or give them up. Given up
// hints are writes that the node will lack until its replicas are compared, so the menders are told.

import { limits } from '../../base/limits.js'
import { type DropHints, keyOfHint, type PauseHints } from '../../protocol/hint.js'
import type { RowsRead } from '../../protocol/walk.js'
import { hashOf, partitionOf, type Ring } from '../../ring/ring.js'
import { nextRequest, type Turn } from '../actor.js'
import { endRound, look } from './deliver.js'
import { type CourierState, lost, owedTo } from './state.js'

export function pauseHints(state: CourierState, message: PauseHints, turn: Turn): void {
  const { owner, paused } = message
  if (!paused) {
    state.paused.delete(owner)
    return look(state, turn, 1)
  }
  state.paused.add(owner)
  const owed = state.owners.get(owner)
  if (owed?.round !== undefined) endRound(state, owner, owed)
}

export function dropHints(state: CourierState, message: DropHints, turn: Turn): void {
  const { owner } = message
  const owed = owedTo(state, owner, turn.now)
  if (owed.round !== undefined) endRound(state, owner, owed)
  state.drops.set(owner, 0)
  askDropped(state, owner, '', turn)
}

function askDropped(state: CourierState, owner: number, after: string, turn: Turn): void {
  const request = nextRequest(state)
  state.drops.set(owner, request)
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

/** A page of hints that are given up; false when the rows are of another round. */
export function dropPage(
  state: CourierState,
  ring: Ring,
  request: number,
  message: RowsRead,
  turn: Turn,
): boolean {
  for (const [owner, open] of state.drops) {
    if (open !== request) continue
    for (const { key: hint } of message.rows) {
      const hash = hashOf(ring, keyOfHint(hint))
      turn.delete(partitionOf(ring, hash), hint, hash)
    }
    state.dropped += message.rows.length
    if (message.next !== undefined) {
      askDropped(state, owner, message.next, turn)
      return true
    }
    state.drops.delete(owner)
    state.toldAt.delete(owner)
    lost(state, owner, turn)
    state.owners.delete(owner)
    return true
  }
  return false
}
