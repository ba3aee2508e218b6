// All nodes say what they hold under the key: its replicas must have just the dead object, the others nothing.

import { vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { ReapTold } from '../../protocol/reap.js'
import { preferenceList } from '../../ring/preference.js'
import { nextRequest, type Turn } from '../actor.js'
import { type Candidate, everybody, type ReaperState } from './state.js'

type Found = Omit<Candidate, 'stage' | 'since' | 'waiting'>

export function askAll(state: ReaperState, found: Found, turn: Turn): void {
  const { ring } = state
  const nodes = everybody(state)
  if (ring === undefined || nodes === undefined) return
  const request = nextRequest(state)
  const { partition, key, hash, high, low, stamp } = found
  state.candidates.set(request, { ...found, stage: 'asking', since: turn.now, waiting: new Set(nodes) })
  state.keys.add(key)
  const question = { type: 'reap-ask', key, hash, high, low, stamp, epoch: ring.epoch } as const
  for (const node of nodes) turn.send(vnodeAddress(node, partition), question, request, turn.travelEnd)
}

export function reapTold(state: ReaperState, envelope: Envelope, message: ReapTold, turn: Turn): void {
  const candidate = state.candidates.get(envelope.request)
  if (candidate?.stage !== 'asking' || state.ring === undefined) return
  const { node } = envelope.from
  const place = preferenceList(state.ring, candidate.partition).indexOf(node)
  const isReplica = place >= 0 && place < candidate.copies
  const { verdict } = message
  // The replicas differ, or are not sure: comparing them comes first.
  if (verdict === 'other' || (verdict === 'absent' && isReplica) || turn.rarely('reap-later')) {
    return giveUp(state, envelope.request, candidate)
  }
  candidate.waiting.delete(node)
  if (candidate.waiting.size > 0) return
  candidate.stage = 'held'
  candidate.since = turn.now
}

/** The next round finds it again. */
export function giveUp(state: ReaperState, request: number, candidate: Candidate): void {
  state.candidates.delete(request)
  state.keys.delete(candidate.key)
}
