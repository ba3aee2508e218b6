// A worker that writes an object buffer as a node does, until somebody terminates it: puts, flushes into a
// "store" of one version a key, marks clean. What a put returned true for is noted in `acknowledged`, what
// reached the store in `stored`; both are shared and outlive the thread.

import { parentPort, workerData } from 'node:worker_threads'

const { memory, progress, acknowledged, stored, keys, seed, urls } = workerData
const { ObjectBuffer } = await import(urls.buffer)
const { hashOf, isWhole, keyOf, makeValue } = await import(urls.values)
const { seededRandom } = await import(urls.random)

const random = seededRandom(seed)
const buffer = new ObjectBuffer(memory)
const adoption = buffer.adopt(isWhole)
parentPort.postMessage(adoption)
const acknowledgedVersions = new Int32Array(acknowledged)
const storedVersions = new Int32Array(stored)
const words = new Int32Array(progress)

function flush(countMax) {
  const taken = []
  buffer.nextDirty(countMax, 1e9, (key, _hash, value, token) => {
    taken.push({ number: Number(key.slice(2, 8)), token, version: Buffer.from(value).readUInt32LE(4) })
  })
  for (const { number, token, version } of taken) {
    Atomics.store(storedVersions, number, version)
    buffer.markClean(keyOf(number), hashOf(number), token)
  }
}

for (;;) {
  const number = Math.floor(random() * keys)
  const version = Math.max(acknowledgedVersions[number], storedVersions[number]) + 2
  const length = Math.floor(random() * (random() < 0.02 ? 12_000 : 700))
  if (buffer.put(keyOf(number), hashOf(number), makeValue(number, version, length), 'dirty')) {
    Atomics.store(acknowledgedVersions, number, version)
    Atomics.add(words, 0, 1)
  } else flush(1e6)
  if (random() < 0.05) flush(10)
}
