// Numbers of requests are words of 32 bits. A node that lives long enough runs out of them and begins from 1 again.

import { describe, expect, it } from 'vitest'
import { settle, startWorld } from '../sim/helpers.js'
import { firstAfterWrap, wrapSoon } from '../sim/request-numbers.js'
import { Workload } from '../sim/workload.js'

describe('the numbers of requests', () => {
  it.each([1, 2, 3])(
    'run over in the middle of everything, and nothing is mistaken for another (seed %i)',
    (seed) => {
      const world = startWorld({ seed, nodes: 4, partitions: 4, mendEveryMs: 500, reapAfterMs: 2_000 })
      wrapSoon(world, 20)
      const write = { w: 2, dw: 1, timeoutMs: 2_000 }
      const workload = new Workload(world, {
        steps: 300,
        keys: 4,
        write,
        r: 2,
        regular: true,
        nemesis: (_world, random) => {
          if (random() < 0.02) world.kill(1 + Math.floor(random() * 4))
        },
      })
      workload.run()
      settle(world)
      world.pass(30_000)
      expect(workload.finish().lost).toEqual([])
      expect(firstAfterWrap(world)).toBe(true)
    },
  )
})
