// After threads died (and nothing else: no link was cut, nothing was lost or slow), and all are back and
// no hint is left, does each owner have what was acknowledged? Nobody reads at the end: reading mends.

import { expect, it } from 'vitest'
import { seededRandom } from '../../src/base/random.js'
import { textsOf } from '../../src/sim/client.js'
import { copyAt, preference, settle, startWorld } from '../sim/helpers.js'

it.each([3, 5])('%s nodes: threads die, one at a time, and nothing else happens (60 seeds)', (nodes) => {
  const bad: string[] = []
  for (let seed = 1; seed <= 60; seed++) {
    const world = startWorld({ seed, nodes })
    const random = seededRandom(seed, 77)
    const written: { key: string; value: string; request: ReturnType<typeof world.client.put> }[] = []
    for (let i = 0; i < 60; i++) {
      const key = `k${i}`
      written.push({ key, value: `v${i}`, request: world.client.put(key, `v${i}`, { w: 2, dw: 1 }) })
      if (random() < 0.1) {
        world.pass(random() * 0.3)
        const node = 1 + Math.floor(random() * nodes)
        if (world.nodes.get(node)?.host !== undefined) world.kill(node)
        world.pass(100)
      } else world.pass(random() * 0.2)
    }
    world.pass(20_000)
    settle(world, 20_000)
    const holders = [...world.nodes.values()].filter(({ host }) => host?.['cast'].courier?.owners.size !== 0)
    expect(holders.length).toBe(0)
    for (const { key, value, request } of written) {
      if (request.answer?.type !== 'put-answered') continue
      for (const node of preference(world, key).slice(0, 3)) {
        if (!textsOf(copyAt(world, node, key)).includes(value))
          bad.push(`seed ${seed}: ${key} not at ${node}`)
      }
    }
  }
  expect(bad).toEqual([])
})
