// A process whose threads call the native binding of RocksDB without a pause, and are ended at any moment, again and
// again: what a node does a few hundred times a second, as often as a thread can. Says how many have been ended.
//
//     node scripts/chaos/native-life.mjs DIRECTORY DEATHS [bare]
//
// `bare`: without the gate that the product has in front of the binding. Dies of SIGSEGV within two thousand.

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { createNativeGate, NativeGate } from '../../dist/runtime/threads/native-gate.js'

const random = (below) => Math.floor(Math.random() * below)
const script = fileURLToPath(new URL('./native-caller.mjs', import.meta.url))

async function endThem([at, deaths, bare]) {
  let left = Number(deaths)
  const slot = async (number) => {
    while (left-- > 0) {
      const word = createNativeGate()
      const gate = new NativeGate(word)
      const workerData = { dir: join(at, `store-${number}`), word, isBare: bare === 'bare' }
      const worker = new Worker(script, { workerData })
      const gone = new Promise((resolve) => worker.once('exit', resolve))
      await new Promise((resolve) => setTimeout(resolve, 30 + random(150)))
      if (bare !== 'bare') await gate.shut()
      worker.terminate()
      await gone
    }
  }
  await Promise.all([1, 2, 3, 4].map(slot))
  process.stdout.write(`${deaths}\n`)
}

await endThem(process.argv.slice(2))
