// The process that is killed: opens a cluster, puts continuously, and appends the number of each put to a file
// when it has been acknowledged. What is in the file outlives this process. Arguments: directory, file, round,
// puts in flight, bucket options as JSON.
//
// Says `ready` on standard output when it has begun, and `all` when `putsMax` are acknowledged; it goes on
// waiting to be killed then.

import { openSync, writeSync } from 'node:fs'
import { Cluster } from '../../dist/index.js'
import { keyOf, makeValue } from './writer-values.mjs'

const [dir, path, round, inFlight, putsMax, options] = process.argv.slice(2)
const cluster = await Cluster.open({ dir, ...JSON.parse(options) })
const bucket = cluster.bucket('written')
const file = openSync(path, 'a')

let next = 0
let acknowledged = 0
let pending = []

/** One write for all that were acknowledged in a turn: each number whole, in a line of its own. */
function note(number) {
  if (pending.length === 0) setImmediate(flush)
  pending.push(number)
}

function flush() {
  writeSync(file, `${pending.join('\n')}\n`)
  acknowledged += pending.length
  pending = []
  if (acknowledged >= Number(putsMax)) process.stdout.write('all\n')
}

async function write() {
  while (next < Number(putsMax)) {
    const number = next++
    await bucket.put(keyOf(round, number), makeValue(round, number), { timeout: 60_000 })
    note(number)
  }
}

process.stdout.write('ready\n')
await Promise.all(Array.from({ length: Number(inFlight) }, write))
// Until it is killed.
setInterval(() => {}, 1_000)
