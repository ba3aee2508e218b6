// A clock entry of an actor stands for all that it has counted. A coordinator that lost a copy without losing its life
// does not hold all that it has counted any more, so it goes on under another name.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import { internalKey } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import { createFaultyStore } from '../../src/storage/faulty-store.js'
import { objectRow, type Store } from '../../src/storage/store.js'
import {
  copyAt,
  fetchFrom,
  keyLedBy,
  mustGet,
  mustPut,
  nodeOf,
  partitionOfKey,
  preference,
  separate,
  startWorld,
  valuesAtEach,
} from '../sim/helpers.js'

describe('a coordinator that lost its copy of a key, but not its life', () => {
  it('because it could not be read once: its next blind write loses nothing that was acknowledged', () => {
    let plan: Store | undefined
    let isRotten = false
    let world!: World
    let row = ''
    world = startWorld({
      seed: 3,
      nodes: 3,
      wrapStore: (node, store) => {
        if (node !== 1) return store
        const rotten = createFaultyStore(store, [{ type: 'unreadable', rows: 'o', chance: 1 }], {
          random: () => 0,
          after: (delay, task) => world.schedule(delay, task),
        })
        plan = {
          ...store,
          commit: (writes, level, done) => store.commit(writes, level, done),
          read: (rows, done) =>
            isRotten && rows.includes(row) ? rotten.read(rows, done) : store.read(rows, done),
          walk: (after, before, limit, done) => store.walk(after, before, limit, done),
          deleteRange: (from, to, done) => store.deleteRange(from, to, done),
          close: (done) => store.close(done),
        }
        return plan
      },
    })
    const key = keyLedBy(world, 1)
    row = objectRow(partitionOfKey(world, key), internalKey(key))
    const [first, second, third] = preference(world, key) as [NodeId, NodeId, NodeId]
    // All of one life of the first: it leads 'a', which the third does not get.
    separate(world, first, third)
    mustPut(world, key, 'a', { w: 2, dw: 2, coordinator: first })
    world.pass(10_000)
    world.network.healAll()
    world.pass(10_000)
    // Its memory is full of other things: the copy is on the disk alone.
    const memory = nodeOf(world, first).host?.['ports'].storage?.memory
    let i = 0
    while (memory?.complete) {
      for (let batch = 0; batch < 20; batch++) world.client.put(`fill ${i++}`, 'x'.repeat(4_000), { w: 1 })
      world.pass(50)
    }
    for (let more = 0; more < 600; more++) {
      world.client.put(`fill ${i++}`, 'x'.repeat(4_000), { w: 1 })
      if (more % 20 === 0) world.pass(50)
    }
    world.pass(5_000)
    // A bad block: once.
    isRotten = true
    // A write that the third leads comes as a copy, and takes the place of what cannot be read.
    mustPut(world, key, 'b', { w: 3, coordinator: third })
    isRotten = false
    expect(valuesAtEach(world, key)[0]).toContain('b')
    // The comment there: "the clock that came has not seen it, so repair brings it back". Before that:
    mustPut(world, key, 'c', { w: 3, coordinator: first })
    const { object } = mustGet(world, key, { r: 3 })
    const texts = object?.siblings.map(({ value }) => `${Buffer.from(value)}`).sort()
    expect(texts).toEqual(['a', 'b', 'c'])
    expect(copyAt(world, second, key)).toBeDefined()
  })

  it('because a bucket in memory lets go of it: its next blind write drops nothing at the others', () => {
    const world = startWorld({ seed: 4, nodes: 5 })
    const key = keyLedBy(world, 1)
    const [first, second, third] = preference(world, key) as [NodeId, NodeId, NodeId]
    mustPut(world, key, 'a', { w: 3, level: 'memory', coordinator: first })
    // The first is crowded by keys that it shares with others than the second and the third.
    let i = 0
    for (let filled = 0; filled < 2_000; i++) {
      const other = `fill ${i}`
      const owners = preference(world, other).slice(0, 3)
      if (!owners.includes(first) || owners.includes(second)) continue
      filled++
      world.client.put(other, 'x'.repeat(4_000), { w: 3, level: 'memory' })
      if (filled % 20 === 0) world.pass(20)
    }
    world.pass(5_000)
    expect(fetchFrom(world, first, key)).toMatchObject({ type: 'fetched', object: undefined })
    expect(valuesAtEach(world, key)[1]).toEqual(['a'])
    mustPut(world, key, 'b', { w: 3, level: 'memory', coordinator: first })
    // Blind: it stands beside what it had not seen.
    expect(valuesAtEach(world, key)[1]).toEqual(['a', 'b'])
    expect(third).toBeDefined()
  })
})
