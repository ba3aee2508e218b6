// A host by itself: every request that cannot be done is answered in the name of its addressee, whatever the
// reason; a turn takes a bounded number of messages; timers come due without any message.

import { describe, expect, it } from 'vitest'
import { limits } from '../../src/base/limits.js'
import { type Address, singleAddress, vnodeAddress } from '../../src/protocol/address.js'
import type { Envelope, Message } from '../../src/protocol/envelope.js'
import { createRing, hashOf } from '../../src/ring/ring.js'
import { Host } from '../../src/runtime/host.js'
import type { HostPorts, Posted } from '../../src/runtime/ports.js'
import { handDriven, key } from './hand-driven.js'

const ring = createRing({ epoch: 1, partitions: 4, copies: 2, nodes: [1, 2], hash: 'halfsip', seed: [1, 2] })
const client = singleAddress('client', 1)
const here = singleAddress('gateway', 1)
const hash = hashOf(ring, key('k'))
const get = { type: 'get', key: key('k'), hash, conflicts: 'siblings', n: 2, r: 2, pr: 0 } as const
const fetchMessage = { type: 'fetch', key: key('k'), hash } as const

interface Bench {
  readonly host: Host
  readonly outside: Envelope[]
  readonly posted: Envelope[]
  readonly clock: { now: number }
  readonly say: (to: Address, from: Address, message: Message, deadline?: number) => void
  readonly run: () => void
}

function bench(post: (envelope: Envelope) => Posted = () => 'sent'): Bench {
  const driven = handDriven()
  const ports: HostPorts = {
    ...driven.ports,
    post: (envelope) => {
      driven.posted.push(envelope)
      return post(envelope)
    },
  }
  const host = new Host(ports, { supervisor: false })
  let request = 0
  const say: Bench['say'] = (to, from, message, deadline = 0) =>
    host.receive({ to, from, request: ++request, deadline, message })
  const run = () => {
    do host.step()
    while (host.hasWork())
  }
  const self = singleAddress('host', 1)
  say(self, self, { type: 'ring-changed', ring })
  const nodes = [1, 2].map((node) => ({ node, state: 'up', generation: 1 }) as const)
  say(self, self, { type: 'nodes-changed', version: 1, nodes })
  run()
  return { host, outside: driven.outside, posted: driven.posted, clock: driven.clock, say, run }
}

describe('a request that cannot be delivered', () => {
  it('to a dead node is answered for it at once', () => {
    const { say, run, outside } = bench(() => 'dead')
    say(here, client, get)
    run()
    expect(outside).toMatchObject([
      {
        to: client,
        message: { type: 'get-failed', code: 'unavailable', details: { needed: 2, reached: 1 } },
      },
    ])
  })

  it('to a full mailbox counts as a replica that failed', () => {
    const { say, run, outside } = bench(() => 'full')
    say(here, client, { ...get, r: 1 })
    run()
    expect(outside).toMatchObject([{ message: { type: 'get-answered', object: undefined } }])
  })

  it('an answer that cannot be delivered is nobody’s request: it is not answered', () => {
    const { say, run, posted } = bench(() => 'dead')
    say(vnodeAddress(1, 0), singleAddress('gateway', 2), fetchMessage)
    run()
    expect(posted.map(({ message }) => message.type)).toEqual(['fetched'])
  })
})

describe('a request after its deadline', () => {
  const elsewhere = singleAddress('gateway', 2)

  it.each([
    { message: fetchMessage, answer: 'fetch-failed' },
    {
      message: { type: 'replicate', key: key('k'), hash, object: Buffer.from('x'), level: 'os' },
      answer: 'replicate-failed',
    },
    {
      message: { type: 'walk', prefix: '', after: '', limit: 1, begunAt: 0, since: 0 },
      answer: 'walk-failed',
    },
  ] as const)('$message.type is not begun, and answered with $answer', ({ message, answer }) => {
    const { say, run, posted, clock } = bench()
    say(vnodeAddress(1, 0), elsewhere, message, clock.now - 1)
    run()
    expect(posted).toMatchObject([
      { to: elsewhere, from: vnodeAddress(1, 0), message: { type: answer, code: 'expired' } },
    ])
  })

  it('at its deadline it is still done', () => {
    const { say, run, posted, clock } = bench()
    say(vnodeAddress(1, 0), elsewhere, fetchMessage, clock.now)
    run()
    expect(posted).toMatchObject([{ message: { type: 'fetched' } }])
  })

  it('one that nobody answers ends at its deadline, by a timer alone', () => {
    const { host, say, run, outside, clock } = bench()
    say(here, client, get, clock.now + 100)
    run()
    expect(outside).toEqual([])
    for (let i = 0; i < 20 && outside.length === 0; i++) {
      clock.now = host.nextDue() as number
      run()
    }
    expect(outside).toMatchObject([
      { message: { type: 'get-failed', code: 'deadline', details: { needed: 2, reached: 1 } } },
    ])
    expect(clock.now).toBeLessThan(1_000 + 150)
    run()
    // All that is left is to look once whether an earlier life kept hints for the other node.
    expect(host.nextDue()).toBeGreaterThanOrEqual(1_200)
  })
})

describe('a turn', () => {
  it('takes a bounded number of messages, and the rest in the next turns, in order', () => {
    const { host, say, posted } = bench()
    const count = limits.turnMessagesMax * 2 + 10
    const elsewhere = singleAddress('gateway', 2)
    for (let i = 0; i < count; i++) say(vnodeAddress(1, i % 4), elsewhere, fetchMessage)
    host.step()
    expect(posted).toHaveLength(limits.turnMessagesMax)
    expect(host.queued).toBe(count - limits.turnMessagesMax)
    host.step()
    host.step()
    expect(posted).toHaveLength(count)
    const order = posted.map(({ request }) => request)
    expect(order).toEqual([...order].sort((a, b) => a - b))
    expect(host.hasWork()).toBe(false)
  })
})

describe('news of the nodes', () => {
  it('that come late are not heard', () => {
    const { say, run, outside } = bench(() => 'sent')
    const self = singleAddress('host', 1)
    const view = (version: number, state: 'up' | 'down') =>
      say(self, self, {
        type: 'nodes-changed',
        version,
        nodes: [
          { node: 1, state: 'up', generation: 1 },
          { node: 2, state, generation: 1 },
        ],
      })
    view(3, 'down')
    view(2, 'up')
    say(here, client, get)
    run()
    expect(outside).toMatchObject([{ message: { type: 'get-failed', code: 'unavailable' } }])
  })
})
