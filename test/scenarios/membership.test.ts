// Dynamo 4.8.1 in the whole cluster: somebody's wish to join or leave is served by any node, kept by it, and told from
// node to node. The one who moves things hears of it like everybody. What is said of the ring may be lost on its way:
// then the next node tells it.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import type { Change } from '../../src/membership/change.js'
import { digestOf, membersOf } from '../../src/membership/history.js'
import { singleAddress, supervisorThread } from '../../src/protocol/address.js'
import type { Envelope, Message } from '../../src/protocol/envelope.js'
import type { World } from '../../src/sim/world.js'
import { mustPut, nodeOf, separate, setNetwork, settle, startWorld, values } from '../sim/helpers.js'

const keys = Array.from({ length: 60 }, (_, index) => `k${index}`)

function filled(seed: number, nodes = 4): World {
  const world = startWorld({ seed, nodes, partitions: 16, gossipEveryMs: 1_000 })
  for (const key of keys) mustPut(world, key, `of ${key}`, { w: 3, conflicts: 'last-write-wins' })
  settle(world)
  return world
}

let requests = 5_000_000

/** Asks one node for a change; what it answers comes later. */
function wish(world: World, node: NodeId, ...changes: Change[]): { answer: Message | undefined } {
  const asked: { answer: Message | undefined } = { answer: undefined }
  const request = ++requests
  const { client } = world
  const forward = client.answer
  client.answer = (envelope: Envelope) => {
    if (envelope.request === request) asked.answer = envelope.message
    else forward.call(client, envelope)
  }
  client.sendTo({
    to: singleAddress('gossip', node),
    from: singleAddress('client', supervisorThread),
    request,
    deadline: 0,
    message: { type: 'change-membership', changes },
  })
  return asked
}

function join(node: NodeId): Change {
  return { kind: 'join', node, weight: 1, host: '', zone: '' }
}

function isSettled(world: World): boolean {
  const epochs = new Set([...world.nodes.values()].map(({ host }) => host?.ringEpoch))
  const digests = new Set(
    [...world.nodes.values()].map(({ host }) => host?.history && digestOf(host.history)),
  )
  digests.add(digestOf(world.members.history))
  return world.ring.change === undefined && epochs.size === 1 && digests.size === 1
}

function expectSettled(world: World, members: readonly NodeId[]): void {
  expect(world.runUntil(() => isSettled(world) && world.ring.nodes.length === members.length, 300_000)).toBe(
    true,
  )
  expect(world.ring.nodes).toEqual(members)
  for (const { node, host } of world.nodes.values()) {
    const history = host?.history
    expect(history && membersOf(history).map((member) => member.node), `node ${node}`).toEqual(members)
  }
  settle(world, 15_000)
  for (const key of keys) {
    expect(values(world, key, { r: 3, conflicts: 'last-write-wins' }), key).toEqual([`of ${key}`])
  }
}

describe('a node that joins', () => {
  it('by a word to any node: all hear of it, its partitions come to it, nothing is lost', () => {
    const world = filled(1)
    const asked = wish(world, 3, join(5))
    expect(world.runUntil(() => asked.answer !== undefined, 5_000)).toBe(true)
    expect(asked.answer).toMatchObject({ type: 'membership-changed' })
    expectSettled(world, [1, 2, 3, 4, 5])
  })

  it('while another joins through another node: both are in, and there is one ring', () => {
    const world = filled(2)
    const asked = [wish(world, 1, join(5)), wish(world, 4, join(6))]
    world.pass(500)
    for (const { answer } of asked) expect(answer).toMatchObject({ type: 'membership-changed' })
    expectSettled(world, [1, 2, 3, 4, 5, 6])
  })

  it('by the word to a node that is cut off: the others hear of it when it is mended', () => {
    const world = filled(3)
    for (const other of [0, 1, 2, 3]) separate(world, 4, other)
    wish(world, 4, join(5))
    // The word itself came from outside.
    world.network.healAll()
    for (const other of [0, 1, 2, 3]) separate(world, 4, other)
    const to = singleAddress('gossip', 4)
    const from = singleAddress('client', 4)
    const message = { type: 'change-membership', changes: [join(5)] } as const
    nodeOf(world, 4).host?.receive({ to, from, request: 1, deadline: 0, message })
    world.wake(nodeOf(world, 4))
    world.pass(20_000)
    expect(world.ring.nodes).toEqual([1, 2, 3, 4])
    world.network.healAll()
    expectSettled(world, [1, 2, 3, 4, 5])
  })

  it('twice, at two nodes that have not heard of each other: it is in once', () => {
    const world = filled(4)
    wish(world, 1, join(5))
    wish(world, 2, join(5))
    expectSettled(world, [1, 2, 3, 4, 5])
  })
})

describe('what was answered', () => {
  it('is remembered by the node that died right afterwards, although nobody else had heard of it', () => {
    const world = filled(5)
    for (const other of [1, 2, 4]) separate(world, 3, other)
    world.network.cutLink(3, supervisorThread)
    const asked = wish(world, 3, join(5))
    // Its answer cannot leave; that it is kept shows in its store.
    world.pass(1_000)
    expect(asked.answer).toBeUndefined()
    world.kill(3)
    world.runUntil(() => nodeOf(world, 3).host !== undefined)
    world.network.healAll()
    expectSettled(world, [1, 2, 3, 4, 5])
  })

  it('survives a power cut', () => {
    const world = filled(6)
    const asked = wish(world, 2, join(5))
    expect(world.runUntil(() => asked.answer !== undefined, 5_000)).toBe(true)
    world.crash('power')
    world.start()
    expectSettled(world, [1, 2, 3, 4, 5])
  })

  it('is refused where it cannot be done, and nothing has changed', () => {
    const world = filled(7)
    const asked = wish(world, 2, join(3))
    world.pass(100)
    expect(asked.answer).toMatchObject({ type: 'membership-refused', code: 'membership-invalid' })
    world.pass(5_000)
    expectSettled(world, [1, 2, 3, 4])
  })
})

describe('the ring', () => {
  it('reaches a node that was never told of it, from another node', () => {
    const world = filled(8)
    world.network.cutLink(supervisorThread, 2)
    wish(world, 3, join(5))
    world.runUntil(() => world.ring.nodes.length === 5 && world.ring.change === undefined, 120_000)
    world.runUntil(() => nodeOf(world, 2).host?.ringEpoch === world.ring.epoch, 10_000)
    expect(nodeOf(world, 2).host?.ringEpoch).toBe(world.ring.epoch)
    world.network.healAll()
    expectSettled(world, [1, 2, 3, 4, 5])
  })

  it('and membership agree everywhere although a third of all messages is lost', () => {
    const world = filled(9)
    setNetwork(world, { loss: 0.3 })
    wish(world, 1, join(5))
    wish(world, 2, join(6))
    world.pass(30_000)
    setNetwork(world, { loss: 0 })
    expect(world.runUntil(() => isSettled(world), 120_000)).toBe(true)
  })

  it('does not flap: a node that leaves and joins again, at another node, ends as a member', () => {
    const world = filled(10, 5)
    wish(world, 1, { kind: 'leave', node: 5 })
    world.runUntil(() => world.ring.nodes.length === 4 && isSettled(world), 120_000)
    const epochs: number[] = []
    wish(world, 4, join(5))
    world.runUntil(() => {
      if (epochs.at(-1) !== world.ring.nodes.length) epochs.push(world.ring.nodes.length)
      return world.ring.nodes.length === 5 && isSettled(world)
    }, 120_000)
    expect(epochs).toEqual([4, 5])
    world.pass(60_000)
    expectSettled(world, [1, 2, 3, 4, 5])
  })

  it('is not changed by a node that stays away, however long', () => {
    const world = filled(11)
    const { epoch } = world.ring
    for (const other of [0, 1, 2, 3]) separate(world, 4, other)
    world.pass(3_600_000)
    expect(world.ring.epoch).toBe(epoch)
    expect(membersOf(world.members.history).length).toBe(4)
  })
})
