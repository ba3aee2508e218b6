// Runs the actors of one thread, turn by turn: on a worker thread, in a client's thread, or in the simulated
// world. The whole of a node's behaviour that is not an actor's is here, in journal, walks and timers.
//
//   receive --> [inbox] --> gather --> read (aside, if not in memory) --> decide --> commit --> release
//
// Invariants: messages for the same key keep their order, also when the first must wait for the disk;
// messages for other keys do not wait; every request that cannot be done is answered.

import type { TransferState } from '../actors/claimant/state.js'
import { courierActor } from '../actors/courier/courier.js'
import type { GatewayState } from '../actors/gateway/state.js'
import type { MenderState } from '../actors/mender/mender.js'
import { isCatchingUp, isServing, type VnodeState } from '../actors/vnode/state.js'
import { vnodeActor } from '../actors/vnode/vnode.js'
import type { ErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Key, Millis, Partition } from '../base/units.js'
import type { History } from '../membership/history.js'
import { Suspicion } from '../membership/suspicion.js'
import { singleAddress, vnodeAddress } from '../protocol/address.js'
import {
  asksForAnswer,
  type CourierMessage,
  type Envelope,
  type HostMessage,
  type Message,
  type News,
  refusalOf,
  type VnodeMessage,
} from '../protocol/envelope.js'
import type { NodesChanged, RingChanged } from '../protocol/life.js'
import { becomesFirst } from '../ring/preference.js'
import { hashOf, partitionOf } from '../ring/ring.js'
import { Ahead } from './ahead.js'
import { Aside } from './aside.js'
import { Cast, type KeptHints } from './cast.js'
import { Journal } from './journal.js'
import { Listings } from './listings.js'
import type { HostPorts } from './ports.js'
import { Timers } from './timers.js'
import { HostTurn } from './turn.js'
import { Walks } from './walks.js'
import { Warming } from './warming.js'

const never = Number.POSITIVE_INFINITY
export interface HostCounters {
  turns: number
  messages: number
  puts: number
  gets: number
  replications: number
}

export class Host {
  readonly counters: HostCounters = { turns: 0, messages: 0, puts: 0, gets: 0, replications: 0 }
  readonly journal: Journal | undefined
  private readonly ports: HostPorts
  private readonly timers = new Timers()
  private readonly turn: HostTurn
  private readonly aside: Aside | undefined
  private readonly ahead: Ahead | undefined
  private readonly walks: Walks | undefined
  private readonly warming: Warming | undefined
  private inbox: Envelope[] = []
  private readonly vnodes: (VnodeState | undefined)[] = []
  private readonly cast: Cast
  private ring: RingChanged | undefined
  private nodes: NodesChanged | undefined
  private readonly suspicion = new Suspicion()
  private suspicionChanged = false

  constructor(ports: HostPorts, roles: { readonly supervisor: boolean }) {
    this.ports = ports
    const { storage } = ports
    const deliver = (envelope: Envelope) => this.receive(envelope)
    const hash = (key: Key) => hashOf(this.knownRing(), key)
    const partition = (of: number) => partitionOf(this.knownRing(), of)
    this.journal =
      storage &&
      new Journal(
        ports,
        storage,
        (envelope) => this.release(envelope),
        partition,
        () => (this.catchingUp ? ports.life.catchUp?.since : undefined),
      )
    this.walks = storage && this.journal && new Walks(ports, storage, this.journal, hash, deliver)
    const listings = storage && this.walks && new Listings(this.walks, storage.trees, hash, deliver)
    this.warming = storage && this.journal && new Warming(ports, storage, this.journal, hash)
    this.ahead = storage && new Ahead(storage)
    this.aside = storage && new Aside(ports, storage, (key) => this.journal?.isForgotten(key) ?? false)
    this.turn = new HostTurn(ports, this.timers, this.journal, this.walks, listings)
    this.turn.begin()
    this.cast = new Cast(ports, this.turn, this.journal, roles.supervisor)
  }

  private knownRing() {
    if (this.ring === undefined) throw new Error('invariant broken: work before the ring is known')
    return this.ring.ring
  }

  /** An envelope for this thread; it is dealt with in the next turn. */
  receive(envelope: Envelope): void {
    const { node } = envelope.from
    // What a node asks says that it lives, not that it hears: a link may fail one way.
    const isAnswer = !asksForAnswer(envelope.message)
    if (node !== this.ports.thread && isAnswer && this.suspicion.heard(node)) this.suspicionChanged = true
    this.inbox.push(envelope)
  }

  /** Sends from this thread without a turn: for a client whose requests are led elsewhere. */
  send(envelope: Envelope): void {
    this.release(envelope)
  }

  hasWork(): boolean {
    return this.inbox.length > 0 || (this.aside?.ready ?? false)
  }

  /** What the gateway of this thread knows; to be looked at, not changed. */
  get gateway(): GatewayState {
    return this.cast.gateway
  }

  /** Stale copies that reads led by this thread have mended. */
  get readRepairs(): number {
    return this.cast.gateway.readRepairs
  }

  /** The nodes as the actors of this thread see them. */
  seen(): NodesChanged['nodes'] {
    return this.nodes === undefined ? [] : this.seenFromHere(this.nodes).nodes
  }

  /** What this node keeps for others. */
  get hints(): readonly KeptHints[] {
    return this.cast.hints(this.ports.now())
  }

  /** Hints that were refused, damaged or given up: writes that only a comparison of replicas can bring back. */
  get hintsLost(): number {
    return this.cast.hintsLost
  }

  /** What has been done of a ring that changes. */
  get transfers(): readonly TransferState[] {
    return [...(this.cast.claimant?.transfers.values() ?? [])]
  }

  /** Dead objects that this node has had forgotten. */
  get reaped(): number {
    return this.cast.reaper?.reaped ?? 0
  }

  /** What comparing replicas has come to. */
  get mender(): MenderState | undefined {
    return this.cast.mender
  }

  /** Who ever became a member, as far as this node has heard; undefined without gossip. */
  get history(): History | undefined {
    return this.cast.membership?.history
  }

  /** Of the ring as this thread knows it. */
  get ringEpoch(): number {
    return this.ring?.ring.epoch ?? 0
  }

  /** What this thread was told last about the nodes. */
  get view(): NodesChanged | undefined {
    return this.nodes
  }

  /** Messages that wait. */
  get queued(): number {
    return this.inbox.length + (this.aside?.waiting ?? 0)
  }

  /** When something is to be done although no message comes, or undefined. */
  nextDue(): Millis | undefined {
    const { timers, journal, suspicion, warming } = this
    let due = Math.min(timers.nextDue() ?? never, journal?.nextDue() ?? never)
    due = Math.min(due, suspicion.nextDue() ?? never, warming?.nextDue() ?? never)
    return due === never ? undefined : due
  }

  /** One turn. */
  step(): void {
    const { turn } = this
    turn.begin()
    this.counters.turns++
    for (;;) {
      const due = this.timers.next(turn.now)
      if (due === undefined) break
      this.inbox.push(due)
    }
    this.aside?.takeReady((envelope, fetched) => {
      turn.fetched = fetched
      this.decide(envelope)
      turn.fetched = undefined
    })
    const gathered = this.inbox
    this.inbox = gathered.splice(limits.turnMessagesMax)
    for (let at = 0, looked = 0; at < gathered.length; at++) {
      if (at === looked) looked = this.ahead?.look(gathered, at) ?? gathered.length
      this.dispatch(gathered[at] as Envelope)
    }
    this.aside?.fetch()
    this.suspect()
    // Before anything that was decided can be heard of.
    this.tellKept()
    this.releaseAll()
    this.journal?.pump()
    if (this.ring !== undefined) this.warming?.pump(turn.now, this.queued)
  }

  /** Read: an actor is called only when what it needs is in memory. */
  private dispatch(envelope: Envelope): void {
    this.counters.messages++
    const { message, to } = envelope
    if (envelope.deadline !== 0 && this.turn.now > envelope.deadline) {
      if (this.refuse(envelope, 'expired')) return
    }
    if (to.kind === 'vnode' && this.aside !== undefined) {
      const key = vnodeActor.reads(message as VnodeMessage)
      if (key !== undefined && this.aside.mustWait(key, to.partition, envelope)) return
    } else if (to.kind === 'courier' && this.aside !== undefined) {
      const hint = courierActor.reads(message as CourierMessage)
      const { hash } = message as { readonly hash: number }
      if (hint !== undefined && this.ring === undefined) return
      if (hint !== undefined && this.aside.mustWait(hint, partitionOf(this.knownRing(), hash), envelope))
        return
    }
    this.decide(envelope)
  }

  private decide(envelope: Envelope): void {
    const { to } = envelope
    if (to.kind === 'vnode') {
      this.turn.self = to
      this.count(envelope.message)
      const state = this.vnode(to.partition)
      vnodeActor.receive(state, envelope as Envelope<VnodeMessage>, this.turn)
      this.ports.serving?.serve(to.partition, isServing(state))
    } else if (to.kind === 'host') {
      this.answerHost(envelope as Envelope<HostMessage>)
    } else if (to.kind === 'client' || to.kind === 'machine') {
      this.ports.outside(envelope)
    } else if (!this.cast.receive(envelope)) {
      this.refuse(envelope, 'unavailable')
    }
  }

  /** Says for whom this node keeps something, for those who read without asking. */
  private tellKept(): void {
    const { serving } = this.ports
    const owners = this.cast.courier?.owners
    if (serving === undefined || owners === undefined || this.ring === undefined) return
    if (owners.size === 0 && serving.isIdle) return
    serving.keepFor(owners.keys(), this.ring.ring.nodes)
  }

  private count(message: Message): void {
    if (message.type === 'replicate') this.counters.replications++
    else if (message.type === 'put') this.counters.puts++
    else if (message.type === 'fetch') this.counters.gets++
  }

  /** Made when first spoken to, and told what was told before. */
  private vnode(partition: Partition): VnodeState {
    const known = this.vnodes[partition]
    if (known !== undefined) return known
    const self = vnodeAddress(this.ports.thread, partition)
    this.turn.self = self
    const state = vnodeActor.start(self, this.turn)
    this.vnodes[partition] = state
    const nodes = this.nodes && this.seenFromHere(this.nodes)
    for (const message of [nodes, this.ring]) {
      if (message === undefined) continue
      vnodeActor.receive(state, { to: self, from: self, request: 0, deadline: 0, message }, this.turn)
    }
    return state
  }

  /** Probes who is silent, and tells the actors when somebody is suspected, or no longer. */
  private suspect(): void {
    const self = singleAddress('host', this.ports.thread)
    const changed = this.suspicion.check(this.turn.now, (node) => {
      this.release({
        to: singleAddress('host', node),
        from: self,
        request: 0,
        deadline: 0,
        message: { type: 'probe' },
      })
    })
    if (!changed && !this.suspicionChanged) return
    this.suspicionChanged = false
    if (this.nodes !== undefined)
      this.tellActors({ to: self, from: self, request: 0, deadline: 0, message: this.nodes })
  }

  /** The supervisor's word, with what this thread has found out by itself. */
  private seenFromHere(message: NodesChanged): NodesChanged {
    const nodes = message.nodes.map((view) =>
      view.state === 'up' && this.suspicion.isSuspected(view.node)
        ? ({ ...view, state: 'suspected' } as const)
        : view,
    )
    return { ...message, nodes }
  }

  private answerHost(envelope: Envelope<HostMessage>): void {
    const { message, to, from } = envelope
    if (message.type === 'nodes-changed') {
      if (this.nodes !== undefined && message.version < this.nodes.version) return
      this.ports.heard(message.version)
      this.ports.news?.(message)
      for (const view of message.nodes) {
        // A new life owes nothing of what the last one was asked; one that is gone is not probed.
        const known = this.nodes?.nodes.find(({ node }) => node === view.node)
        const isSame = known?.generation === view.generation
        if (!isSame || (view.state !== 'up' && view.state !== 'slow')) this.suspicion.heard(view.node)
      }
      this.nodes = message
      this.tellActors(envelope as Envelope<NodesChanged>)
    } else if (message.type === 'ring-changed') {
      if (this.ring !== undefined && message.ring.epoch <= this.ring.ring.epoch) return
      if (this.ring === undefined) {
        this.walks?.restore(this.ports.life.volatile, message.ring)
        if (message.ring.change !== undefined) this.turn.bornInChange = message.ring.epoch
      }
      for (const each of becomesFirst(this.ports.thread, this.ring?.ring, message.ring)) this.vnode(each)
      this.ring = message
      this.ports.serving?.ringChanged(message.ring.epoch)
      this.ports.news?.(message)
      this.tellActors(envelope as Envelope<RingChanged>)
    } else if (message.type === 'membership-news') {
      this.cast.membership?.membershipNews(message)
    } else if (message.type === 'probe') {
      this.release({ to: from, from: to, request: 0, deadline: 0, message: { type: 'probed' } })
    }
  }

  /** News for everybody on this thread. */
  private tellActors(news: Envelope<News>): void {
    const message = news.message.type === 'nodes-changed' ? this.seenFromHere(news.message) : news.message
    const envelope = { ...news, message }
    const { turn } = this
    this.cast.tell(envelope)
    for (const state of this.vnodes) {
      if (state === undefined) continue
      turn.self = state.self
      vnodeActor.receive(state, { ...envelope, to: state.self }, turn)
      this.ports.serving?.serve(state.self.partition, isServing(state))
    }
    if (message.type !== 'ring-changed' || this.aside === undefined) return
    if (this.ports.life.catchUp !== undefined || message.ring.epoch === turn.bornInChange) {
      // A node that must catch up, or does not know what was taken over, wakes all its vnodes: each asks its peers.
      for (let partition = 0; partition < message.ring.partitions; partition++) this.vnode(partition)
    }
  }

  /** True while some vnode of this node still catches up. */
  get catchingUp(): boolean {
    const { catchUp } = this.ports.life
    if (catchUp === undefined) return false
    if (this.ring === undefined) return true
    return this.vnodes.some((state) => state !== undefined && isCatchingUp(state, catchUp.copies))
  }

  private releaseAll(): void {
    const { outbox } = this.turn
    for (const envelope of outbox) this.release(envelope)
    outbox.length = 0
  }

  /** Lets an envelope leave; what cannot be delivered is answered for the addressee. */
  private release(envelope: Envelope): void {
    if (envelope.to.node === this.ports.thread) {
      if (envelope.to.kind === 'client' || envelope.to.kind === 'machine') this.ports.outside(envelope)
      else this.inbox.push(envelope)
      return
    }
    const posted = this.ports.post(envelope)
    if (posted === 'sent' && asksForAnswer(envelope.message))
      this.suspicion.asked(envelope.to.node, this.turn.now)
    if (posted !== 'sent') this.refuse(envelope, posted === 'full' ? 'overloaded' : 'unavailable')
  }

  /** Answers a request in the name of its addressee; false for a message that is no request. */
  private refuse(envelope: Envelope, code: ErrorCode): boolean {
    const answer = refusalOf(envelope.message, code)
    if (answer === undefined) return false
    const { from, to, request } = envelope
    this.release({ to: from, from: to, request, deadline: 0, message: answer })
    return true
  }
}
