// Commits to a RocksDB store and says DONE with the number after each commit at the wanted level; when a
// commit fails, FAILED and why, and then what the next one is answered.
// Arguments: URL of the compiled module, then a JSON of { dir, count, writes, bytes, level, every, options }:
// every `every`-th commit is at `level`, the others at 'os' and in silence. No count: until killed.

import { writeSync } from 'node:fs'

const { openRocksStore } = await import(process.argv[2])
const {
  dir,
  count = Number.POSITIVE_INFINITY,
  writes,
  bytes,
  level,
  every = 1,
  options = {},
} = JSON.parse(process.argv[3])

const promised = (call) =>
  new Promise((resolve, reject) => {
    call((error, result) => (error === undefined ? resolve(result) : reject(error)))
  })

const store = await promised((done) => openRocksStore(dir, options, done))
const value = Buffer.alloc(bytes, 1)

function batch(number) {
  const rows = [{ row: 'last', value: Buffer.from(String(number)) }]
  for (let i = 0; i < writes; i++) rows.push({ row: `k${String(number).padStart(6, '0')}-${i}`, value })
  return rows
}

for (let number = 1; number <= count; number++) {
  const loud = number % every === 0
  try {
    await promised((done) => store.commit(batch(number), loud ? level : 'os', done))
  } catch (error) {
    writeSync(1, `FAILED ${error.code} ${error.message}\n`)
    await promised((done) => store.commit(batch(number + 1), 'os', done)).catch((later) => {
      writeSync(1, `THEN ${later.code} ${later.message}\n`)
    })
    break
  }
  if (loud) writeSync(1, `DONE ${number}\n`)
}
await promised((done) => store.close(done))
writeSync(1, 'CLOSED\n')
