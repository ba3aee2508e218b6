// Objects that grew by merging beyond what one copy may be (`objectBytesMax`, an eighth of a node's memory).
// "A merge beyond (repair) is stored and counted" (limits.ts, of siblings); "repair never refused" (trust P11). The
// values here are within valueBytesMax, which may be a sixteenth of the memory (client/options.ts).

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import { textsOf } from '../../src/sim/client.js'
import { copyAt, keyLedBy, mustGet, nodeOf, preference, startWorld } from '../sim/helpers.js'

const memoryBytes = 1024 * 1024
const large = memoryBytes / 16 - 100

describe('two clients put at once, 64 KB each', () => {
  function together(seed: number) {
    const world = startWorld({ seed, nodes: 3, memoryBytes, network: { delayMsMin: 2, delayMsMax: 3 } })
    const key = keyLedBy(world, 1)
    const [first, second, third] = preference(world, key) as [NodeId, NodeId, NodeId]
    const puts = [first, second].map((coordinator) =>
      world.client.put(key, `${coordinator}${'x'.repeat(large)}`, { w: 3, dw: 3, coordinator }),
    )
    world.pass(5_000)
    for (const { answer } of puts) expect(answer).toMatchObject({ type: 'put-answered', stored: 3 })
    return { world, key, third }
  }

  it('and a node that loses its disk becomes whole again', () => {
    const { world, third } = together(1)
    nodeOf(world, third).wipe()
    world.tellSupervisor({
      type: 'node-exited',
      node: third,
      generation: 1,
      reason: 'wiped',
      failure: true,
    })
    world.pass(120_000)
    expect(world.whole).toBe(true)
  })

  it('and the object is repaired by reading where a copy is lacking', () => {
    const { world, key, third } = together(2)
    nodeOf(world, third).wipe()
    world.tellSupervisor({
      type: 'node-exited',
      node: third,
      generation: 1,
      reason: 'wiped',
      failure: true,
    })
    world.pass(5_000)
    for (let i = 0; i < 5; i++) {
      mustGet(world, key, { r: 3 })
      world.pass(500)
    }
    expect(textsOf(copyAt(world, third, key))).toHaveLength(2)
  })
})
