// Faults on purpose, through the public face: what an application can do to its own cluster, and what it then
// sees of it. Nothing that was acknowledged is lost, and the cluster mends itself when the fault is over.

import { describe, expect, test } from 'vitest'
import type { LocalCluster } from '../../dist/client/cluster.js'
import { openCluster, temporary, until } from './cluster-helpers.js'

const count = 500

function nodeOf(cluster: LocalCluster, node: number) {
  const found = cluster.status().nodes[node - 1]
  if (found === undefined) throw new Error(`there is no node ${node}`)
  return found
}

async function fill(cluster: LocalCluster, from: number, options = {}): Promise<void> {
  const entries = Array.from({ length: count }, (_, i) => [`k${from + i}`, from + i] as const)
  await cluster.bucket<number>('b', { conflicts: 'last-write-wins' }).putMany(entries, options)
}

/** Every key has its value on all three nodes: reads of all find nothing to mend. */
async function expectEqual(cluster: LocalCluster, keys: number): Promise<void> {
  const bucket = cluster.bucket<number>('b')
  const before = cluster.status().readRepairs
  for (let i = 0; i < keys; i++) {
    expect((await bucket.get(`k${i}`, { r: 3, pr: 3 })).values, `k${i}`).toEqual([i])
  }
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(cluster.status().readRepairs - before).toBe(0)
}

async function healed(cluster: LocalCluster): Promise<void> {
  await until('all nodes are up and whole', () => {
    return cluster.status().nodes.every(({ state, complete }) => state === 'up' && complete)
  })
  await until('no hint is left', () => cluster.status().nodes.every(({ hints }) => hints === 0))
}

describe.each(['in a directory', 'in memory only'])('%s', (where) => {
  const open = (nodes: number) => {
    return openCluster({ nodes, ...(where === 'in a directory' ? { dir: temporary() } : {}) })
  }

  test('a node that is wiped comes back equal, without any client', async () => {
    const cluster = await open(4)
    await fill(cluster, 0, { w: 3 })
    await cluster.faults.wipe(2)
    await until('node 2 has a new life', () => nodeOf(cluster, 2).generation === 2)
    await healed(cluster)
    expect(nodeOf(cluster, 2).objects).toBeGreaterThan(0)
    await expectEqual(cluster, count)
  })

  test('a node that is killed comes back with what it had', async () => {
    const cluster = await open(4)
    await fill(cluster, 0, { w: 3, dw: 0 })
    cluster.faults.kill(3)
    await until('node 3 has a new life', () => nodeOf(cluster, 3).generation === 2)
    await healed(cluster)
    await expectEqual(cluster, count)
  })

  test('a node that nobody can reach is written around, and gets what it missed', async () => {
    const cluster = await open(5)
    await fill(cluster, 0, { w: 3 })
    cluster.faults.isolate(1)
    // What is asked before anybody has noticed waits until somebody has; a coordinator that is cut off answers nobody.
    await Promise.allSettled(
      Array.from({ length: 50 }, (_, i) => cluster.bucket('b').put(`before ${i}`, i, { timeout: 1_000 })),
    )
    await until('it is suspected by this thread', () => {
      return cluster['host'].seen().some((view: { node: number; state: string }) => {
        return view.node === 1 && view.state === 'suspected'
      })
    })
    await fill(cluster, count, { w: 3, dw: 0 })
    // It is alive and well, and nothing was decided about it.
    expect(nodeOf(cluster, 1)).toMatchObject({ state: 'up', generation: 1 })
    cluster.faults.heal()
    await until('it is heard again', () => {
      return cluster['host'].seen().every((view: { state: string }) => view.state === 'up')
    })
    await healed(cluster)
    await expectEqual(cluster, 2 * count)
  })

  test('two nodes that cannot reach each other are reached by all others', async () => {
    const cluster = await open(5)
    cluster.faults.isolate(1, 2)
    await fill(cluster, 0, { w: 2 })
    cluster.faults.heal()
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    await healed(cluster)
    const bucket = cluster.bucket<number>('b')
    for (let i = 0; i < count; i++) expect((await bucket.get(`k${i}`, { r: 2 })).values).toEqual([i])
  })
})

test('a node that nobody can reach costs those few requests that it should have led, and then none', async () => {
  const cluster = await openCluster({ routing: 'server' })
  const bucket = cluster.bucket<number>('b', { conflicts: 'last-write-wins' })
  cluster.faults.isolate(2)
  const slow: number[] = []
  for (let i = 0; i < 90; i++) {
    const begun = performance.now()
    // What became of one that was not answered nobody knows, and nobody sends it again.
    const end = await bucket.put(`k${i}`, i, { timeout: 2_000 }).then(
      () => 'stored',
      ({ outcome }) => outcome,
    )
    if (end !== 'stored') expect(end).toBe('indeterminate')
    if (performance.now() - begun > 1_900) slow.push(i)
  }
  // The client finds it out once, and so does each gateway that takes it for a coordinator.
  expect(slow.length).toBeGreaterThan(0)
  expect(slow.length).toBeLessThanOrEqual(3)
  expect(Math.max(...slow)).toBeLessThan(30)
  cluster.faults.heal()
  await until('it is heard again', () => {
    return cluster['host'].seen().every((view: { state: string }) => view.state === 'up')
  })
  await fill(cluster, 0, { w: 3 })
})

test('a node that is stalled is slow and comes back', async () => {
  const cluster = await openCluster({ nodes: 4 })
  await cluster.faults.stall(2, 1_000)
  await until('node 2 is slow', () => nodeOf(cluster, 2).state === 'slow')
  await fill(cluster, 0, { w: 2 })
  await healed(cluster)
  expect(nodeOf(cluster, 2).generation).toBe(1)
  await expectEqual(cluster, count)
})

test('what is no node, or no time, is refused and hurts nobody', async () => {
  const { faults, ...cluster } = await openCluster()
  const bad = [0, -1, 4, 1.5, Number.NaN, '1', undefined, null] as number[]
  for (const node of bad) {
    expect(() => faults.kill(node)).toThrow(expect.objectContaining({ code: 'option-invalid' }))
    expect(() => faults.isolate(node)).toThrow(expect.objectContaining({ code: 'option-invalid' }))
    await expect(faults.wipe(node)).rejects.toMatchObject({ code: 'option-invalid' })
    await expect(faults.stall(node, 1)).rejects.toMatchObject({ code: 'option-invalid' })
    if (node !== undefined) {
      expect(() => faults.isolate(1, node)).toThrow(expect.objectContaining({ code: 'option-invalid' }))
    }
  }
  for (const ms of [0, -1, 600_001, Number.NaN, '5'] as number[]) {
    await expect(faults.stall(1, ms)).rejects.toMatchObject({ code: 'option-invalid' })
  }
  expect(cluster.machine.status.living()).toHaveLength(3)
})
