// What would a user pick instead? Reads and writes of (n, r, w) = (3, 2, 2) from one thread of Node, next to one
// unreplicated Redis through ioredis, lmdb, lru-cache and a Map, in the same process, on the same keys, in turn.
// What is not installed is left out with a word.

import { Redis } from 'ioredis'
import { Cluster } from '../dist/index.js'
import { alternate, rate, rateSync, startRedis, table, temporaryDirectory } from './tools.mjs'

const keys = 100_000
const names = Array.from({ length: keys }, (_, i) => `user${String((i * 7919) % keys).padStart(8, '0')}`)
const keyOf = (i) => names[i % keys]
const rounds = 3

export async function run({ seconds }) {
  const each = Math.max(0.3, seconds / rounds)
  const redisServer = await startRedis()
  if (redisServer === undefined) console.log('redis-server is not installed: left out')
  const lru = await optional('lru-cache')
  const lmdb = await optional('lmdb')
  const results = []
  for (const bytes of [100, 1024]) {
    const value = Buffer.alloc(bytes, 'x')
    const { dir, remove } = temporaryDirectory()
    const cluster = await Cluster.open({
      dir,
      n: 3,
      r: 2,
      w: 2,
      dw: 0,
      memory: 512 * 1024 * 1024,
      log: () => {},
    })
    const bucket = cluster.bucket('default')
    const cache = cluster.bucket('cache', { conflicts: 'last-write-wins', durability: 'memory' })
    const redis =
      redisServer && new Redis({ port: redisServer.port, host: '127.0.0.1', enableAutoPipelining: true })
    const map = new Map(names.map((name) => [name, value]))
    const kept = lru && new lru.LRUCache({ max: 2 * keys })
    const stored = lmdb?.open({ path: `${dir}/lmdb`, encoding: 'binary' })
    try {
      const entries = names.map((name) => [name, value])
      await bucket.putMany(entries)
      await cache.putMany(entries)
      for (const name of names) kept?.set(name, value)
      if (stored) await Promise.all(names.map((name) => stored.put(name, value)))
      if (redis) await Promise.all(names.map((name) => redis.set(name, value)))
      // Every copy is in memory, every vnode has been spoken to.
      for (let i = 0; i < 3; i++) await bucket.getMany(names)
      const contestants = []
      const add = (what, peer, inFlight, op) =>
        contestants.push({ what, peer, bytes, inFlight, run: () => rate(op, inFlight, each) })
      const addSync = (what, peer, op) =>
        contestants.push({ what, peer, bytes, inFlight: 0, run: () => rateSync(op, each) })
      addSync('get', 'getSync r=2', (i) => bucket.getSync(keyOf(i)))
      addSync('get', 'getSync r=1', (i) => bucket.getSync(keyOf(i), { r: 1 }))
      addSync('get', 'Map', (i) => map.get(keyOf(i)))
      if (kept) addSync('get', 'lru-cache', (i) => kept.get(keyOf(i)))
      if (stored) addSync('get', 'lmdb', (i) => stored.get(keyOf(i)))
      for (const inFlight of [1, 16, 64, 256]) {
        add('get', 'get r=2', inFlight, (i) => bucket.get(keyOf(i)))
        if (redis) add('get', 'ioredis', inFlight, (i) => redis.getBuffer(keyOf(i)))
        add('put', 'put dw=0', inFlight, (i) => bucket.put(keyOf(i), value))
        add('put', 'put memory', inFlight, (i) => cache.put(keyOf(i), value))
        if (redis) add('put', 'ioredis', inFlight, (i) => redis.set(keyOf(i), value))
      }
      results.push(...(await alternate(contestants, rounds)))
    } finally {
      redis?.disconnect()
      await stored?.close()
      await cluster.close()
      remove()
    }
  }
  await redisServer?.stop()
  const best = (what, bytes) =>
    Math.max(
      ...results
        .filter((r) => r.peer === 'ioredis' && r.what === what && r.bytes === bytes)
        .map((r) => r.perSecond),
    )
  table(
    results.map(({ what, peer, bytes, inFlight, perSecond, slowest, fastest }) => ({
      what,
      peer,
      bytes: String(bytes),
      'in flight': inFlight === 0 ? 'sync' : String(inFlight),
      'per second': perSecond,
      slowest,
      fastest,
      'x ioredis at its best': redisServer ? perSecond / best(what, bytes) : 0,
    })),
  )
  return results
}

async function optional(name) {
  try {
    return await import(name)
  } catch {
    console.log(`${name} is not installed: left out`)
    return undefined
  }
}
