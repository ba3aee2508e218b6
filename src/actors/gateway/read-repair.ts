// Read repair, Dynamo 5: a read that has been answered, or has failed, waits a little for the rest of the replicas, and
// sends what all of them together know to those that lack some of it. Through the one door, `replicate`, so a stale
// or repeated repair changes nothing.
//
// Best effort: bounded in time and number, and nobody waits for it. What is never read is not mended here.

import type { Millis, RequestId } from '../../base/units.js'
import { vnodeAddress } from '../../protocol/address.js'
import { partitionOf } from '../../ring/ring.js'
import { encodeObject } from '../../versions/object-codec.js'
import type { Turn } from '../actor.js'
import { type GatewayState, isUp, type PendingGet } from './state.js'

/** How long the replicas that were not needed for the answer are waited for. */
export const repairWaitMs: Millis = 100
/** Open requests above which a read that has been answered is not kept for its repair. */
const keptMax = 4_096

/** Ends the read when all have answered, or when there are too many like it to wait for the rest. */
export function settleRepair(state: GatewayState, request: RequestId, pending: PendingGet, turn: Turn): void {
  const { n, complete, incomplete, failed } = pending.tally
  const all = (1 << n) - 1
  if ((complete | incomplete | failed) !== all && state.pending.size <= keptMax) return
  endRead(state, request, pending, turn)
}

/** Forgets the read, and mends whom it found stale. */
export function endRead(state: GatewayState, request: RequestId, pending: PendingGet, turn: Turn): void {
  state.pending.delete(request)
  const { object, replicas, answers, tally, envelope, differ, damaged } = pending
  const { ring } = state
  if (!differ || object === undefined || ring === undefined) return
  const { key, hash } = envelope.message
  const encoded = encodeObject(object, hash)
  const partition = partitionOf(ring, hash)
  // One that could not read its copy has failed, but is there: the good copy takes the place of the damaged.
  const heard = tally.complete | tally.incomplete | damaged
  for (let index = 0; index < replicas.length; index++) {
    const node = replicas[index] as number
    if (((heard >>> index) & 1) === 0 || !isUp(state, node)) continue
    const answer = ((damaged >>> index) & 1) === 1 ? undefined : answers[index]
    if (answer !== undefined && Buffer.compare(answer, encoded) === 0) continue
    const copy = { type: 'replicate', key, hash, object: encoded, level: 'memory' } as const
    turn.send(vnodeAddress(node, partition), copy, 0, pending.travelEnd)
  }
}
