// The actor that knows who is a member, and makes all others know it (Dynamo 4.8.1). One a node; state and one
// exhaustive switch, nothing else.
//
// Only somebody's wish changes membership: a node that fails, however long, stays a member.

import { unreachable } from '../../base/assert.js'
import type { Key } from '../../base/units.js'
import type { Address } from '../../protocol/address.js'
import type { Envelope, GossipMessage } from '../../protocol/envelope.js'
import type { Actor, Turn } from '../actor.js'
import { changeMembership, membershipKept } from './change.js'
import { gossip, gossipDue, gossipHistory } from './exchange.js'
import { type GossipOptions, type GossipState, startGossip } from './state.js'
import { nodesChanged, ringChanged } from './view.js'

/** The actor of a node, with what it has persisted and the settings of its cluster. */
export function gossipActor(options: GossipOptions): Actor<GossipState, GossipMessage> {
  return {
    start(self: Address, turn: Turn): GossipState {
      return startGossip(self as Address<'gossip'>, options, turn)
    },

    reads(): Key | undefined {
      return undefined
    },

    receive(state: GossipState, envelope: Envelope<GossipMessage>, turn: Turn): void {
      const message = envelope.message
      switch (message.type) {
        case 'gossip-due':
          return gossipDue(state, turn)
        case 'gossip':
          return gossip(state, envelope, message, turn)
        case 'gossip-history':
          return gossipHistory(state, envelope, message, turn)
        case 'change-membership':
          return changeMembership(state, envelope, message, turn)
        case 'membership-kept':
          return membershipKept(state, message, turn)
        case 'nodes-changed':
          return nodesChanged(state, message)
        case 'ring-changed':
          return ringChanged(state, message)
      }
      return unreachable(message)
    },
  }
}
