// A thread that calls the native binding of RocksDB without a pause, until it is ended. Nothing is awaited at the top:
// V8 ends the process when a thread is ended while it evaluates a module that waits (seen on Node 20).

import { workerData } from 'node:worker_threads'
import { NativeGate } from '../../dist/runtime/threads/native-gate.js'
import { guardNativeCalls, RocksDB } from '../../dist/storage/rocksdb-binding.js'

const { dir, word, isBare } = workerData
const random = (below) => Math.floor(Math.random() * below)
const key = (number) => Buffer.from(`key ${number}`)

const gate = new NativeGate(word)
if (!isBare) guardNativeCalls(gate.enter, gate.leave)
const store = new RocksDB(dir, { maxBackgroundJobs: 2 })
const forever = async (what) => {
  for (;;) await what()
}
const write = () => {
  const batch = store.write({ autoDestroy: true })
  for (let i = random(16); i >= 0; i--) batch.tryPut(key(random(1_000)), Buffer.alloc(random(500)))
  return batch.flush()
}
const read = () => {
  const batch = store.read({ autoDestroy: true })
  const values = Array.from({ length: 1 + random(16) }, () => batch.get(key(random(1_000))))
  batch.tryFlush()
  return Promise.all(values)
}
const walk = () =>
  new Promise((resolve) => {
    store
      .iterator({ gt: key(random(900)), lt: key(999), limit: 64, capacity: 65 })
      .on('data', () => {})
      .on('close', resolve)
  })
const ask = () => store.currentWalFile()
// The shortest of the calls most often: then most of the thread's time is spent on the way into native code.
const sometimes = (what) => () => (random(20) === 0 ? what() : ask())
store.ready().then(() => {
  for (const what of [ask, ask, ask, sometimes(write), sometimes(read), sometimes(walk)]) forever(what)
})
