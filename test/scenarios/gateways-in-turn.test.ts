// Server-driven coordination (Dynamo 6.4): the client hands each request to the gateway of a node, in turn. A node that
// cannot be reached answers nothing, so a request costs its whole time there; whoever has not answered is passed over
// until it is heard again. What a put that got no answer has done nobody knows: it is not sent again.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import type { World } from '../../src/sim/world.js'
import { mustPut, separate, startLedWorld, values } from '../sim/helpers.js'

const inTurn = { via: 'turn', w: 2, conflicts: 'last-write-wins' } as const

/** Until there is an answer, or a client gives up: it waits a little longer than its gateway does. */
function ask(world: World, key: string, value: string, timeoutMs = 5_000): void {
  const request = world.client.put(key, value, { ...inTurn, timeoutMs })
  world.runUntil(() => request.answer !== undefined || world.now() > request.deadline + 200, 10_000)
  world.client.giveUp(request)
}

/** How long each of so many puts takes, one after the other. */
function durations(world: World, name: string, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const begun = world.now()
    ask(world, `${name}-${i % 20}`, `${i}`)
    return world.now() - begun
  })
}

/** The nodes that the client gave a request to. */
function ledBy(world: World, during: () => void): Set<NodeId> {
  const nodes = new Set<NodeId>()
  world.watch = ({ to, message }) => {
    if (to.kind === 'gateway' && message.type === 'put') nodes.add(to.node)
  }
  during()
  world.watch = undefined
  return nodes
}

function isolate(world: World, node: NodeId): void {
  separate(world, 0, node)
  for (const other of world.nodes.keys()) if (other !== node) separate(world, other, node)
}

describe.each([3, 5])('one of %i nodes is isolated', (nodes) => {
  it('costs a few requests their time, and then none', () => {
    const world = startLedWorld({ seed: 1, nodes })
    expect(durations(world, 'before', 30).every((ms) => ms < 20)).toBe(true)
    isolate(world, 2)
    const took = durations(world, 'during', 300)
    // The client finds it out once, and so does each gateway that takes it for a coordinator.
    const slow = took.flatMap((ms, i) => (ms > 1_000 ? [i] : []))
    expect(slow.length).toBeGreaterThan(0)
    expect(slow.length).toBeLessThanOrEqual(nodes)
    expect(Math.max(...slow)).toBeLessThan(30)
    // A while later it is still passed over: it is probed, and no request is.
    world.pass(60_000)
    expect(durations(world, 'later', 300).every((ms) => ms < 20)).toBe(true)
  })

  it('and has its turn again when it is heard', () => {
    const world = startLedWorld({ seed: 2, nodes })
    isolate(world, 2)
    durations(world, 'during', 30)
    world.network.healAll()
    world.pass(3_000)
    expect(ledBy(world, () => durations(world, 'after', 30))).toContain(2)
  })
})

it('a node that the client reaches, and no other node does, is passed over ever longer', () => {
  const world = startLedWorld({ seed: 5, nodes: 3 })
  for (const other of [1, 3]) separate(world, other, 2)
  const isSlow = (ms: number) => ms > 1_000
  expect(durations(world, 'at first', 100).filter(isSlow).length).toBe(2)
  let slow = 0
  for (let second = 0; second < 600; second++) {
    slow += durations(world, `${second}`, 5).filter(isSlow).length
    world.pass(1_000)
  }
  expect(slow).toBeLessThan(15)
  world.network.healAll()
  world.pass(60_000)
  expect(ledBy(world, () => durations(world, 'after', 15))).toContain(2)
})

it('a node that dies is passed over, and its next life is not', () => {
  const world = startLedWorld({ seed: 3, nodes: 5 })
  world.kill(4)
  expect(durations(world, 'during', 15).every((ms) => ms < 20)).toBe(true)
  world.pass(2_000)
  expect(ledBy(world, () => durations(world, 'after', 15))).toContain(4)
})

it('when nobody answers, all are tried in turn, and the first to be reached is used', () => {
  const world = startLedWorld({ seed: 4, nodes: 3 })
  for (const node of [1, 2, 3]) separate(world, 0, node)
  for (let i = 0; i < 4; i++) ask(world, 'k', 'lost', 1_000)
  world.network.healAll()
  world.pass(3_000)
  mustPut(world, 'k', 'here', inTurn)
  expect(values(world, 'k', { via: 'turn', conflicts: 'last-write-wins' })).toEqual(['here'])
})
