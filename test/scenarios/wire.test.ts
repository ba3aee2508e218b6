// Envelopes that are damaged on their way. What a frame's checksum finds is dropped, whatever the decoder would have made
// of it: it may only say that it is malformed. An object in an answer carries a checksum of its own, and a reader finds it.

import { describe, expect, it } from 'vitest'
import { setNetwork, settle, startWorld } from '../sim/helpers.js'
import { Workload } from '../sim/workload.js'

describe('a wire that damages what passes', () => {
  it.each([1, 2, 3, 4])(
    'loses nothing that was acknowledged and returns nothing damaged (seed %i)',
    (seed) => {
      const world = startWorld({
        seed,
        nodes: 4,
        partitions: 8,
        mendEveryMs: 500,
        reapAfterMs: 2_000,
        gossipEveryMs: 500,
        network: { damage: 0.1, gathers: seed % 2 === 0, duplication: 0.1 },
        ...(seed === 3 && { hash: 'md5' as const }),
      })
      const write = { w: 2, dw: 1, timeoutMs: 1_000 }
      const workload = new Workload(world, { steps: 250, keys: 3, write, r: 2, regular: true })
      workload.run()
      setNetwork(world, { damage: 0, duplication: 0 })
      settle(world, 30_000)
      const { lost, acknowledged } = workload.finish()
      expect(lost).toEqual([])
      expect(acknowledged).toBeGreaterThan(20)
    },
  )
})
