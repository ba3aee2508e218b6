// A process whose nodes write traces (trace-build.ts): runs one part of a story and closes, or dies in it.
// Arguments: URL of the recording product's entry, directory of the cluster, name of the part.

import { setTimeout as pause } from 'node:timers/promises'

const [entry, dir, part] = process.argv.slice(2)
const { Cluster } = await import(entry)

/** Reads of the application go through the nodes: what it reads in shared memory by itself moves the order of eviction. */
const options = {
  dir,
  nodes: 3,
  partitions: 16,
  memory: 4 * 1024 * 1024,
  routing: 'server',
  reapAfterMs: 60_000,
  log: () => {},
}
const cluster = await Cluster.open(options)
const carts = cluster.bucket('carts')
const numbers = cluster.bucket('numbers', { conflicts: 'last-write-wins', w: 1, dw: 0 })
const fleeting = cluster.bucket('fleeting', { durability: 'memory' })
const failures = new Map()

async function one(index) {
  const key = `key ${(index * 7) % 400}`
  try {
    if (index % 6 === 0) await carts.put(key, `blind ${index} ${'-'.repeat((index % 13) * 1000)}`)
    else if (index % 6 === 1) await numbers.put(key, index, { ttl: 1000 + index })
    else if (index % 6 === 2) await carts.delete(key)
    else if (index % 6 === 3) await fleeting.put(key, index)
    else {
      const { context } = await carts.get(key)
      await carts.put(key, `merged ${index} ${'-'.repeat((index % 17) * 1000)}`, context ? { context } : {})
    }
  } catch (error) {
    // Nodes die and links are cut: what was refused is not the matter here.
    failures.set(error.code, (failures.get(error.code) ?? 0) + 1)
  }
}

/** Sixteen at a time, so that turns are many and not large. */
async function load(from, count) {
  let next = from
  const writer = async () => {
    while (next < from + count) await one(next++)
  }
  await Promise.all(Array.from({ length: 16 }, writer))
}

async function until(holds) {
  while (!holds()) await pause(5)
}

const isUp = (node) => cluster.status().nodes[node - 1]?.state === 'up'
const isWhole = () => cluster.status().nodes.every(({ state, complete }) => state === 'up' && complete)

const parts = {
  /** Threads are ended in the middle of the load; then the process is. */
  async deaths() {
    await load(0, 600)
    for (let death = 0; death < 4; death++) {
      const under = load(600 + death * 300, 300)
      await pause(10 + death * 7)
      cluster.faults.kill(1 + (death % 3))
      await under
      await until(isWhole)
    }
    void load(2000, 1000)
    await pause(40)
    process.kill(process.pid, 'SIGKILL')
  },
  /** A node that one other does not reach for a while: hints. One that stands still. The process is ended again. */
  async silence() {
    await until(isWhole)
    cluster.faults.isolate(3, 1)
    await load(3000, 400)
    cluster.faults.heal()
    const stalled = cluster.faults.stall(2, 400)
    await load(3400, 400)
    await stalled
    await load(3800, 200)
    process.kill(process.pid, 'SIGKILL')
  },
  /** A node that loses everything and asks the others; then an end in order. */
  async loss() {
    await until(isWhole)
    await load(4000, 300)
    await cluster.faults.wipe(1)
    await load(4300, 300)
    await until(() => isUp(1) && isWhole())
    await load(4600, 200)
    await cluster.close()
  },
}

await parts[part]()
