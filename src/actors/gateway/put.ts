// Where a write begins, Dynamo 4.5: one that depends on what is stored asks the replicas first, since the node that
// decides it may be the one that has not heard of the last write yet; a last-write-wins value goes to all replicas at
// once (direct.ts); every other is led by a coordinator (put-led.ts).

import type { Envelope } from '../../protocol/envelope.js'
import { isDecided, type Put } from '../../protocol/write.js'
import { preferenceList } from '../../ring/preference.js'
import { partitionOf } from '../../ring/ring.js'
import type { Turn } from '../actor.js'
import { putDirect } from './direct.js'
import { askReplicas } from './get.js'
import { putLed } from './put-led.js'
import { type GatewayState, isBrisk } from './state.js'

export function put(state: GatewayState, envelope: Envelope<Put>, turn: Turn): void {
  const { message } = envelope
  const { ring } = state
  if (ring !== undefined && !message.looked && (isDecided(message) || message.returnPrevious)) {
    // As many as overlap with the w of earlier writes; never more than can be expected to answer soon.
    const replicas = preferenceList(ring, partitionOf(ring, message.hash)).slice(0, message.n)
    const brisk = replicas.filter((node) => isBrisk(state, node)).length
    const r = Math.max(1, Math.min(message.n - message.w + 1, brisk))
    return askReplicas(state, ring, envelope, r, turn)
  }
  if (ring !== undefined && putDirect(state, ring, envelope, turn)) return
  putLed(state, envelope, turn)
}
