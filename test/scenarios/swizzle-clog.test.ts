// FoundationDB's swizzle-clog: links are held back one after the other, and let go in another order; then everything
// comes at once. Nothing is lost, every request is answered, and soon after the last link is free all is equal.

import { describe, expect, it } from 'vitest'
import { randomBelow, seededRandom, shuffled } from '../../src/base/random.js'
import { textsOf } from '../../src/sim/client.js'
import { drainHints, mustGet, startWorld, valuesAtEach } from '../sim/helpers.js'

describe('links that are clogged one by one and freed in another order', () => {
  it.each(Array.from({ length: 15 }, (_, index) => index + 1))('cost nothing but time (seed %i)', (seed) => {
    const world = startWorld({ seed, nodes: 5, mendEveryMs: 300 })
    const random = seededRandom(seed, 9)
    const requests = []
    for (let round = 0; round < 3; round++) {
      const nodes = shuffled([0, 1, 2, 3, 4, 5], random).slice(0, 4)
      for (const [index, node] of nodes.entries()) {
        const freeAfterMs = 200 + 400 * randomBelow(random, 4) + index
        for (const other of [0, 1, 2, 3, 4, 5]) {
          if (other === node) continue
          world.network.clog(node, other, freeAfterMs)
          world.network.clog(other, node, freeAfterMs)
        }
        for (let i = 0; i < 5; i++) {
          const key = `k${randomBelow(random, 12)}`
          requests.push({ key, request: world.client.put(key, `${key}-${requests.length}`, { w: 2 }) })
        }
        world.pass(50 + randomBelow(random, 200))
      }
      world.pass(2_000)
    }
    world.pass(10_000)
    expect(requests.filter(({ request }) => request.answer === undefined)).toEqual([])
    drainHints(world)
    world.pass(20_000)
    for (const { key, request } of requests) {
      if (request.answer?.type !== 'put-answered') continue
      const value = Buffer.from((request.message as { value: Uint8Array }).value).toString()
      expect(textsOf(mustGet(world, key, { r: 3 }).object), key).toContain(value)
      const [first, ...others] = valuesAtEach(world, key)
      for (const other of others) expect(other).toEqual(first)
    }
  })
})
