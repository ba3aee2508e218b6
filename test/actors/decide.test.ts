// Who decides a put with a condition, with nothing but the questions and answers about it: rings follow one another
// faster than anybody hears of them, messages are late, lost and come twice. At any moment at most one node decides, and
// when all have heard of the last ring its first node does.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Turn } from '../../src/actors/actor.js'
import { cede, cedeDue, ceded, deciderChanged, decides, firstChanged } from '../../src/actors/vnode/decide.js'
import { nobodyElse } from '../../src/actors/vnode/decide-state.js'
import type { VnodeState } from '../../src/actors/vnode/state.js'
import { vnodeAddress } from '../../src/protocol/address.js'
import type { Cede } from '../../src/protocol/cede.js'
import type { Envelope, Message } from '../../src/protocol/envelope.js'
import type { Put } from '../../src/protocol/write.js'

const nodes = [1, 2, 3, 4]
const gateway = { kind: 'gateway', node: 0 } as const

type Clock = { now: number }
type Post = (envelope: Envelope) => void

interface Vnode {
  readonly state: VnodeState
  readonly turn: Turn
  /** What a put that was sent by this ring meets: true when it would be decided here. Nothing is changed by asking. */
  readonly wouldDecide: (sentBy: number) => boolean
}

function putBy(epoch: number): Envelope<Put> {
  const message = { type: 'put', condition: 'absent', epoch } as Put
  return { to: vnodeAddress(1, 0), from: gateway, request: 1, deadline: 0, message } as Envelope<Put>
}

function vnode(node: number, first: number, clock: Clock, post: Post): Vnode {
  const self = vnodeAddress(node, 0)
  const state = {
    self,
    ring: { epoch: 1 },
    preference: [first],
    deciding: nobodyElse(),
    nodes: nodes.map(() => undefined),
    puts: new Map(),
    lastRequest: node * 1_000,
  } as unknown as VnodeState
  for (const each of nodes) (state.nodes as unknown[])[each] = { node: each, generation: 1, state: 'up' }
  const turnTo = (send: Post) =>
    ({
      get now() {
        return clock.now
      },
      send: (to: Envelope['to'], message: Message, request = 0) =>
        send({ to, from: self, request, deadline: 0, message }),
      forward: (envelope: Envelope, to: Envelope['to']) => send({ ...envelope, to }),
      after: () => {},
    }) as unknown as Turn
  const nowhere = turnTo(() => {})
  const wouldDecide = (sentBy: number) => {
    const aside = { ...state, deciding: { ...state.deciding, held: [] } } as VnodeState
    return decides(aside, putBy(sentBy), putBy(sentBy).message, nowhere)
  }
  return { state, turn: turnTo(post), wouldDecide }
}

class Cluster {
  readonly clock: Clock = { now: 0 }
  readonly vnodes: readonly Vnode[]
  /** First nodes by ring: that of epoch 1 is the first of them. */
  readonly firsts: number[]
  private readonly way: Envelope[] = []

  constructor(first: number) {
    this.firsts = [first]
    const post = (envelope: Envelope) => void this.way.push(envelope)
    this.vnodes = nodes.map((node) => vnode(node, first, this.clock, post))
    for (const { state, turn } of this.vnodes) firstChanged(state, undefined, turn)
  }

  at(node: number): Vnode {
    return this.vnodes[node - 1] as Vnode
  }

  /** A ring that this node has not heard of yet: the next, or one further on. */
  hear(node: number, ahead = 1): void {
    const { state, turn } = this.at(node)
    const epoch = Math.min((state.ring?.epoch ?? 0) + ahead, this.firsts.length)
    if (epoch === state.ring?.epoch) return
    const first = this.firsts[epoch - 1]
    if (first === undefined) return
    const before = state.preference[0]
    Object.assign(state, { ring: { epoch }, preference: [first] })
    firstChanged(state, before, turn)
  }

  deliver(draw: number, twice = false): void {
    if (this.way.length === 0) return
    const [envelope] = this.way.splice(draw % this.way.length, 1) as [Envelope]
    if (twice) this.way.push(envelope)
    const { state, turn } = this.at(envelope.to.node)
    const { type } = envelope.message
    if (type === 'cede') cede(state, envelope, envelope.message as Cede, turn)
    else if (type === 'ceded') ceded(state, envelope, turn)
  }

  lose(draw: number): void {
    if (this.way.length > 0) this.way.splice(draw % this.way.length, 1)
  }

  pass(ms: number): void {
    this.clock.now += ms
    for (const { state, turn } of this.vnodes) cedeDue(state, turn)
  }

  /** Nodes that would decide a put of a gateway that knows one of the rings. */
  deciders(): number[] {
    return nodes.filter((node) =>
      this.firsts.some((first, at) => first === node && this.at(node).wouldDecide(at + 1)),
    )
  }

  settle(): void {
    for (const node of nodes) for (const _ of this.firsts) this.hear(node)
    for (let round = 0; round < 60; round++) {
      this.pass(400)
      for (let left = 64; left > 0; left--) this.deliver(0)
    }
  }
}

const draw = fc.nat(1_000)
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('ring' as const), draw }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('hear' as const), draw }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('deliver' as const), draw }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('twice' as const), draw }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const), draw }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), draw }) },
)

describe('while everybody lives', () => {
  it('at most one node decides, and in the end the first of the last ring', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const cluster = new Cluster(1)
        for (const { do: what, draw: number } of steps) {
          const node = nodes[number % nodes.length] as number
          if (what === 'ring') cluster.firsts.push(node)
          else if (what === 'hear') cluster.hear(node, 1 + (number % 3))
          else if (what === 'lose') cluster.lose(number)
          else if (what === 'pass') cluster.pass(number % 400)
          else cluster.deliver(number, what === 'twice')
          expect(cluster.deciders().length).toBeLessThanOrEqual(1)
        }
        cluster.settle()
        expect(cluster.deciders()).toEqual([cluster.firsts.at(-1)])
      }),
      { numRuns: 5_000 },
    )
  })
})

describe('who is gone', () => {
  it('is not waited for: the next decides without its word', () => {
    const cluster = new Cluster(1)
    cluster.firsts.push(2)
    cluster.hear(2)
    expect(cluster.at(2).wouldDecide(2)).toBe(false)
    const { state, turn } = cluster.at(2)
    ;(state.nodes as unknown[])[1] = { node: 1, generation: 1, state: 'down' }
    deciderChanged(state, turn)
    expect(cluster.at(2).wouldDecide(2)).toBe(true)
  })

  it('or is silent for half a minute, is not waited for either', () => {
    const cluster = new Cluster(1)
    cluster.firsts.push(2)
    cluster.hear(2)
    for (let i = 0; i < 100; i++) {
      cluster.pass(400)
      cluster.lose(0)
    }
    expect(cluster.at(2).wouldDecide(2)).toBe(true)
  })
})
