// What is left of a time when this node was a replica of the partition, because it was away when the others were told
// to forget theirs. It may be older than what the replicas have, or newer than anything they ever heard of. So it is
// treated like a hint: each object goes to a replica, through the one door, and is forgotten when that has it.

import { limits } from '../../base/limits.js'
import type { Key, Millis, NodeId, RequestId } from '../../base/units.js'
import { type Signature, sign } from '../../merkle/signature.js'
import { vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { RowsRead } from '../../protocol/walk.js'
import { hashOf } from '../../ring/ring.js'
import { modeOf } from '../../versions/object-codec.js'
import { nextRequest, type Turn } from '../actor.js'
import { type GivingBack, isHealthy, type VnodeState } from './state.js'

/** One that has not ended by then has lost a message. */
const answerMs: Millis = 20_000

export function giveBack(state: VnodeState, turn: Turn): void {
  const { ring, receiving, clearing, givingBack } = state
  if (ring === undefined || ring.change !== undefined || receiving !== undefined || clearing !== 0) return
  if (givingBack !== undefined && turn.now < givingBack.begunAt + answerMs) return
  state.givingBack = { page: 0, begunAt: turn.now, epoch: ring.epoch, sent: new Map(), next: undefined }
  askPage(state, state.givingBack, turn)
}

function askPage(state: VnodeState, run: GivingBack, turn: Turn): void {
  run.page = nextRequest(state)
  turn.walk({
    asker: state.self,
    partition: state.self.partition,
    owner: 0,
    request: run.page,
    prefix: '',
    after: run.next ?? '',
    limit: limits.hintsInFlightMax,
    begunAt: run.begunAt,
    since: 0,
  })
}

/** A page of what is here; false when the rows are of something else. */
export function leftoverPage(state: VnodeState, request: RequestId, message: RowsRead, turn: Turn): boolean {
  const { givingBack: run, ring, preference, self } = state
  if (run === undefined || run.page !== request) return false
  run.page = 0
  run.next = message.next
  const place = preference.indexOf(self.node)
  const isOver = ring === undefined || ring.epoch !== run.epoch || message.failed
  const target = isOver ? undefined : preference.slice(0, ring.copies).find((node) => isHealthy(state, node))
  if (target === undefined || target === self.node) {
    state.givingBack = undefined
    return true
  }
  for (const { key, object } of message.rows) {
    // What shall be on so many nodes that this is one of them is no leftover.
    if (place >= 0 && place < modeOf(object).copies) continue
    const hash = hashOf(ring as NonNullable<typeof ring>, key)
    const signature: Signature = { high: 0, low: 0 }
    sign(object, hash, signature)
    send(state, run, target, { key, hash, object, ...signature }, turn)
  }
  pageDone(state, run, turn)
  return true
}

function send(
  state: VnodeState,
  run: GivingBack,
  target: NodeId,
  row: { readonly key: Key; readonly hash: number; readonly object: Uint8Array } & Signature,
  turn: Turn,
): void {
  const { key, hash, object, high, low } = row
  const request = nextRequest(state)
  run.sent.set(request, { key, hash, high, low })
  const copy = { type: 'replicate', key, hash, object, level: 'disk' } as const
  turn.send(vnodeAddress(target, state.self.partition), copy, request, run.begunAt + answerMs)
}

function pageDone(state: VnodeState, run: GivingBack, turn: Turn): void {
  if (run.sent.size > 0 || run.page !== 0) return
  if (run.next === undefined) state.givingBack = undefined
  else askPage(state, run, turn)
}

/** A replica has it, or would not take it; false when the envelope answers something else. */
export function gaveBack(state: VnodeState, envelope: Envelope, isStored: boolean, turn: Turn): boolean {
  const { givingBack: run } = state
  const sent = run?.sent.get(envelope.request)
  if (run === undefined || sent === undefined) return false
  run.sent.delete(envelope.request)
  // Only if it is still what was sent.
  if (isStored) turn.send(state.self, { type: 'reap', ...sent })
  pageDone(state, run, turn)
  return true
}
