// The actor that leads requests: state and one exhaustive switch, nothing else.

import { unreachable } from '../../base/assert.js'
import { NumberMap } from '../../base/number-map.js'
import type { Incarnation, Key } from '../../base/units.js'
import type { Address } from '../../protocol/address.js'
import type { Envelope, GatewayMessage } from '../../protocol/envelope.js'
import type { Get } from '../../protocol/read.js'
import type { Audit } from '../../protocol/sync.js'
import type { Scan } from '../../protocol/walk.js'
import type { Put } from '../../protocol/write.js'
import type { Actor, Turn } from '../actor.js'
import { audit, synced } from './audit.js'
import { replicated, replicateFailed } from './direct.js'
import { fetched, fetchFailed, get } from './get.js'
import { kept } from './kept.js'
import { put } from './put.js'
import { putAnswered, putFailed } from './put-led.js'
import { scan, walked, walkFailed } from './scan.js'
import type { GatewayState } from './state.js'
import { requestSweepDue } from './sweep.js'
import { nodesChanged, ringChanged } from './view.js'
import { startWriters } from './writers.js'

/** Half of all numbers away from the vnodes of its node, which are called by the incarnation itself. */
function actorOf(incarnation: Incarnation): Incarnation {
  return Math.max(1, (incarnation + 2 ** 52) % 2 ** 53)
}

export const gatewayActor: Actor<GatewayState, GatewayMessage> = {
  start(self: Address, turn: Turn): GatewayState {
    return {
      self: self as Address<'gateway'>,
      ring: undefined,
      nodes: [],
      lastRequest: 0,
      actor: actorOf(turn.incarnation),
      counter: 0,
      lastStamp: 0,
      writers: startWriters(),
      pending: new NumberMap(),
      readRepairs: 0,
      readRepairsFailed: 0,
      sweeping: false,
    }
  },

  reads(): Key | undefined {
    return undefined
  },

  receive(state: GatewayState, envelope: Envelope<GatewayMessage>, turn: Turn): void {
    const message = envelope.message
    switch (message.type) {
      case 'get':
        return get(state, envelope as Envelope<Get>, turn)
      case 'fetched':
        return fetched(state, envelope, message, turn)
      case 'kept':
        return kept(state, envelope, message, turn)
      case 'fetch-failed':
        return fetchFailed(state, envelope, message, turn)
      case 'put':
        return put(state, envelope as Envelope<Put>, turn)
      case 'put-answered':
        return putAnswered(state, envelope, message, turn)
      case 'put-failed':
        return putFailed(state, envelope, message, turn)
      case 'scan':
        return scan(state, envelope as Envelope<Scan>, turn)
      case 'walked':
        return walked(state, envelope, message, turn)
      case 'walk-failed':
        return walkFailed(state, envelope, turn)
      case 'audit':
        return audit(state, envelope as Envelope<Audit>, turn)
      case 'synced':
        return synced(state, envelope, message, turn)
      case 'replicated':
        return replicated(state, envelope, message, turn)
      case 'replicate-failed':
        return replicateFailed(state, envelope, message, turn)
      case 'request-sweep-due':
        return requestSweepDue(state, turn)
      case 'nodes-changed':
        return nodesChanged(state, message, turn)
      case 'ring-changed':
        return ringChanged(state, message)
    }
    return unreachable(message)
  },
}
