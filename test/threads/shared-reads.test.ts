// Reads without messages on real threads (docs/decisions/shared-reads.md): what was acknowledged is seen at once,
// by `getSync` too, while writers race, buffers evict and nodes die; and the event loop goes on turning.

import { expect, test } from 'vitest'
import { RingspunError } from '../../dist/index.js'
import { openCluster, temporary, until } from './cluster-helpers.js'

test('a key in memory is read at once; what is not there has a result too', async () => {
  const cluster = await openCluster()
  const bucket = cluster.bucket<string>('default')
  await bucket.put('k', 'one', { w: 3 })
  await until(
    'the vnodes can be read',
    () => bucket.getSync('k') !== undefined || void bucket.get('k') === null,
  )
  const found = bucket.getSync('k')
  expect([found?.value, found?.values, found?.expiresAt]).toEqual(['one', ['one'], 0])
  // Its context is as good as any.
  await bucket.put('k', 'two', { context: found?.context as string, w: 3 })
  expect(bucket.getSync('k')?.value).toBe('two')
  expect(bucket.getSync('k', { r: 1 })?.value).toBe('two')
  await bucket.delete('k', { w: 3 })
  expect(bucket.getSync('k')).toMatchObject({ values: [] })
  await bucket.put('soon', 'gone', { ttl: 1, w: 3 })
  await until('it has expired', () => bucket.getSync('soon')?.values.length === 0)
  expect(() => bucket.getSync('')).toThrow(RingspunError)
  await cluster.close()
  expect(() => bucket.getSync('k')).toThrow('closed')
})

test('every kind of value comes back as it was, and nobody else has it', async () => {
  const cluster = await openCluster()
  const bucket = cluster.bucket<unknown>('default')
  const list = ['text', 'ä€', Buffer.from([0, 1, 255]), { a: [1, { b: 'c' }] }, Buffer.alloc(70_000, 7), '']
  for (const [at, value] of list.entries()) await bucket.put(`k${at}`, value, { w: 3 })
  await bucket.getMany(list.map((_, at) => `k${at}`))
  const read = () => list.map((_, at) => bucket.getSync(`k${at}`)?.value)
  await until('all are in memory', () => read().every((value) => value !== undefined))
  expect(read()).toEqual(list)
  const mine = bucket.getSync('k2')?.value as Uint8Array
  mine.fill(9)
  expect(read()).toEqual(list)
})

test('siblings are merged, and a read with their context replaces them', async () => {
  const cluster = await openCluster()
  const bucket = cluster.bucket<string>('lists')
  await Promise.all([bucket.put('k', 'a', { w: 3 }), bucket.put('k', 'b', { w: 3 })])
  await bucket.get('k', { r: 3 })
  await until('they agree', () => (bucket.getSync('k')?.values.length ?? 0) === 2)
  expect([...(bucket.getSync('k')?.values ?? [])].sort()).toEqual(['a', 'b'])
  await bucket.put('k', 'c', { context: bucket.getSync('k')?.context as string, w: 3 })
  expect(bucket.getSync('k')?.values).toEqual(['c'])
})

test('whoever awaits one read after the other does not stop the event loop', async () => {
  const cluster = await openCluster()
  const bucket = cluster.bucket<string>('default')
  await bucket.put('k', 'one', { w: 3 })
  await until('it can be read', () => bucket.getSync('k') !== undefined)
  let ticks = 0
  const timer = setInterval(() => ticks++, 1)
  while (ticks < 5) await bucket.get('k')
  clearInterval(timer)
  expect(ticks).toBe(5)
})

test('an acknowledged write is never missed, while memory evicts and nodes die', async () => {
  const cluster = await openCluster({ nodes: 4, dir: temporary(), dw: 0, memory: 4 * 1024 * 1024 })
  const bucket = cluster.bucket<string>('default')
  const keys = 300
  const last = new Array<number>(keys).fill(0)
  const filler = 'x'.repeat(2_000)
  let glances = 0
  let kills = 0
  const end = performance.now() + 4_000
  const writer = async (from: number) => {
    for (let i = from; performance.now() < end; i = (i + 4) % keys) {
      const number = (last[i] as number) + 1
      try {
        await bucket.put(`k${i}`, `${number} ${filler}`)
        last[i] = number
      } catch (error) {
        // It may have happened; the next has a later stamp.
        expect(error).toBeInstanceOf(RingspunError)
        last[i] = number
        await bucket.put(`k${i}`, `${number} ${filler}`).catch(() => {
          last[i] = 0
        })
      }
      for (let at = 0; at < keys; at += 7) {
        const due = last[at] as number
        const found = bucket.getSync(`k${at}`)
        if (found === undefined || due === 0) continue
        glances++
        expect(Number.parseInt(found.value ?? '0', 10), `key ${at}`).toBeGreaterThanOrEqual(due)
      }
    }
  }
  const killer = async () => {
    while (performance.now() < end - 500) {
      await new Promise((resolve) => setTimeout(resolve, 700))
      cluster.faults.kill(1 + (kills++ % 4))
    }
  }
  await Promise.all([writer(0), writer(1), writer(2), writer(3), killer()])
  expect(kills).toBeGreaterThan(2)
  expect(glances).toBeGreaterThan(1_000)
})
