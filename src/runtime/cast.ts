// The actors of which a thread has one each: gateway on every thread; courier, mender and reaper on nodes; gossip where
// membership is spoken about; the supervisor with whoever opened the cluster. Vnodes are the host's own.

import type { Actor } from '../actors/actor.js'
import { claimantActor } from '../actors/claimant/claimant.js'
import type { ClaimantState } from '../actors/claimant/state.js'
import { courierActor } from '../actors/courier/courier.js'
import type { CourierState } from '../actors/courier/state.js'
import { gatewayActor } from '../actors/gateway/gateway.js'
import type { GatewayState } from '../actors/gateway/state.js'
import { type MenderState, menderActor } from '../actors/mender/mender.js'
import { reaperActor } from '../actors/reaper/reaper.js'
import type { ReaperState } from '../actors/reaper/state.js'
import { type SupervisorState, supervisorActor } from '../actors/supervisor/supervisor.js'
import type { Millis, NodeId } from '../base/units.js'
import { singleAddress } from '../protocol/address.js'
import type {
  ClaimantMessage,
  CourierMessage,
  Envelope,
  GatewayMessage,
  GossipMessage,
  MenderMessage,
  Message,
  News,
  ReaperMessage,
  SupervisorMessage,
} from '../protocol/envelope.js'
import type { Journal } from './journal.js'
import { Membership } from './membership.js'
import type { HostPorts } from './ports.js'
import type { HostTurn } from './turn.js'

/** What a node keeps for one other. */
export interface KeptHints {
  readonly owner: NodeId
  readonly count: number
  readonly bytes: number
  /** Of the oldest. */
  readonly ageMs: Millis
  /** Held back by an operator. */
  readonly paused: boolean
}

export class Cast {
  readonly gateway: GatewayState
  readonly supervisor: SupervisorState | undefined
  readonly courier: CourierState | undefined
  readonly mender: MenderState | undefined
  readonly reaper: ReaperState | undefined
  readonly claimant: ClaimantState | undefined
  readonly membership: Membership | undefined
  private readonly turn: HostTurn

  constructor(ports: HostPorts, turn: HostTurn, journal: Journal | undefined, isSupervisor: boolean) {
    this.turn = turn
    const { thread, storage, gossip } = ports
    const start = <S, M extends Message>(
      actor: Actor<S, M>,
      kind: 'gateway' | 'courier' | 'mender' | 'reaper' | 'supervisor' | 'claimant',
    ): S => {
      const self = singleAddress(kind, thread)
      turn.self = self
      return actor.start(self, turn)
    }
    this.gateway = start(gatewayActor, 'gateway')
    if (storage !== undefined) this.mender = start(menderActor, 'mender')
    if (storage !== undefined) this.courier = start(courierActor, 'courier')
    if (storage !== undefined) this.reaper = start(reaperActor, 'reaper')
    this.membership = gossip && new Membership(ports, turn, journal)
    if (isSupervisor) this.supervisor = start(supervisorActor, 'supervisor')
    if (isSupervisor) this.claimant = start(claimantActor, 'claimant')
  }

  /** False when there is no such actor on this thread. */
  receive(envelope: Envelope): boolean {
    const { turn } = this
    const { to } = envelope
    turn.self = to
    switch (to.kind) {
      case 'gateway':
        gatewayActor.receive(this.gateway, envelope as Envelope<GatewayMessage>, turn)
        return true
      case 'supervisor':
        if (this.supervisor === undefined) return false
        supervisorActor.receive(this.supervisor, envelope as Envelope<SupervisorMessage>, turn)
        return true
      case 'courier':
        if (this.courier === undefined) return false
        courierActor.receive(this.courier, envelope as Envelope<CourierMessage>, turn)
        return true
      case 'mender':
        if (this.mender === undefined) return false
        menderActor.receive(this.mender, envelope as Envelope<MenderMessage>, turn)
        return true
      case 'reaper':
        if (this.reaper === undefined) return false
        reaperActor.receive(this.reaper, envelope as Envelope<ReaperMessage>, turn)
        return true
      case 'claimant':
        if (this.claimant === undefined) return false
        claimantActor.receive(this.claimant, envelope as Envelope<ClaimantMessage>, turn)
        return true
      case 'gossip':
        if (this.membership === undefined) return false
        this.membership.receive(envelope as Envelope<GossipMessage>)
        return true
      default:
        return false
    }
  }

  /** News for all of them. */
  tell(news: Envelope<News>): void {
    for (const state of [this.gateway, this.courier, this.mender, this.reaper, this.claimant]) {
      if (state !== undefined) this.receive({ ...news, to: state.self })
    }
    this.membership?.tell(news)
  }

  /** What this node keeps for others. */
  hints(at: Millis): KeptHints[] {
    const { courier } = this
    if (courier === undefined) return []
    const owners = new Set([...courier.owners.keys(), ...courier.paused])
    return [...owners].map((owner) => {
      const { count, bytes, since } = courier.owners.get(owner) ?? { count: 0, bytes: 0, since: at }
      const ageMs = count === 0 ? 0 : Math.round(at - since)
      return { owner, count, bytes, ageMs, paused: courier.paused.has(owner) }
    })
  }

  /** Hints that were refused, damaged or given up: writes that only a comparison of replicas can bring back. */
  get hintsLost(): number {
    const { courier } = this
    return courier === undefined ? 0 : courier.refused + courier.damaged + courier.dropped
  }
}
