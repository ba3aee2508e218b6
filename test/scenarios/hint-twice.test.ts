// A hint that began in memory only and became durable is in a page twice: as a row, and as a volatile key.

import { expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import { hintKey } from '../../src/protocol/hint.js'
import { hashOf } from '../../src/ring/ring.js'
import { internalKey } from '../../src/sim/client.js'
import {
  keyLedBy,
  mustPut,
  nodeOf,
  preference,
  separate,
  settle,
  startLedWorld,
  valuesAtEach,
} from '../sim/helpers.js'

function story(seed: number, lastAt?: number) {
  const world = startLedWorld({ seed, nodes: 5 })
  const key = keyLedBy(world, 1)
  const [first, second, , fourth] = preference(world, key) as [NodeId, NodeId, NodeId, NodeId]
  const options = { coordinator: first, conflicts: 'last-write-wins' } as const
  separate(world, first, second)
  world.client.put(key, 'v0', { ...options, w: 2, level: 'memory' })
  world.pass(1_500)
  mustPut(world, key, 'v1', { ...options, w: 3, level: 'memory' })
  // The bucket is made durable.
  mustPut(world, key, 'v2', { ...options, w: 3, dw: 3, level: 'disk' })
  const hint = hintKey(second, internalKey(key))
  const hash = hashOf(world.ring, internalKey(key))
  const holds = () => nodeOf(world, fourth).host?.['ports'].storage?.memory.has(hint, hash) ?? false
  expect(holds()).toBe(true)
  let sent = 0
  const { network } = world
  const send = network.send
  network.send = (delivery) => {
    if (delivery.from === fourth && delivery.envelope.message.type === 'replicate') sent++
    send.call(network, delivery)
  }
  if (lastAt === undefined) world.runUntil(() => !holds())
  else {
    world.pass(lastAt - world.now())
    mustPut(world, key, 'v3', { ...options, w: 3, dw: 1, level: 'disk' })
  }
  return { world, key, sent: () => sent }
}

it('it is sent once', () => {
  expect(story(1).sent()).toBe(1)
})

it('it is deleted once, and not when it was written again between two confirmations (40 seeds)', () => {
  const lost: string[] = []
  for (let seed = 1; seed <= 40; seed++) {
    const deletedAt = story(seed).world.now()
    for (let before = 0; before <= 0.3; before += 0.02) {
      const { world, key } = story(seed, deletedAt - before)
      world.network.healAll()
      settle(world, 30_000)
      const each = valuesAtEach(world, key).map(([value]) => value)
      if (each.some((value) => value !== 'v3'))
        lost.push(`seed ${seed}, ${before.toFixed(2)} ms before: ${each}`)
    }
  }
  expect(lost).toEqual([])
})
