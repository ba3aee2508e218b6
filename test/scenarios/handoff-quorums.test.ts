// Dynamo 4.5 and 4.9 together: while places of preference lists pass from node to node, and nothing fails, a read by r
// sees what w acknowledged before it began, at each n with r + w > n. Copies that are late are what could break it: a
// replica that drops out may be one of the w.

import { describe, expect, it } from 'vitest'
import { randomBelow, seededRandom } from '../../src/base/random.js'
import type { NodeId } from '../../src/base/units.js'
import { textsOf } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import { setNetwork, startWorld } from '../sim/helpers.js'

const quorums = [
  [3, 2, 2],
  [3, 1, 3],
  [3, 3, 1],
  [2, 1, 2],
  [2, 2, 1],
  [1, 1, 1],
] as const
const conflicts = 'last-write-wins'
const everyMs = 10

const membersOfRounds: readonly (readonly NodeId[])[] = [
  [1, 2, 3, 4, 5],
  [1, 2, 3, 4, 5],
  [1, 3, 4, 5],
  [1, 2, 3, 4, 5],
]

interface Seen {
  readonly missed: string[]
  reads: number
  stopped: boolean
}

/** Writes a key over and over, by this gateway or that, and reads it as soon as a write is acknowledged. */
function writeAndRead(world: World, key: string, index: number, seen: Seen): void {
  const [n, w, r] = quorums[index % quorums.length] as (typeof quorums)[number]
  const random = seededRandom(world.seed, index)
  const via = () => ({ via: randomBelow(random, 2) * (1 + randomBelow(random, 4)) }) as { via: NodeId }
  let step = 0
  const next = () => {
    if (seen.stopped) return
    const written = ++step
    world.client.put(key, `${written}`, { n, w, dw: 0, conflicts, ...via() }).heard = (answer) => {
      if (answer.type !== 'put-answered') return world.schedule(everyMs, next)
      world.client.get(key, { n, r, conflicts, ...via() }).heard = (found) => {
        if (found.type === 'get-answered') {
          seen.reads++
          const [text] = textsOf(found.object)
          if (Number(text ?? 0) < written)
            seen.missed.push(`seed ${world.seed}, ${key} (${n}, ${r}, ${w}): ${text}, was written ${written}`)
        }
        world.schedule(everyMs, next)
      }
    }
  }
  next()
}

/** Every third partition or so has another owner: places shift, drop out and come in of all kinds. */
function shuffledRing(world: World, members: readonly NodeId[], round: number): Uint16Array {
  const random = seededRandom(world.seed, 100 + round)
  return Uint16Array.from(world.ring.owners, (owner) =>
    members.includes(owner) && random() < 0.7
      ? owner
      : (members[randomBelow(random, members.length)] as NodeId),
  )
}

describe('quorums overlap while the ring changes', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('nodes come and go, messages are late (%i)', (seed) => {
    const world = startWorld({ seed, nodes: 4, n: 3, partitions: 8 })
    // Late, but not so late that anybody stands in for anybody.
    setNetwork(world, { tail: 0.1, tailMsMax: 40 })
    const seen: Seen = { missed: [], reads: 0, stopped: false }
    for (let index = 0; index < 12; index++) writeAndRead(world, `k${index}`, index, seen)
    world.add(5)
    for (const [round, members] of membersOfRounds.entries()) {
      world.change(shuffledRing(world, members, round))
      world.runUntil(() => world.ring.change !== undefined, 10_000)
      expect(
        world.runUntil(() => world.ring.change === undefined, 60_000),
        'the change ends',
      ).toBe(true)
      world.pass(200)
    }
    seen.stopped = true
    world.pass(10_000)
    expect(seen.missed).toEqual([])
    expect(seen.reads).toBeGreaterThan(1_000)
  })
})
