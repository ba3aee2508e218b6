// The courier. Hints that are left for ever, loops, timers that multiply.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import { hintKey } from '../../src/protocol/hint.js'
import { hashOf } from '../../src/ring/ring.js'
import { internalKey } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import {
  hintsOf,
  keyLedBy,
  mustPut,
  nodeOf,
  preference,
  put,
  sendAway,
  separate,
  settle,
  startLedWorld,
  startWorld,
  valuesAtEach,
} from '../sim/helpers.js'

function holds(world: World, holder: NodeId, owner: NodeId, key: string): boolean {
  const hint = hintKey(owner, internalKey(key))
  const memory = nodeOf(world, holder).host?.['ports'].storage?.memory
  return memory?.has(hint, hashOf(world.ring, internalKey(key))) ?? false
}

describe('a hint of a bucket that is kept in memory only', () => {
  /** The last put is begun at `lastAt`, if there is one. */
  function story(seed: number, lastAt?: number) {
    const world = startLedWorld({ seed, nodes: 5 })
    const key = keyLedBy(world, 1)
    const [first, second, , fourth] = preference(world, key) as [NodeId, NodeId, NodeId, NodeId]
    const options = { level: 'memory', coordinator: first, conflicts: 'last-write-wins' } as const
    // The coordinator does not reach the second; the fourth keeps for it, and delivers soon.
    separate(world, first, second)
    world.client.put(key, 'v0', { ...options, w: 2 })
    world.pass(1_500)
    mustPut(world, key, 'v1', { ...options, w: 3 })
    expect(holds(world, fourth, second, key)).toBe(true)
    if (lastAt !== undefined) {
      world.pass(lastAt - world.now())
      mustPut(world, key, 'v2', { ...options, w: 3 })
    } else world.runUntil(() => !holds(world, fourth, second, key))
    return { world, key, holder: fourth, owner: second }
  }

  it('written again just after its delivery is not forgotten (20 seeds)', () => {
    const stranded: string[] = []
    for (let seed = 1; seed <= 20; seed++) {
      const deliveredAt = story(seed).world.now()
      for (const before of [0.05, 0.1, 0.15, 0.2, 0.25, 0.3]) {
        const { world, key, holder, owner } = story(seed, deliveredAt - before)
        world.network.healAll()
        // All are up, all links are whole: what is kept must go home.
        settle(world, 60_000)
        const each = valuesAtEach(world, key).map(([value]) => value)
        if (each.some((value) => value !== 'v2') || holds(world, holder, owner, key))
          stranded.push(
            `seed ${seed}, ${before} ms: ${each}, still kept: ${holds(world, holder, owner, key)}`,
          )
      }
    }
    expect(stranded).toEqual([])
  })
})

describe('timers', () => {
  it('do not multiply with every change of the nodes', () => {
    const world = startWorld({ seed: 2, nodes: 5 })
    const key = keyLedBy(world, 1)
    const [, second, , fourth] = preference(world, key) as [NodeId, NodeId, NodeId, NodeId]
    sendAway(world, [second])
    mustPut(world, key, 'v', { w: 3, conflicts: 'last-write-wins' })
    // The owner is up for the holder, but refuses: it holds too much that is unflushed, say.
    world.spawn(second)
    world.runUntil(() => nodeOf(world, second).host !== undefined)
    const owner = nodeOf(world, second).host as NonNullable<ReturnType<typeof nodeOf>['host']>
    Object.defineProperty(owner['turn'], 'overloaded', { get: () => true })
    const host = nodeOf(world, fourth).host as typeof owner
    const other = [1, 2, 3, 4, 5].find((node) => node !== second && node !== fourth) as NodeId
    const timers = () =>
      host['timers']['heap']['items'].filter(({ envelope }) => envelope.message.type === 'hints-due').length
    world.pass(1_000)
    expect(hintsOf(world)).toEqual({ [`${fourth}->${second}`]: 1 })
    // Somebody else is slow now and then, for twenty minutes.
    for (let i = 0; i < 200; i++) {
      world.tellSupervisor({ type: 'node-slow', node: other, silentMs: 300 })
      world.pass(300)
      world.tellSupervisor({ type: 'node-brisk', node: other })
      world.pass(300)
    }
    world.pass(1_000)
    expect(timers()).toBeLessThanOrEqual(2)
  })
})

describe('a stand-in that has no room in memory', () => {
  it('is not asked again and again until the deadline', () => {
    const world = startWorld({ seed: 3, nodes: 4 })
    const key = keyLedBy(world, 1)
    const [, second, , fourth] = preference(world, key) as [NodeId, NodeId, NodeId, NodeId]
    sendAway(world, [second])
    const holder = nodeOf(world, fourth).host as NonNullable<ReturnType<typeof nodeOf>['host']>
    // Half of its buffer is unflushed: it refuses every copy (turn.ts).
    Object.defineProperty(holder['turn'], 'overloaded', { get: () => true })
    const before = world.transcript.lines.length
    const answer = put(world, key, 'v', { w: 3, conflicts: 'last-write-wins', timeoutMs: 5_000 })
    const asked = world.transcript.lines.slice(before).filter((line) => line.includes('keep')).length
    expect({ answer, asked }).toMatchObject({ answer: { type: 'put-failed' } })
    expect(asked).toBeLessThanOrEqual(3)
  })
})
