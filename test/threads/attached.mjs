// A thread of the application that uses a cluster which another has open: does what it is told and says how it went.

import { parentPort, workerData } from 'node:worker_threads'

const { url, handle } = workerData
const { Cluster } = await import(url)

let cluster
let bucket

const ofDeaths = ['coordinator-lost', 'quorum-lost', 'unavailable']

async function again(request) {
  for (;;) {
    try {
      return await request()
    } catch (error) {
      if (!ofDeaths.includes(error.code)) throw error
    }
  }
}

const orders = {
  async attach() {
    cluster = await Cluster.attach(handle)
    bucket = cluster.bucket('default')
  },
  put: ({ key, value, options }) => bucket.put(key, value, options).then(({ w }) => w),
  get: ({ key, options }) => bucket.get(key, options).then(({ value }) => value),
  getSync: async ({ key }) => {
    const found = bucket.getSync(key)
    return found === undefined ? 'not in memory' : found.value
  },
  setBucket: ({ name, properties }) => cluster.setBucket(name, properties),
  properties: async ({ name }) => cluster.bucket(name).properties,
  status: async () => cluster.status(),
  /**
   * Writes and reads keys of its own until it is ended, and counts what it has seen. What the death of a coordinator or
   * of replicas leaves open, or refuses, is done again: the same value under the same key.
   */
  async load({ name, until }) {
    const seen = { puts: 0, missed: 0 }
    for (let i = 0; Date.now() < until; i++) {
      const key = `${name}.${i % 50}`
      await again(() => bucket.put(key, String(i)))
      seen.puts++
      const { value } = await again(() => bucket.get(key))
      if (value !== String(i)) seen.missed++
    }
    return seen
  },
  /** Many requests are open, and then this thread stands still for ever. */
  async freeze({ count }) {
    for (let i = 0; i < count; i++) bucket.put(`frozen.${i}`, 'x'.repeat(500)).catch(() => {})
    await new Promise((resolve) => setImmediate(resolve))
    parentPort.postMessage({ frozen: true })
    for (;;);
  },
  close: () => cluster.close(),
}

parentPort.on('message', async ({ order, ...what }) => {
  try {
    parentPort.postMessage({ result: await orders[order](what) })
  } catch (error) {
    parentPort.postMessage({ code: error.code ?? String(error.stack) })
  }
  if (order === 'close') parentPort.close()
})
