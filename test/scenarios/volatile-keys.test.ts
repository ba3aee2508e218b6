// What a node knows of a bucket that is kept in memory only stays in proportion to what memory holds.

import { describe, expect, it } from 'vitest'
import { nodeOf, startWorld } from '../sim/helpers.js'

describe('a bucket kept in memory that is used as a cache', () => {
  it('of 20,000 keys, most of which memory has let go, no list of all keys is kept', () => {
    const world = startWorld({ seed: 3, nodes: 3 })
    for (let i = 0; i < 20_000; i++) {
      world.client.put(`some key ${i}`, 'x'.repeat(500), {
        w: 1,
        level: 'memory',
        conflicts: 'last-write-wins',
      })
      if (i % 50 === 0) world.pass(20)
    }
    world.pass(5_000)
    const host = nodeOf(world, 1).host
    const held = host?.['ports'].storage?.memory.objects ?? 0
    let listed = 0
    for (const keys of host?.['walks']?.['volatile'].values() ?? []) listed += keys.size
    expect(listed).toBeLessThanOrEqual(3 * held)
  })
})
