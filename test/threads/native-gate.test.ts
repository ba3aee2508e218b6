// The gate before native code: a thread is never ended within a native call. From the moment `terminate` is called the
// binding of RocksDB works with pointers that were never set (docs/decisions/chaos.md); `npm run chaos -- native` ends
// threads by the thousand.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, onTestFinished, test } from 'vitest'
import { createNativeGate, NativeGate } from '../../dist/runtime/threads/native-gate.js'
import { temporary, until } from './cluster-helpers.js'

/** Words that the worker counts in: calls begun, calls ended. */
function begin(plan: { readonly dir?: string; readonly callMs?: number }) {
  const shared = createNativeGate()
  const counts = new Int32Array(new SharedArrayBuffer(8))
  const worker = new Worker(new URL('./native-gate-caller.mjs', import.meta.url), {
    workerData: { ...plan, shared, counts },
  })
  onTestFinished(async () => {
    await worker.terminate()
  })
  const begun = () => Atomics.load(counts, 0)
  const ended = () => Atomics.load(counts, 1)
  return { worker, gate: new NativeGate(shared), begun, ended }
}

test('who is in a native call is waited for, and begins no other', async () => {
  const { worker, gate, begun, ended } = begin({ callMs: 100 })
  await until('a call has begun', () => begun() === 1)
  expect(ended()).toBe(0)
  await gate.shut()
  expect([begun(), ended()]).toEqual([1, 1])
  await new Promise((resolve) => setTimeout(resolve, 150))
  expect(begun()).toBe(1)
  // It stands before the gate, and can be ended there.
  await worker.terminate()
})

test('the same without a turn of the event loop, as when the process exits', async () => {
  const { gate, begun, ended } = begin({ callMs: 100 })
  await until('a call has begun', () => begun() === 1)
  gate.shutNow()
  expect([begun(), ended()]).toEqual([1, 1])
})

test('a thread that went through an open gate is not held up', async () => {
  const { begun } = begin({ callMs: 0 })
  await until('a thousand calls were made', () => begun() > 1_000)
})

test('all that a store does goes through the gate', async () => {
  const { worker, begun, ended } = begin({ dir: temporary() })
  const [counted] = await once(worker, 'message')
  const steps = Object.entries(counted as Record<string, number>)
  expect(steps.map(([step]) => step)).toEqual(['open', 'commit', 'read', 'walk', 'delete', 'close'])
  for (const [step, calls] of steps) expect(calls, step).toBeGreaterThan(0)
  expect(ended()).toBe(begun())
})
