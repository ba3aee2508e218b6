// Read repair, Dynamo 5: who reads a key mends the replicas that lack something of it, after its answer, and
// once. What was equal before costs nothing.

import { describe, expect, it } from 'vitest'
import type { Random } from '../../src/base/random.js'
import { textsOf } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import {
  copyAt,
  fetchFrom,
  keyLedBy,
  mustGet,
  mustPut,
  preference,
  separate,
  setNetwork,
  settle,
  startWorld,
  values,
  valuesAtEach,
} from '../sim/helpers.js'
import { Workload } from '../sim/workload.js'

/** Copies that were sent while `act` ran, and a while after. */
function copiesSent(world: World, act: () => void): number {
  const before = world.transcript.lines.length
  act()
  world.pass(500)
  return world.transcript.lines.slice(before).filter((line) => line.includes(' replicate ')).length
}

/** A world in which the third replica has missed what was done behind its back. */
function missed(seed: number, act: (world: World, key: string) => void): { world: World; key: string } {
  const world = startWorld({ seed, nodes: 3 })
  const key = keyLedBy(world, 1)
  const [first, second, third] = preference(world, key) as [number, number, number]
  mustPut(world, key, 'before', { w: 3 })
  separate(world, first, third)
  separate(world, second, third)
  act(world, key)
  world.network.healAll()
  return { world, key }
}

describe('a replica that missed a write', () => {
  it('has it after one read, and the next read sends nothing', () => {
    const { world, key } = missed(1, (w, k) => {
      const { object } = mustGet(w, k)
      mustPut(w, k, 'after', { w: 2, context: { clock: object?.clock ?? [], stamp: 0 } })
    })
    expect(valuesAtEach(world, key)).toEqual([['after'], ['after'], ['before']])
    expect(copiesSent(world, () => expect(values(world, key)).toEqual(['after']))).toBe(1)
    expect(valuesAtEach(world, key)).toEqual([['after'], ['after'], ['after']])
    expect(copiesSent(world, () => values(world, key))).toBe(0)
  })

  it('that created the key, too', () => {
    const world = startWorld({ seed: 2, nodes: 3 })
    const key = keyLedBy(world, 2)
    const [first, second, third] = preference(world, key) as [number, number, number]
    separate(world, first, third)
    separate(world, second, third)
    mustPut(world, key, 'new', { w: 2 })
    world.network.healAll()
    expect(copyAt(world, third, key)).toBeUndefined()
    expect(copiesSent(world, () => values(world, key))).toBe(1)
    expect(valuesAtEach(world, key)).toEqual([['new'], ['new'], ['new']])
  })

  it('learns that the key was deleted: the value does not come back', () => {
    const { world, key } = missed(3, (w, k) => {
      const { object } = mustGet(w, k)
      mustPut(w, k, '', { w: 2, change: 'delete', context: { clock: object?.clock ?? [], stamp: 0 } })
    })
    expect(textsOf(copyAt(world, preference(world, key)[2] as number, key))).toEqual(['before'])
    expect(values(world, key)).toEqual([])
    world.pass(500)
    expect(valuesAtEach(world, key)).toEqual([[], [], []])
    expect(values(world, key, { r: 1 })).toEqual([])
  })
})

describe('replicas that each have a sibling which the other lacks', () => {
  it('have both after one read', () => {
    const world = startWorld({ seed: 4, nodes: 3 })
    const key = keyLedBy(world, 1)
    const [first, second, third] = preference(world, key) as [number, number, number]
    separate(world, first, second)
    separate(world, first, third)
    separate(world, second, third)
    mustPut(world, key, 'one', { w: 1, dw: 0, coordinator: first })
    mustPut(world, key, 'two', { w: 1, dw: 0, coordinator: second })
    world.network.healAll()
    expect(copiesSent(world, () => values(world, key, { r: 3 }))).toBe(3)
    for (const found of valuesAtEach(world, key)) expect(found.sort()).toEqual(['one', 'two'])
    expect(copiesSent(world, () => values(world, key, { r: 3 }))).toBe(0)
  })
})

describe('a read', () => {
  it('does not wait for the replica that it mends, nor for one that is silent', () => {
    const { world, key } = missed(5, (w, k) => mustPut(w, k, 'after', { w: 2 }))
    const third = preference(world, key)[2] as number
    world.network.cutLink(third, 0)
    const begun = world.now()
    expect(values(world, key, { r: 2 }).sort()).toEqual(['after', 'before'])
    expect(world.now() - begun).toBeLessThan(5)
    // It was never heard, so nobody knows what it lacks.
    expect(copiesSent(world, () => {})).toBe(0)
  })

  it('of equal replicas sends no copy, whatever came before it (40 seeds)', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const world = startWorld({ seed, nodes: 4 })
      const nemesis = (_: World, random: Random, step: number) => {
        if (step % 9 === 0) setNetwork(world, { loss: random() < 0.5 ? 0.3 : 0, reordering: random() < 0.5 })
      }
      const write = { w: 1, dw: 0, timeoutMs: 500 }
      new Workload(world, { steps: 60, keys: 4, write, r: 1, nemesis }).run()
      setNetwork(world, { loss: 0, reordering: false })
      // Hints whose delivery was lost are sent again some seconds later.
      settle(world, 15_000)
      for (let k = 0; k < 4; k++) {
        const key = `k${k}`
        mustGet(world, key, { r: 3 })
        world.pass(500)
        const copies = preference(world, key)
          .slice(0, 3)
          .map((node) => fetchFrom(world, node, key))
        for (const copy of copies) expect(copy, `seed ${seed}, ${key}`).toEqual(copies[0])
        expect(
          copiesSent(world, () => mustGet(world, key, { r: 3 })),
          `seed ${seed}, ${key}`,
        ).toBe(0)
      }
    }
  })
})
