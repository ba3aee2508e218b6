// Who is asked to write through. The dw writers are chosen once, in ring order, whether they answer or
// not; when one of them does not, nobody else is asked to write its copy through, unless somebody new steps in.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import { diskAt, keyLedBy, preference, put, sendAway, separate, startWorld } from '../sim/helpers.js'

describe('dw 2 of three nodes', () => {
  it('one node is known to be slow: two others are there, and can write through', () => {
    const world = startWorld({ seed: 1, nodes: 3 })
    const key = keyLedBy(world, 1)
    const [, second] = preference(world, key) as [NodeId, NodeId, NodeId]
    world.threads.awake.add(second)
    world.tellSupervisor({ type: 'node-slow', node: second, silentMs: 300 })
    world.pass(10)
    expect(put(world, key, 'v', { w: 2, dw: 2 })).toMatchObject({ type: 'put-answered', durable: 2 })
  })

  it('one node is suspected', () => {
    const world = startWorld({ seed: 2, nodes: 3 })
    const key = keyLedBy(world, 1)
    const [first, second] = preference(world, key) as [NodeId, NodeId, NodeId]
    separate(world, first, second)
    for (let i = 0; i < 20; i++) world.client.get(`x${i}`, { r: 3, via: first })
    world.pass(2_000)
    expect(put(world, key, 'v', { w: 2, dw: 2 })).toMatchObject({ type: 'put-answered', durable: 2 })
  })

  it('one node dies while the write is under way', () => {
    const world = startWorld({ seed: 3, nodes: 3, network: { delayMsMin: 1, delayMsMax: 1.5 } })
    const key = keyLedBy(world, 1)
    const [first, second] = preference(world, key) as [NodeId, NodeId, NodeId]
    const begun = world.now()
    const request = world.client.put(key, 'v', { w: 2, dw: 2, coordinator: first })
    world.pass(2.2)
    world.kill(second)
    world.runUntil(() => request.answer !== undefined)
    expect(request.answer).toMatchObject({ type: 'put-answered', durable: 2 })
    expect(world.now() - begun).toBeLessThan(1_000)
  })

  it('with pw 2 the copies on disk are at home: a power cut and a read of the homes alone still find it', () => {
    const world = startWorld({ seed: 4, nodes: 5 })
    const key = keyLedBy(world, 1)
    const [first, second, third] = preference(world, key) as [NodeId, NodeId, NodeId]
    sendAway(world, [first])
    expect(put(world, key, 'v', { w: 2, dw: 2, pw: 2 })).toMatchObject({ type: 'put-answered', durable: 2 })
    for (const node of [second, third]) expect(diskAt(world, node, key), `disk of node ${node}`).toBeDefined()
    sendAway(world, [second])
    expect(put(world, key, 'w', { w: 2, dw: 2, pw: 1 })).toMatchObject({ code: 'unavailable' })
  })
})
