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
  const server = await startRedis()
  if (server === undefined) console.log('redis-server is not installed: left out')
  const peers = { server, lru: await optional('lru-cache'), lmdb: await optional('lmdb') }
  const results = []
  for (const bytes of [100, 1024]) results.push(...(await compare(bytes, each, peers)))
  await server?.stop()
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
      'x ioredis at its best': server ? perSecond / best(what, bytes) : 0,
    })),
  )
  return results
}

/** All contestants with values of this size, each filled with the same keys. */
async function compare(bytes, each, { server, lru, lmdb }) {
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
  const redis = server && new Redis({ port: server.port, host: '127.0.0.1', enableAutoPipelining: true })
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
    const all = contestantsOf({ bucket, cache, redis, map, kept, stored }, value, each)
    // Reads first: what writes leave to be flushed would go on beside them.
    const results = []
    for (const kind of ['get', 'put']) {
      results.push(
        ...(await alternate(
          all.filter(({ what }) => what === kind),
          rounds,
        )),
      )
    }
    return results
  } finally {
    redis?.disconnect()
    await stored?.close()
    await cluster.close()
    remove()
  }
}

function contestantsOf({ bucket, cache, redis, map, kept, stored }, value, each) {
  const bytes = value.length
  const contestants = []
  const add = (what, peer, inFlight, op) =>
    contestants.push({ what, peer, bytes, inFlight, run: () => rate(op, inFlight, each) })
  const addSync = (peer, op) =>
    contestants.push({ what: 'get', peer, bytes, inFlight: 0, run: () => rateSync(op, each) })
  addSync('getSync r=2', (i) => bucket.getSync(keyOf(i)))
  addSync('getSync r=1', (i) => bucket.getSync(keyOf(i), { r: 1 }))
  addSync('Map', (i) => map.get(keyOf(i)))
  if (kept) addSync('lru-cache', (i) => kept.get(keyOf(i)))
  if (stored) addSync('lmdb', (i) => stored.get(keyOf(i)))
  for (const inFlight of [1, 16, 64, 256]) {
    add('get', 'get r=2', inFlight, (i) => bucket.get(keyOf(i)))
    if (redis) add('get', 'ioredis', inFlight, (i) => redis.getBuffer(keyOf(i)))
    add('put', 'put dw=0', inFlight, (i) => bucket.put(keyOf(i), value))
    add('put', 'put memory', inFlight, (i) => cache.put(keyOf(i), value))
    if (redis) add('put', 'ioredis', inFlight, (i) => redis.set(keyOf(i), value))
  }
  return contestants
}

async function optional(name) {
  try {
    return await import(name)
  } catch {
    console.log(`${name} is not installed: left out`)
    return undefined
  }
}
