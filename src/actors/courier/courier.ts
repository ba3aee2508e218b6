// The actor that keeps hints on a node: writes for nodes that are away, until they are back (Dynamo 4.6). One
// a node; state and one exhaustive switch, nothing else.

import { unreachable } from '../../base/assert.js'
import type { Key } from '../../base/units.js'
import type { Address } from '../../protocol/address.js'
import type { CourierMessage, Envelope } from '../../protocol/envelope.js'
import { hintKey } from '../../protocol/hint.js'
import type { Actor, Turn } from '../actor.js'
import { countPage } from './count.js'
import { hintsDue, replicated, replicateFailed, rowsRead } from './deliver.js'
import { fetchKept, hintsAsk, keep } from './keep.js'
import { dropHints, dropPage, pauseHints } from './operate.js'
import type { CourierState } from './state.js'
import { nodesChanged, ringChanged } from './view.js'

export const courierActor: Actor<CourierState, CourierMessage> = {
  start(self: Address): CourierState {
    return {
      self: self as Address<'courier'>,
      ring: undefined,
      nodes: [],
      lastRequest: 0,
      owners: new Map(),
      sent: new Map(),
      sentByHint: new Map(),
      paused: new Set(),
      drops: new Map(),
      counting: undefined,
      toldAt: new Map(),
      lookDue: 0,
      delivered: 0,
      damaged: 0,
      refused: 0,
      dropped: 0,
    }
  },

  reads(message: CourierMessage): Key | undefined {
    if (message.type === 'keep' || message.type === 'fetch-kept') return hintKey(message.owner, message.key)
    return undefined
  },

  receive(state: CourierState, envelope: Envelope<CourierMessage>, turn: Turn): void {
    const message = envelope.message
    switch (message.type) {
      case 'keep':
        return keep(state, envelope, message, turn)
      case 'fetch-kept':
        return fetchKept(state, envelope, message, turn)
      case 'replicated':
        return replicated(state, envelope, turn)
      case 'replicate-failed':
        return replicateFailed(state, envelope, message, turn)
      case 'rows-read':
        if (countPage(state, envelope.request, message, turn)) return
        if (state.ring !== undefined && dropPage(state, state.ring, envelope.request, message, turn)) return
        return rowsRead(state, envelope, message, turn)
      case 'hints-due':
        return hintsDue(state, turn)
      case 'pause-hints':
        return pauseHints(state, message, turn)
      case 'drop-hints':
        return dropHints(state, message, turn)
      case 'hints-ask':
        return hintsAsk(state, envelope, turn)
      case 'nodes-changed':
        return nodesChanged(state, message, turn)
      case 'ring-changed':
        return ringChanged(state, message, turn)
    }
    return unreachable(message)
  },
}
