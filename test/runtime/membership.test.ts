// A host with gossip: its actor's rounds come due, a change is answered when the host has it, and what another
// node tells is the host's. A host without gossip has no such timers, and refuses what it cannot do.

import { describe, expect, it } from 'vitest'
import type { GossipOptions } from '../../src/actors/gossip/state.js'
import { gossipDefaults } from '../../src/actors/gossip/state.js'
import { appendChange, membersOf } from '../../src/membership/history.js'
import { type Address, singleAddress } from '../../src/protocol/address.js'
import type { Message } from '../../src/protocol/envelope.js'
import { Host } from '../../src/runtime/host.js'
import { founded, joining } from '../membership/histories.js'
import { handDriven } from './hand-driven.js'

const begun = founded([1, 2])
const options: GossipOptions = { ...gossipDefaults, history: begun, seeds: [2], fanout: 1 }

function bench(gossip?: GossipOptions) {
  const driven = handDriven()
  const host = new Host(gossip === undefined ? driven.ports : { ...driven.ports, gossip }, {
    supervisor: false,
  })
  const say = (message: Message, from: Address = singleAddress('client', 1)) => {
    host.receive({ to: singleAddress('gossip', 1), from, request: 5, deadline: 0, message })
    do {
      host.step()
      while (driven.store.commits.length > 0) driven.store.nextCommit().end()
    } while (host.hasWork())
  }
  const outside = () => driven.outside.map(({ request, message }) => ({ request, ...message }))
  return { ...driven, host, say, answers: outside }
}

describe('a host with gossip', () => {
  it('makes a change, answers it, and tells the other node', () => {
    const { host, say, answers, posted } = bench(options)
    expect(host.history).toBe(begun)
    say({ type: 'change-membership', changes: [joining(3)] })
    expect(answers()).toEqual([{ request: 5, type: 'membership-changed', epoch: 3 }])
    expect(membersOf(host.history as typeof begun).map(({ node }) => node)).toEqual([1, 2, 3])
    expect(posted.map(({ to, message }) => `${to.kind} ${message.type}`)).toEqual(['gossip gossip-history'])
  })

  it('takes what another node tells', () => {
    const { host, say } = bench(options)
    const longer = appendChange(begun, 2, 9_000, [joining(4)])
    say({ type: 'gossip-history', history: longer }, singleAddress('gossip', 2))
    expect(host.history).toEqual(longer)
  })

  it('begins a round without being asked, and passes over who is down', () => {
    const { host, clock, posted } = bench({ ...options, history: founded([1, 2, 3]), seeds: [] })
    const nodes = [1, 2, 3].map(
      (node) => ({ node, state: node === 2 ? 'down' : 'up', generation: 1 }) as const,
    )
    const self = singleAddress('host', 1)
    const message = { type: 'nodes-changed', version: 1, nodes } as const
    host.receive({ to: self, from: self, request: 0, deadline: 0, message })
    for (let round = 0; round < 20; round++) {
      host.step()
      clock.now = host.nextDue() as number
    }
    const peers = posted.map(({ to, message: said }) => `${to.kind} ${to.node} ${said.type}`)
    expect(peers.length).toBeGreaterThan(15)
    expect(new Set(peers)).toEqual(new Set(['gossip 3 gossip']))
  })
})

it('a host without gossip refuses a change, and has nothing due', () => {
  const { host, say, answers } = bench()
  expect(host.history).toBeUndefined()
  say({ type: 'change-membership', changes: [joining(3)] })
  expect(answers()).toEqual([{ request: 5, type: 'membership-refused', code: 'unavailable', details: {} }])
  expect(host.nextDue()).toBeUndefined()
})
