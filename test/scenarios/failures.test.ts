// What a request meets when nodes die and links fail in its midst: it is answered once, as soon as its outcome
// is certain and at the latest at its deadline; what is indeterminate is called so; nothing is ever torn.

import { describe, expect, it } from 'vitest'
import { errorTable } from '../../src/base/errors.js'
import { randomBelow, seededRandom } from '../../src/base/random.js'
import type { SimRequest } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import {
  answerOf,
  expectNoTrace,
  keyLedBy,
  mustPut,
  nodeOf,
  preference,
  separate,
  setNetwork,
  settle,
  startWorld,
  values,
  valuesAtEach,
} from '../sim/helpers.js'

/** How late an answer may be: the sweep of a gateway, and the way. */
const marginMs = 150

function waited(world: World, request: SimRequest): number {
  const begun = world.now()
  answerOf(world, request)
  return (request.answeredAt ?? Number.POSITIVE_INFINITY) - begun
}

describe('the coordinator dies', () => {
  it('between its own copy and the others: indeterminate, told at once, and the value is whole or absent', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const world = startWorld({ seed, nodes: 3 })
      const key = keyLedBy(world, 1)
      const value = 'x'.repeat(5_000)
      for (const other of [2, 3]) world.network.cutLink(1, other)
      const request = world.client.put(key, value, { w: 2, dw: seed % 3 })
      const random = seededRandom(seed, 9)
      world.pass(0.05 + random() * 0.8)
      expect(request.answer).toBeUndefined()
      world.kill(1)
      expect(waited(world, request)).toBeLessThan(5)
      expect(request.answer).toMatchObject({ type: 'put-failed', code: 'coordinator-lost' })
      world.network.healAll()
      settle(world)
      const found = values(world, key, { r: 3 })
      expect([[], [value]], `seed ${seed}`).toContainEqual(found)
    }
  })

  it('before anybody is told: the put goes to the next of the list, and succeeds', () => {
    for (const coordinator of [0, 1]) {
      const world = startWorld({ seed: 39, nodes: 3 })
      const key = keyLedBy(world, 1)
      const request = world.client.put(key, 'v', { w: 2, coordinator })
      nodeOf(world, 1).die()
      expect(answerOf(world, request)).toMatchObject({ type: 'put-answered', stored: 2 })
    }
  })

  it('before the put arrives: indeterminate, and nothing is there', () => {
    const world = startWorld({ seed: 40, nodes: 3 })
    const key = keyLedBy(world, 1)
    const request = world.client.put(key, 'v', { w: 2 })
    world.pass(0.004)
    world.kill(1)
    answerOf(world, request)
    // The message was to a life that is over: it is dropped, and nobody can know that.
    expect(request.answer).toMatchObject({ code: 'coordinator-lost' })
    settle(world)
    expectNoTrace(world, key)
  })

  it('after it answered: the write stays', () => {
    const world = startWorld({ seed: 41, nodes: 3 })
    const key = keyLedBy(world, 1)
    mustPut(world, key, 'v', { w: 1, dw: 0 })
    world.kill(1)
    settle(world)
    expect(values(world, key, { r: 3 })).toEqual(['v'])
  })
})

describe('a replica dies', () => {
  it('and a put that needs it is answered at once, not at the deadline', () => {
    const world = startWorld({ seed: 50, nodes: 3 })
    const key = keyLedBy(world, 1)
    separate(world, 1, 3)
    const request = world.client.put(key, 'v', { w: 3, timeoutMs: 5_000 })
    world.pass(10)
    expect(request.answer).toBeUndefined()
    world.kill(3)
    expect(waited(world, request)).toBeLessThan(5)
    expect(request.answer).toMatchObject({
      type: 'put-failed',
      code: 'quorum-lost',
      details: { needed: 3, stored: 2 },
    })
    expect(errorTable['quorum-lost'].outcome).toBe('indeterminate')
  })

  it('and a put that does not need it succeeds', () => {
    const world = startWorld({ seed: 51, nodes: 3 })
    const key = keyLedBy(world, 1)
    separate(world, 1, 3)
    separate(world, 1, 2)
    const request = world.client.put(key, 'v', { w: 2 })
    world.pass(10)
    world.kill(3)
    world.pass(10)
    expect(request.answer).toBeUndefined()
    world.kill(2)
    expect(answerOf(world, request)).toMatchObject({ code: 'quorum-lost' })
    world.network.healAll()
    settle(world)
    expect(mustPut(world, key, 'w', { w: 3 }).stored).toBe(3)
  })

  it('and a read that needs it is answered at once', () => {
    const world = startWorld({ seed: 52, nodes: 3 })
    mustPut(world, 'k', 'v', { w: 3 })
    const [, , third] = preference(world, 'k') as [number, number, number]
    separate(world, 0, third)
    const request = world.client.get('k', { r: 3 })
    world.pass(10)
    expect(request.answer).toBeUndefined()
    world.kill(third)
    expect(waited(world, request)).toBeLessThan(5)
    expect(request.answer).toMatchObject({
      type: 'get-failed',
      code: 'unavailable',
      details: { needed: 3, reached: 2 },
    })
  })
})

describe('deadlines', () => {
  it('a put and a get that nobody answers end at their deadline', () => {
    const world = startWorld({ seed: 60, nodes: 3 })
    for (const node of [1, 2, 3]) world.network.cutLink(0, node)
    for (const timeoutMs of [10, 100, 1_000]) {
      for (const request of [
        world.client.put('k', 'v', { timeoutMs }),
        world.client.get('k', { timeoutMs }),
      ]) {
        const ms = waited(world, request)
        expect(request.answer).toMatchObject({ code: 'deadline' })
        expect(ms).toBeGreaterThanOrEqual(0)
        expect(ms).toBeLessThan(timeoutMs + marginMs)
      }
    }
    world.network.healAll()
    expectNoTrace(world, 'k')
  })

  it('a put that arrives after its deadline is not begun, and leaves no trace', () => {
    const world = startWorld({ seed: 61, nodes: 3 })
    setNetwork(world, { delayMsMin: 50, delayMsMax: 60 })
    const request = world.client.put('k', 'late', { timeoutMs: 20 })
    expect(answerOf(world, request)).toMatchObject({ code: 'deadline' })
    world.pass(1_000)
    setNetwork(world, { delayMsMin: 0.01, delayMsMax: 0.1 })
    expectNoTrace(world, 'k')
  })

  it('every request is answered by its deadline and a margin, whatever links are cut (60 seeds)', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const world = startWorld({ seed: 700 + seed, nodes: 4 })
      const random = seededRandom(seed, 5)
      const requests: { readonly request: SimRequest; readonly begun: number; readonly timeoutMs: number }[] =
        []
      for (let i = 0; i < 40; i++) {
        const from = randomBelow(random, 5)
        const to = 1 + randomBelow(random, 4)
        if (random() < 0.3) world.network.cutLink(from, to)
        if (random() < 0.1) world.network.healAll()
        const timeoutMs = 20 + randomBelow(random, 400)
        const quorum = 1 + randomBelow(random, 3)
        const key = `k${i % 5}`
        const request =
          random() < 0.5
            ? world.client.put(key, `v${i}`, { w: quorum, dw: randomBelow(random, quorum + 1), timeoutMs })
            : world.client.get(key, { r: quorum, timeoutMs })
        requests.push({ request, begun: world.now(), timeoutMs })
        world.pass(random() * 30)
      }
      world.pass(1_000)
      for (const { request, begun, timeoutMs } of requests) {
        expect(request.answer, `seed ${seed}: request ${request.id}`).toBeDefined()
        expect((request.answeredAt ?? 0) - begun).toBeLessThan(timeoutMs + marginMs)
      }
      expect(world.client.unanswered).toBe(0)
    }
  })
})

describe('messages that come twice', () => {
  it('count once: two answers of one replica are not two replicas', () => {
    const world = startWorld({ seed: 80, nodes: 3, network: { duplication: 1 } })
    const key = keyLedBy(world, 1)
    separate(world, 1, 3)
    const request = world.client.put(key, 'v', { w: 3, timeoutMs: 300 })
    expect(answerOf(world, request)).toMatchObject({ type: 'put-failed', code: 'deadline' })
    separate(world, 0, 3)
    expect(answerOf(world, world.client.get(key, { r: 3, timeoutMs: 300 }))).toMatchObject({
      type: 'get-failed',
      code: 'deadline',
      details: { needed: 3, reached: 2 },
    })
    expect(answerOf(world, world.client.get(key, { r: 2 }))).toMatchObject({ type: 'get-answered' })
  })

  it('of a replica that merges them change nothing', () => {
    const world = startWorld({ seed: 81, nodes: 3 })
    mustPut(world, 'k', 'v', { w: 3 })
    const once = valuesAtEach(world, 'k')
    const { network } = world
    const send = network.send
    network.send = (delivery) => {
      send.call(network, delivery)
      if (delivery.envelope.message.type === 'replicate') send.call(network, delivery)
    }
    mustPut(world, 'other', 'v', { w: 3 })
    mustPut(world, 'k', 'w', { w: 3, conflicts: 'siblings' })
    expect(once).toEqual([['v'], ['v'], ['v']])
    expect(valuesAtEach(world, 'k')).toEqual([
      ['v', 'w'],
      ['v', 'w'],
      ['v', 'w'],
    ])
  })
})

describe('a node that dies again and again', () => {
  it('is given up in the end, and the others go on', () => {
    const world = startWorld({ seed: 90, nodes: 3 })
    const key = keyLedBy(world, 1)
    for (let i = 0; i < 20; i++) {
      world.runUntil(() => world.nodes.get(3)?.host !== undefined, 6_000)
      if (world.nodes.get(3)?.alive === true) world.kill(3)
      world.pass(20)
    }
    world.pass(20_000)
    expect(world.nodes.get(3)?.alive).toBe(false)
    expect(world.transcript.lines.some((line) => line.includes('3:failed'))).toBe(true)
    mustPut(world, key, 'v', { w: 2 })
    expect(values(world, key, { r: 2 })).toEqual(['v'])
  })
})
