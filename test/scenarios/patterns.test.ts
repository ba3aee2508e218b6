// The usage patterns of Dynamo 6: (3,2,2) with the application merging (carts), (3,2,2) with the last write
// winning (sessions), and the read engine with R=1 and W=N (catalogues).

import { describe, expect, it } from 'vitest'
import { randomBelow, seededRandom } from '../../src/base/random.js'
import { textsOf } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import type { Context } from '../../src/versions/object.js'
import { contextOf } from '../../src/versions/read.js'
import {
  answerOf,
  keyLedBy,
  mustGet,
  mustPut,
  preference,
  put,
  setNetwork,
  settle,
  startWorld,
  takeDown,
  values,
  valuesAtEach,
} from '../sim/helpers.js'

/** Reads a cart: the union of its siblings, and the context of all of them. */
function readCart(
  world: World,
  key: string,
): { items: Set<string>; context: Context | undefined; versions: number } {
  const { object } = mustGet(world, key, { r: 2 })
  const texts = textsOf(object)
  const items = new Set(texts.flatMap((text) => text.split(',').filter((item) => item !== '')))
  return { items, context: object && contextOf(object), versions: texts.length }
}

describe('a cart, (3,2,2), siblings merged by the application', () => {
  it('no added item is lost while clients race (40 seeds)', () => {
    let diverged = 0
    for (let seed = 1; seed <= 40; seed++) {
      const world = startWorld({ seed, nodes: 4 })
      const random = seededRandom(seed, 8)
      const added = new Set<string>()
      for (let round = 0; round < 15; round++) {
        // Some clients have read the same cart when each adds its item.
        const racers = 1 + randomBelow(random, 3)
        const carts = Array.from({ length: racers }, () => readCart(world, 'cart'))
        const requests = carts.map(({ items, context, versions }, racer) => {
          diverged = Math.max(diverged, versions)
          const item = `item-${round}-${racer}`
          added.add(item)
          const text = [...items, item].join(',')
          const coordinator = 1 + randomBelow(random, 4)
          return world.client.put('cart', text, { w: 2, dw: 1, coordinator, ...(context && { context }) })
        })
        for (const request of requests) expect(answerOf(world, request).type).toBe('put-answered')
        if (random() < 0.15) world.kill(1 + randomBelow(random, 4))
        settle(world, 50)
      }
      expect(readCart(world, 'cart').items, `seed ${seed}`).toEqual(added)
    }
    expect(diverged).toBeGreaterThan(1)
  })

  it('interleaved writers never make more siblings than there are writers (S13)', () => {
    const world = startWorld({ seed: 50, nodes: 3 })
    const contexts: (Context | undefined)[] = [undefined, undefined]
    for (let i = 0; i < 100; i++) {
      const writer = i % 2
      const context = contexts[writer]
      mustPut(world, 'k', `writer ${writer}, ${i}`, {
        w: 2,
        coordinator: 1 + (i % 3),
        ...(context && { context }),
      })
      const { object } = mustGet(world, 'k', { r: 3 })
      expect(object?.siblings.length).toBeLessThanOrEqual(2)
      contexts[1 - writer] = contextOf(object ?? { clock: [], siblings: [] })
    }
  })

  it('a blind-put storm is refused at the limit, before anything is stored, and the siblings stay', () => {
    const world = startWorld({ seed: 51, nodes: 3 })
    for (let i = 0; i < 100; i++) mustPut(world, 'k', `v${i}`, { w: 3 })
    expect(put(world, 'k', 'one too many', { w: 3 })).toMatchObject({
      type: 'put-failed',
      code: 'too-many-siblings',
      details: { siblings: 101, limit: 100 },
    })
    for (const each of valuesAtEach(world, 'k')) {
      expect(each).toHaveLength(100)
      expect(each).not.toContain('one too many')
    }
    const context = contextOf(mustGet(world, 'k', { r: 2 }).object ?? { clock: [], siblings: [] })
    mustPut(world, 'k', 'merged', { w: 3, context })
    expect(values(world, 'k', { r: 3 })).toEqual(['merged'])
  })
})

describe('a session, (3,2,2), the last write wins', () => {
  it('a read returns one value, the one that was written last, whoever coordinated', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = startWorld({ seed: 300 + seed, nodes: 4 })
      const random = seededRandom(seed, 6)
      for (let i = 0; i < 30; i++) {
        const coordinator = 1 + randomBelow(random, 4)
        mustPut(world, 's', `v${i}`, { w: 2, dw: 1, conflicts: 'last-write-wins', coordinator })
        expect(values(world, 's', { r: 2, conflicts: 'last-write-wins' }), `seed ${seed}`).toEqual([`v${i}`])
        // A millisecond, so that two coordinators' clocks tell the writes apart.
        world.pass(1)
      }
      settle(world, 100)
      for (const each of valuesAtEach(world, 's')) expect(each).toEqual(['v29'])
    }
  })

  it('racing writes leave the same one on every replica', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const world = startWorld({ seed: 400 + seed, nodes: 3 })
      setNetwork(world, { reordering: true, delayMsMax: 3 })
      const requests = [1, 2, 3].map((coordinator) =>
        world.client.put('s', `by ${coordinator}`, { w: 1, conflicts: 'last-write-wins', coordinator }),
      )
      for (const request of requests) expect(answerOf(world, request).type).toBe('put-answered')
      world.pass(50)
      const each = valuesAtEach(world, 's')
      expect(each[0]).toHaveLength(1)
      expect(each[1]).toEqual(each[0])
      expect(each[2]).toEqual(each[0])
    }
  })
})

describe('a read engine, R=1 and W=N', () => {
  it('a read of any one replica sees the last write, even when only one is left', () => {
    const world = startWorld({ seed: 60, nodes: 4 })
    const key = keyLedBy(world, 2)
    let context: Context | undefined
    for (let i = 0; i < 10; i++) {
      context = mustPut(world, key, `v${i}`, { w: 3, dw: 3, ...(context && { context }) }).context
      for (let read = 0; read < 3; read++) expect(values(world, key, { r: 1 })).toEqual([`v${i}`])
    }
    takeDown(world, preference(world, key).slice(0, 2))
    expect(values(world, key, { r: 1 })).toEqual(['v9'])
    expect(put(world, key, 'v10', { w: 3 })).toMatchObject({ code: 'unavailable' })
  })
})
