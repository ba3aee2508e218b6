// Versions made by stand-ins, and by coordinators that lost a copy without losing their life.

import { describe, expect, it } from 'vitest'
import type { StoredObject } from '../../src/versions/object.js'
import { contextOf } from '../../src/versions/read.js'
import {
  drainHints,
  get,
  keyLedBy,
  mustGet,
  mustPut,
  preference,
  put,
  sendAway,
  settle,
  startWorld,
  values,
  valuesAtEach,
} from '../sim/helpers.js'

describe('while all three owners are away', () => {
  it('a thousand read-modify-writes leave one value with a clock of about ten entries, not of a thousand', () => {
    const world = startWorld({ seed: 1, nodes: 6 })
    const key = keyLedBy(world, 1)
    mustPut(world, key, 'old', { w: 3, dw: 3 })
    sendAway(world, preference(world, key).slice(0, 3))
    for (let i = 0; i < 1_000; i++) {
      const found = get(world, key, { r: 3 })
      const object = found.type === 'get-answered' ? found.object : undefined
      mustPut(world, key, `v${i}`, { w: 3, ...(object && { context: contextOf(object) }) })
    }
    const { object } = mustGet(world, key, { r: 3 })
    expect(object?.siblings.length).toBe(1)
    expect(object?.clock.length).toBeLessThanOrEqual(20)
  })

  it('a value that was read, changed twelve times within a second, and deleted is gone (20 seeds)', () => {
    const back: string[] = []
    for (let seed = 1; seed <= 20; seed++) {
      const world = startWorld({ seed, nodes: 6 })
      const key = keyLedBy(world, 1)
      mustPut(world, key, 'old', { w: 3, dw: 3 })
      sendAway(world, preference(world, key).slice(0, 3))
      // Nobody knows of the key as long as its owners are away and nothing is kept.
      expect(get(world, key, { r: 3 })).toMatchObject({ type: 'get-failed', code: 'unavailable' })
      let object: StoredObject | undefined
      for (let i = 0; i < 12; i++) {
        mustPut(world, key, `v${i}`, { w: 3, ...(object && { context: contextOf(object) }) })
        object = mustGet(world, key, { r: 3 }).object
      }
      mustPut(world, key, '', { w: 3, change: 'delete', ...(object && { context: contextOf(object) }) })
      const now = values(world, key, { r: 3 })
      world.start()
      drainHints(world)
      settle(world)
      const later = valuesAtEach(world, key)[0]
      // 'old' was away with its owners: it was never read, and stays.
      if (now.length > 0 || later?.join() !== 'old') back.push(`seed ${seed}: ${now}; at home: ${later}`)
    }
    expect(back).toEqual([])
  })

  it('the same in a bucket with n = 1, while its one owner is away', () => {
    const world = startWorld({ seed: 1, nodes: 3, n: 1 })
    const key = keyLedBy(world, 1)
    sendAway(world, [1])
    for (let i = 0; i < 300; i++) {
      const found = get(world, key, { n: 1, r: 1 })
      const object = found.type === 'get-answered' ? found.object : undefined
      mustPut(world, key, `v${i}`, { n: 1, w: 1, ...(object && { context: contextOf(object) }) })
    }
    expect(mustGet(world, key, { n: 1, r: 1 }).object?.clock.length).toBeLessThanOrEqual(20)
  })

  it('siblings are limited as always: the 101st blind put is refused', () => {
    const world = startWorld({ seed: 1, nodes: 6 })
    const key = keyLedBy(world, 1)
    sendAway(world, preference(world, key).slice(0, 3))
    const refused: unknown[] = []
    for (let i = 0; i < 300; i++) {
      const answer = put(world, key, `v${i}`, { w: 3 })
      if (answer.type === 'put-failed') refused.push(answer.code)
    }
    const { object } = mustGet(world, key, { r: 3 })
    expect(object?.siblings.length).toBeLessThanOrEqual(110)
    expect(refused).toContain('too-many-siblings')
  })

  it('blind puts of 2 KB, each well within the limits, do not end the threads of the stand-ins', () => {
    const world = startWorld({ seed: 1, nodes: 6 })
    const key = keyLedBy(world, 1)
    sendAway(world, preference(world, key).slice(0, 3))
    for (let i = 0; i < 200; i++) put(world, key, `v${i} ${'x'.repeat(2_000)}`, { w: 3 })
    expect(mustGet(world, key, { r: 3 }).object?.siblings.length).toBeGreaterThan(0)
  })

  it('the owner has died once before: what was acknowledged last is what is read last (no clock is wrong)', () => {
    const world = startWorld({ seed: 2, nodes: 3, n: 1 })
    const key = keyLedBy(world, 1)
    const options = { n: 1, w: 1, dw: 1, conflicts: 'last-write-wins' } as const
    mustPut(world, key, 'first', options)
    // A new life stamps up to 60 s ahead of the clock (incarnation.md), so that it stays above the last one.
    world.kill(1)
    world.pass(1_000)
    mustPut(world, key, 'second', options)
    world.pass(5_000)
    sendAway(world, [1])
    // Led by a stand-in, which stamps by the clock.
    mustPut(world, key, 'third', options)
    world.pass(1_000)
    world.start()
    drainHints(world)
    expect(valuesAtEach(world, key)).toEqual([['third']])
  })
})

describe('three clients that put at once, through three coordinators', () => {
  it('a value of 100 KB each (the limit is 112 KB): nobody dies of it', () => {
    const world = startWorld({ seed: 5, nodes: 3, network: { delayMsMin: 2, delayMsMax: 3 } })
    const key = keyLedBy(world, 1)
    for (const coordinator of [1, 2, 3])
      world.client.put(key, `${coordinator}${'x'.repeat(100_000)}`, { w: 1, coordinator })
    world.pass(10_000)
    expect([...world.nodes.values()].every(({ alive }) => alive)).toBe(true)
  })
})
