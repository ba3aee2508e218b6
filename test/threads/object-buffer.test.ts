// The object buffer between real threads: readers race a writer that overwrites, removes and evicts all the
// time; and writers are terminated in the middle of whatever they do, one after the other on the same memory.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { randomBelow, seededRandom } from '../../src/base/random.js'
import { ObjectBuffer } from '../../src/storage/object-buffer.js'
import { createObjectBuffer } from '../../src/storage/object-buffer-layout.js'
import { hashOf, isWhole, keyOf, makeValue, versionOf } from '../storage/object-buffer-values.js'
import { type Built, build } from './object-buffer-build.js'

let built: Built
let urls: Record<string, string>

beforeAll(() => {
  built = build([
    'src/storage/object-buffer-reader.ts',
    'test/storage/object-buffer-values.ts',
    'src/storage/object-buffer.ts',
    'src/base/random.ts',
  ])
  urls = {
    reader: built.url('src/storage/object-buffer-reader.js'),
    buffer: built.url('src/storage/object-buffer.js'),
    values: built.url('test/storage/object-buffer-values.js'),
    random: built.url('src/base/random.js'),
  }
})

afterAll(() => {
  built.remove()
})

function start(name: string, workerData: object): Worker {
  return new Worker(new URL(name, import.meta.url), { workerData: { ...workerData, urls } })
}

interface Report {
  readonly reads: number
  readonly found: number
  readonly torn: number
  readonly stale: number
}

test('readers in other threads never see a torn value, and never an older one than before', async () => {
  const keys = 150
  const memory = createObjectBuffer(128 * 1024)
  const controls = [1, 2].map(() => new SharedArrayBuffer(8))
  const buffer = new ObjectBuffer(memory)
  const readers = controls.map((control, i) =>
    start('./object-buffer-reader.mjs', { memory, control, keys, seed: i + 1 }),
  )
  await Promise.all(readers.map((reader) => once(reader, 'message')))

  const found = () => controls.map((control) => Atomics.load(new Int32Array(control), 1))
  const random = seededRandom(11)
  let version = 0
  // Until there was much of both; the readers may be slow to get their turn on a busy machine.
  while (version < 120_000 || Math.min(...found()) < 15_000) {
    const number = Math.floor(random() ** 3 * keys)
    const choice = random()
    if (choice < 0.1) buffer.remove(keyOf(number), hashOf(number))
    else {
      const length = choice < 0.11 ? randomBelow(random, 20_000) : randomBelow(random, 1200)
      const value = makeValue(number, ++version, length)
      expect(buffer.put(keyOf(number), hashOf(number), value, 'volatile')).toBe(true)
    }
  }

  const reports = readers.map(async (reader) => (await once(reader, 'message'))[0] as Report)
  for (const control of controls) Atomics.store(new Int32Array(control), 0, 1)
  for (const report of await Promise.all(reports)) {
    expect(report).toMatchObject({ torn: 0, stale: 0 })
    expect(report.found).toBeGreaterThanOrEqual(15_000)
  }
  await Promise.all(readers.map((reader) => reader.terminate()))
  expect(buffer.evictions).toBeGreaterThan(10_000)
})

test('writers that are terminated in the middle of whatever they do lose nothing', async () => {
  const keys = 150
  const memory = createObjectBuffer(128 * 1024)
  const progress = new SharedArrayBuffer(4)
  const acknowledged = new SharedArrayBuffer(keys * 4)
  const stored = new SharedArrayBuffer(keys * 4)
  const control = new SharedArrayBuffer(8)
  const reader = start('./object-buffer-reader.mjs', { memory, control, keys, seed: 1 })
  await once(reader, 'message')
  const random = seededRandom(4)
  const done = new Int32Array(progress)

  for (let life = 1; life <= 15; life++) {
    const writer = start('./object-buffer-writer.mjs', {
      memory,
      progress,
      acknowledged,
      stored,
      keys,
      seed: life,
    })
    const [adoption] = await once(writer, 'message')
    expect(adoption.dropped).toBe(0)
    const enough = Atomics.load(done, 0) + 500 + randomBelow(random, 3000)
    while (Atomics.load(done, 0) < enough) await new Promise((resolve) => setImmediate(resolve))
    await writer.terminate()
    checkNothingLost(memory, new Int32Array(acknowledged), new Int32Array(stored))
  }

  const report = once(reader, 'message')
  Atomics.store(new Int32Array(control), 0, 1)
  expect((await report)[0]).toMatchObject({ torn: 0, stale: 0 })
  await reader.terminate()
})

/** Looks at a copy, so that the next writer finds what the last one left. */
function checkNothingLost(memory: SharedArrayBuffer, acknowledged: Int32Array, stored: Int32Array): void {
  const copy = new SharedArrayBuffer(memory.byteLength)
  new Uint8Array(copy).set(new Uint8Array(memory))
  const buffer = new ObjectBuffer(copy)
  const { dropped, objects, dirty } = buffer.adopt(isWhole)
  expect(dropped).toBe(0)
  expect(objects).toBeGreaterThan(20)
  const unflushed = new Set<number>()
  expect(buffer.nextDirty(1e6, 1e9, (key) => unflushed.add(Number(key.slice(2, 8))))).toBe(dirty)
  for (let number = 0; number < acknowledged.length; number++) {
    const promised = acknowledged[number] as number
    const value = buffer.get(keyOf(number), hashOf(number))
    const version = value === undefined ? 0 : versionOf(number, value)
    expect(Math.max(version, stored[number] as number)).toBeGreaterThanOrEqual(promised)
    // One put may have happened without having been acknowledged.
    expect(version).toBeLessThanOrEqual(promised + 2)
    if (promised > (stored[number] as number)) expect(unflushed.has(number)).toBe(true)
  }
}
