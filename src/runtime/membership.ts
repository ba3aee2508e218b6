// The part of a host that concerns who is a member: it runs the gossip actor, where there is one, and holds the
// history that this actor has put together.
//
// What is held is in memory only: the owner of the ports hands in what it has kept, and looks at `history`.

import type { Actor } from '../actors/actor.js'
import { gossipActor } from '../actors/gossip/gossip.js'
import type { GossipOptions, GossipState } from '../actors/gossip/state.js'
import type { NodeId } from '../base/units.js'
import type { History } from '../membership/history.js'
import { singleAddress } from '../protocol/address.js'
import type { Envelope, GossipMessage } from '../protocol/envelope.js'
import type { MembershipNews } from '../protocol/gossip.js'
import type { NodesChanged } from '../protocol/life.js'
import type { HostTurn } from './turn.js'

export class Membership {
  history: History
  private readonly thread: NodeId
  private readonly turn: HostTurn
  private readonly actor: Actor<GossipState, GossipMessage>
  private readonly state: GossipState

  constructor(thread: NodeId, options: GossipOptions, turn: HostTurn) {
    this.thread = thread
    this.turn = turn
    this.history = options.history
    this.actor = gossipActor(options)
    const self = singleAddress('gossip', thread)
    turn.self = self
    this.state = this.actor.start(self, turn)
  }

  receive(envelope: Envelope<GossipMessage>): void {
    this.turn.self = this.state.self
    this.actor.receive(this.state, envelope, this.turn)
  }

  nodesChanged(envelope: Envelope, message: NodesChanged): void {
    this.receive({ ...envelope, to: this.state.self, message })
  }

  membershipNews(message: MembershipNews): void {
    this.history = message.history
    this.turn.self = singleAddress('host', this.thread)
    this.turn.send(this.state.self, { type: 'membership-kept', version: message.version })
  }
}
