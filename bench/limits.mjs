// What can this machine do at all? Small probes of what every operation is made of: copying and fetching memory,
// checksums, an empty turn of the event loop and of a node's host, promises, waking another thread (Atomics.notify to
// Atomics.wait and to waitAsync), a round trip through a MessagePort, and fsync of this disk (`--dir`), alone and by
// three at a time. Medians, and what 99 of 100 are below.

import { close, fdatasync, open, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { MessageChannel, Worker } from 'node:worker_threads'
import { crc32 } from 'node:zlib'
import { emptyTurn } from './handlers.mjs'
import { diskDirectory, median, rateSync, table } from './tools.mjs'

const MiB = 2 ** 20
const [opened, closed, synced] = [promisify(open), promisify(close), promisify(fdatasync)]

export async function run({ seconds, options }) {
  const each = Math.max(0.2, seconds / 6)
  const { dir, remove, fileSystem } = diskDirectory(options.dir)
  const results = [...memory(each), ...(await turns(each)), ...(await threads(each))]
  try {
    results.push(...(await disk(dir, each)))
  } finally {
    remove()
  }
  table(
    results.map(({ what, unit, median: middle, p99 }) => ({
      what,
      unit,
      median: middle,
      '99 %': p99 === undefined ? '' : p99.toFixed(2),
    })),
  )
  return results.map((result) => ({ ...result, fileSystem }))
}

/** Microseconds of `work(i)`, one after the other. */
async function timed(what, seconds, work) {
  const times = []
  const end = performance.now() + seconds * 1000
  for (let i = 0; performance.now() < end || i < 20; i++) {
    const from = performance.now()
    await work(i)
    times.push((performance.now() - from) * 1000)
  }
  times.sort((a, b) => a - b)
  return { what, unit: 'us', median: times[times.length >> 1], p99: times[Math.floor(times.length * 0.99)] }
}

/** The median, in microseconds, of what takes many of them. */
function timedSync(work, seconds) {
  const times = []
  const end = performance.now() + seconds * 1000
  do {
    const from = performance.now()
    work()
    times.push((performance.now() - from) * 1000)
  } while (performance.now() < end)
  return median(times)
}

function memory(seconds) {
  const from = Buffer.alloc(64 * MiB, 1)
  const to = Buffer.alloc(64 * MiB)
  const copied = timedSync(() => from.copy(to), seconds)
  const shared = new Int32Array(new SharedArrayBuffer(64 * MiB))
  const value = Buffer.alloc(100, 'x')
  // A walk in which each place says the next: no two loads at once, none foreseen.
  const places = shared.length / 16
  for (let i = 0; i < places; i++) shared[i * 16] = ((i * 40_503 + 12_345) % places) * 16
  let at = 0
  const nanoseconds = (op) => 1e9 / rateSync(op, seconds)
  const small = nanoseconds((i) => value.copy(to, (i * 4096) % (32 * MiB)))
  return [
    { what: 'copy of 64 MiB', unit: 'GB/s', median: from.length / copied / 1000 },
    { what: 'copy of 100 bytes to memory that is in no cache', unit: 'ns', median: small },
    {
      what: 'load of a word that is in no cache, after another',
      unit: 'ns',
      median: nanoseconds(() => {
        at = shared[at]
      }),
    },
    { what: 'Atomics.load', unit: 'ns', median: nanoseconds(() => Atomics.load(shared, 0)) },
    { what: 'crc32 of 100 bytes (node:zlib)', unit: 'ns', median: nanoseconds(() => crc32(value)) },
    { what: 'performance.now()', unit: 'ns', median: nanoseconds(() => performance.now()) },
  ]
}

async function turns(seconds) {
  let count = 0
  const begun = performance.now()
  const end = begun + seconds * 1000
  while (performance.now() < end) {
    for (let i = 0; i < 100; i++) await undefined
    count += 100
  }
  const promise = ((performance.now() - begun) / count) * 1e6
  return [
    { what: 'await of what is there', unit: 'ns', median: promise },
    { what: 'empty turn of a node', unit: 'us', median: emptyTurn((op) => rateSync(op, seconds)) },
    await timed('empty turn of the event loop (setImmediate)', seconds, () => new Promise(setImmediate)),
  ]
}

/** Round trips with another thread, which answers each at once: two wake-ups each. */
async function threads(seconds) {
  const bells = new Int32Array(new SharedArrayBuffer(8))
  const { port1, port2 } = new MessageChannel()
  const worker = new Worker(echo, { eval: true, workerData: { bells, port: port2 }, transferList: [port2] })
  await new Promise((resolve) => worker.once('online', resolve))
  const begin = (what) =>
    new Promise((resolve) => {
      worker.once('message', resolve)
      worker.postMessage(what)
    })
  const results = []
  let told = 0
  const ring = () => {
    Atomics.store(bells, 0, ++told)
    Atomics.notify(bells, 0)
  }
  await begin('wait')
  results.push(
    await timed('round trip, both in Atomics.wait', seconds, () => {
      ring()
      Atomics.wait(bells, 1, told - 1)
    }),
  )
  await begin('waitAsync')
  results.push(
    await timed('round trip, both in Atomics.waitAsync', seconds, () => {
      const heard = Atomics.waitAsync(bells, 1, told)
      ring()
      return heard.value
    }),
  )
  await begin('port')
  results.push(
    await timed('round trip, MessagePort', seconds, () => {
      const heard = new Promise((resolve) => port1.once('message', resolve))
      port1.postMessage(0)
      return heard
    }),
  )
  port1.close()
  await worker.terminate()
  return results
}

/** The other thread: hears at place 0, answers at place 1. */
const echo = `
  const { parentPort, workerData: { bells, port } } = require('node:worker_threads')
  const answer = (told) => { Atomics.store(bells, 1, told); Atomics.notify(bells, 1) }
  parentPort.on('message', async (what) => {
    let told = Atomics.load(bells, 0)
    parentPort.postMessage('ready')
    if (what === 'wait') {
      const end = Date.now() + 20_000
      for (;;) {
        if (Atomics.wait(bells, 0, told, 200) === 'timed-out') break
        answer(told = Atomics.load(bells, 0))
      }
    }
    if (what === 'waitAsync') {
      for (;;) {
        const heard = Atomics.waitAsync(bells, 0, told, 200)
        if ((heard.async ? await heard.value : heard.value) === 'timed-out') break
        answer(told = Atomics.load(bells, 0))
      }
    }
    if (what === 'port') port.on('message', () => port.postMessage(0))
  })`

/** Appends of 4 KiB to a file that has its length already, each synced before the next. */
async function disk(dir, seconds) {
  const block = Buffer.alloc(4096, 'x')
  const files = await Promise.all([0, 1, 2].map((i) => opened(`${dir}/${i}`, 'w')))
  for (const file of files) {
    for (let i = 0; i < 1024; i++) writeSync(file, block, 0, block.length, i * block.length)
    await synced(file)
  }
  const sync = async (file, i) => {
    writeSync(file, block, 0, block.length, (i % 1024) * block.length)
    await synced(file)
  }
  const grow = async (file, i) => {
    writeSync(file, block, 0, block.length, (1024 + i) * block.length)
    await synced(file)
  }
  const results = [
    await timed('write and fdatasync of 4 KiB, in place', seconds, (i) => sync(files[0], i)),
    await timed('the same, at the end of a file that grows', seconds, (i) => grow(files[1], i)),
    await timed('the same in three files at once', seconds, (i) =>
      Promise.all(files.map((file) => sync(file, i))),
    ),
  ]
  await Promise.all(files.map((file) => closed(file)))
  return results
}
