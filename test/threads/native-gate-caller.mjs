// A worker that goes through a gate: with calls of its own that take a while, or with those of a real store, of which it
// says how many each step took.

import { parentPort, workerData } from 'node:worker_threads'
import { NativeGate } from '../../dist/runtime/threads/native-gate.js'
import { guardNativeCalls } from '../../dist/storage/rocksdb-binding.js'
import { openRocksStore } from '../../dist/storage/rocksdb-store.js'

const { shared, counts, callMs, dir } = workerData
const gate = new NativeGate(shared)

function call() {
  gate.enter()
  Atomics.add(counts, 0, 1)
  for (const until = performance.now() + callMs; performance.now() < until; );
  Atomics.add(counts, 1, 1)
  gate.leave()
  setImmediate(call)
}

function useStore() {
  guardNativeCalls(
    () => {
      gate.enter()
      Atomics.add(counts, 0, 1)
    },
    () => {
      Atomics.add(counts, 1, 1)
      gate.leave()
    },
  )
  const counted = {}
  let before = 0
  const note = (step) => {
    counted[step] = counts[0] - before
    before = counts[0]
  }
  const value = Buffer.from('v')
  openRocksStore(dir, {}, (_, store) => {
    note('open')
    const steps = [
      ['commit', (done) => store.commit([{ row: 'a', value }], 'disk', done)],
      ['read', (done) => store.read(['a'], done)],
      ['walk', (done) => store.walk('', 'z', 10, done)],
      ['delete', (done) => store.deleteRange('a', 'b', done)],
      ['close', (done) => store.close(done)],
    ]
    const next = () => {
      const [step, run] = steps.shift() ?? []
      if (step === undefined) return parentPort.postMessage(counted)
      run(() => {
        note(step)
        next()
      })
    }
    next()
  })
}

if (dir === undefined) call()
else useStore()
