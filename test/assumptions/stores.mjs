// What is assumed of RocksDB behind the store port (src/storage/rocksdb-store.ts): batches are whole or not there,
// what is in the log survives the process and the thread, and after one failed write there is no next one. The disk
// of the simulated world (src/sim/disk.ts, src/storage/memory-store.ts) is made after this.
// Failed fsyncs, torn and damaged logs: test/storage/rocksdb-store.test.ts.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { awaitWord, hold, promised, sharedWords, skipped, thread } from './tools.mjs'

const rowsOfBatch = 20
const child = fileURLToPath(new URL('./store-child.mjs', import.meta.url))

async function inDirectory(work) {
  const dir = mkdtempSync(join(tmpdir(), 'ringspun-assumption-'))
  try {
    return await work(join(dir, 'objects'))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** The number of whole batches in a store; throws when one is there in part, or one is missing between others. */
async function wholeBatches(load, dir) {
  const { openRocksStore } = await load('storage/rocksdb-store.js')
  const store = await promised((done) => openRocksStore(dir, {}, done))
  const rows = await promised((done) => store.walk('', 'z', 1_000_000, done))
  const counts = new Map()
  for (const { row } of rows) {
    const batch = Number(row.slice(1, 8))
    counts.set(batch, (counts.get(batch) ?? 0) + 1)
  }
  for (const [batch, count] of counts) hold(count === rowsOfBatch, `batch ${batch} has ${count} rows`)
  for (let batch = 1; batch <= counts.size; batch++) hold(counts.has(batch), `batch ${batch} is missing`)
  return { count: counts.size, store }
}

/** Runs store-child.mjs, through `wrap` when it is given, until `enough` lines have come or it ends. */
async function runChild(args, wrap, enough = Number.POSITIVE_INFINITY) {
  const [command, ...more] = [...wrap, process.execPath, child, ...args]
  const running = spawn(command, more, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = []
  let rest = ''
  const ended = once(running, 'close')
  running.stdout.setEncoding('utf8').on('data', (text) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop()
    lines.push(...parts)
    if (lines.length >= enough) running.kill('SIGKILL')
  })
  await Promise.race([ended, once(running, 'error').then(([error]) => Promise.reject(error))])
  return lines
}

const survival = [
  {
    name: 'killed-process',
    title:
      'a killed process leaves every batch that was answered, though nothing was synced, and none in part',
    run: ({ load, url }) =>
      inDirectory(async (dir) => {
        const lines = await runChild(['commit', url('storage/rocksdb-store.js'), dir], [], 200)
        const answered = Number(lines.at(-1))
        const { count, store } = await wholeBatches(load, dir)
        hold(count >= answered, `${answered} were answered and ${count} are there`)
        await promised((done) => store.close(done))
        return { said: `${answered} answered, ${count} there` }
      }),
  },
  {
    name: 'terminated-thread',
    title:
      "a terminated thread lets go of its store by 'exit'; its batches are whole, and those answered are there",
    run: ({ load, url }) =>
      inDirectory(async (dir) => {
        const words = sharedWords()
        const source = `
          Promise.all([import(workerData.url), import(workerData.gates), import(workerData.binding)]).then(([{ openRocksStore }, { NativeGate }, { guardNativeCalls }]) => {
          const gate = new NativeGate(workerData.gate)
          guardNativeCalls(gate.enter, gate.leave)
          openRocksStore(workerData.dir, {}, (error, store) => {
            if (error) throw error
            const next = (number) => {
              const writes = []
              for (let i = 0; i < ${rowsOfBatch}; i++) {
                writes.push({ row: 'b' + String(number).padStart(7, '0') + '-' + i, value: Buffer.alloc(100, 1) })
              }
              store.commit(writes, 'os', (failure) => {
                if (failure) throw failure
                Atomics.store(words, 0, number)
                Atomics.notify(words, 0)
                next(number + 1)
              })
            }
            next(1)
          })})`
        const gates = url('runtime/threads/native-gate.js')
        const binding = url('storage/rocksdb-binding.js')
        const { createNativeGate, NativeGate } = await load('runtime/threads/native-gate.js')
        let before = 0
        for (let life = 1; life <= 3; life++) {
          const home = `${dir}-${life}`
          const gate = createNativeGate()
          const data = {
            url: url('storage/rocksdb-store.js'),
            dir: home,
            words: words.buffer,
            gates,
            binding,
            gate,
          }
          Atomics.store(words, 0, 0)
          const worker = thread(source, data)
          awaitWord(words, 0, 50 * life)
          // As nodes are ended: in the midst of filling a batch it would be committed half filled (docs/decisions/chaos.md).
          await new NativeGate(gate).shut()
          await worker.terminate()
          const answered = Atomics.load(words, 0)
          const { count, store } = await wholeBatches(load, home)
          hold(count >= answered, `${answered} were answered and ${count} are there`)
          before += count - answered
          await promised((done) => store.close(done))
        }
        return { said: `${before} batches of 3 threads were there and not answered` }
      }),
  },
]

const failing = [
  {
    name: 'failed-write',
    title: 'after one failed write RocksDB and the store refuse all others, until the store is opened again',
    run: ({ load, url }) =>
      inDirectory(async (dir) => {
        if (process.platform === 'win32') return skipped('there are no limits of file sizes here')
        // A log may not grow beyond this, which is a disk that is full for one file. Units differ between shells.
        const limit = ['sh', '-c', 'ulimit -S -f 256; exec "$0" "$@"']
        const said = await runChild(['fill', url('storage/rocksdb-store.js'), dir], limit)
        const [answered, failure, later, closed] = said
        hold(Number(answered) > 0, `nothing was written: ${said}`)
        hold(/^FAILED storage-failed /.test(failure), `the failed write was answered ${failure}`)
        hold(/^THEN storage-failed .*failed before/.test(later), `the next was answered ${later}`)
        hold(closed === 'CLOSED', `it was closed with ${closed}`)
        const { count, store } = await wholeBatches(load, dir)
        // What failed may have landed.
        hold(
          count >= Number(answered) && count <= Number(answered) + 1,
          `${answered} answered, ${count} there`,
        )
        await promised((done) => store.commit([{ row: 'y', value: Buffer.from('1') }], 'disk', done))
        await promised((done) => store.close(done))
        return { said: failure }
      }),
  },
  {
    name: 'failed-write-raw',
    title: 'it is RocksDB itself that refuses after a failed write, also when there is room again',
    run: ({ url }) =>
      inDirectory(async (dir) => {
        if (process.platform === 'win32') return skipped('there are no limits of file sizes here')
        const limit = ['sh', '-c', 'ulimit -S -f 256; exec "$0" "$@"']
        const said = await runChild(['raw', url('storage/rocksdb-binding.js'), dir], limit)
        hold(said[0]?.startsWith('FAILED '), `the failed write was answered ${said[0]}`)
        if (said[1] !== 'LIFTED') return skipped('prlimit is not installed')
        const refused = said.filter((line) => line.startsWith('REFUSED ')).length
        hold(refused === 20, `of 20 small writes ${refused} were refused: ${said}`)
        return { said: said[2] }
      }),
  },
]

export const storeChecks = [...survival, ...failing]
