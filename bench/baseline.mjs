// What does a put and a get cost, in-process and over the Redis protocol, next to ioredis and one unreplicated
// redis-server on the same machine in the same run? (n, r, w) = (3, 2, 2), values of 100 bytes, 100,000 keys.

import { Redis } from 'ioredis'
import { Cluster } from '../dist/index.js'
import { startRedisServer } from '../dist/server/redis-server.js'
import { openRedis } from './stores/redis.mjs'
import { measure, table, temporaryDirectory } from './tools.mjs'

const keys = 100_000
const value = Buffer.alloc(100, 'x')
const keyOf = (i) => `user${String((i * 7919) % keys).padStart(8, '0')}`
const depths = [1, 64, 256]

export async function run({ seconds }) {
  const { dir, remove } = temporaryDirectory()
  const cluster = await Cluster.open({ dir, n: 3, r: 2, w: 2, dw: 0, log: () => {} })
  const bucket = cluster.bucket('default')
  const cache = cluster.bucket('cache', { conflicts: 'last-write-wins', durability: 'memory' })
  const server = await startRedisServer({ cluster, host: '127.0.0.1', port: 0 })
  const ours = new Redis({ port: server.port, host: '127.0.0.1', enableAutoPipelining: true })
  const redis = await openRedis(dir)

  const doors = [
    ['in-process, dw 0', (i) => bucket.put(keyOf(i), value), (i) => bucket.get(keyOf(i))],
    ['in-process, dw 1', (i) => bucket.put(keyOf(i), value, { dw: 1 })],
    ['in-process, memory', (i) => cache.put(keyOf(i), value), (i) => cache.get(keyOf(i))],
    ['Redis protocol, dw 0', (i) => ours.set(keyOf(i), value), (i) => ours.getBuffer(keyOf(i))],
  ]
  if (redis !== undefined)
    doors.push(['redis-server', (i) => redis.set(keyOf(i), value), (i) => redis.get(keyOf(i))])

  const results = []
  try {
    await bucket.putMany(Array.from({ length: keys }, (_, i) => [keyOf(i), value]))
    await cache.putMany(Array.from({ length: keys }, (_, i) => [keyOf(i), value]))
    for (const [, put, get] of doors) {
      await measure(put, 64, 1)
      if (get !== undefined) await measure(get, 64, 1)
    }
    for (const inFlight of depths) {
      for (const [name, put] of doors)
        results.push({ door: name, operation: 'put', inFlight, ...(await measure(put, inFlight, seconds)) })
      for (const [name, , get] of doors) {
        if (get !== undefined)
          results.push({ door: name, operation: 'get', inFlight, ...(await measure(get, inFlight, seconds)) })
      }
    }
  } finally {
    ours.disconnect()
    await server.close()
    await cluster.close()
    await redis?.close()
    remove()
  }
  table(
    results.map(({ door, operation, inFlight, perSecond, p50, p99, p999 }) => ({
      door,
      operation,
      'in flight': String(inFlight),
      'per second': perSecond,
      'p50 us': p50,
      'p99 us': p99,
      'p99.9 us': p999,
    })),
  )
  return results
}
