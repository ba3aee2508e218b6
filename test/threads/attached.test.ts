// Other threads of the application (Cluster.attach): each has its own way to the nodes, hears what the opener hears,
// and leaves nothing behind when it dies.

import { Worker } from 'node:worker_threads'
import { expect, onTestFinished, test } from 'vitest'
import {
  type BucketProperties,
  Cluster,
  type ClusterHandle,
  type ClusterOptions,
  type ClusterStatus,
} from '../../dist/index.js'
import { openCluster, temporary, until } from './cluster-helpers.js'

const script = new URL('./attached.mjs', import.meta.url)
const url = new URL('../../dist/index.js', import.meta.url).href

interface Said {
  readonly result?: unknown
  readonly code?: string
}

/** A worker that is told what to do. */
class Hand {
  readonly worker: Worker

  constructor(handle: ClusterHandle) {
    this.worker = new Worker(script, { workerData: { url, handle } })
    onTestFinished(async () => {
      await this.worker.terminate()
    })
  }

  async say(order: string, what: object = {}): Promise<Said> {
    const answer = new Promise<Said>((resolve, reject) => {
      this.worker.once('message', resolve)
      this.worker.once('error', reject)
    })
    this.worker.postMessage({ order, ...what })
    return answer
  }

  async do(order: string, what: object = {}): Promise<unknown> {
    const { result, code } = await this.say(order, what)
    expect(code, `${order} in the worker`).toBeUndefined()
    return result
  }
}

async function attachedHands(count: number, options: ClusterOptions = {}) {
  const cluster = await openCluster(options)
  const hands = Array.from({ length: count }, () => new Hand(cluster.handle()))
  await Promise.all(hands.map((hand) => hand.do('attach')))
  return { cluster, hands }
}

test('three threads read and write the same keys, each by its own way', async () => {
  const { cluster, hands } = await attachedHands(3, { dir: temporary(), dw: 0 })
  const bucket = cluster.bucket<string>('default')
  const [one, two, three] = hands as [Hand, Hand, Hand]
  expect(await one.do('put', { key: 'k', value: 'one', options: { w: 3 } })).toBe(3)
  expect(await two.do('get', { key: 'k' })).toBe('one')
  expect((await bucket.get('k')).value).toBe('one')
  await bucket.put('k', 'two', { w: 3 })
  expect(await three.do('get', { key: 'k' })).toBe('two')
  // Out of shared memory, what another thread has just written.
  await three.do('get', { key: 'k', options: { r: 3 } })
  expect(await three.do('getSync', { key: 'k' })).toBe('two')
  const status = (await two.do('status')) as ClusterStatus
  expect([status.id, status.nodes.length, status.nodes.every(({ state }) => state === 'up')]).toEqual([
    cluster.status().id,
    3,
    true,
  ])
})

/** Resolves when that thread has heard that reads of the bucket wait for so many. */
async function heard(hand: Hand, r: number): Promise<void> {
  const known = async () => ((await hand.do('properties', { name: 'carts' })) as BucketProperties).r
  while ((await known()) !== r) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('properties of buckets are the same everywhere, whoever sets them, and stay', async () => {
  const { cluster, hands } = await attachedHands(2)
  const [one, two] = hands as [Hand, Hand]
  await one.do('setBucket', { name: 'carts', properties: { r: 1 } })
  expect(cluster.bucket('carts').properties.r).toBe(1)
  await heard(two, 1)
  await cluster.setBucket('carts', { r: 3 })
  await heard(one, 3)
  await heard(two, 3)
  expect(await one.say('setBucket', { name: 'carts', properties: { n: 9 } })).toEqual({
    code: 'quorum-invalid',
  })
})

test('nodes die and are wiped under the load of three threads, and nobody misses what it wrote', async () => {
  const { cluster, hands } = await attachedHands(3, { nodes: 4, dir: temporary(), dw: 0 })
  const end = Date.now() + 3_000
  const loads = hands.map((hand, name) => hand.say('load', { name: `h${name}`, until: end }))
  for (let kills = 0; Date.now() < end - 700; kills++) {
    await new Promise((resolve) => setTimeout(resolve, 600))
    if (kills === 1) await cluster.faults.wipe(1)
    else cluster.faults.kill(2 + (kills % 3))
  }
  for (const load of await Promise.all(loads)) {
    expect(load.code).toBeUndefined()
    expect(load.result).toMatchObject({ missed: 0 })
  }
  await until('all are up again', () => cluster.status().nodes.every(({ state }) => state === 'up'))
  for (const hand of hands) {
    await hand.do('put', { key: 'after', value: 'all' })
    expect(await hand.do('get', { key: 'after' })).toBe('all')
  }
})

test('a thread that is ended in the middle of its requests leaves nothing behind', async () => {
  const { cluster, hands } = await attachedHands(3)
  const attachments = cluster['attachments']
  const [one, two, three] = hands as [Hand, Hand, Hand]
  await one.say('freeze', { count: 2_000 })
  const numbers = () => new Set<number>(attachments['attached'].keys())
  const before = numbers()
  expect(before.size).toBe(3)
  await one.worker.terminate()
  await until('its number is free', () => attachments.size === 2)
  const [number = 0] = [...before].filter((each) => !numbers().has(each))
  expect(cluster.machine.status.isAlive(number, cluster.machine.status.generation(number))).toBe(false)
  // The others go on, and the next has the same number and none of its messages.
  expect(await two.do('put', { key: 'k', value: 'on' })).toBeGreaterThanOrEqual(2)
  const next = new Hand(cluster.handle())
  await next.do('attach')
  expect(cluster.machine.status.isAlive(number, cluster.machine.status.generation(number))).toBe(true)
  for (let i = 0; i < 200; i++) expect(await next.do('put', { key: `n${i}`, value: String(i) })).toBeTruthy()
  for (let i = 0; i < 200; i++) expect(await next.do('get', { key: `n${i}` })).toBe(String(i))
  expect(await three.do('get', { key: 'k' })).toBe('on')
  await next.do('close')
  await until('it has gone', () => attachments.size === 2)
})

test('a node that joins later is spoken to as well', async () => {
  const { cluster, hands } = await attachedHands(1, { dir: temporary(), dw: 0 })
  const [hand] = hands as [Hand]
  for (let i = 0; i < 50; i++) await hand.do('put', { key: `k${i}`, value: String(i), options: { w: 3 } })
  cluster.admin.plan({ join: 1 })
  await cluster.admin.commit()
  await until('the ring has settled', () => !cluster.admin.transfers().isChanging, 60_000)
  const seen = async () => ((await hand.do('status')) as ClusterStatus).nodes.length
  while ((await seen()) < 4) await new Promise((resolve) => setTimeout(resolve, 10))
  for (let i = 0; i < 50; i++) {
    expect(await hand.do('get', { key: `k${i}`, options: { r: 3 } })).toBe(String(i))
    await hand.do('put', { key: `k${i}`, value: `again ${i}`, options: { w: 3 } })
    expect(await hand.do('get', { key: `k${i}` })).toBe(`again ${i}`)
  }
})

test('what is closed says so, on either side', async () => {
  const { cluster, hands } = await attachedHands(1)
  const handle = cluster.handle()
  await cluster.close()
  const [hand] = hands as [Hand]
  // The word comes by another channel than the question, and may be the later by a moment.
  let said = await hand.say('get', { key: 'k' })
  for (let i = 0; i < 1_000 && said.code !== 'closed'; i++) said = await hand.say('get', { key: 'k' })
  expect(said).toEqual({ code: 'closed' })
  expect(await hand.say('attach')).toEqual({ code: 'closed' })
  const late = new Hand(handle)
  expect(await late.say('attach')).toEqual({ code: 'closed' })
  expect(() => cluster.handle()).toThrow('closed')
})

test('a handle of another version, a damaged one, and one for the opener itself are refused', async () => {
  const cluster = await openCluster()
  const handle = cluster.handle()
  for (const wrong of [
    { ...handle, version: '0.0.0' },
    { ...handle, format: 99 },
    { ...handle, thread: 'x' },
    { kind: 'other' },
    undefined,
    'handle',
  ]) {
    await expect(Cluster.attach(wrong as ClusterHandle)).rejects.toMatchObject({ code: 'handle-invalid' })
  }
  await expect(Cluster.attach(handle)).rejects.toMatchObject({ code: 'handle-invalid' })
  const elsewhere = new Hand({ ...handle, name: 'another' })
  expect(await elsewhere.say('attach')).toEqual({ code: 'closed' })
})

test('more threads than there are places are refused, and told why', async () => {
  const { cluster, hands } = await attachedHands(16)
  const one = new Hand(cluster.handle())
  expect(await one.say('attach')).toEqual({ code: 'too-many-clients' })
  await (hands[7] as Hand).do('close')
  await until('a place is free', () => cluster['attachments'].size === 15)
  await one.do('attach')
  expect(await one.do('put', { key: 'k', value: 'in' })).toBeGreaterThanOrEqual(2)
})
