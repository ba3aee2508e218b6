// A place that passes to another node (Dynamo 4.9) while the words of the two are lost, as between hosts they are: each
// question is asked again, and a giver that does not answer at all holds up nobody else.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import type { Message } from '../../src/protocol/envelope.js'
import type { World } from '../../src/sim/world.js'
import { mustPut, preference, startWorld, values } from '../sim/helpers.js'

/** Every word of this type that is said to a vnode is lost, so many times each by whoever says it. */
function lose(world: World, type: Message['type'], times: number): { lost: number } {
  const count = { lost: 0 }
  const { network } = world
  const send = network.send.bind(network)
  const lostBy = new Map<string, number>()
  network.send = (delivery) => {
    const { message, from, to } = delivery.envelope
    const who = `${from.node}/${from.partition} ${to.node}`
    const before = lostBy.get(who) ?? 0
    if (message.type !== type || before >= times) return send(delivery)
    lostBy.set(who, before + 1)
    count.lost++
  }
  return count
}

function filled(seed: number): World {
  const world = startWorld({ seed, nodes: 4, n: 3, partitions: 8 })
  for (let i = 0; i < 40; i++) mustPut(world, `k${i}`, `of k${i}`, { w: 2 })
  return world
}

/** How long the change takes in which a new node has all that another had. */
function replace(world: World, leaver: NodeId, joiner: NodeId): number {
  world.add(joiner)
  world.change(Uint16Array.from(world.ring.owners, (owner) => (owner === leaver ? joiner : owner)))
  expect(world.runUntil(() => world.ring.change !== undefined)).toBe(true)
  const begun = world.now()
  expect(world.runUntil(() => world.ring.change === undefined, 120_000)).toBe(true)
  return world.now() - begun
}

describe('words of a handoff are lost', () => {
  it.each(['give', 'giving', 'take', 'taken'] as const)(
    'each first `%s`, twice: it is asked again, long before the claimant would begin anew',
    (type) => {
      const world = filled(1)
      const count = lose(world, type, 2)
      expect(replace(world, 1, 5)).toBeLessThan(15_000)
      expect(count.lost).toBeGreaterThan(4)
      for (let i = 0; i < 40; i++) expect(values(world, `k${i}`, { r: 2 })).toEqual([`of k${i}`])
    },
  )

  it('a giver that ignores what it is asked is left for others after a while, and asked again', () => {
    const world = filled(2)
    const deaf = preference(world, 'k0')[0] as NodeId
    const { network } = world
    const send = network.send.bind(network)
    let isDeaf = true
    let ignored = 0
    network.send = (delivery) => {
      const { message, to } = delivery.envelope
      if (isDeaf && message.type === 'give' && to.node === deaf) ignored++
      else send(delivery)
    }
    world.schedule(20_000, () => {
      isDeaf = false
    })
    // One transfer of the deaf node was given up and begun again meanwhile; asked for at a pace.
    expect(replace(world, deaf, 5)).toBeLessThan(25_000)
    expect(ignored).toBeGreaterThan(10)
    expect(ignored).toBeLessThan(200)
    for (let i = 0; i < 40; i++) expect(values(world, `k${i}`, { r: 2 })).toEqual([`of k${i}`])
  })
})
