// Dynamo 4.6: "the preference list of a key is constructed such that the storage nodes are spread across multiple
// data centers", so that the loss of a whole one is a loss of one copy. Three zones of two nodes, n = 3.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import { preferenceList } from '../../src/ring/preference.js'
import { rebalance } from '../../src/ring/rebalance.js'
import type { World } from '../../src/sim/world.js'
import { mustPut, sendAway, settle, startWorld, values, valuesAtEach } from '../sim/helpers.js'
import { audit } from '../sim/trees.js'

const partitions = 36
const zones = ['a', 'b', 'c']
const zoneOf = (node: NodeId) => zones[(node - 1) % 3] as string
const keys = Array.from({ length: 60 }, (_, index) => `k${index}`)

/** Six nodes whose ring was made for zones, by a change like any other. */
function zoned(seed: number): World {
  const world = startWorld({ seed, nodes: 6, partitions })
  for (const key of keys) mustPut(world, key, 'before', { w: 3, conflicts: 'last-write-wins' })
  const members = world.ring.nodes.map((node) => ({ node, weight: 1, host: '', zone: zoneOf(node) }))
  const owners = rebalance(world.ring.owners, members, 3)
  if (owners.some((owner, partition) => owner !== world.ring.owners[partition])) {
    world.change(owners)
    expect(world.runUntil(() => world.ring.change !== undefined, 1_000)).toBe(true)
    expect(world.runUntil(() => world.ring.change === undefined, 300_000)).toBe(true)
  }
  settle(world)
  return world
}

describe('three zones of two nodes, three copies', () => {
  it('the replicas of every key are in three zones', () => {
    const world = zoned(1)
    for (let partition = 0; partition < partitions; partition++) {
      const replicas = preferenceList(world.ring, partition).slice(0, 3)
      expect(new Set(replicas.map(zoneOf)).size, `partition ${partition}: ${replicas}`).toBe(3)
    }
  })

  it.each(zones)(
    'zone %s is gone: every read and every write succeeds at r = w = 2, and all is equal afterwards',
    (zone) => {
      const world = zoned(2 + zones.indexOf(zone))
      sendAway(
        world,
        world.ring.nodes.filter((node) => zoneOf(node) === zone),
      )
      for (const key of keys) {
        expect(values(world, key, { r: 2, conflicts: 'last-write-wins' })).toEqual(['before'])
        mustPut(world, key, 'meanwhile', { w: 2, dw: 2, conflicts: 'last-write-wins' })
        expect(values(world, key, { r: 2, conflicts: 'last-write-wins' })).toEqual(['meanwhile'])
      }
      world.start()
      settle(world, 20_000)
      for (const key of keys)
        expect(valuesAtEach(world, key)).toEqual([['meanwhile'], ['meanwhile'], ['meanwhile']])
      expect(audit(world, { mends: false, deep: true })).toMatchObject({ differing: 0 })
    },
  )
})
