// Audits, as an operator asks for them: many at once of one partition, of more keys than a page, of a node that has no
// room for questions.

import { describe, expect, it } from 'vitest'
import { singleAddress, supervisorThread, vnodeAddress } from '../../src/protocol/address.js'
import { answerOf, mustPut, nodeOf, separate, settle, startWorld, valuesAtEach } from '../sim/helpers.js'
import { audit } from '../sim/trees.js'

const latest = 'last-write-wins' as const

describe('a partition of more keys than a page', () => {
  it.each([1, 2, 3])('is compared page by page, and what one of them lacks is mended (seed %i)', (seed) => {
    const world = startWorld({ seed, nodes: 2, n: 2, partitions: 1, memoryBytes: 4 * 1024 * 1024 })
    for (let i = 0; i < 700; i++) mustPut(world, `both-${i}`, 'b', { w: 2, conflicts: latest })
    separate(world, 1, 2)
    const [one, other] = [seed === 1 ? 1_200 : 100, seed === 2 ? 1_300 : 700]
    for (let i = 0; i < Math.max(one, other); i++) {
      if (i < one)
        world.client.put(`${seed === 3 ? 'z' : 'a'}one-${i}`, 'v', {
          w: 1,
          coordinator: 1,
          conflicts: latest,
        })
      if (i < other) world.client.put(`other-${i}`, 'v', { w: 1, coordinator: 2, conflicts: latest })
      if (i % 40 === 0) world.pass(20)
    }
    world.pass(6_000)
    // What could not be sent was kept for the other: it is given up here.
    for (const { node, host } of world.nodes.values()) {
      const to = singleAddress('courier', node)
      host?.receive({
        to,
        from: to,
        request: 0,
        deadline: 0,
        message: { type: 'drop-hints', owner: 3 - node },
      })
      world.wake(nodeOf(world, node))
    }
    world.pass(3_000)
    world.network.healAll()
    settle(world)
    audit(world, { mends: true, deep: true })
    audit(world, { mends: true, deep: false })
    settle(world, 10_000)
    expect(audit(world, { mends: false, deep: true })).toMatchObject({ differing: 0 })
    for (const key of [`${seed === 3 ? 'z' : 'a'}one-${one - 1}`, `other-${other - 1}`, 'both-699'])
      expect(valuesAtEach(world, key)).toEqual([['v'], ['v']].map(() => [key.startsWith('both') ? 'b' : 'v']))
  })
})

describe('audits of one partition at once', () => {
  it('wait for each other; more than can wait are refused, and all are answered', () => {
    const world = startWorld({ seed: 4, nodes: 3, partitions: 1 })
    mustPut(world, 'k', 'v', { w: 3 })
    const asked = Array.from({ length: 100 }, () => world.client.audit(0, { mends: true, deep: true }))
    const answers = asked.map((each) => answerOf(world, each))
    expect(answers.some((answer) => answer.type === 'audit-answered' && answer.missing.length === 0)).toBe(
      true,
    )
    expect(
      answers.some(
        (answer) =>
          JSON.stringify(answer).includes('overloaded') ||
          answer.type === 'audit-failed' ||
          (answer.type === 'audit-answered' && answer.missing.length > 0),
      ),
    ).toBe(true)
  })

  it('at a node whose mailbox is full are refused at once', () => {
    const world = startWorld({ seed: 5, nodes: 3, partitions: 1, gossipEveryMs: 1_000 })
    world.jam(2, 5_000)
    const client = singleAddress('client', supervisorThread)
    const heard: string[] = []
    const forward = world.client.answer
    world.client.answer = (envelope) => {
      heard.push(envelope.message.type)
      forward.call(world.client, envelope)
    }
    const deadline = world.now() + 1_000
    const audited = { type: 'audit', partition: 0, n: 3, mends: false, deep: false } as const
    world.client.sendTo({
      to: singleAddress('gateway', 2),
      from: client,
      request: 1,
      deadline,
      message: audited,
    })
    const changes = [{ kind: 'leave', node: 3 }] as const
    const change = { type: 'change-membership', changes } as const
    world.client.sendTo({
      to: singleAddress('gossip', 2),
      from: client,
      request: 2,
      deadline,
      message: change,
    })
    const sync = { type: 'sync', peer: 3, mends: true, deep: false, isRoutine: true, copiesMin: 0 } as const
    const gateway = singleAddress('gateway', supervisorThread)
    world.client.sendTo({ to: vnodeAddress(2, 0), from: gateway, request: 3, deadline, message: sync })
    world.pass(100)
    expect(heard).toContain('audit-failed')
    expect(heard).toContain('membership-refused')
    settle(world)
    world.pass(6_000)
    expect(audit(world, { mends: false, deep: true })).toMatchObject({ differing: 0 })
  })
})
