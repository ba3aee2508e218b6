// The part of a host that concerns who is a member: it runs the gossip actor, where there is one, and holds the
// history that this actor has put together.
//
// On a node it is kept in the node's store, beside its objects, before anybody is told that it is kept. Elsewhere
// the owner of the ports keeps it (`membershipHeard`).

import type { Actor } from '../actors/actor.js'
import { gossipActor } from '../actors/gossip/gossip.js'
import type { GossipState } from '../actors/gossip/state.js'
import type { History } from '../membership/history.js'
import { encodeHistory } from '../membership/history-codec.js'
import { singleAddress } from '../protocol/address.js'
import type { Envelope, GossipMessage, News } from '../protocol/envelope.js'
import type { MembershipNews } from '../protocol/gossip.js'
import { membershipRow } from '../storage/meta.js'
import type { Journal } from './journal.js'
import type { HostPorts } from './ports.js'
import type { HostTurn } from './turn.js'

export class Membership {
  history: History
  private readonly ports: HostPorts
  private readonly journal: Journal | undefined
  private readonly turn: HostTurn
  private readonly actor: Actor<GossipState, GossipMessage>
  private readonly state: GossipState

  constructor(ports: HostPorts, turn: HostTurn, journal: Journal | undefined) {
    const { thread, gossip } = ports
    if (gossip === undefined) throw new Error('invariant broken: gossip without its options')
    this.ports = ports
    this.turn = turn
    this.journal = journal
    this.history = gossip.history
    this.actor = gossipActor(gossip)
    const self = singleAddress('gossip', thread)
    turn.self = self
    this.state = this.actor.start(self, turn)
  }

  receive(envelope: Envelope<GossipMessage>): void {
    this.turn.self = this.state.self
    this.actor.receive(this.state, envelope, this.turn)
  }

  /** News about nodes or the ring. */
  tell(news: Envelope<News>): void {
    this.receive({ ...news, to: this.state.self })
  }

  membershipNews(message: MembershipNews): void {
    this.history = message.history
    const self = singleAddress('host', this.ports.thread)
    this.turn.self = self
    const kept = { type: 'membership-kept', version: message.version } as const
    this.ports.membershipHeard?.(message.history)
    if (this.journal === undefined) return this.turn.send(this.state.self, kept)
    this.journal.keep(membershipRow, encodeHistory(message.history))
    this.turn.sendDurable('disk', this.state.self, kept, { type: 'membership-kept', version: 0 }, 0)
  }
}
