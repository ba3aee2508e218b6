// Nodes that come and go while a cluster of threads serves: no request fails, no key is lost, each place is taken
// over once, a node that dies in the middle leaves nothing half done, and the ring is found again after a restart.

import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { LocalCluster } from '../../dist/client/cluster.js'
import { RingspunError } from '../../dist/index.js'
import { singleAddress } from '../../src/protocol/address.js'
import { openCluster, temporary, until } from './cluster-helpers.js'

const workers = 16
/** As many for each worker: two that write one key at a time would overwrite each other. */
const keys = Array.from({ length: 100 * workers }, (_, i) => `k${i}`)

/**
 * Writes and reads all the time; each key counts up, and what was acknowledged last is remembered. By strict quorums: on
 * a busy machine a node may be taken for slow, and a stand-in's copy is not seen by every read.
 */
class Load {
  readonly latest = new Map<string, number>()
  readonly errors: string[] = []
  operations = 0
  private stopped = false
  private readonly done: Promise<unknown>

  constructor(cluster: LocalCluster) {
    const bucket = cluster.bucket<number>('load', { conflicts: 'last-write-wins' })
    const worker = async (number: number) => {
      for (let step = 0; !this.stopped; step++) {
        const key = keys[(number + workers * step) % keys.length] as string
        try {
          const next = (this.latest.get(key) ?? 0) + 1
          await bucket.put(key, next, { w: 2, pw: 2 })
          this.latest.set(key, next)
          const { values } = await bucket.get(key, { r: 2, pr: 2 })
          if (values[0] !== next) this.errors.push(`${key} is ${values[0]}, was written ${next}`)
        } catch (error) {
          this.errors.push(error instanceof RingspunError ? error.code : String(error))
        }
        this.operations += 2
      }
    }
    this.done = Promise.all(Array.from({ length: workers }, (_, number) => worker(number)))
  }

  async stop(): Promise<void> {
    this.stopped = true
    await this.done
  }
}

async function expectNothingLost(cluster: LocalCluster, load: Load): Promise<void> {
  const bucket = cluster.bucket<number>('load', { conflicts: 'last-write-wins' })
  for (const [key, value] of load.latest)
    expect((await bucket.get(key, { r: 3 })).values, key).toEqual([value])
}

async function untilSettled(cluster: LocalCluster, members?: readonly number[]): Promise<number> {
  let tries = 1
  await until(
    'the ring has settled',
    () => {
      const { isChanging, transfers } = cluster.admin.transfers()
      for (const transfer of transfers) tries = Math.max(tries, transfer.tries)
      // What was committed may not have begun yet.
      const here = cluster.admin.ring().nodes.map(({ node }) => node)
      return !isChanging && (members === undefined || here.join() === members.join())
    },
    60_000,
  )
  return tries
}

describe('members of a cluster of threads', () => {
  test('a node joins, another leaves, both under load: no request fails and no key is lost', async () => {
    const dir = temporary()
    const cluster = await openCluster({ dir, nodes: 4, partitions: 32 })
    const load = new Load(cluster)
    await until('all keys were written', () => load.latest.size === keys.length)
    const join = cluster.admin.plan({ join: 1 })
    expect(join).toMatchObject({ changes: [{ kind: 'join', node: 5 }] })
    // Q/(S+1) partitions within one, and each is three replicas.
    expect(Math.abs(join.moved - 32 / 5)).toBeLessThanOrEqual(1)
    await cluster.admin.commit()
    expect(await untilSettled(cluster, [1, 2, 3, 4, 5])).toBe(1)
    expect(cluster.admin.ring().nodes.map(({ node }) => node)).toEqual([1, 2, 3, 4, 5])

    cluster.admin.plan({ leave: [2] })
    await cluster.admin.commit()
    expect(await untilSettled(cluster, [1, 3, 4, 5])).toBe(1)
    expect(cluster.admin.ring().nodes.map(({ node }) => node)).toEqual([1, 3, 4, 5])
    await load.stop()
    expect(load.errors).toEqual([])
    expect(load.operations).toBeGreaterThan(keys.length)
    await expectNothingLost(cluster, load)
    expect(await cluster.verify()).toMatchObject({ equal: true })
    await until('the one that has left is gone', () => !existsSync(`${dir}/node-2`), 30_000)
    await cluster.close()

    const again = await openCluster({ dir, nodes: 4, partitions: 32 })
    expect(again.admin.ring().nodes.map(({ node }) => node)).toEqual([1, 3, 4, 5])
    await expectNothingLost(again, load)
  }, 120_000)

  test('the node that joins dies half-way: it begins again, and nothing is lost', async () => {
    const cluster = await openCluster({ dir: temporary(), nodes: 4, partitions: 64 })
    const load = new Load(cluster)
    await until('all keys were written', () => load.latest.size === keys.length)
    cluster.admin.plan({ join: 1 })
    await cluster.admin.commit()
    await until('something has moved', () =>
      cluster.admin.transfers().transfers.some(({ stage }) => stage === 'done'),
    )
    cluster.faults.kill(5)
    await untilSettled(cluster)
    await load.stop()
    // Writes that the dead node led are indeterminate, and nothing else is.
    expect(new Set(load.errors.filter((code) => !code.includes('was written')))).toEqual(
      new Set(load.errors.some((code) => code === 'coordinator-lost') ? ['coordinator-lost'] : []),
    )
    await until('all are up', () =>
      cluster.status().nodes.every(({ state, complete }) => state === 'up' && complete),
    )
    await until('hints are home', () => cluster.status().nodes.every(({ hints }) => hints === 0))
    await cluster.admin.repair()
    expect(await cluster.verify()).toMatchObject({ equal: true })
    for (const [key, value] of load.latest) {
      const { values } = await cluster.bucket<number>('load').get(key, { r: 3 })
      expect(values[0], key).toBeGreaterThanOrEqual(value)
    }
  }, 120_000)

  test('a node is replaced by another, and a plan that cannot be is refused', async () => {
    const cluster = await openCluster({ dir: temporary(), nodes: 3, partitions: 16 })
    const bucket = cluster.bucket<number>('load', { conflicts: 'last-write-wins' })
    await bucket.putMany(keys.map((key, i) => [key, i] as const))
    expect(() => cluster.admin.plan({ leave: [1] })).toThrow(/2 nodes cannot hold 3 copies/)
    expect(() => cluster.admin.plan({ leave: [9] })).toThrow(RingspunError)
    await expect(cluster.admin.commit()).rejects.toMatchObject({ code: 'membership-invalid' })
    const plan = cluster.admin.plan({ replace: [{ node: 3 }] })
    expect(plan).toMatchObject({ changes: [{ kind: 'replace', node: 3, successor: 4 }] })
    await cluster.admin.commit()
    expect(() => cluster.admin.plan({ join: 1 })).toThrow(/is changing/)
    await untilSettled(cluster)
    expect(cluster.admin.ring().nodes.map(({ node }) => node)).toEqual([1, 2, 4])
    for (const [i, key] of keys.entries()) expect((await bucket.get(key, { r: 3 })).values).toEqual([i])
    expect(await cluster.verify()).toMatchObject({ equal: true })
  }, 120_000)

  test('a blocked event loop moves nothing and loses nothing', async () => {
    const cluster = await openCluster({ dir: temporary(), nodes: 4 })
    const load = new Load(cluster)
    await until('all keys were written', () => load.latest.size === keys.length)
    const { epoch } = cluster.admin.ring()
    await cluster.faults.stall(2, 2_000)
    await until('it was seen to be slow', () => cluster.status().nodes[1]?.state === 'slow')
    await until('it is back', () => cluster.status().nodes[1]?.state === 'up')
    await load.stop()
    expect(cluster.admin.ring().epoch).toBe(epoch)
    expect(cluster.admin.transfers()).toMatchObject({ isChanging: false, transfers: [] })
    expect(load.errors).toEqual([])
    await expectNothingLost(cluster, load)
  }, 120_000)
})

describe('what nodes tell each other', () => {
  const members = (cluster: LocalCluster, node: number) => {
    const report = cluster.admin.ring()
    return node === 0 ? report.nodes.map((each) => each.node) : []
  }
  const wish = (cluster: LocalCluster, node: number, joining: number) =>
    cluster['core'].requests.ask(
      singleAddress('gossip', node),
      {
        type: 'change-membership',
        changes: [{ kind: 'join', node: joining, weight: 1, host: '', zone: '' }],
      },
      10_000,
      undefined,
    )

  test('two nodes serve a join each at the same time: both are in, and it is remembered', async () => {
    const dir = temporary()
    const cluster = await openCluster({ dir, nodes: 3, gossipEveryMs: 100 })
    await Promise.all([wish(cluster, 1, 4), wish(cluster, 3, 5)])
    await until('both are members', () => members(cluster, 0).length === 5, 60_000)
    await untilSettled(cluster)
    const { history } = cluster.admin.ring()
    expect(
      history.map(({ changes }) => changes.map(({ kind, node }) => `${kind} ${node}`).join(' ')),
    ).toEqual(expect.arrayContaining(['join 4', 'join 5']))
    await cluster.close()
    const again = await openCluster({ dir, nodes: 5 })
    expect(again.admin.ring().history).toEqual(history)
    expect(again.admin.ring().nodes.map(({ node }) => node)).toEqual([1, 2, 3, 4, 5])
  })

  test('a node that dies right after it served a join remembers it', async () => {
    const cluster = await openCluster({ dir: temporary(), nodes: 3, gossipEveryMs: 100 })
    await wish(cluster, 2, 4)
    await cluster.faults.kill(2)
    await until('it is a member', () => members(cluster, 0).includes(4), 60_000)
    await untilSettled(cluster)
  })

  test('a plan is committed while a node is blocked: it hears of it when it wakes', async () => {
    const cluster = await openCluster({ dir: temporary(), nodes: 4, gossipEveryMs: 100 })
    await cluster.faults.stall(3, 2_000)
    cluster.admin.plan({ join: 1 })
    await cluster.admin.commit()
    await untilSettled(cluster)
    expect(members(cluster, 0)).toEqual([1, 2, 3, 4, 5])
    const { epoch } = cluster.admin.ring()
    await until('all nodes have the ring', () =>
      [1, 2, 3, 4, 5].every((node) => cluster.machine.status.counter(node, 'ringEpoch') === epoch),
    )
  })
})
