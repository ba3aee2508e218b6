// Delete, partition, clock jumps, handoff, repair, death and forgetting, in any order: what was deleted with an
// acknowledgement never comes back, to a reader or in any store (trust: P6), and in the end no tombstone is left.

import { describe, expect, it } from 'vitest'
import { type Random, randomBelow, seededRandom } from '../../src/base/random.js'
import type { NodeId } from '../../src/base/units.js'
import { rebalance } from '../../src/ring/rebalance.js'
import { hashOf } from '../../src/ring/ring.js'
import { internalKey, type SimRequest, textsOf } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import type { Conflicts } from '../../src/versions/object.js'
import { diskAt, expectNoTrace, sendAway, separate, setNetwork, startWorld } from '../sim/helpers.js'

const nodes = 5
const actions = 60

interface Bait {
  readonly key: string
  readonly conflicts: Conflicts
  stage: 'putting' | 'put' | 'deleting' | 'deleted' | 'spoilt'
  request: SimRequest
  put: SimRequest
}

/** Puts keys, and deletes what the put's context covers, again and again until that is acknowledged. */
class Baits {
  readonly all: Bait[] = []
  private readonly world: World
  private readonly random: Random

  constructor(world: World, random: Random) {
    this.world = world
    this.random = random
  }

  step(): void {
    const { world, random } = this
    const conflicts: Conflicts = random() < 0.5 ? 'siblings' : 'last-write-wins'
    const request = world.client.put(`bait-${this.all.length}`, 'old', {
      conflicts,
      w: 1 + randomBelow(random, 3),
      timeoutMs: 2_000,
    })
    this.all.push({ key: `bait-${this.all.length}`, conflicts, stage: 'putting', request, put: request })
    for (const bait of this.all) this.advance(bait)
  }

  advance(bait: Bait): void {
    const { random } = this
    const { answer } = bait.request
    if (bait.stage === 'putting' && answer !== undefined) {
      // A put of which nobody knows may come to be after the delete: no bait.
      bait.stage = answer.type === 'put-answered' ? 'put' : 'spoilt'
    } else if (bait.stage === 'put' && random() < 0.3) this.remove(bait)
    else if (bait.stage === 'deleting' && answer !== undefined) {
      if (answer.type === 'put-answered') bait.stage = 'deleted'
      else this.remove(bait)
    }
  }

  private remove(bait: Bait): void {
    const put = bait.put.answer
    if (put?.type !== 'put-answered') return
    bait.stage = 'deleting'
    bait.request = this.world.client.put(bait.key, '', {
      conflicts: bait.conflicts,
      change: 'delete',
      context: put.context,
      // Power may be cut: what is not durable then is not promised.
      dw: 1,
      w: 1 + randomBelow(this.random, 3),
      timeoutMs: 2_000,
    })
  }

  /** What a quorum of all three reads of those that are gone. */
  expectGone(): void {
    const { world } = this
    const reads = this.all
      .filter(({ stage }) => stage === 'deleted')
      .map((bait) => ({ bait, get: world.client.get(bait.key, { r: 3, conflicts: bait.conflicts }) }))
    world.runUntil(() => reads.every(({ get }) => get.answer !== undefined), 60_000)
    for (const { bait, get } of reads) {
      const { answer } = get
      if (answer?.type !== 'get-answered') continue
      expect(textsOf(answer.object), `${bait.key}, seed ${world.seed}`).toEqual([])
    }
  }
}

type Act = (world: World, random: Random) => void

const someone = (world: World, random: Random) => {
  const alive = [...world.nodes.values()].filter(({ alive }) => alive).map(({ node }) => node)
  return (alive[randomBelow(random, alive.length)] ?? 1) as NodeId
}

const acts: Readonly<Record<string, Act>> = {
  'a node dies': (world, random) => world.kill(someone(world, random)),
  'a node stays away': (world, random) => sendAway(world, [someone(world, random)]),
  'all come back': (world) => void world.start(),
  'a link is cut': (world, random) => separate(world, someone(world, random), someone(world, random)),
  'a link is cut one way': (world, random) =>
    world.network.cutLink(someone(world, random), someone(world, random)),
  'links heal': (world) => world.network.healAll(),
  'the clock jumps forward': (world, random) => {
    world.wallOffset += 1 + randomBelow(random, 60_000)
  },
  'the clock jumps back': (world, random) => {
    world.wallOffset -= 1 + randomBelow(random, 60_000)
  },
  'the process dies': (world, random) => {
    world.crash(random() < 0.5 ? 'process' : 'power')
    world.start()
  },
  'messages get lost, twice and out of order': (world, random) =>
    setNetwork(world, { loss: 0.05, duplication: 0, reordering: true, delayMsMax: 1 + 500 * random() }),
  'the network is well': (world) =>
    setNetwork(world, { loss: 0, duplication: 0, reordering: false, delayMsMax: 0.1 }),
  'the ring changes': (world, random) => {
    if (world.ring.change !== undefined) return
    const left = world.ring.nodes.filter((node) => node !== 1 + randomBelow(random, nodes))
    const next = left.length < 4 ? world.ring.nodes : left
    const joined = [...new Set([...next, 1 + randomBelow(random, nodes)])].sort((a, b) => a - b)
    const members = joined.map((node) => ({ node, weight: 1, host: '', zone: '' }))
    world.change(rebalance(world.ring.owners, members, world.copies))
  },
  'time passes': (world, random) => world.pass(randomBelow(random, 20_000)),
  'an operator looks for differences': (world, random) => {
    world.client.audit(randomBelow(random, world.ring.partitions), { mends: true, deep: true })
  },
}

function story(seed: number): World {
  const world = startWorld({
    seed,
    nodes,
    n: 3,
    partitions: 8,
    reapAfterMs: 2_000,
    mendEveryMs: 200,
  })
  const random = seededRandom(seed, 77)
  const baits = new Baits(world, random)
  const names = Object.keys(acts)
  for (let i = 0; i < actions; i++) {
    for (let j = 0; j < 3; j++) baits.step()
    world.pass(randomBelow(random, 500))
    const act = acts[names[randomBelow(random, names.length)] as string] as Act
    act(world, random)
    world.pass(randomBelow(random, 3_000))
  }
  world.network.healAll()
  setNetwork(world, { loss: 0, duplication: 0, reordering: false, delayMsMax: 0.1 })
  world.start()
  for (let i = 0; i < 40; i++) {
    for (const bait of baits.all) baits.advance(bait)
    world.pass(500)
  }
  baits.expectGone()
  const deleted = baits.all.filter(({ stage }) => stage === 'deleted')
  // The clock may have been minutes ahead when something was deleted, and is behind now.
  for (let i = 0; i < 200 && deleted.some(({ key }) => isSomewhere(world, key)); i++) world.pass(10_000)
  baits.expectGone()
  expect(deleted.length).toBeGreaterThan(actions)
  for (const { key } of deleted) expectNoTrace(world, key)
  return world
}

function isSomewhere(world: World, key: string): boolean {
  const internal = internalKey(key)
  const hash = hashOf(world.ring, internal)
  return [...world.nodes.values()].some(
    ({ node, storage }) => storage?.memory.has(internal, hash) || diskAt(world, node, key) !== undefined,
  )
}

describe('whatever happens', () => {
  const seeds = Array.from(
    { length: Number(process.env['RINGSPUN_REAP_SEEDS'] ?? 12) },
    (_, index) => index + 1,
  )
  it.each(seeds)('what was deleted stays deleted, and no trace is left (%i)', (seed) => {
    story(seed)
  })
})
