// An owner that is up but does not answer (slow, or suspected), and nobody who can stand in for it.
// hints.md: "Nobody to stand in (three nodes, n = 3: the default): the coordinator keeps the hint beside its own
// copy. It counts for nothing, being on the same node, but the owner gets what it missed as soon as it is back."

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import {
  hintsOf,
  keyLedBy,
  mustPut,
  preference,
  separate,
  settle,
  startWorld,
  valuesAtEach,
} from '../sim/helpers.js'

describe('an owner that is suspected, and nobody to stand in', () => {
  it('three nodes, the default: what was acknowledged while it was isolated comes home', () => {
    const world = startWorld({ seed: 1, nodes: 3 })
    const key = keyLedBy(world, 1)
    mustPut(world, key, 'v0', { w: 3, conflicts: 'last-write-wins' })
    for (const other of [0, 2, 3]) separate(world, 1, other)
    // Everybody finds out.
    for (let i = 0; i < 20; i++) world.client.get(`x${i}`, { r: 3 })
    for (const via of [2, 3]) for (let i = 0; i < 20; i++) world.client.get(`x${i}`, { r: 3, via })
    world.pass(2_000)
    const seen = [2, 3].map(
      (node) =>
        world.nodes
          .get(node)
          ?.host?.seen()
          .find((v) => v.node === 1)?.state,
    )
    expect(seen).toEqual(['suspected', 'suspected'])
    for (let i = 1; i <= 5; i++) mustPut(world, key, `v${i}`, { w: 2, dw: 1, conflicts: 'last-write-wins' })
    world.pass(10_000)
    world.network.healAll()
    settle(world, 60_000)
    expect(hintsOf(world)).toEqual({})
    expect(valuesAtEach(world, key)).toEqual([['v5'], ['v5'], ['v5']])
  })

  it('five nodes in two halves: what one half acknowledged is at all three owners when they meet again', () => {
    const world = startWorld({ seed: 2, nodes: 5 })
    for (const a of [1, 2]) for (const b of [3, 4, 5]) separate(world, a, b)
    for (const via of [1, 2, 3, 4, 5]) for (let i = 0; i < 20; i++) world.client.get(`x${i}`, { r: 3, via })
    world.pass(6_000)
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
    for (const key of keys) mustPut(world, key, key, { w: 2, dw: 1, via: 1, conflicts: 'last-write-wins' })
    world.pass(10_000)
    world.network.healAll()
    settle(world, 60_000)
    const lacking = keys.filter((key) => valuesAtEach(world, key).some((values) => values[0] !== key))
    expect(lacking).toEqual([])
  })

  it('three nodes: one is slow for longer than the timeout of a put, and then its thread is ended', () => {
    const world = startWorld({ seed: 3, nodes: 3 })
    const key = keyLedBy(world, 1)
    const [, , third] = preference(world, key) as [NodeId, NodeId, NodeId]
    // Its event loop is blocked: it takes no turn any more.
    world.threads.awake.add(third)
    world.pass(300)
    world.tellSupervisor({ type: 'node-slow', node: third, silentMs: 300 })
    world.pass(5)
    mustPut(world, key, 'v', { w: 2, dw: 2, timeoutMs: 1_000 })
    world.pass(5_000)
    world.kill(third)
    world.threads.awake.delete(third)
    world.pass(5_000)
    settle(world, 60_000)
    expect(valuesAtEach(world, key)).toEqual([['v'], ['v'], ['v']])
  })

  it('five nodes: a put whose timeout is shorter than the detection, then the slow node dies', () => {
    const world = startWorld({ seed: 4, nodes: 5 })
    const key = keyLedBy(world, 1)
    const [, , third] = preference(world, key) as [NodeId, NodeId, NodeId]
    world.threads.awake.add(third)
    mustPut(world, key, 'v', { w: 2, dw: 2, timeoutMs: 150 })
    world.pass(300)
    world.tellSupervisor({ type: 'node-slow', node: third, silentMs: 300 })
    world.pass(1_000)
    world.kill(third)
    world.threads.awake.delete(third)
    world.pass(5_000)
    settle(world, 60_000)
    expect(valuesAtEach(world, key)).toEqual([['v'], ['v'], ['v']])
  })
})
