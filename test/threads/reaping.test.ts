// Forgetting what was deleted, on threads and with RocksDB: it goes from every node's memory and disk when all hold
// the tombstone, and not a moment before while one of them is cut off. With what is dead kept for two seconds only.

import { expect, test } from 'vitest'
import type { LocalCluster } from '../../dist/client/cluster.js'
import { type Bucket, RingspunError } from '../../dist/index.js'
import { openCluster, temporary, until } from './cluster-helpers.js'

const keys = Array.from({ length: 300 }, (_, index) => `k${index}`)

function sum(cluster: LocalCluster, what: 'reaped' | 'objects' | 'hints'): number {
  return cluster.status().nodes.reduce((total, node) => total + node[what], 0)
}

/** Whoever coordinates may be the one that was cut off a moment ago: then nobody knows, and it is asked for again. */
async function removeSurely(bucket: Bucket<string>, key: string): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt++) {
    try {
      await bucket.delete(key, { timeout: 1_000 })
      return
    } catch (error) {
      if (!(error instanceof RingspunError) || error.outcome !== 'indeterminate') throw error
    }
  }
  throw new Error(`${key} could not be deleted`)
}

test('deleted and expired objects go from all nodes, and stay away over a restart', async () => {
  const dir = temporary()
  const cluster = await openCluster({ nodes: 4, dir, reapAfterMs: 2_000 })
  const bucket = cluster.bucket<string>('kept', { conflicts: 'last-write-wins' })
  const sessions = cluster.bucket<string>('sessions', { conflicts: 'last-write-wins' })
  await bucket.putMany(keys.map((key) => [key, 'old'] as const))
  await Promise.all(keys.slice(0, 50).map((key) => sessions.put(key, 'short', { ttl: 500 })))
  for (const key of keys.slice(1)) await bucket.delete(key)
  await until('all but one are forgotten', () => sum(cluster, 'objects') === 3, 60_000)
  expect(sum(cluster, 'reaped')).toBeGreaterThanOrEqual(keys.length - 1 + 50)
  await bucket.put('k1', 'new')
  await cluster.close()

  const again = await openCluster({ nodes: 4, dir, reapAfterMs: 2_000 })
  const found: string[] = []
  for await (const { key, values } of again.bucket<string>('kept').entries()) {
    found.push(`${Buffer.from(key)} ${values}`)
  }
  expect(found.sort()).toEqual(['k0 old', 'k1 new'])
  expect(await again.bucket<string>('sessions').get('k0')).toMatchObject({ values: [] })
}, 120_000)

test('nothing is forgotten while a node is cut off, or killed and wiped; then all of it is', async () => {
  const cluster = await openCluster({ nodes: 4, dir: temporary(), reapAfterMs: 2_000 })
  const bucket = cluster.bucket<string>('kept', { conflicts: 'last-write-wins' })
  await bucket.putMany(keys.map((key) => [key, 'old'] as const))
  await cluster.faults.isolate(4)
  for (const key of keys) await removeSurely(bucket, key)
  // Twice times as long as it takes when everybody can be asked.
  await new Promise((resolve) => setTimeout(resolve, 20_000))
  const left = new Set<string>()
  for (const { node, reaped } of cluster.status().nodes) if (reaped > 0) left.add(`${node}: ${reaped}`)
  expect([...left]).toEqual([])
  await cluster.faults.heal()
  await cluster.faults.kill(4)
  await cluster.faults.wipe(2)
  await until('all are forgotten', () => sum(cluster, 'objects') === 0 && sum(cluster, 'hints') === 0, 90_000)
  for (const key of keys.slice(0, 20)) expect((await bucket.get(key, { r: 3 })).values).toEqual([])
}, 180_000)
