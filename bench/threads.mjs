// Do more threads of the application read and write more? 1, 2 and 4 attached threads (Cluster.attach), and the
// opener alone, on 3 nodes; (n, r, w) = (3, 2, 2), values of 100 bytes, kept in memory.

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { Cluster } from '../dist/index.js'
import { rate, table } from './tools.mjs'

const keys = 20_000
const keyOf = (i) => `user${String((i * 7919) % keys).padStart(8, '0')}`

export async function run({ seconds }) {
  const cluster = await Cluster.open({ nodes: 3, n: 3, r: 2, w: 2, log: () => {} })
  const bucket = cluster.bucket('default')
  const value = Buffer.alloc(100, 'x')
  await bucket.putMany(Array.from({ length: keys }, (_, i) => [keyOf(i), value]))
  for (let i = 0; i < 3; i++) await bucket.getMany(Array.from({ length: keys }, (_, j) => keyOf(j)))
  const results = []
  const note = (what, threads, rates) => {
    results.push({ what, threads, perSecond: rates.reduce((sum, each) => sum + each, 0) })
  }
  try {
    for (const [what, op] of [
      ['get', (i) => bucket.get(keyOf(i))],
      ['put', (i) => bucket.put(keyOf(i), value)],
    ]) {
      note(what, 0, [await rate(op, 64, seconds)])
      for (const threads of [1, 2, 4]) {
        const workers = Array.from({ length: threads }, () => begin(cluster.handle(), what, keys))
        await Promise.all(workers.map(ready))
        note(what, threads, await Promise.all(workers.map((worker) => measure(worker, seconds))))
        await Promise.all(workers.map((worker) => worker.terminate()))
      }
    }
  } finally {
    await cluster.close()
  }
  console.log(`${availableParallelism()} cores\n`)
  table(
    results.map(({ what, threads, perSecond }) => ({
      what,
      threads: threads === 0 ? 'the opener' : `${threads} attached`,
      'per second': perSecond,
    })),
  )
  return results
}

function begin(handle, what, keyCount) {
  const url = new URL('./threads-worker.mjs', import.meta.url)
  return new Worker(url, { workerData: { handle, what, keys: keyCount } })
}

function ready(worker) {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

function measure(worker, seconds) {
  worker.postMessage(seconds)
  return ready(worker)
}
