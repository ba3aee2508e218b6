// What an operator may do with hints (docs/decisions/hints.md): hold them back, let them go, or give them up. What
// is given up is missing where it should have gone, and nowhere else: the comparison of replicas brings it.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import { singleAddress } from '../../src/protocol/address.js'
import type { World } from '../../src/sim/world.js'
import { hintsOf, mustPut, nodeOf, preference, settle, startWorld, valuesAtEach } from '../sim/helpers.js'

function operate(world: World, owner: NodeId, what: 'pause' | 'resume' | 'drop'): void {
  for (const { node, host } of world.nodes.values()) {
    if (host === undefined) continue
    const to = singleAddress('courier', node)
    const message =
      what === 'drop'
        ? ({ type: 'drop-hints', owner } as const)
        : ({ type: 'pause-hints', owner, paused: what === 'pause' } as const)
    host.receive({ to, from: to, request: 0, deadline: 0, message })
    world.wake(nodeOf(world, node))
  }
  world.pass(1)
}

/** Node 1 is away while 900 keys are written, more than a page of hints at each holder. */
function owing(seed: number): { world: World; keys: string[] } {
  const world = startWorld({ seed, nodes: 4 })
  nodeOf(world, 1).die()
  world.tellSupervisor({ type: 'node-exited', node: 1, generation: 1, reason: 'away', failure: false })
  world.pass(10)
  const keys = Array.from({ length: 900 }, (_, index) => `k${index}`)
  for (const key of keys) mustPut(world, key, key, { w: 2, dw: 1 })
  world.pass(5_000)
  return { world, keys: keys.filter((key) => preference(world, key).slice(0, 3).includes(1)) }
}

const owedTo1 = (world: World) =>
  Object.entries(hintsOf(world)).reduce((sum, [pair, count]) => sum + (pair.endsWith('>1') ? count : 0), 0)

describe('hints that are held back', () => {
  it('stay where they are while their owner is well, and go when they are let go', () => {
    const { world, keys } = owing(1)
    expect(owedTo1(world)).toBe(keys.length)
    operate(world, 1, 'pause')
    world.spawn(1)
    settle(world, 30_000)
    expect(owedTo1(world)).toBe(keys.length)
    operate(world, 1, 'resume')
    world.pass(30_000)
    expect(owedTo1(world)).toBe(0)
    for (const key of keys) expect(valuesAtEach(world, key)).toEqual([[key], [key], [key]])
  })

  it('also when their delivery had begun', () => {
    const { world, keys } = owing(2)
    world.spawn(1)
    world.runUntil(() => owedTo1(world) < keys.length)
    operate(world, 1, 'pause')
    world.pass(5_000)
    const left = owedTo1(world)
    expect(left).toBeGreaterThan(0)
    world.pass(30_000)
    expect(owedTo1(world)).toBe(left)
    operate(world, 1, 'resume')
    world.pass(30_000)
    expect(owedTo1(world)).toBe(0)
  })
})

describe('hints that outlive the process', () => {
  it('are counted again, all pages of them, and come home', () => {
    const { world, keys } = owing(6)
    world.crash('process')
    for (const node of [2, 3, 4]) world.spawn(node)
    world.pass(3_000)
    expect(owedTo1(world)).toBe(keys.length)
    world.spawn(1)
    settle(world, 30_000)
    expect(owedTo1(world)).toBe(0)
    for (const key of keys) expect(valuesAtEach(world, key)).toEqual([[key], [key], [key]])
  })
})

describe('hints that are given up', () => {
  it('are forgotten, all pages of them, and the replicas are compared, also where nobody does that by itself', () => {
    const { world, keys } = owing(3)
    operate(world, 1, 'drop')
    world.pass(10_000)
    expect(owedTo1(world)).toBe(0)
    world.spawn(1)
    settle(world, 30_000)
    const lacking = keys.filter((key) => valuesAtEach(world, key).some(([value]) => value !== key))
    expect(lacking).toEqual([])
  })

  it('also while they are being delivered', () => {
    const { world } = owing(5)
    world.spawn(1)
    const before = owedTo1(world)
    world.runUntil(() => owedTo1(world) < before)
    operate(world, 1, 'drop')
    world.pass(30_000)
    expect(owedTo1(world)).toBe(0)
  })
})
