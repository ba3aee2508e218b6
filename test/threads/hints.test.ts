// Always writeable, on threads: two of three primaries are blocked, or die, and every write that is asked for
// then succeeds; what was kept for them comes home, and in the end all replicas are the same. Nodes go by
// blocking their event loop, and by `terminate()`.

import { describe, expect, test } from 'vitest'
import type { LocalCluster } from '../../dist/client/cluster.js'
import { preferenceList } from '../../src/ring/preference.js'
import { openCluster, temporary, until } from './cluster-helpers.js'

function hints(cluster: LocalCluster): number {
  return cluster.status().nodes.reduce((sum, node) => sum + node.hints, 0)
}

async function stall(cluster: LocalCluster, nodes: readonly number[], ms: number): Promise<void> {
  for (const node of nodes) {
    await cluster.machine.control(node)?.call((control) => control.stall(ms), 10_000)
  }
  // A put that was sent to a coordinator before anybody noticed waits for it: only it knows what became of it.
  await until('this thread was told that they are slow', () => {
    const view = cluster['host'].view?.nodes ?? []
    return nodes.every((node) =>
      view.some((each: { node: number; state: string }) => each.node === node && each.state === 'slow'),
    )
  })
}

function partitionsThatMiss(cluster: LocalCluster, away: readonly number[]): number {
  let missing = 0
  for (let partition = 0; partition < cluster['ring'].partitions; partition++) {
    const primaries = preferenceList(cluster['ring'], partition).slice(0, 3)
    if (away.every((node) => primaries.includes(node))) missing++
  }
  return missing
}

/** Reads of all three find nothing to mend. */
async function expectEqualReplicas(cluster: LocalCluster, keys: readonly string[]): Promise<void> {
  const bucket = cluster.bucket<number>('kept', { conflicts: 'last-write-wins' })
  const before = cluster.status().readRepairs
  for (const [i, key] of keys.entries()) {
    expect((await bucket.get(key, { r: 3, pr: 3 })).values, key).toEqual([i])
  }
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(cluster.status().readRepairs - before).toBe(0)
}

describe.each(['in a directory', 'in memory only'])('%s', (where) => {
  const options = () => ({ nodes: 5, ...(where === 'in a directory' ? { dir: temporary() } : {}) })

  test('two of five nodes are blocked for seconds: every put succeeds, and the hints come home', async () => {
    const cluster = await openCluster(options())
    const bucket = cluster.bucket<number>('kept', { conflicts: 'last-write-wins' })
    const away = preferenceList(cluster['ring'], 0).slice(0, 2)
    expect(partitionsThatMiss(cluster, away)).toBeGreaterThan(0)
    await stall(cluster, away, 4_000)
    const keys = Array.from({ length: 1_000 }, (_, i) => `k${i}`)
    await bucket.putMany(
      keys.map((key, i) => [key, i] as const),
      { w: 3, dw: 0, timeout: 20_000 },
    )
    // Nobody waited for them: they are blocked still.
    expect(away.map((node) => cluster.status().nodes[node - 1]?.state)).toEqual(['slow', 'slow'])
    await until('a hint is reported', () => hints(cluster) > 0)
    // Nine of ten keys have one of the two among their three nodes.
    const strict = Array.from({ length: 20 }, (_, i) => {
      return bucket.put(`strict ${i}`, i, { w: 3, pw: 3, timeout: 100 })
    })
    const outcomes = await Promise.allSettled(strict)
    expect(outcomes.filter(({ status }) => status === 'rejected')).not.toEqual([])
    await until('all are brisk', () => cluster.status().nodes.every(({ state }) => state === 'up'))
    await until('no hint is left', () => hints(cluster) === 0)
    expect(cluster.status().nodes.map(({ generation }) => generation)).toEqual([1, 1, 1, 1, 1])
    await expectEqualReplicas(cluster, keys)
  })

  test('nodes die one after the other while puts go on: what was acknowledged is everywhere in the end', async () => {
    const cluster = await openCluster(options())
    const bucket = cluster.bucket<number>('kept', { conflicts: 'last-write-wins' })
    const failures = new Map<string, number>()
    const keys: string[] = []
    const write = async (key: string, i: number): Promise<void> => {
      for (;;) {
        try {
          await bucket.put(key, i, { w: 2, dw: 0 })
          return
        } catch (error) {
          const { code } = error as { code: string }
          failures.set(code, (failures.get(code) ?? 0) + 1)
        }
      }
    }
    for (let death = 0; death < 6; death++) {
      const begun = Array.from({ length: 200 }, (_, i) => {
        const number = death * 200 + i
        keys.push(`k${number}`)
        return write(`k${number}`, number)
      })
      cluster.machine.kill(1 + (death % 5))
      cluster.machine.kill(1 + ((death + 1) % 5))
      await Promise.all(begun)
      await until('all live', () => cluster.status().nodes.every(({ state }) => state === 'up'))
    }
    // Only a put whose coordinator died is in doubt. None was refused for want of replicas.
    expect([...failures.keys()].filter((code) => code !== 'coordinator-lost')).toEqual([])
    await until('all are whole', () => cluster.status().nodes.every(({ complete }) => complete))
    await until('no hint is left', () => hints(cluster) === 0)
    await expectEqualReplicas(cluster, keys)
  })
})

test('one node of five is left: with w 1 every put succeeds', async () => {
  const cluster = await openCluster({ nodes: 5 })
  const bucket = cluster.bucket<number>('kept', { conflicts: 'last-write-wins' })
  await stall(cluster, [1, 2, 3, 5], 4_000)
  const keys = Array.from({ length: 300 }, (_, i) => `k${i}`)
  await bucket.putMany(
    keys.map((key, i) => [key, i] as const),
    { w: 1 },
  )
  expect(cluster.status().nodes.filter(({ state }) => state === 'slow')).toHaveLength(4)
  await until('all are brisk', () => cluster.status().nodes.every(({ state }) => state === 'up'))
  await until('no hint is left', () => hints(cluster) === 0)
  await expectEqualReplicas(cluster, keys)
})
