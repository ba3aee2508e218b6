// Aborts and the end of a cluster: a request that was not sent is refused, a read that was sent too, because
// it had no effect; a write that was sent is indeterminate, and a read says afterwards what became of it.

import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { RingspunError } from '../../dist/index.js'
import { errorOf, expectRefused, openSmall } from './helpers.js'

describe('an abort', () => {
  test('before: nothing is sent', async () => {
    const cluster = await openSmall()
    const bucket = cluster.bucket('aborts')
    const signal = AbortSignal.abort()
    await expectRefused(() => bucket.put('k', 'v', { signal }), 'aborted')
    await expectRefused(() => bucket.putMany([['k', 'v']], { signal }), 'aborted')
    expect((await bucket.get('k')).values).toEqual([])
    expect(cluster.status().requestsInFlight).toBe(0)
  })

  test('in flight: a read is refused, a write may have happened', async () => {
    const cluster = await openSmall()
    const bucket = cluster.bucket<string>('aborts')
    const controller = new AbortController()
    const put = bucket.put('k', 'v', { signal: controller.signal })
    const get = bucket.get('other', { signal: controller.signal })
    controller.abort()
    const error = await errorOf(() => put)
    expect(error).toBeInstanceOf(RingspunError)
    expect(error).toMatchObject({ code: 'aborted-in-flight', outcome: 'indeterminate' })
    await expectRefused(() => get, 'aborted')
    expect(cluster.status().requestsInFlight).toBe(0)
    const { values } = await bucket.get('k')
    expect([[], ['v']]).toContainEqual(values)
  })

  test('after the answer: nothing is left listening to the signal', async () => {
    const cluster = await openSmall()
    const bucket = cluster.bucket<string>('aborts')
    const controller = new AbortController()
    const { signal } = controller
    await bucket.putMany(
      Array.from({ length: 50 }, (_, i) => [`k${i}`, 'v'] as const),
      { signal },
    )
    await bucket.get('k1', { signal })
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    controller.abort()
    expect((await bucket.get('k1')).values).toEqual(['v'])
  })

  test('of a walk ends it between two pages', async () => {
    const cluster = await openSmall()
    const bucket = cluster.bucket<string>('aborts')
    await bucket.putMany(Array.from({ length: 100 }, (_, i) => [`k${i}`, 'v'] as const))
    const controller = new AbortController()
    let seen = 0
    const walk = async () => {
      for await (const _key of bucket.keys({ limit: 5, signal: controller.signal })) {
        if (++seen === 10) controller.abort()
      }
    }
    await expectRefused(walk, 'aborted')
    expect(seen).toBeGreaterThanOrEqual(10)
    expect(seen).toBeLessThan(100)
  })
})

describe('a closed cluster', () => {
  test('refuses everything, and closing again is the same closing', async () => {
    const cluster = await openSmall()
    const bucket = cluster.bucket('closed')
    await bucket.put('k', 'v')
    const closing = cluster.close()
    expect(cluster.close()).toBe(closing)
    await closing
    await expectRefused(() => bucket.get('k'), 'closed')
    await expectRefused(() => bucket.put('k', 'v'), 'closed')
    await expectRefused(() => bucket.delete('k'), 'closed')
    await expectRefused(() => bucket.scan(), 'closed')
    await expectRefused(() => bucket.count(), 'closed')
  })

  test('had answered what was in flight when it was told to close', async () => {
    const cluster = await openSmall()
    const bucket = cluster.bucket<number>('closing')
    const puts = Array.from({ length: 500 }, (_, i) => bucket.put(`k${i}`, i))
    await cluster.close()
    const settled = await Promise.allSettled(puts)
    expect(settled.map(({ status }) => status)).toEqual(settled.map(() => 'fulfilled'))
  })
})
