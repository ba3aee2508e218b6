// How many copies an answer stands for (Dynamo 4.5): r, w and dw of each request, down to what lies on each
// node and how durable it is.

import { describe, expect, test } from 'vitest'
import { openCluster, temporary } from './cluster-helpers.js'

describe('a write', () => {
  test('stands for at least w copies, dw of them on disk', async () => {
    const cluster = await openCluster({ dir: temporary() })
    const bucket = cluster.bucket<string>('quorums')
    for (const [w, dw] of [
      [1, 0],
      [1, 1],
      [2, 0],
      [2, 1],
      [2, 2],
      [3, 3],
    ] as const) {
      const written = await bucket.put(`w${w} dw${dw}`, 'v', { w, dw })
      expect(written.level).toBe('disk')
      expect(written.w).toBeGreaterThanOrEqual(w)
      expect(written.dw).toBeGreaterThanOrEqual(dw)
      expect(written.w).toBeLessThanOrEqual(3)
      expect(written.dw).toBeLessThanOrEqual(written.w)
    }
  })

  test('of all copies is seen by a read of any one', async () => {
    const cluster = await openCluster()
    const bucket = cluster.bucket<number>('quorums')
    for (let i = 0; i < 100; i++) {
      await bucket.put(`k${i}`, i, { w: 3 })
      expect((await bucket.get(`k${i}`, { r: 1 })).value).toBe(i)
    }
  })

  test('of one copy is seen by a read of all', async () => {
    const cluster = await openCluster({ routing: 'server' })
    const bucket = cluster.bucket<number>('quorums')
    for (let i = 0; i < 100; i++) {
      await bucket.put(`k${i}`, i, { w: 1 })
      expect((await bucket.get(`k${i}`, { r: 3 })).value).toBe(i)
    }
  })

  test('without a directory has the level memory', async () => {
    const cluster = await openCluster()
    const written = await cluster.bucket('quorums').put('k', 'v', { w: 3 })
    expect(written).toMatchObject({ level: 'memory', w: 3 })
  })

  test('of level os is answered without an fsync of its own', async () => {
    const cluster = await openCluster({ dir: temporary() })
    const bucket = cluster.bucket('logged', { durability: 'os' })
    const written = await bucket.put('k', 'v', { w: 3, dw: 3 })
    expect(written).toMatchObject({ level: 'os', w: 3, dw: 3 })
  })
})

describe('a read', () => {
  test('times out when the nodes do not answer, and had no effect', async () => {
    const cluster = await openCluster({ routing: 'server', memory: 4 * 1024 * 1024 })
    const bucket = cluster.bucket<string>('quorums')
    await bucket.put('k', 'v', { w: 3 })
    await Promise.all([1, 2, 3].map((node) => stall(cluster, node, 1500)))
    await expect(bucket.get('k', { r: 3, timeout: 1 })).rejects.toMatchObject({ code: 'deadline' })
    const late = bucket.put('k', 'late', { timeout: 1 })
    await expect(late).rejects.toMatchObject({ code: 'deadline', outcome: 'indeterminate' })
    expect(['v', 'late']).toContain((await bucket.get('k', { timeout: 30_000 })).values[0])
  })
})

async function stall(
  cluster: Awaited<ReturnType<typeof openCluster>>,
  node: number,
  ms: number,
): Promise<void> {
  await cluster.machine.control(node)?.call((control) => control.stall(ms), 5_000)
}
