// A process that writes to a store until it is killed ('commit') or until a write fails ('fill', 'raw': its parent has
// limited the size of files). Arguments: what to do, URL of the built module, directory.

import { spawnSync } from 'node:child_process'
import { writeSync } from 'node:fs'
import { promised } from './tools.mjs'

const [what, url, dir] = process.argv.slice(2)
const say = (text) => writeSync(1, `${text}\n`)
// Whoever listens is not killed by it: the write fails with EFBIG instead.
process.on('SIGXFSZ', () => {})

function batch(number, bytes) {
  const name = String(number).padStart(7, '0')
  return Array.from({ length: 20 }, (_, i) => ({ row: `b${name}-${i}`, value: Buffer.alloc(bytes, 1) }))
}

async function openStore() {
  const { openRocksStore } = await import(url)
  return promised((done) => openRocksStore(dir, {}, done))
}

async function commit() {
  const store = await openStore()
  for (let number = 1; ; number++) {
    await promised((done) => store.commit(batch(number, 100), 'os', done))
    say(number)
  }
}

async function fill() {
  const store = await openStore()
  for (let number = 1; ; number++) {
    try {
      await promised((done) => store.commit(batch(number, 500), 'os', done))
    } catch (error) {
      say(number - 1)
      say(`FAILED ${error.code} ${error.message}`)
      await promised((done) => store.commit(batch(number, 1), 'os', done)).catch((later) =>
        say(`THEN ${later.code} ${later.message}`),
      )
      await promised((done) => store.close(done)).then(
        () => say('CLOSED'),
        (later) => say(`NOT CLOSED ${later.message}`),
      )
      return
    }
  }
}

async function raw() {
  const { RocksDB } = await import(url)
  const database = new RocksDB(dir, {})
  await database.ready()
  const write = (name, bytes) => {
    const of = database.write({ capacity: 8, autoDestroy: true })
    of.tryPut(Buffer.from(name), Buffer.alloc(bytes, 1))
    return of.flush()
  }
  const reason = (error) => (error.cause ?? error).message
  for (let number = 1, failed = false; !failed; number++) {
    await write(`a${number}`, 10_000).catch((error) => {
      failed = true
      say(`FAILED ${reason(error)}`)
    })
  }
  // There is room again.
  const lifted = spawnSync('prlimit', ['--pid', String(process.pid), '--fsize=unlimited:'])
  say(lifted.status === 0 ? 'LIFTED' : 'NOT LIFTED')
  for (let i = 0; i < 20; i++) {
    await write(`s${i}`, 1).then(
      () => say('WRITTEN'),
      (error) => say(`REFUSED ${reason(error)}`),
    )
  }
  await database.close()
}

await { commit, fill, raw }[what]()
