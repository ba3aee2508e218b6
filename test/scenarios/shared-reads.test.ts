// Reads without messages (Dynamo 4.5; docs/decisions/shared-reads.md): what R replicas hold in memory is answered
// where nothing stands against it, and left to messages where anything does. Each story is one thing that stands
// against it; the races at the end hold every glance to every write that was acknowledged before it.

import { describe, expect, it } from 'vitest'
import { randomBelow, seededRandom } from '../../src/base/random.js'
import type { World } from '../../src/sim/world.js'
import {
  fetchFrom,
  glance,
  mustPut,
  nodeOf,
  preference,
  sendAway,
  setNetwork,
  startWorld,
  values,
} from '../sim/helpers.js'
import { Workload } from '../sim/workload.js'

/** Every vnode has been spoken to, and every courier has looked: from here on memory can be read. */
function settled(world: World, key: string): void {
  values(world, key, { r: world.copies })
  world.pass(2_000)
}

describe('a glance', () => {
  it('sees an acknowledged write at once, with any r', () => {
    const world = startWorld({ seed: 1, nodes: 4 })
    settled(world, 'k')
    mustPut(world, 'k', 'one', { w: 2 })
    for (let i = 0; i < 3 * 256; i += 64) {
      const found = glance(world, 'k')
      if (found !== undefined) expect(found).toEqual(['one'])
    }
    world.pass(100)
    for (const r of [1, 2, 3]) expect(glance(world, 'k', { r })).toEqual(['one'])
  })

  it('knows that a key is not there, or was deleted', () => {
    const world = startWorld({ seed: 2, nodes: 4 })
    settled(world, 'k')
    expect(glance(world, 'k')).toEqual([])
    mustPut(world, 'k', 'one', { w: 3 })
    mustPut(world, 'k', '', { w: 3, change: 'delete', conflicts: 'last-write-wins' })
    world.pass(100)
    expect(glance(world, 'k', { conflicts: 'last-write-wins' })).toEqual([])
  })

  it('says nothing before the vnodes have been spoken to, nor while anybody may keep a hint', () => {
    const world = startWorld({ seed: 3, nodes: 4 })
    expect(glance(world, 'k')).toBeUndefined()
    values(world, 'k', { r: 3 })
    world.pass(2_000)
    expect(glance(world, 'k')).toEqual([])
    for (let owner = 1; owner <= 4; owner++) world.serving.owe(1, owner, true)
    expect(glance(world, 'k')).toBeUndefined()
  })

  it('leaves copies that differ to messages, which mend them', () => {
    const world = startWorld({ seed: 4, nodes: 3 })
    settled(world, 'k')
    mustPut(world, 'k', 'old', { w: 3, conflicts: 'last-write-wins' })
    const [first, second, third] = preference(world, 'k') as [number, number, number]
    // The second copy alone is newer.
    world.network.cutLink(second, first)
    world.network.cutLink(second, third)
    mustPut(world, 'k', 'new', { w: 1, coordinator: second, conflicts: 'last-write-wins' })
    world.network.healAll()
    expect(glance(world, 'k', { r: 3, conflicts: 'last-write-wins' })).toBeUndefined()
    expect(values(world, 'k', { r: 3, conflicts: 'last-write-wins' })).toEqual(['new'])
    world.pass(200)
    expect(values(world, 'k', { r: 3, conflicts: 'last-write-wins' })).toEqual(['new'])
  })

  it('passes over a node that died, from the instant of its death, and over its next life until that is whole', () => {
    const world = startWorld({ seed: 5, nodes: 3 })
    settled(world, 'k')
    mustPut(world, 'k', 'one', { w: 3 })
    const [first] = preference(world, 'k') as [number]
    expect(glance(world, 'k', { r: 3 })).toEqual(['one'])
    world.kill(first)
    expect(glance(world, 'k', { r: 3 })).toBeUndefined()
    expect(glance(world, 'k', { r: 2 })).toEqual(['one'])
    world.runUntil(() => nodeOf(world, first).host !== undefined)
    world.pass(50)
    settled(world, 'k')
    expect(glance(world, 'k', { r: 3 })).toEqual(['one'])
  })

  it('does not read a node for which another keeps a write, until it has been delivered', () => {
    const world = startWorld({ seed: 6, nodes: 4 })
    settled(world, 'k')
    mustPut(world, 'k', 'old', { w: 3 })
    const [first] = preference(world, 'k') as [number]
    sendAway(world, [first])
    mustPut(world, 'k', 'new', { w: 3, conflicts: 'last-write-wins' })
    expect(world.serving.isOwed(first)).toBe(true)
    expect(glance(world, 'k', { r: 3 })).toBeUndefined()
    world.start()
    world.runUntil(() => !world.serving.isOwed(first), 30_000)
    settled(world, 'k')
    expect(glance(world, 'k', { r: 3, conflicts: 'last-write-wins' })).toEqual(['new'])
  })

  it('is never of two that both lack a write which a stand-in took', () => {
    // [read as it is, read as if nobody asked what is kept for whom]
    const stale = [false, true].map((isBlind) => {
      const world = startWorld({ seed: 9, nodes: 5 })
      settled(world, 'k')
      mustPut(world, 'k', 'old', { w: 3, conflicts: 'last-write-wins' })
      const [first, second, third, fourth] = preference(world, 'k') as [number, number, number, number]
      sendAway(world, [first])
      world.network.cutLink(second, third)
      // The second has it, and the fourth for the first.
      mustPut(world, 'k', 'new', { w: 2, coordinator: second, conflicts: 'last-write-wins' })
      world.network.cutLink(fourth, first)
      world.start()
      fetchFrom(world, first, 'k')
      if (isBlind) world.serving.isOwed = () => false
      const found = Array.from({ length: 3 * 256 }, () =>
        glance(world, 'k', { conflicts: 'last-write-wins' }),
      )
      return found.some((values) => values?.[0] === 'old')
    })
    expect(stale).toEqual([false, true])
  })

  it('does not look into a node that cannot be asked', () => {
    const world = startWorld({ seed: 7, nodes: 3 })
    settled(world, 'k')
    mustPut(world, 'k', 'one', { w: 3 })
    const [first] = preference(world, 'k') as [number]
    world.network.cutLink(first, 0)
    expect(glance(world, 'k', { r: 3 })).toBeUndefined()
    world.network.healAll()
    expect(glance(world, 'k', { r: 3 })).toEqual(['one'])
  })

  it('waits while the ring changes, and reads the new owners afterwards', () => {
    const world = startWorld({ seed: 8, nodes: 4, partitions: 8 })
    settled(world, 'k')
    mustPut(world, 'k', 'one', { w: 3 })
    world.add(5)
    const owners = Uint16Array.from(world.ring.owners, (owner, index) => (index % 4 === 0 ? 5 : owner))
    world.change(owners)
    world.runUntil(() => world.ring.change !== undefined)
    expect(glance(world, 'k')).toBeUndefined()
    world.runUntil(() => world.ring.change === undefined, 60_000)
    settled(world, 'k')
    expect(glance(world, 'k', { r: 3 })).toEqual(['one'])
  })
})

const seeds = Array.from({ length: 40 }, (_, index) => index + 1)

describe('glances among racing writers never miss what was acknowledged', () => {
  it('while messages are late, twice and out of order (40 seeds)', () => {
    let glances = 0
    for (const seed of seeds) {
      const world = startWorld({ seed: 5_000 + seed, nodes: 4 })
      setNetwork(world, { duplication: 0.3, reordering: true, delayMsMax: 5 })
      for (let key = 0; key < 3; key++) settled(world, `k${key}`)
      const workload = new Workload(world, { steps: 80, keys: 3, write: { w: 2 }, r: 2, glances: true })
      workload.run()
      expect(workload.finish().lost, `seed ${seed}`).toEqual([])
      glances += workload.finish().glances
    }
    expect(glances, 'nothing was answered without messages').toBeGreaterThan(500)
  })

  /** Nodes die, links fail, others stand in; answers how many glances were answered. */
  function troubled(seed: number, prepare: (world: World) => void): number {
    const random = seededRandom(seed, 77)
    const world = startWorld({ seed: 6_000 + seed, nodes: 5 })
    prepare(world)
    for (let key = 0; key < 3; key++) settled(world, `k${key}`)
    const nemesis = (_world: World, _random: unknown, step: number) => {
      const node = 1 + randomBelow(random, 5)
      const drawn = random()
      if (step % 12 === 3 && nodeOf(world, node).host !== undefined) world.kill(node)
      else if (drawn < 0.08) world.network.cutLink(node, 1 + randomBelow(random, 5))
      else if (drawn < 0.16) world.network.healAll()
      if (random() < 0.1) world.pass(random() * 800)
    }
    const write = { w: 2, timeoutMs: 400 }
    const workload = new Workload(world, { steps: 100, keys: 3, write, r: 2, glances: true, nemesis })
    workload.run()
    world.network.healAll()
    world.pass(5_000)
    return workload.finish().glances
  }

  it('while nodes die, others stand in, and what they keep comes home (40 seeds)', () => {
    let glances = 0
    for (const seed of seeds) glances += troubled(seed, () => {})
    expect(glances, 'nothing was answered without messages').toBeGreaterThan(500)
  })
})
