// Reads that ask stand-ins.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import { textsOf } from '../../src/sim/client.js'
import {
  get,
  keyLedBy,
  mustGet,
  mustPut,
  nodeOf,
  preference,
  put,
  sendAway,
  separate,
  startWorld,
  values,
} from '../sim/helpers.js'

describe('all owners of a key are dead for a moment, and nobody keeps anything', () => {
  it.each([
    { nodes: 3, n: 1, r: 1 },
    { nodes: 4, n: 2, r: 1 },
    { nodes: 6, n: 3, r: 2 },
  ])('$nodes nodes, n $n: a read does not say that the key does not exist', ({ nodes, n, r }) => {
    const world = startWorld({ seed: 1, nodes, n })
    const key = keyLedBy(world, 1)
    mustPut(world, key, 'there', { n, w: n, dw: n })
    const owners = preference(world, key).slice(0, n)
    for (const owner of owners) world.kill(owner)
    world.pass(1)
    const answer = get(world, key, { n, r })
    if (answer.type === 'get-answered') expect(textsOf(answer.object)).toEqual(['there'])
    else expect(answer).toMatchObject({ type: 'get-failed', code: 'unavailable' })
  })

  it('and a put that must not overwrite does not overwrite', () => {
    const world = startWorld({ seed: 2, nodes: 3, n: 1 })
    const key = keyLedBy(world, 1)
    mustPut(world, key, 'there', { n: 1, w: 1, dw: 1, conflicts: 'last-write-wins' })
    world.kill(1)
    world.pass(1)
    const answer = put(world, key, 'new', {
      n: 1,
      w: 1,
      dw: 1,
      condition: 'absent',
      conflicts: 'last-write-wins',
    })
    world.pass(10_000)
    expect(values(world, key, { n: 1, r: 1, conflicts: 'last-write-wins' })).toEqual(['there'])
    expect(answer.type).toBe('put-failed')
  })
})

describe('a stand-in that keeps something for one owner', () => {
  it('is heard although it is asked on behalf of another (nodes die one after the other)', () => {
    const world = startWorld({ seed: 3, nodes: 5 })
    const key = keyLedBy(world, 1)
    const [first, second, third, fourth] = preference(world, key) as [NodeId, NodeId, NodeId, NodeId]
    sendAway(world, [second])
    mustPut(world, key, 'v', { w: 3, dw: 3 })
    expect(nodeOf(world, fourth).host?.['cast'].courier?.owners.get(second)?.count).toBe(1)
    sendAway(world, [first, third])
    // The fourth lives, keeps the value, and is asked.
    expect(get(world, key, { r: 1 })).toMatchObject({ type: 'get-answered' })
    expect(values(world, key, { r: 1 })).toEqual(['v'])
  })

  it('with enough nodes the same read does not say that there is nothing', () => {
    const world = startWorld({ seed: 4, nodes: 6 })
    const key = keyLedBy(world, 1)
    const [first, second, third] = preference(world, key) as [NodeId, NodeId, NodeId]
    sendAway(world, [second])
    mustPut(world, key, 'v', { w: 3, dw: 3 })
    sendAway(world, [first, third])
    expect(values(world, key, { r: 2 })).toEqual(['v'])
  })

  it('r + w > n holds for places: what w places acknowledged is in what r places answer (40 seeds)', () => {
    const missed: number[] = []
    for (let seed = 1; seed <= 40; seed++) {
      const world = startWorld({ seed: 100 + seed, nodes: 5 })
      const key = keyLedBy(world, 1)
      const [first, second, third] = preference(world, key) as [NodeId, NodeId, NodeId]
      // The link between the second and the third fails; nobody knows it yet.
      separate(world, second, third)
      // Acknowledged by the places of the first and the third.
      mustPut(world, key, 'a', { w: 2, dw: 2, coordinator: third })
      sendAway(world, [first])
      // Acknowledged by the place of the second, and that of the first (a hint).
      mustPut(world, key, 'b', { w: 2, coordinator: second })
      const { object } = mustGet(world, key, { r: 2 })
      if (textsOf(object).join() !== 'a,b') missed.push(seed)
    }
    expect(missed).toEqual([])
  })
})

describe('one owner alone has a write yet, and is silent to one who reads', () => {
  it('others answer for its place, and a read of r = n misses it; one of pr = n does not, nor anybody later', () => {
    const world = startWorld({ seed: 30, nodes: 6, n: 3 })
    const key = keyLedBy(world, 1)
    const latest = { conflicts: 'last-write-wins' } as const
    const [first, second, third, , fifth] = preference(world, key) as NodeId[] as [
      NodeId,
      NodeId,
      NodeId,
      NodeId,
      NodeId,
    ]
    mustPut(world, key, 'before', { ...latest, w: 3 })
    separate(world, fifth, first)
    const fromThere = { ...latest, r: 3, timeoutMs: 1_000, via: fifth }
    // It is found out to be silent by asking it.
    for (let i = 0; i < 3; i++) get(world, key, fromThere)
    for (const other of [second, third]) separate(world, first, other)
    mustPut(world, key, 'after', { ...latest, w: 1, coordinator: first })
    expect(values(world, key, fromThere)).toEqual(['before'])
    expect(get(world, key, { ...fromThere, pr: 3 })).toMatchObject({ type: 'get-failed' })
    world.network.healAll()
    world.pass(5_000)
    expect(values(world, key, { ...fromThere, pr: 3 })).toEqual(['after'])
    expect(values(world, key, fromThere)).toEqual(['after'])
  })
})
