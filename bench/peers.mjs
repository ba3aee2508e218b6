// What would a user pick instead? Reads and writes of (n, r, w) = (3, 2, 2) from one thread of Node, next to what else
// keeps keys and values: Redis through ioredis (one server; a primary and two replicas with WAIT 1), NATS JetStream KV
// with three replicas, etcd with three members, lmdb, lru-cache and a Map; in one process, on the same keys, in turn.
// What is not installed is left out with a word. `--bytes 100` or `--depths 64,256` for a part of it.
//
// What an answer means differs, and the table says it: "copies" that have a write when it is answered, and where.
// "us of CPU" is the processor time of an operation over all processes and threads that serve it, the flushes that
// follow included: of what else a shared machine does it depends much less than the rates do.

import { Cluster } from '../dist/index.js'
import { openLmdb, openLru, openMap } from './stores/embedded.mjs'
import { openEtcd } from './stores/etcd.mjs'
import { openNats } from './stores/nats.mjs'
import { openRedis, openRedisReplicated } from './stores/redis.mjs'
import {
  alternate,
  diskDirectory,
  flushed,
  priced,
  rate,
  rateSync,
  ratio,
  ratioText,
  table,
} from './tools.mjs'

const keys = 100_000
/** Of the slowest: a hundredth of the keys, else filling it takes longer than all the rest. */
const keysOfSlow = 1_000
const names = Array.from({ length: keys }, (_, i) => `user${String((i * 7919) % keys).padStart(8, '0')}`)
const fillAtOnce = 64
const rounds = 3
const one = { r: 1 }

export async function run({ seconds, options }) {
  const sizes = (options.bytes ?? '100,1024').split(',').map(Number)
  const depths = (options.depths ?? '1,16,64,256').split(',').map(Number)
  const { dir, remove } = diskDirectory(options.dir)
  const opened = await openAll(dir, Math.max(fillAtOnce, ...depths))
  const results = []
  try {
    for (const bytes of sizes) results.push(...(await compare(opened, bytes, depths, seconds)))
  } finally {
    for (const { close } of opened.peers) await close()
    await opened.cluster.close()
    remove()
  }
  print(results)
  return results
}

async function openAll(dir, depth) {
  const cluster = await Cluster.open({
    dir: `${dir}/ringspun`,
    n: 3,
    r: 2,
    w: 2,
    dw: 0,
    memory: 512 * 1024 * 1024,
    log: () => {},
  })
  const [nats, etcd] = [await openNats(dir), await openEtcd(dir)]
  const all = [
    { store: await openRedis(dir), copies: '1, memory' },
    ...(await openRedisReplicated(dir, depth)).map((store) => ({ store, copies: '2 of 3, memory' })),
    { store: nats, copies: '2 of 3, file', count: keysOfSlow },
    { store: etcd, copies: '2 of 3, fsynced', count: keysOfSlow },
    { store: await openLmdb(dir, { durable: false }), copies: '1, file' },
    { store: await openLru(2 * keys), copies: '1, memory' },
    { store: openMap(), copies: '1, memory' },
  ]
  const peers = all
    .filter(({ store }) => store !== undefined)
    .map(({ store, copies, count = keys }) => ({ ...store, copies, count }))
  return { cluster, peers }
}

/** All contestants with values of this size, each filled first; reads before writes, which leave work behind. */
async function compare({ cluster, peers }, bytes, depths, seconds) {
  const value = Buffer.alloc(bytes, 'x')
  const bucket = cluster.bucket('default')
  const cache = cluster.bucket('cache', { conflicts: 'last-write-wins', durability: 'memory' })
  const ours = { bucket, cache, cluster }
  const entries = names.map((name) => [name, value])
  await bucket.putMany(entries)
  await cache.putMany(entries)
  for (const peer of peers) await fill(peer, value)
  await flushed(cluster)
  // Every copy is in memory, every vnode has been spoken to.
  for (let i = 0; i < 3; i++) await bucket.getMany(names)
  const results = await alternate(immediateReads(ours, peers, bytes, seconds / 6), rounds, 1)
  for (const depth of depths) {
    results.push(...(await alternate(reads(ours, peers, bytes, depth, seconds / 6), rounds, 1)))
  }
  for (const depth of depths) {
    results.push(...(await alternate(writes(ours, peers, value, depth, seconds / 2), rounds, 1)))
  }
  return results
}

async function fill({ set, count }, value) {
  for (let at = 0; at < count; at += fillAtOnce) {
    await Promise.all(names.slice(at, at + fillAtOnce).map((name) => set(name, value)))
  }
}

function immediateReads({ bucket }, peers, bytes, seconds) {
  const sync = (peer, copies, op) => ({
    what: 'get',
    peer,
    copies,
    bytes,
    inFlight: 0,
    run: () => priced(() => rateSync(op, seconds)),
  })
  return [
    sync('ringspun getSync r=2', '2 of 3, memory', (i) => bucket.getSync(names[i % keys])),
    sync('ringspun getSync r=1', '1 of 3, memory', (i) => bucket.getSync(names[i % keys], one)),
    ...peers
      .filter(({ getNow }) => getNow !== undefined)
      .map(({ name, copies, count, getNow }) => sync(name, copies, (i) => getNow(names[i % count]))),
  ]
}

function reads({ bucket }, peers, bytes, inFlight, seconds) {
  const read = (peer, copies, op, pids) => ({
    what: 'get',
    peer,
    copies,
    bytes,
    inFlight,
    run: () => priced(() => rate(op, inFlight, seconds), pids),
  })
  return [
    read('ringspun r=2', '2 of 3, memory', (i) => bucket.get(names[i % keys])),
    read('ringspun r=1', '1 of 3, memory', (i) => bucket.get(names[i % keys], one)),
    ...peers
      .filter(({ getNow, name }) => getNow === undefined && !name.includes('WAIT'))
      .map(({ name, copies, count, get, pids }) => read(name, copies, (i) => get(names[i % count]), pids)),
  ]
}

/** Ours settle before the next begins: what is flushed late would be paid by another. */
function writes({ bucket, cache, cluster }, peers, value, inFlight, seconds) {
  const write = (peer, copies, op, pids, settle) => ({
    what: 'put',
    peer,
    copies,
    bytes: value.length,
    inFlight,
    run: () => priced(() => rate(op, inFlight, seconds), pids, settle),
  })
  const settle = () => flushed(cluster)
  return [
    write('ringspun memory', '2 of 3, memory', (i) => cache.put(names[i % keys], value)),
    write('ringspun dw=0', '2 of 3, memory', (i) => bucket.put(names[i % keys], value), [], settle),
    ...peers
      .filter(({ name }) => !['Map', 'lru-cache'].includes(name))
      .map(({ name, copies, count, set, pids }) =>
        write(name, copies, (i) => set(names[i % count], value), pids),
      ),
  ]
}

/** Beside each rate: how many times slower or faster than ours it is, in the same rounds. */
function print(results) {
  const like = (one, peer) =>
    results.find(
      (other) =>
        other.peer === peer &&
        other.what === one.what &&
        other.bytes === one.bytes &&
        other.inFlight === one.inFlight,
    )
  table(
    results.map((one) => {
      const own =
        one.what === 'put' ? 'ringspun dw=0' : one.inFlight === 0 ? 'ringspun getSync r=2' : 'ringspun r=2'
      return {
        what: one.what,
        peer: one.peer,
        copies: one.copies,
        bytes: String(one.bytes),
        'in flight': one.inFlight === 0 ? 'sync' : String(one.inFlight),
        'per second': one.perSecond,
        slowest: one.slowest,
        fastest: one.fastest,
        'us of CPU': one.cpu,
        'ours / it': ratioText(ratio(like(one, own), one)),
        'CPU: it / ours': ratioText(ratio(one, like(one, own), 'cpu')),
      }
    }),
  )
  console.log('\nours: put dw=0, get r=2, getSync r=2; median of the rounds, and the least and the most')
  againstBest(results)
}

/** The aims compare with ioredis to one Redis at its best, whatever it has in flight. */
function againstBest(results) {
  for (const bytes of new Set(results.map((one) => one.bytes))) {
    for (const what of ['get', 'put']) {
      const of = (peer) =>
        results.filter((one) => one.bytes === bytes && one.what === what && one.peer.startsWith(peer))
      const best = Math.max(
        ...of('redis')
          .filter(({ peer }) => peer === 'redis')
          .map((one) => one.perSecond),
      )
      if (best === -Infinity) continue
      const own = of('ringspun').map(
        ({ peer, inFlight, perSecond }) => `${peer} ${inFlight || 'sync'}: ${(perSecond / best).toFixed(2)}`,
      )
      console.log(
        `${what} of ${bytes} bytes, times redis at its best (${Math.round(best)}): ${own.join(', ')}`,
      )
    }
  }
}
