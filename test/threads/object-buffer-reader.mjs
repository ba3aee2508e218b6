// A worker that reads random keys of an object buffer until it is told to stop, and judges each value: whole,
// of this key, and never older than what it read of this key before.

import { parentPort, workerData } from 'node:worker_threads'

const { memory, control, keys, seed, urls } = workerData
const { ObjectReader } = await import(urls.reader)
const { hashOf, keyOf, versionOf } = await import(urls.values)
const { seededRandom } = await import(urls.random)

const reader = new ObjectReader(memory)
const random = seededRandom(seed)
const names = Array.from({ length: keys }, (_, number) => keyOf(number))
const hashes = names.map((_, number) => hashOf(number))
const seen = new Float64Array(keys)
const into = Buffer.alloc(512)
const report = { reads: 0, found: 0, torn: 0, stale: 0 }

parentPort.postMessage('reading')
const words = new Int32Array(control)
while (Atomics.load(words, 0) === 0) {
  for (let i = 0; i < 100; i++) {
    // Mostly a few hot keys: those are overwritten while they are read.
    const number = Math.floor(random() ** 3 * keys)
    const value = reader.read(names[number], hashes[number], i % 2 === 0 ? into : undefined)
    report.reads++
    if (value === undefined) continue
    report.found++
    const version = versionOf(number, value)
    if (version < 0) report.torn++
    else if (version < seen[number]) report.stale++
    else seen[number] = version
  }
  Atomics.store(words, 1, report.found)
}
parentPort.postMessage(report)
