// What was promised is in the log and not yet in rows: it survives the process, with its hints, its deletions and its
// trees; and a log that cannot be read says so, like any other loss.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import type { World } from '../../src/sim/world.js'
import { redoBounds } from '../../src/storage/redo-rows.js'
import {
  copyAt,
  diskAt,
  drainHints,
  expectNoTrace,
  fetchFrom,
  hintsOf,
  keyLedBy,
  mustGet,
  mustPut,
  nodeOf,
  preference,
  sendAway,
  settle,
  startWorld,
  values,
  valuesAtEach,
} from '../sim/helpers.js'
import { expectTrueTrees } from '../sim/trees.js'

const latest = { conflicts: 'last-write-wins' } as const
const keys = Array.from({ length: 30 }, (_, index) => `k${index}`)

function restart(world: World, kind: 'process' | 'power'): void {
  world.crash(kind)
  world.start()
}

function logRows(world: World, node: NodeId): number {
  let found: number | undefined
  nodeOf(world, node).disk.walk(redoBounds.after, redoBounds.before, 10_000, (_error, rows) => {
    found = rows.length
  })
  world.runUntil(() => found !== undefined)
  return found as number
}

describe('what has no row yet', () => {
  it.each(['process', 'power'] as const)('is there after the %s failed, again and again', (kind) => {
    const world = startWorld({ seed: 1, nodes: 3 })
    for (const key of keys) mustPut(world, key, `first ${key}`, { ...latest, w: 3, dw: 3 })
    for (const key of keys) mustPut(world, key, `second ${key}`, { ...latest, w: 3, dw: 3 })
    for (const node of [1, 2, 3]) expect(logRows(world, node)).toBeGreaterThan(0)
    for (let i = 0; i < 3; i++) {
      restart(world, kind)
      for (const key of keys) {
        expect(valuesAtEach(world, key)).toEqual(Array.from({ length: 3 }, () => [`second ${key}`]))
      }
      expectTrueTrees(world)
    }
    // Rows are written in the end, and nothing of the log is left.
    world.pass(60_000)
    for (const node of [1, 2, 3]) {
      for (const key of keys) expect(diskAt(world, node, key)).toBeDefined()
      expect(logRows(world, node)).toBe(0)
    }
  })

  it('and came over from a thread that died is there when the process fails before it was flushed', () => {
    const world = startWorld({ seed: 2, nodes: 3 })
    for (const key of keys) mustPut(world, key, `value ${key}`, { ...latest, w: 3, dw: 1, level: 'disk' })
    for (const node of [1, 2, 3]) world.kill(node)
    settle(world)
    restart(world, 'power')
    for (const key of keys) expect(values(world, key, { ...latest, r: 3 })).toEqual([`value ${key}`])
    expectTrueTrees(world)
  })
})

describe('a hint', () => {
  it('that is in the log of its holder alone comes home after the process failed', () => {
    const world = startWorld({ seed: 3, nodes: 5 })
    const key = keyLedBy(world, 1)
    const [first, second, , fourth] = preference(world, key) as [NodeId, NodeId, NodeId, NodeId]
    mustPut(world, key, 'before', { ...latest, w: 3, dw: 3 })
    sendAway(world, [first])
    mustPut(world, key, 'while it was away', { ...latest, w: 3, dw: 3 })
    expect(hintsOf(world)).toEqual({ [`${fourth}->${first}`]: 1 })
    restart(world, 'process')
    drainHints(world)
    for (const node of [first, second]) {
      expect(copyAt(world, node, key)?.siblings.map(({ value }) => `${Buffer.from(value)}`)).toEqual([
        'while it was away',
      ])
    }
    // It was deleted where it was kept, and stays so.
    restart(world, 'process')
    settle(world)
    expect(hintsOf(world)).toEqual({})
  })
})

describe('what was forgotten', () => {
  it('does not come back from what the log says of before', () => {
    const world = startWorld({ seed: 4, nodes: 3, reapAfterMs: 1_000, mendEveryMs: 0 })
    mustPut(world, 'a', 'old', { ...latest, w: 3, dw: 3 })
    const read = mustGet(world, 'a', latest).object
    const context = { clock: read?.clock ?? [], stamp: read?.siblings[0]?.stamp ?? 0 }
    mustPut(world, 'a', '', { ...latest, change: 'delete', context, w: 3, dw: 3 })
    for (let i = 0; i < 40 && copyAt(world, 1, 'a') !== undefined; i++) world.pass(200)
    expectNoTrace(world, 'a')
    world.pass(50)
    restart(world, 'process')
    expectNoTrace(world, 'a')
    expectTrueTrees(world)
  })
})

describe('a damaged row of the log', () => {
  it('counts as a loss: the node says that it is incomplete, and has all again from the others', () => {
    const world = startWorld({ seed: 5, nodes: 3 })
    for (const key of keys) mustPut(world, key, `value ${key}`, { ...latest, w: 3, dw: 3 })
    const node = nodeOf(world, 1)
    const { generation } = node
    node.damageLog(0.5)
    world.pass(1)
    const gone = { type: 'node-exited', node: 1, generation, reason: 'damaged', failure: false } as const
    world.tellSupervisor(gone)
    world.pass(5)
    for (const other of [2, 3]) world.network.cutLink(other, 1)
    world.start()
    expect(node.verdict).toMatchObject({ amnesia: true, since: 0 })
    expect(node.verdict?.reason).toMatch(/damaged redo row/)
    expect(fetchFrom(world, 1, 'k0')).toMatchObject({ complete: false })
    world.network.healAll()
    settle(world, 10_000)
    for (const key of keys)
      expect(valuesAtEach(world, key)).toEqual(Array.from({ length: 3 }, () => [`value ${key}`]))
    expectTrueTrees(world)
  })
})
