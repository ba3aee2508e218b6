// What does a put cost that is fsynced before it is answered? dw = 1 at level disk of (n, r, w) = (3, 2, 2), next to
// Redis with appendfsync always, the RocksDB binding alone with sync batches, lmdb with durable commits and etcd, all
// in one directory on a disk (`--dir`), in turn. `--depths 64`, `--bytes 100` and `--without etcd` for a part of it.
//
// Ours answers when two nodes have the write and one of them has fsynced it; etcd when two members have fsynced it;
// the others have one copy. Three logs of RocksDB, and a cluster of one node, show what of the cost is whose.

import { Cluster } from '../dist/index.js'
import { openLmdb, openRocks } from './stores/embedded.mjs'
import { openEtcd } from './stores/etcd.mjs'
import { openRedisDurable } from './stores/redis.mjs'
import {
  alternate,
  diskDirectory,
  flushed,
  measure,
  median,
  priced,
  ratio,
  ratioText,
  table,
} from './tools.mjs'

const keys = 20_000
const names = Array.from({ length: keys }, (_, i) => `user${String((i * 7919) % keys).padStart(8, '0')}`)
const rounds = 5

export async function run({ seconds, options }) {
  const depths = (options.depths ?? '1,16,64,256').split(',').map(Number)
  const value = Buffer.alloc(Number(options.bytes ?? 100), 'x')
  const { dir, remove, fileSystem } = diskDirectory(options.dir)
  const { cluster, contestants, peers } = await openAll(dir, value, options.without ?? '')
  const results = []
  try {
    for (const { op } of contestants) await measure(op, 64, 1)
    for (const inFlight of depths) {
      const all = contestants.map(({ peer, copies, op, pids, settle }) => ({
        peer,
        copies,
        inFlight,
        run: () =>
          counted(cluster, peer, () => priced(() => measure(op, inFlight, seconds / 3), pids, settle)),
      }))
      results.push(...(await alternate(all, rounds)))
    }
  } finally {
    for (const { close } of peers) await close()
    await cluster.close()
    remove()
  }
  print(results)
  return results.map((result) => ({ ...result, fileSystem }))
}

async function openAll(dir, value, without) {
  const cluster = await Cluster.open({ dir: `${dir}/ringspun`, n: 3, r: 2, w: 2, dw: 1, log: () => {} })
  const bucket = cluster.bucket('default')
  const opened = [
    [() => openRedisDurable(dir), '1, fsynced'],
    [() => openRocks(dir), '1, fsynced'],
    [() => openRocks(dir, 3), '1, fsynced'],
    [() => openAlone(dir, value), '1, fsynced'],
    [() => openLmdb(dir, { durable: true }), '1, fsynced'],
    [() => openEtcd(dir), '2 of 3, fsynced'],
  ]
  const peers = []
  for (const [open, copies] of opened) {
    const store = await open()
    if (store !== undefined && without !== store.name.split(/[ ,]/)[0]) peers.push({ ...store, copies })
    else await store?.close()
  }
  const [one, two] = [1, 2].map((dw) => ({ dw, timeout: 60_000 }))
  const settle = () => flushed(cluster)
  const contestants = [
    {
      peer: 'ringspun dw=1',
      copies: '2 of 3, 1 fsynced',
      op: (i) => bucket.put(names[i % keys], value, one),
      settle,
    },
    {
      peer: 'ringspun dw=2',
      copies: '2 of 3, 2 fsynced',
      op: (i) => bucket.put(names[i % keys], value, two),
      settle,
    },
    ...peers.map(({ name, copies, set, pids }) => ({
      peer: name,
      copies,
      pids,
      op: (i) => set(names[i % keys], value),
    })),
  ]
  return { cluster, contestants, peers }
}

/** A cluster of one node: what three of them cost beyond one log and one thread. */
async function openAlone(dir, value) {
  const cluster = await Cluster.open({
    dir: `${dir}/alone`,
    nodes: 1,
    n: 1,
    r: 1,
    w: 1,
    dw: 1,
    log: () => {},
  })
  const bucket = cluster.bucket('default')
  const options = { timeout: 60_000 }
  return {
    name: 'one node alone, n=1 dw=1',
    set: (key) => bucket.put(key, value, options),
    close: () => cluster.close(),
  }
}

/** For ours also how many writes one fsync serves: group commit at work. */
async function counted(cluster, peer, work) {
  if (!peer.startsWith('ringspun')) return { ...(await work()), writesPerFsync: 0 }
  const fsyncs = () => cluster.status().nodes.reduce((sum, node) => sum + node.fsyncs, 0)
  const before = fsyncs()
  const found = await work()
  return { ...found, writesPerFsync: found.count / Math.max(1, fsyncs() - before) }
}

function print(results) {
  const own = (inFlight) => results.find((one) => one.peer === 'ringspun dw=1' && one.inFlight === inFlight)
  table(
    results.map((one) => ({
      peer: one.peer,
      copies: one.copies,
      'in flight': String(one.inFlight),
      'per second': one.perSecond,
      slowest: one.slowest,
      fastest: one.fastest,
      'p50 us': one.p50,
      'p99 us': one.p99,
      'writes an fsync': one.writesPerFsync ? one.writesPerFsync.toFixed(1) : '',
      'us of CPU': one.cpu,
      'dw=1 / it': ratioText(ratio(own(one.inFlight), one)),
    })),
  )
  const spread = median(results.map((one) => one.fastest / one.slowest))
  console.log(
    `\nmedian of ${rounds} rounds; between slowest and fastest of one contestant: ${spread.toFixed(2)}`,
  )
}
