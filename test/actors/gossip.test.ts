// One gossip actor, message by message: what it says to whom, whom it chooses to talk to, when a change is
// answered, and that nobody's failure changes who is a member.

import { describe, expect, it } from 'vitest'
import type { Turn } from '../../src/actors/actor.js'
import { gossipActor } from '../../src/actors/gossip/gossip.js'
import { type GossipOptions, gossipDefaults } from '../../src/actors/gossip/state.js'
import { seededRandom } from '../../src/base/random.js'
import {
  appendChange,
  digestOf,
  emptyHistory,
  membersOf,
  mergeHistories,
} from '../../src/membership/history.js'
import { type Address, singleAddress } from '../../src/protocol/address.js'
import type { GossipMessage, Message } from '../../src/protocol/envelope.js'
import type { NodeState } from '../../src/protocol/life.js'
import { founded, joining, leaving } from '../membership/histories.js'

const self = singleAddress('gossip', 1)
const peer = singleAddress('gossip', 2)
const client = singleAddress('client', 9)

function bench(options: Partial<GossipOptions> = {}) {
  const sent: { readonly to: string; readonly request: number; readonly message: Message }[] = []
  const alarms: number[] = []
  const random = seededRandom(7)
  const turn = {
    now: 0,
    wall: 5_000,
    random,
    send: (to: Address, message: Message, request = 0) =>
      void sent.push({ to: `${to.kind} ${to.node}`, request, message }),
    after: (delay: number) => void alarms.push(delay),
  } as unknown as Turn
  const actor = gossipActor({
    ...gossipDefaults,
    history: founded([1, 2, 3, 4, 5]),
    seeds: [],
    fanout: 0,
    ...options,
  })
  const state = actor.start(self, turn)
  const tell = (message: GossipMessage, from: Address = peer, request = 0) => {
    actor.receive(state, { to: self, from, request, deadline: 0, message }, turn)
    return sent.splice(0)
  }
  /** Who was talked to in so many rounds. */
  const rounds = (count: number) => {
    const peers = new Map<string, number>()
    for (let i = 0; i < count; i++) {
      for (const { to, message } of tell({ type: 'gossip-due' })) {
        expect(message).toEqual({
          type: 'gossip',
          digest: state.digest,
          count: state.history.entries.length,
          epoch: 0,
        })
        peers.set(to, (peers.get(to) ?? 0) + 1)
      }
    }
    return peers
  }
  return { state, tell, alarms, rounds }
}

const view = (states: Readonly<Record<number, NodeState>>) =>
  ({
    type: 'nodes-changed',
    version: 1,
    nodes: Object.entries(states).map(([node, state]) => ({ node: Number(node), state, generation: 1 })),
  }) as const

describe('told of a digest', () => {
  const begun = founded([1, 2, 3, 4, 5])
  const longer = appendChange(begun, 2, 3_000, [joining(6)])

  it('that is its own it says nothing', () => {
    const { tell } = bench()
    expect(tell({ type: 'gossip', digest: digestOf(begun), count: 1, epoch: 0 })).toEqual([])
  })

  it('of a longer history it asks for it, with its own', () => {
    const { tell } = bench()
    const [answer, ...rest] = tell({ type: 'gossip', digest: digestOf(longer), count: 2, epoch: 0 })
    expect(answer).toMatchObject({
      to: 'gossip 2',
      message: { type: 'gossip', digest: digestOf(begun), count: 1, epoch: 0 },
    })
    expect(rest).toEqual([])
  })

  it('of a shorter history, or another of the same length, it tells its own', () => {
    for (const other of [emptyHistory, founded([2])]) {
      const { tell } = bench()
      const { length } = other.entries
      expect(tell({ type: 'gossip', digest: digestOf(other), count: length, epoch: 0 })).toEqual([
        { to: 'gossip 2', request: 0, message: { type: 'gossip-history', history: begun } },
      ])
    }
  })
})

describe('told a history', () => {
  const begun = founded([1, 2, 3, 4, 5])
  const longer = appendChange(begun, 2, 3_000, [joining(6)])
  const another = appendChange(begun, 3, 3_000, [leaving(5)])

  it('that says more it takes it, and tells its host and nobody else', () => {
    const { tell, state } = bench()
    expect(tell({ type: 'gossip-history', history: longer })).toEqual([
      { to: 'host 1', request: 0, message: { type: 'membership-news', version: 1, history: longer } },
    ])
    expect(state.others).toEqual([2, 3, 4, 5, 6])
  })

  it('that says nothing new it is silent to its host, and answers one that lacks something', () => {
    const { tell, state } = bench({ history: longer })
    expect(tell({ type: 'gossip-history', history: longer })).toEqual([])
    expect(tell({ type: 'gossip-history', history: begun })).toEqual([
      { to: 'gossip 2', request: 0, message: { type: 'gossip-history', history: longer } },
    ])
    expect(state.version).toBe(0)
  })

  it('that says other things it takes them, and gives back both', () => {
    const { tell } = bench({ history: longer })
    const both = mergeHistories(longer, another)
    expect(tell({ type: 'gossip-history', history: another })).toEqual([
      { to: 'host 1', request: 0, message: { type: 'membership-news', version: 1, history: both } },
      { to: 'gossip 2', request: 0, message: { type: 'gossip-history', history: both } },
    ])
  })
})

describe('a change that a client wants', () => {
  it('is issued, told to the host, and answered when the host would remember it', () => {
    const { tell, state } = bench()
    const news = tell({ type: 'change-membership', changes: [joining(7)] }, client, 33)
    expect(news.map(({ to, message }) => `${to} ${message.type}`)).toEqual(['host 1 membership-news'])
    expect(state.history.entries[1]).toMatchObject({ at: 5_000, issuer: 1, serial: 2 })
    expect(tell({ type: 'membership-kept', version: 0 }, singleAddress('host', 1))).toEqual([])
    expect(tell({ type: 'membership-kept', version: 1 }, singleAddress('host', 1))).toEqual([
      { to: 'client 9', request: 33, message: { type: 'membership-changed', epoch: 3 } },
    ])
    expect(tell({ type: 'membership-kept', version: 1 }, singleAddress('host', 1))).toEqual([])
  })

  it('is answered with others that are kept by one write', () => {
    const { tell } = bench()
    tell({ type: 'change-membership', changes: [joining(7)] }, client, 1)
    tell({ type: 'change-membership', changes: [joining(8)] }, client, 2)
    tell({ type: 'change-membership', changes: [joining(9)] }, client, 3)
    const kept = (version: number) =>
      tell({ type: 'membership-kept', version }).map(({ request, message }) => ({ request, ...message }))
    expect(kept(2)).toEqual([
      { request: 1, type: 'membership-changed', epoch: 3 },
      { request: 2, type: 'membership-changed', epoch: 4 },
    ])
    expect(kept(3)).toEqual([{ request: 3, type: 'membership-changed', epoch: 5 }])
  })

  it('and cannot be made is refused with the reason, and changes nothing', () => {
    const { tell, state } = bench()
    const before = state.digest
    const refusals = [[joining(2)], [leaving(40)], 'all of them'].map((changes) =>
      tell({ type: 'change-membership', changes: changes as never }, client, 5),
    )
    const reasons = ['node 2 is a member already', 'node 40 is not a member', 'a plan has 1 to 64 changes']
    for (const [i, [answer, ...rest]] of refusals.entries()) {
      expect(rest).toEqual([])
      expect(answer).toMatchObject({
        to: 'client 9',
        request: 5,
        message: {
          type: 'membership-refused',
          code: 'membership-invalid',
          details: { reason: reasons[i] },
        },
      })
    }
    expect(state.digest).toBe(before)
  })

  it('is told at once to as many others as it is said, each once, and none that is away', () => {
    const { tell } = bench({ fanout: 3 })
    tell(view({ 2: 'up', 3: 'down', 4: 'slow', 5: 'up' }))
    const told = tell({ type: 'change-membership', changes: [leaving(3)] }, client, 1)
    expect(told.map(({ to, message }) => `${to} ${message.type}`).sort()).toEqual([
      'gossip 2 gossip-history',
      'gossip 4 gossip-history',
      'gossip 5 gossip-history',
      'host 1 membership-news',
    ])
    const next = tell({ type: 'change-membership', changes: [joining(3)] }, client, 1)
    expect(new Set(next.map(({ to }) => to)).size).toBe(4)
  })
})

describe('a round', () => {
  it('is with one other member, each as often as any', () => {
    const peers = bench().rounds(4_000)
    expect([...peers.keys()].sort()).toEqual(['gossip 2', 'gossip 3', 'gossip 4', 'gossip 5'])
    for (const count of peers.values()) expect(Math.abs(count - 1_000)).toBeLessThan(120)
  })

  it('is with a seed now and then', () => {
    const peers = bench({ seeds: [1, 40], seedShare: 1 / 4 }).rounds(4_000)
    expect(Math.abs((peers.get('gossip 40') ?? 0) - 1_000)).toBeLessThan(120)
  })

  it('is with a seed always while no other member is known, and with nobody when there is no seed', () => {
    for (const history of [emptyHistory, founded([1])]) {
      expect([...bench({ history, seeds: [1, 40] }).rounds(10)]).toEqual([['gossip 40', 10]])
      const alone = bench({ history, seeds: [1] })
      expect(alone.rounds(10).size).toBe(0)
      expect(alone.alarms.length).toBe(11)
    }
  })

  it('passes over who is away or suspected, unless all are', () => {
    const { tell, rounds } = bench({ seeds: [2, 3] })
    tell(view({ 1: 'up', 2: 'down', 3: 'suspected', 4: 'slow', 5: 'starting' }))
    expect([...rounds(50)]).toEqual([['gossip 4', 50]])
    tell(view({ 1: 'up', 2: 'down', 3: 'failed', 4: 'down', 5: 'draining' }))
    expect(rounds(200).size).toBe(4)
    // A seed of which nothing is said is better than a member that is away.
    const seeded = bench({ seeds: [40] })
    seeded.tell(view({ 2: 'down', 3: 'failed', 4: 'down', 5: 'draining' }))
    expect([...seeded.rounds(50)]).toEqual([['gossip 40', 50]])
    // Of one that is not in the supervisor's word, because it is on another host, nothing is known.
    tell(view({ 1: 'up' }))
    expect(rounds(200).size).toBe(4)
  })

  it('comes about every second, and not for all at once', () => {
    const { alarms, rounds } = bench()
    rounds(2_000)
    const [first, ...later] = alarms
    expect(first).toBeLessThan(1_000)
    expect(Math.min(...later)).toBeGreaterThanOrEqual(750)
    expect(Math.max(...later)).toBeLessThan(1_250)
    expect(Math.abs(later.reduce((sum, each) => sum + each, 0) / later.length - 1_000)).toBeLessThan(20)
  })
})

it('a failure is no departure: nobody is told anything, and who is a member stays one', () => {
  const { tell, state } = bench()
  for (const life of ['suspected', 'down', 'failed', 'draining'] as const) {
    expect(tell(view({ 2: life, 3: life, 4: life, 5: life }))).toEqual([])
  }
  expect(membersOf(state.history).map(({ node }) => node)).toEqual([1, 2, 3, 4, 5])
})
