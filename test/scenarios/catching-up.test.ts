// A node that catches up (promise P5) asks the others page by page. A machine that has too much to do makes
// nodes slow and brisk by turns; that must not make anybody ask anew, or nobody would ever be whole again.

import { expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import { singleAddress, supervisorThread } from '../../src/protocol/address.js'
import type { World } from '../../src/sim/world.js'
import { mustGet, mustPut, nodeOf, setNetwork, startWorld, takeDown } from '../sim/helpers.js'

const keys = Array.from({ length: 40 }, (_, index) => `k${index}`)

/** What the machine tells when the heart of a node stops, and beats again. */
function changePace(world: World, node: NodeId, type: 'node-slow' | 'node-brisk'): void {
  world['deliverHere']({
    to: singleAddress('supervisor', supervisorThread),
    from: singleAddress('machine', supervisorThread),
    request: 0,
    deadline: 0,
    message: type === 'node-slow' ? { type, node, silentMs: 300 } : { type, node },
  })
}

/** A cluster in which node 1 came back with nothing, and answers take longer than the pace of nodes lasts. */
function catchingUp(seed: number): World {
  const world = startWorld({ seed, nodes: 3 })
  for (const key of keys) mustPut(world, key, `value of ${key}`, { w: 3, dw: 1, level: 'os' })
  takeDown(world, [1])
  nodeOf(world, 1).wipe()
  setNetwork(world, { delayMsMin: 20, delayMsMax: 40 })
  world.start()
  expect(world.whole).toBe(false)
  return world
}

it('nodes that are slow and brisk by turns do not keep one that catches up from being whole', () => {
  const world = catchingUp(1)
  for (let turn = 0; turn < 400 && !world.whole; turn++) {
    const node = 2 + (turn % 2)
    changePace(world, node, 'node-slow')
    world.pass(10)
    changePace(world, node, 'node-brisk')
    world.pass(10)
  }
  expect(world.whole).toBe(true)
  setNetwork(world, { delayMsMin: 0.005, delayMsMax: 0.1 })
  for (const key of keys) expect(mustGet(world, key, { r: 3 }).object?.siblings).toHaveLength(1)
})

it('a peer that dies while it is asked is asked again in its next life', () => {
  const world = catchingUp(2)
  world.kill(2)
  world.pass(30)
  world.kill(3)
  expect(world.runUntil(() => world.whole, 60_000)).toBe(true)
})
