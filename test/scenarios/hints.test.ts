// Dynamo 4.6: the first N healthy nodes. What a node misses while it is away is kept by others, apart from what
// they hold themselves, and comes home when it is back. The nodes here die with their memory left behind and come
// back whole, so nothing but hints can bring them what they missed.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import { hintKey } from '../../src/protocol/hint.js'
import { internalKey } from '../../src/sim/client.js'
import { objectRow } from '../../src/storage/store.js'
import {
  copyAt,
  drainHints,
  get,
  hintsOf,
  keyLedBy,
  mustGet,
  mustPut,
  nodeOf,
  partitionOfKey,
  preference,
  put,
  sendAway,
  settle,
  startWorld,
  values,
  valuesAtEach,
} from '../sim/helpers.js'
import { Workload } from '../sim/workload.js'

describe('two of the three primaries are down', () => {
  it('every put succeeds, the hints are on the right fallbacks and apart; back again, all replicas are equal', () => {
    const world = startWorld({ seed: 1, nodes: 5 })
    const key = keyLedBy(world, 1)
    const [first, second, third, fourth, fifth] = preference(world, key) as [
      NodeId,
      NodeId,
      NodeId,
      NodeId,
      NodeId,
    ]
    mustPut(world, key, 'before', { w: 3, conflicts: 'last-write-wins' })
    sendAway(world, [first, second])
    for (let i = 0; i < 20; i++) mustPut(world, key, `v${i}`, { w: 2, conflicts: 'last-write-wins' })
    for (let i = 0; i < 20; i++) mustPut(world, key, `w${i}`, { w: 3, conflicts: 'last-write-wins' })
    expect(hintsOf(world)).toEqual({ [`${fourth}->${first}`]: 1, [`${fifth}->${second}`]: 1 })
    // What is kept for others is not what one holds: neither under the key nor in a listing.
    expect(copyAt(world, fourth, key)).toBeUndefined()
    expect(copyAt(world, fifth, key)).toBeUndefined()
    expect(values(world, key, { r: 3, conflicts: 'last-write-wins' })).toEqual(['w19'])
    expect(valuesAtEach(world, key, 0)).toEqual([])

    world.start()
    drainHints(world)
    expect(valuesAtEach(world, key)).toEqual([['w19'], ['w19'], ['w19']])
    expect(copyAt(world, fourth, key)).toBeUndefined()
    expect(nodeOf(world, third).host?.['cast'].courier?.owners.size).toBe(0)
  })

  it('with pw 2 the same puts are refused without effect: it is the sloppy quorum that lets them succeed', () => {
    const world = startWorld({ seed: 2, nodes: 5 })
    const key = keyLedBy(world, 1)
    sendAway(world, preference(world, key).slice(0, 2))
    for (let i = 0; i < 5; i++) {
      expect(put(world, key, 'never', { w: 2, pw: 2 })).toMatchObject({
        type: 'put-failed',
        code: 'unavailable',
        details: { needed: 2, pw: 2, atHome: 1, of: 3 },
      })
    }
    expect(hintsOf(world)).toEqual({})
    expect(values(world, key, { r: 1 })).toEqual([])
    expect(get(world, key, { r: 2, pr: 2 })).toMatchObject({ type: 'get-failed', code: 'unavailable' })
  })

  it('what is kept is counted again by the next life of who keeps it, so that the limits hold', () => {
    const world = startWorld({ seed: 13, nodes: 5 })
    const key = keyLedBy(world, 1)
    const [first, , , fourth] = preference(world, key) as [NodeId, NodeId, NodeId, NodeId]
    sendAway(world, [first])
    for (let i = 0; i < 300; i++) mustPut(world, `many-${i}`, 'x', { w: 3, conflicts: 'last-write-wins' })
    mustPut(world, key, 'x', { w: 3, conflicts: 'last-write-wins' })
    world.pass(3_000)
    const before = hintsOf(world)[`${fourth}->${first}`]
    expect(before).toBeGreaterThan(0)
    world.kill(fourth)
    world.runUntil(() => nodeOf(world, fourth).host !== undefined)
    world.pass(1_000)
    expect(hintsOf(world)[`${fourth}->${first}`]).toBe(before)
  })

  it('with pw 3 a node that is only slow is waited for, and not given up for a stand-in', () => {
    const world = startWorld({ seed: 12, nodes: 5 })
    const key = keyLedBy(world, 1)
    const [first, second, third] = preference(world, key) as [NodeId, NodeId, NodeId]
    for (const node of [second, third]) world.tellSupervisor({ type: 'node-slow', node, silentMs: 500 })
    world.pass(5)
    expect(
      nodeOf(world, first)
        .host?.seen()
        .filter(({ state }) => state === 'slow'),
    ).toHaveLength(2)
    for (let i = 0; i < 5; i++) {
      expect(put(world, key, `v${i}`, { w: 3, pw: 3, conflicts: 'last-write-wins' })).toMatchObject({
        type: 'put-answered',
        stored: 3,
      })
    }
    expect(valuesAtEach(world, key)).toEqual([['v4'], ['v4'], ['v4']])
    // Without pw the healthy stand in for them.
    mustPut(world, key, 'sloppy', { w: 3, conflicts: 'last-write-wins' })
    expect(Object.keys(hintsOf(world)).length).toBe(2)
  })

  it('reads see what the stand-ins keep, at once and from every thread', () => {
    const world = startWorld({ seed: 3, nodes: 5 })
    const key = keyLedBy(world, 1)
    const [first, second, third] = preference(world, key) as [NodeId, NodeId, NodeId]
    mustPut(world, key, 'a', { w: 3 })
    sendAway(world, [first, second])
    const { context } = mustPut(world, key, 'b', { w: 2 })
    expect(values(world, key, { r: 2 })).toEqual(['a', 'b'])
    mustPut(world, key, 'c', { w: 2, context, via: third })
    for (const via of [third, ...preference(world, key).slice(3)]) {
      expect(values(world, key, { r: 2, via })).toEqual(['a', 'c'])
    }
    // Nobody keeps anything of a key that was not written meanwhile: all that can be asked is what is left.
    const other = keyLedBy(world, 1, 'other')
    expect(values(world, other, { r: 3 })).toEqual([])
  })
})

describe('one node of five is left', () => {
  it('with w 1 all puts succeed, whoever it is, and all are everywhere when the others are back', () => {
    for (let alive = 1; alive <= 5; alive++) {
      const world = startWorld({ seed: 10 + alive, nodes: 5 })
      sendAway(
        world,
        [1, 2, 3, 4, 5].filter((node) => node !== alive),
      )
      const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
      for (const key of keys) mustPut(world, key, key, { w: 1, dw: 1 })
      for (const key of keys) expect(values(world, key, { r: 1 }), key).toEqual([key])
      world.start()
      drainHints(world)
      for (const key of keys) expect(valuesAtEach(world, key), key).toEqual([[key], [key], [key]])
    }
  })
})

describe('what is kept', () => {
  it('stays until its owner has confirmed it: the holder dies in the middle of a delivery and nothing is lost', () => {
    for (let seed = 20; seed < 40; seed++) {
      const world = startWorld({ seed, nodes: 5 })
      const keys = Array.from({ length: 300 }, (_, i) => `k${i}`).filter(
        (key) => preference(world, key)[0] === 1,
      )
      const holders = new Set(keys.map((key) => preference(world, key)[3] as NodeId))
      sendAway(world, [1])
      for (const key of keys) mustPut(world, key, key, { w: 3 })
      world.start()
      // Some turns into the delivery, another number with each seed.
      world.pass(190 + (seed - 20))
      for (const holder of holders) world.kill(holder)
      world.pass(500)
      drainHints(world)
      settle(world)
      for (const key of keys)
        expect(valuesAtEach(world, key), `${key} in seed ${seed}`).toEqual([[key], [key], [key]])
    }
  })

  it('is as durable as what is held: it comes home after the process has died', () => {
    const world = startWorld({ seed: 41, nodes: 5 })
    const key = keyLedBy(world, 1)
    const [first, second] = preference(world, key) as [NodeId, NodeId]
    sendAway(world, [first, second])
    mustPut(world, key, 'v', { w: 3, dw: 3, level: 'disk' })
    world.crash('power')
    world.start()
    settle(world)
    drainHints(world)
    expect(valuesAtEach(world, key)).toEqual([['v'], ['v'], ['v']])
  })

  it('merges: siblings and deletions come home as they were meant', () => {
    const world = startWorld({ seed: 42, nodes: 5 })
    const [kept, gone] = [keyLedBy(world, 1, 'kept'), keyLedBy(world, 1, 'gone')]
    mustPut(world, kept, 'a', { w: 3 })
    const { context } = mustPut(world, gone, 'a', { w: 3 })
    sendAway(world, [1])
    mustPut(world, kept, 'b', { w: 3 })
    mustPut(world, kept, 'c', { w: 3 })
    mustPut(world, gone, '', { w: 3, change: 'delete', context })
    world.start()
    drainHints(world)
    const all = ['a', 'b', 'c']
    expect(valuesAtEach(world, kept)).toEqual([all, all, all])
    expect(valuesAtEach(world, gone)).toEqual([[], [], []])
    expect(copyAt(world, 1, gone)?.siblings).toMatchObject([{ deleted: true }])
  })

  it('of a bucket kept in memory only is never written to a disk, and comes home', () => {
    const world = startWorld({ seed: 43, nodes: 5 })
    const key = keyLedBy(world, 1)
    const holder = preference(world, key)[3] as NodeId
    sendAway(world, [1])
    mustPut(world, key, 'v', { w: 3, level: 'memory' })
    expect(hintsOf(world)).toEqual({ [`${holder}->1`]: 1 })
    world.pass(5_000)
    expect(nodeOf(world, holder).host?.journal?.counters.flushed).toBe(0)
    world.start()
    drainHints(world)
    expect(valuesAtEach(world, key)).toEqual([['v'], ['v'], ['v']])
  })

  it('and was damaged on the disk can never be delivered: it goes, and holds up nothing', () => {
    const world = startWorld({ seed: 44, nodes: 5 })
    const keys = Array.from({ length: 200 }, (_, i) => `k${i}`).filter(
      (key) => preference(world, key)[0] === 1,
    )
    sendAway(world, [1])
    for (const key of keys) mustPut(world, key, key, { w: 3, dw: 3, level: 'disk' })
    world.crash('process')
    const damaged = keys[0] as string
    const row = objectRow(partitionOfKey(world, damaged), hintKey(1, internalKey(damaged)))
    const { disk } = nodeOf(world, preference(world, damaged)[3] as NodeId)
    disk.commit([{ row, value: Buffer.from('nonsense that is no object') }], 'disk', () => {})
    world.pass(10)
    world.start()
    settle(world)
    drainHints(world)
    for (const key of keys) {
      const [first, ...others] = valuesAtEach(world, key)
      expect(others, key).toEqual([[key], [key]])
      if (key !== damaged) expect(first, key).toEqual([key])
    }
  })

  it('has a key of its own', () => {
    expect(hintKey(3, internalKey('k')).startsWith(internalKey(''))).toBe(false)
  })
})

describe('a node that can keep no more for another', () => {
  function fullWorld(seed: number) {
    const world = startWorld({ seed, nodes: 5 })
    const key = keyLedBy(world, 1)
    sendAway(world, [1])
    mustPut(world, key, 'v0', { w: 3, conflicts: 'last-write-wins' })
    for (const { host } of world.nodes.values()) {
      const owed = host?.['cast'].courier?.owners.get(1)
      if (owed !== undefined) owed.bytes = Number.MAX_SAFE_INTEGER
    }
    return { world, key }
  }

  it('refuses the hint, and the write succeeds with those that are up', () => {
    const { world, key } = fullWorld(50)
    for (let i = 1; i < 10; i++) mustPut(world, key, `v${i}`, { w: 2, conflicts: 'last-write-wins' })
    expect(values(world, key, { r: 2, conflicts: 'last-write-wins' })).toEqual(['v9'])
  })

  it('keeps it all the same when the write would fail without it', () => {
    const { world, key } = fullWorld(51)
    const { stored } = mustPut(world, key, 'v1', { w: 3, conflicts: 'last-write-wins' })
    expect(stored).toBe(3)
  })
})

describe('nodes that come and go at any moment', () => {
  it('nothing that was acknowledged is lost, and in the end no hint is left (60 seeds)', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const world = startWorld({ seed: 6_000 + seed, nodes: 5 })
      const away = new Set<NodeId>()
      const workload = new Workload(world, {
        steps: 80,
        keys: 4,
        write: { w: 1 + (seed % 3), dw: seed % 2, timeoutMs: 2_000 },
        r: 2,
        nemesis: (each, random) => {
          const chance = random()
          const node = 1 + Math.floor(random() * 5)
          if (chance < 0.06 && nodeOf(each, node).host !== undefined) {
            sendAway(each, [node])
            away.add(node)
          } else if (chance < 0.12 && away.delete(node)) each['spawn'](node)
          else if (chance > 0.97 && nodeOf(each, node).host !== undefined) each.kill(node)
        },
      })
      workload.run()
      // The supervisor begins those again that were killed; the others are for us.
      world.pass(6_000)
      world.start()
      settle(world)
      drainHints(world)
      expect(workload.finish().lost, `seed ${seed}`).toEqual([])
    }
  })

  it('a write that is under way when a replica dies goes on with the next node', () => {
    for (let seed = 70; seed < 90; seed++) {
      const world = startWorld({ seed, nodes: 5, network: { delayMsMin: 1, delayMsMax: 3 } })
      const key = keyLedBy(world, 1)
      const [, second, third] = preference(world, key) as [NodeId, NodeId, NodeId]
      const request = world.client.put(key, 'v', { w: 3, coordinator: 1 })
      world.pass((seed - 70) / 2)
      sendAway(world, [second, third])
      world.runUntil(() => request.answer !== undefined)
      expect(request.answer, `seed ${seed}`).toMatchObject({ type: 'put-answered', stored: 3 })
      expect(values(world, key, { r: 2 })).toEqual(['v'])
      world.start()
      drainHints(world)
      expect(valuesAtEach(world, key)).toEqual([['v'], ['v'], ['v']])
      expect(mustGet(world, key, { r: 3, pr: 3 }).object?.siblings).toHaveLength(1)
    }
  })
})
