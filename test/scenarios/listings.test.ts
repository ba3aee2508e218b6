// A listing shows what was there when it began and stayed, whichever replica answers which of its pages.

import { describe, expect, it } from 'vitest'
import { internalKey } from '../../src/sim/client.js'
import { askVnode, mustPut, partitionOfKey, preference, startWorld } from '../sim/helpers.js'

describe('a page of a listing', () => {
  it('has what memory alone has, also when it is not the first and another replica answered that', () => {
    const world = startWorld({ seed: 3, nodes: 3, partitions: 4 })
    const keys = Array.from({ length: 30 }, (_, index) => `k${100 + index}`)
    for (const key of keys) mustPut(world, key, 'v', { w: 3 })
    const first = keys[0] as string
    const partition = partitionOfKey(world, first)
    const there = keys.filter((key) => partitionOfKey(world, key) === partition)
    expect(there.length).toBeGreaterThan(2)
    for (const node of preference(world, first).slice(0, 3)) {
      const page = askVnode(world, node, first, {
        type: 'walk',
        prefix: internalKey(''),
        after: internalKey(first),
        limit: 100,
        begunAt: world.now(),
        since: 0,
      })
      expect(page).toMatchObject({ type: 'walked' })
      const found = page.type === 'walked' ? page.rows.map(({ key }) => key) : []
      expect(found).toEqual(there.slice(1).map(internalKey))
    }
  })
})
