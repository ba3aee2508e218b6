// What the sixty bad inputs share: one real cluster with one value in it, and the two questions after each of
// them. Is what was there still there, alone? Does the cluster still serve, every node of it?

import { expect } from 'vitest'
import { type Bucket, Cluster } from '../../dist/index.js'
import { small } from '../client/helpers.js'

export interface House {
  readonly cluster: Cluster
  readonly bucket: Bucket<unknown>
  /** Puts back the one value, whatever an input did. */
  restore(): Promise<void>
  /** Nothing was written, nothing is left open, and a write and a read through all nodes are answered. */
  expectUnharmed(): Promise<void>
}

export async function openHouse(name: string, cluster?: Cluster): Promise<House> {
  const open = cluster ?? (await Cluster.open(small))
  const bucket = open.bucket<unknown>(name)
  const probe = open.bucket<number>(`${name}-probe`, { conflicts: 'last-write-wins' })
  let probes = 0
  const restore = async () => {
    await bucket.clear()
    const { context } = await bucket.get('kept')
    await bucket.put('kept', 'before', context === undefined ? {} : { context })
  }
  await restore()
  return {
    cluster: open,
    bucket,
    restore,
    async expectUnharmed() {
      expect((await bucket.get('kept', { r: 3 })).values).toEqual(['before'])
      expect(await bucket.count()).toBe(1)
      // Copies on all three nodes: each of them has written and read.
      await probe.put('probe', ++probes, { w: 3 })
      expect((await probe.get('probe', { r: 3 })).value).toBe(probes)
      const { nodes, requestsInFlight } = open.status()
      expect(requestsInFlight).toBe(0)
      // The first life of each still: nothing fell over and was begun again.
      expect(nodes.map(({ generation }) => generation)).toEqual(nodes.map(() => 1))
      expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('polluted')
    },
  }
}
