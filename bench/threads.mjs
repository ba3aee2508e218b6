// Do more threads read and write more? The opener alone, and 1, 2 and 4 attached threads (Cluster.attach), in turn, on
// clusters of 1, 2, 4 and 8 nodes, one after the other (`--nodes 3` for others); (n, r, w) = (3, 2, 2) where there are as
// many nodes, 64 in flight a thread, values of 100 bytes, kept in memory.

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { Cluster } from '../dist/index.js'
import { alternate, priced, rate, ratio, ratioText, table } from './tools.mjs'

const keys = 20_000
const keyOf = (i) => `user${String((i * 7919) % keys).padStart(8, '0')}`
const value = Buffer.alloc(100, 'x')
const attached = [1, 2, 4]
const rounds = 3

export async function run({ seconds, options }) {
  const sizes = (options.nodes ?? '1,2,4,8').split(',').map(Number)
  const results = []
  for (const nodes of sizes) results.push(...(await ofCluster(nodes, seconds / 6)))
  console.log(`${availableParallelism()} cores\n`)
  const opener = ({ what, nodes }) =>
    results.find((one) => one.what === what && one.nodes === nodes && one.threads === 0)
  table(
    results.map((one) => ({
      what: one.what,
      threads: one.threads === 0 ? 'the opener' : `${one.threads} attached`,
      nodes: String(one.nodes),
      'per second': one.perSecond,
      'us of CPU': one.cpu,
      'times the opener': ratioText(ratio(one, opener(one))),
    })),
  )
  return results
}

/** Each way to ask one cluster, in turn. */
async function ofCluster(nodes, seconds) {
  const n = Math.min(3, nodes)
  const quorum = Math.min(2, nodes)
  const cluster = await Cluster.open({ nodes, n, r: quorum, w: quorum, log: () => {} })
  const workers = []
  try {
    const bucket = cluster.bucket('default')
    const names = Array.from({ length: keys }, (_, i) => keyOf(i))
    await bucket.putMany(names.map((name) => [name, value]))
    for (let i = 0; i < 3; i++) await bucket.getMany(names)
    for (let i = 0; i < Math.max(...attached); i++) workers.push(attach(cluster.handle()))
    await Promise.all(workers.map(next))
    const ops = { get: (i) => bucket.get(keyOf(i)), put: (i) => bucket.put(keyOf(i), value) }
    const contestants = Object.entries(ops).flatMap(([what, op]) => [
      { what, nodes, threads: 0, run: () => priced(() => rate(op, 64, seconds)) },
      ...attached.map((threads) => ({
        what,
        nodes,
        threads,
        run: () => priced(() => together(workers.slice(0, threads), what, seconds)),
      })),
    ])
    return await alternate(contestants, rounds, 1)
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
    await cluster.close()
  }
}

function attach(handle) {
  return new Worker(new URL('./threads-worker.mjs', import.meta.url), { workerData: { handle, keys } })
}

async function together(workers, what, seconds) {
  const rates = await Promise.all(
    workers.map((worker) => {
      worker.postMessage({ what, seconds })
      return next(worker)
    }),
  )
  return rates.reduce((sum, each) => sum + each, 0)
}

/** What the worker says next. */
function next(worker) {
  return new Promise((resolve, reject) => {
    const settle = (act) => (what) => {
      worker.off('message', answered)
      worker.off('error', failed)
      act(what)
    }
    const [answered, failed] = [settle(resolve), settle(reject)]
    worker.on('message', answered)
    worker.on('error', failed)
  })
}
