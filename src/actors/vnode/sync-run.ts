// What every step of a comparison needs: to ask the peer, and to come to an end.

import type { ErrorCode } from '../../base/errors.js'
import type { Millis } from '../../base/units.js'
import { type Address, vnodeAddress } from '../../protocol/address.js'
import type { Envelope, VnodeMessage } from '../../protocol/envelope.js'
import type { SyncReport } from '../../protocol/sync.js'
import { nextRequest, type Turn } from '../actor.js'
import type { VnodeState } from './state.js'
import type { SyncItem, SyncRun, SyncWanted } from './sync-state.js'

/** A question that has no answer by then has none. */
export const answerMs: Millis = 10_000

/** Sends a question of the comparison. */
export function ask(state: VnodeState, run: SyncRun, message: VnodeMessage, turn: Turn): void {
  run.request = nextRequest(state)
  run.askedAt = turn.now
  run.counts.messages++
  if (run.alarmAt === 0) armAlarm(state, run, turn)
  turn.send(vnodeAddress(run.peer, state.self.partition), message, run.request, turn.now + answerMs)
}

/** Sees to it that a comparison in which nothing moves any more is ended. */
export function armAlarm(state: VnodeState, run: SyncRun, turn: Turn): void {
  run.alarmAt = run.askedAt + answerMs
  turn.after(run.alarmAt - turn.now, state.self, { type: 'sync-due' })
}

/** The item of this comparison that an envelope answers. */
export function itemOf(state: VnodeState, envelope: Envelope): SyncItem | undefined {
  return state.run?.items.get(envelope.request)
}

export function end(state: VnodeState, run: SyncRun, failure: ErrorCode | undefined, turn: Turn): void {
  state.run = undefined
  answer(run.wanted, { ...run.counts, keys: run.keys }, failure, turn)
  if (state.syncsWaiting.length > 0) turn.after(0, state.self, { type: 'sync-due' })
}

export function answer(
  wanted: SyncWanted,
  report: SyncReport,
  failure: ErrorCode | undefined,
  turn: Turn,
): void {
  const { requester, request, sync } = wanted
  turn.send(
    requester as Address<'gateway'> | Address<'mender'> | Address<'vnode'>,
    { type: 'synced', peer: sync.peer, report, failure },
    request,
  )
}
