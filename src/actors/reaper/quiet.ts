// The waiting: until nothing that was on its way when all replicas had the dead object can arrive any more, and
// nobody keeps a hint; and once more, until nothing that came out of a hint can. Then it is forgotten.

import type { Millis, NodeId } from '../../base/units.js'
import { singleAddress, vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { HintsTold } from '../../protocol/reap.js'
import { nextRequest, type Turn } from '../actor.js'
import type { ReaperState } from './state.js'
import { giveUp } from './vote.js'

/** Somebody keeps hints: before couriers are asked again. */
const retryMs: Millis = 1_000

export function askHints(state: ReaperState, nodes: readonly NodeId[], turn: Turn): void {
  const { hints } = state
  if (turn.now < state.hintsDue) return
  if (hints !== undefined && turn.now < hints.askedAt + turn.travelMsMax) return
  if (![...state.candidates.values()].some((each) => isDue(each.stage, 'held', each.since, turn))) return
  state.hintsDue = turn.now + retryMs
  const request = nextRequest(state)
  state.hints = { request, askedAt: turn.now, waiting: new Set(nodes) }
  for (const node of nodes) turn.send(singleAddress('courier', node), { type: 'hints-ask' }, request)
}

function isDue(stage: string, wanted: string, since: Millis, turn: Turn): boolean {
  return stage === wanted && turn.now >= since + turn.travelMsMax
}

export function hintsTold(state: ReaperState, envelope: Envelope, message: HintsTold, turn: Turn): void {
  const { hints } = state
  if (hints === undefined || hints.request !== envelope.request) return
  if (!message.none) {
    state.hints = undefined
    return
  }
  hints.waiting.delete(envelope.from.node)
  if (hints.waiting.size > 0) return
  state.hints = undefined
  for (const candidate of state.candidates.values()) {
    const { stage, since } = candidate
    if (stage !== 'held' || since + turn.travelMsMax > hints.askedAt) continue
    candidate.stage = 'quiet'
    candidate.since = turn.now
  }
}

export function reapQuiet(state: ReaperState, nodes: readonly NodeId[], turn: Turn): void {
  for (const [request, candidate] of state.candidates) {
    const { stage, since, partition, key, hash, high, low } = candidate
    // Who has not said anything for so long never heard the question.
    if (isDue(stage, 'asking', since, turn)) giveUp(state, request, candidate)
    if (!isDue(stage, 'quiet', since, turn)) continue
    for (const node of nodes) {
      turn.send(vnodeAddress(node, partition), { type: 'reap', key, hash, high, low })
    }
    giveUp(state, request, candidate)
    state.reaped++
  }
}
