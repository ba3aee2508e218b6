// What survives what (trust 2.1): the death of a thread loses nothing, because its memory is handed to its
// successor; the death of the process loses nothing that `os` promised, a power cut nothing that `disk` did.

import { describe, expect, it } from 'vitest'
import { type Random, randomBelow } from '../../src/base/random.js'
import type { World } from '../../src/sim/world.js'
import { settle, startWorld } from '../sim/helpers.js'
import { Workload } from '../sim/workload.js'

const seeds = Array.from({ length: 100 }, (_, index) => index + 1)

/** Kills a node now and then, at any moment, at most two at once. */
function killer(world: World, random: Random): void {
  if (random() > 0.08) return
  const node = 1 + randomBelow(random, world.nodes.size)
  const down = [...world.nodes.values()].filter((each) => each.host === undefined).length
  const { alive, host } = world.nodes.get(node) ?? { alive: false, host: undefined }
  if (alive && host !== undefined && down < 2) world.kill(node)
}

function crasher(kind: 'process' | 'power', chance: number) {
  return (world: World, random: Random) => {
    if (random() > chance) return
    world.crash(kind)
    world.start()
  }
}

describe('a thread dies at any moment', () => {
  it('nothing that was acknowledged is lost, with w 1 and dw 0 (100 seeds)', () => {
    let killed = 0
    let acknowledged = 0
    for (const seed of seeds) {
      const world = startWorld({ seed, nodes: 4 })
      const write = { w: 1, dw: 0, timeoutMs: 2_000 }
      const workload = new Workload(world, { steps: 80, keys: 3, write, r: 1, nemesis: killer })
      workload.run()
      settle(world)
      expect(world.whole, `seed ${seed}`).toBe(true)
      const report = workload.finish()
      expect(report.lost, `seed ${seed}`).toEqual([])
      killed += world.transcript.lines.filter((line) => line.endsWith('died: killed')).length
      acknowledged += report.acknowledged
    }
    expect(killed).toBeGreaterThan(100)
    expect(acknowledged).toBeGreaterThan(2_000)
  })

  it('reads with r + w > n see every write that was acknowledged before they began (60 seeds)', () => {
    for (const seed of seeds.slice(0, 60)) {
      const world = startWorld({ seed: 2_000 + seed, nodes: 4 })
      const write = { w: 2, dw: seed % 3, timeoutMs: 2_000 }
      const workload = new Workload(world, {
        steps: 80,
        keys: 2,
        write,
        r: 2,
        nemesis: killer,
        regular: true,
      })
      workload.run()
      settle(world)
      expect(workload.finish().lost, `seed ${seed}`).toEqual([])
    }
  })
})

describe('the process dies at any moment', () => {
  it.each([
    { kind: 'process', level: 'os' },
    { kind: 'process', level: 'disk' },
    { kind: 'power', level: 'disk' },
  ] as const)('$kind: nothing that dw 1 at level $level promised is lost (100 seeds)', ({ kind, level }) => {
    let crashes = 0
    let acknowledged = 0
    for (const seed of seeds) {
      const world = startWorld({ seed: 3_000 + seed, nodes: 4 })
      const write = { w: 1 + (seed % 2), dw: 1, level, timeoutMs: 2_000 }
      const workload = new Workload(world, {
        steps: 60,
        keys: 3,
        write,
        r: 3 - (seed % 2),
        nemesis: crasher(kind, 0.05),
        regular: true,
      })
      workload.run()
      settle(world)
      const report = workload.finish()
      expect(report.lost, `seed ${seed}`).toEqual([])
      crashes += world.transcript.lines.filter((line) => line.endsWith(`the ${kind} fails`)).length
      acknowledged += report.acknowledged
    }
    expect(crashes).toBeGreaterThan(100)
    expect(acknowledged).toBeGreaterThan(1_000)
  })

  it.each(['process', 'power'] as const)(
    '%s, dw 0: writes may be lost, and the cluster converges (50 seeds)',
    (kind) => {
      let lost = 0
      for (const seed of seeds.slice(0, 50)) {
        const world = startWorld({ seed: 4_000 + seed, nodes: 4 })
        const write = { w: 2, dw: 0, timeoutMs: 2_000 }
        const workload = new Workload(world, {
          steps: 60,
          keys: 3,
          write,
          r: 2,
          nemesis: crasher(kind, 0.05),
        })
        workload.run()
        settle(world)
        expect(world.whole, `seed ${seed}`).toBe(true)
        lost += workload.finish().lost.length
      }
      // One of the replicas writes through at once, so what is lost is what was under way to its disk.
      expect(lost).toBeGreaterThan(0)
    },
  )
})

describe('threads die, the process dies, links fail and clocks jump', () => {
  it.each([
    { kind: 'process', level: 'os' },
    { kind: 'power', level: 'disk' },
  ] as const)(
    '$kind, $level: nothing acknowledged is lost, and all nodes are whole in the end (60 seeds)',
    (each) => {
      for (const seed of seeds.slice(0, 60)) {
        const world = startWorld({ seed: 5_000 + seed, nodes: 4 })
        // Links between nodes: the supervisor's news is never lost on threads, and it tells nothing twice.
        const nemesis = (_world: World, random: Random) => {
          const chance = random()
          const node = 1 + randomBelow(random, 4)
          if (chance < 0.03 && world.nodes.get(node)?.host !== undefined) world.kill(node)
          else if (chance < 0.04) {
            world.crash(each.kind)
            world.start()
          } else if (chance < 0.1) world.network.cutLink(1 + randomBelow(random, 4), node)
          else if (chance < 0.16) world.network.healAll()
          else if (chance < 0.18) world.wallOffset += (random() - 0.5) * 7_200_000
        }
        const write = { w: 2, dw: 1, level: each.level, timeoutMs: 500 }
        const workload = new Workload(world, { steps: 80, keys: 3, write, r: 2, nemesis, regular: true })
        workload.run()
        world.network.healAll()
        settle(world)
        expect(world.whole, `seed ${seed}`).toBe(true)
        expect(workload.finish().lost, `seed ${seed}`).toEqual([])
      }
    },
  )
})
