// Nodes die under load, at any moment: by the end of their thread, and by an error that nobody catches. The
// memory of a node outlives its thread, so nothing that was acknowledged is lost, not even with w = 1 and
// nothing on disk; a put that was under way ends refused or indeterminate; the node comes back.

import { describe, expect, test } from 'vitest'
import type { LocalCluster } from '../../dist/client/cluster.js'
import { randomBelow, seededRandom } from '../../src/base/random.js'
import { openCluster, temporary, until } from './cluster-helpers.js'
import { Load } from './kill-load.js'

type Node = ReturnType<LocalCluster['status']>['nodes'][number]

function nodeOf(cluster: LocalCluster, node: number): Node {
  return cluster.status().nodes[node - 1] as Node
}

function serves(cluster: LocalCluster, node: number): boolean {
  return ['up', 'slow'].includes(nodeOf(cluster, node).state)
}

async function crash(cluster: LocalCluster, node: number): Promise<void> {
  try {
    await cluster.machine.control(node)?.call((control) => control.crash(), 10_000)
  } catch (error) {
    // It may be gone before it could say that it will be.
    expect(error).toMatchObject({ code: 'node-failed' })
  }
}

/** Errors that a put may end with when its coordinator dies. Anything else is a bug. */
const expected = new Set([
  'coordinator-lost',
  'quorum-lost',
  'unavailable',
  'deadline',
  'overloaded',
  'recovering',
])

function expectOnlyExpected(load: Load): void {
  expect([...load.errors.keys()].filter((code) => !expected.has(code))).toEqual([])
}

describe.each([
  ['in a directory', 1],
  ['in a directory', 2],
  ['in memory only', 1],
  ['in memory only', 2],
] as const)('%s, with w = %i', (where, w) => {
  test('nodes that die lose nothing and come back', async () => {
    const lines: string[] = []
    const cluster = await openCluster({
      ...(where === 'in a directory' ? { dir: temporary() } : {}),
      dw: 0,
      log: (_level, text) => lines.push(text),
    })
    const load = new Load(cluster, w)
    const random = seededRandom(w)
    const deaths = 8
    for (let death = 1; death <= deaths; death++) {
      await load.more(100 + randomBelow(random, 400))
      const node = 1 + randomBelow(random, 3)
      const { generation } = nodeOf(cluster, node)
      if (death % 2 === 0) cluster.machine.kill(node)
      else await crash(cluster, node)
      await until(`node ${node} has a new life`, () => {
        return nodeOf(cluster, node).generation > generation && serves(cluster, node)
      })
    }
    await load.more(200)
    await load.stop()
    expectOnlyExpected(load)
    await until('all nodes are whole', () => cluster.status().nodes.every(({ complete }) => complete))
    await load.expectNothingLost()
    const lives = cluster.status().nodes.map(({ generation }) => generation)
    expect(lives.reduce((sum, life) => sum + life, 0)).toBe(3 + deaths)
    if (where === 'in a directory') {
      const adopted = lines.filter((line) => line.includes('took over the memory of its predecessor'))
      expect(adopted.length).toBeGreaterThan(0)
    }
    expect(lines.filter((line) => line.includes('damaged'))).toEqual([])
  })
})

test('two nodes of three die at once, and all three', async () => {
  const cluster = await openCluster({ dir: temporary(), dw: 0 })
  const load = new Load(cluster, 1)
  for (const victims of [
    [1, 2],
    [2, 3],
    [1, 2, 3],
  ]) {
    await load.more(300)
    const before = victims.map((node) => nodeOf(cluster, node).generation)
    for (const node of victims) cluster.machine.kill(node)
    await until('all have new lives', () =>
      victims.every((node, i) => {
        return nodeOf(cluster, node).generation > (before[i] as number) && serves(cluster, node)
      }),
    )
  }
  await load.more(300)
  await load.stop()
  expectOnlyExpected(load)
  await until('all nodes are whole', () => cluster.status().nodes.every(({ complete }) => complete))
  await load.expectNothingLost()
})

test('a read that was led by a node which dies ends, and the next one is answered', async () => {
  const cluster = await openCluster({ routing: 'server' })
  const bucket = cluster.bucket<number>('reads')
  await bucket.putMany(
    Array.from({ length: 200 }, (_, i) => [`k${i}`, i] as const),
    { w: 3 },
  )
  const reads = Array.from({ length: 200 }, (_, i) => bucket.get(`k${i}`, { timeout: 5_000 }))
  cluster.machine.kill(2)
  for (const [i, settled] of (await Promise.allSettled(reads)).entries()) {
    if (settled.status === 'fulfilled') expect(settled.value.values).toEqual([i])
    else expect(settled.reason).toMatchObject({ name: 'RingspunError', outcome: 'refused' })
  }
  await until('node 2 serves again', () => nodeOf(cluster, 2).generation === 2 && serves(cluster, 2))
  for (let i = 0; i < 200; i++) expect((await bucket.get(`k${i}`)).values).toEqual([i])
})

test('whoever tries again at once what was refused at once does not keep the nodes from coming back', async () => {
  const cluster = await openCluster({ dir: temporary(), dw: 0 })
  // An attempt that ended as indeterminate may be stored beside the one that was acknowledged: the last is read.
  const bucket = cluster.bucket<number>('again', { conflicts: 'last-write-wins' })
  cluster.machine.kill(1)
  cluster.machine.kill(2)
  let refusals = 0
  for (let done = false; !done; ) {
    try {
      await bucket.put('k', 1, { w: 3 })
      done = true
    } catch (error) {
      expect(expected).toContain((error as { code: string }).code)
      refusals++
    }
  }
  expect(refusals).toBeGreaterThan(0)
  expect((await bucket.get('k')).values).toEqual([1])
})

test('a node that stalls is slow, is not restarted, and loses nothing', async () => {
  const lines: string[] = []
  const log = (_level: string, text: string) => lines.push(text)
  const cluster = await openCluster({ dir: temporary(), dw: 0, log })
  const load = new Load(cluster, 1)
  await load.more(200)
  await cluster.machine.control(3)?.call((control) => control.stall(2_000), 10_000)
  await until('node 3 is slow', () => nodeOf(cluster, 3).state === 'slow')
  await load.more(200)
  await until('node 3 is brisk', () => nodeOf(cluster, 3).state === 'up')
  await load.more(200)
  await load.stop()
  expectOnlyExpected(load)
  expect(nodeOf(cluster, 3).generation).toBe(1)
  expect(lines.filter((line) => line.startsWith('node 3 is slow'))).not.toEqual([])
  expect(lines.filter((line) => line.includes('ended'))).toEqual([])
  await load.expectNothingLost()
})

test('a node that crashes too often is given up, and the others serve', async () => {
  const lines: string[] = []
  const log = (_level: string, text: string) => lines.push(text)
  const cluster = await openCluster({ dw: 0, log })
  const bucket = cluster.bucket<number>('left')
  await bucket.putMany(Array.from({ length: 100 }, (_, i) => [`k${i}`, i] as const))
  for (let life = 1; life <= 11; life++) {
    await until(`node 1 is in life ${life}`, () => {
      return nodeOf(cluster, 1).generation === life && serves(cluster, 1)
    })
    await crash(cluster, 1)
    await until('it has ended', () => !serves(cluster, 1))
  }
  await until('node 1 is given up', () => nodeOf(cluster, 1).state === 'failed')
  for (let i = 0; i < 100; i++) expect((await bucket.get(`k${i}`)).values).toEqual([i])
  await bucket.putMany(Array.from({ length: 100 }, (_, i) => [`k${i} later`, i] as const))
  await expect(bucket.put('k', 1, { w: 3 })).rejects.toMatchObject({
    code: 'unavailable',
    outcome: 'refused',
  })
  expect((await bucket.get('k')).values).toEqual([])
  expect(cluster.status().nodes.map(({ state }) => state)).toEqual(['failed', 'up', 'up'])
  expect(lines.some((line) => line.includes('node 1') && line.includes('given up'))).toBe(true)
})
