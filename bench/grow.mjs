// What does an operation cost when there are many objects? get and put at 10 thousand, 100 thousand and 1 million
// objects in memory (`--objects 10000,10000000` for others), bytes of memory an object and replica, and how long it
// takes to open so many from disk until the first request is served. Then the same objects with an object buffer for a
// tenth of them (`--beyond 0` leaves that out): what is read then is mostly in RocksDB.
//
// (n, r, w) = (3, 2, 2), values of 100 bytes, keys drawn evenly, 64 in flight. A round goes through all sizes in turn:
// each is a cluster of its own, open all the time, so that what else the machine does hits all.

import { seededRandom } from '../dist/base/random.js'
import { Cluster } from '../dist/index.js'
import {
  alternate,
  diskDirectory,
  flushed,
  priced,
  rate,
  rateSync,
  ratio,
  ratioText,
  table,
} from './tools.mjs'

const value = Buffer.alloc(100, 'x')
const rounds = 3
const MiB = 2 ** 20
const chunk = 50_000
const keyOf = (i) => `user${String(i).padStart(9, '0')}`

export async function run({ seconds, options }) {
  const sizes = (options.objects ?? '10000,100000,1000000').split(',').map(Number)
  const beyond = Number(options.beyond ?? Math.min(1_000_000, sizes.at(-1)))
  const { dir, remove } = diskDirectory(options.dir)
  try {
    const results = { inMemory: await inMemory(sizes, dir, seconds) }
    printCosts(results.inMemory)
    results.opening = []
    for (const objects of sizes) results.opening.push(await opening(objects, `${dir}/${objects}`))
    printOpening(results.opening)
    if (beyond > 0) {
      results.beyond = await beyondMemory(beyond, dir, seconds)
      printCosts(results.beyond)
    }
    return results
  } finally {
    remove()
  }
}

async function inMemory(sizes, dir, seconds) {
  const filled = []
  try {
    for (const objects of sizes) filled.push(await fill(objects, `${dir}/${objects}`, memoryFor(objects)))
    const all = filled.flatMap((each) => operations(each, seconds / 3))
    return await alternate(all, rounds)
  } finally {
    for (const { cluster } of filled) await cluster.close()
  }
}

/** Room for all, in powers of two from the least that a cluster has unless told otherwise. */
function memoryFor(objects) {
  let memory = 64 * MiB
  while (memory < objects * 300) memory *= 2
  return Math.min(memory, 4095 * MiB)
}

function open(dir, memory) {
  return Cluster.open({ dir, nodes: 3, n: 3, r: 2, w: 2, dw: 0, memory, log: () => {} })
}

async function fill(objects, dir, memory) {
  const cluster = await open(dir, memory)
  const bucket = cluster.bucket('default')
  // All three, or replicas that lag would be read from.
  for (let at = 0; at < objects; at += chunk) {
    const count = Math.min(chunk, objects - at)
    const entries = Array.from({ length: count }, (_, i) => [keyOf(at + i), value])
    await bucket.putMany(entries, { w: 3, timeout: 600_000 })
  }
  await flushed(cluster)
  const { nodes } = cluster.status()
  const held = nodes.reduce((sum, node) => sum + node.objects, 0)
  const bytes = nodes.reduce((sum, node) => sum + node.bufferBytes, 0) / held
  return { cluster, bucket, objects, bytes, copiesInMemory: held }
}

function operations({ cluster, bucket, objects, bytes }, seconds) {
  const random = seededRandom(objects)
  // Drawn before, since drawing costs as much as a read.
  const keys = Array.from({ length: 1 << 20 }, () => keyOf(Math.floor(random() * objects)))
  const key = (i) => keys[i & (keys.length - 1)]
  const settle = () => flushed(cluster)
  const work = {
    'getSync r=2': () => priced(() => rateSync((i) => bucket.getSync(key(i)), seconds)),
    'get r=2': () => priced(() => rate((i) => bucket.get(key(i)), 64, seconds)),
    'put dw=0': () => priced(() => rate((i) => bucket.put(key(i), value), 64, 3 * seconds), [], settle),
  }
  return Object.entries(work).map(([what, run]) => ({ what, objects, bytes, run }))
}

/** Three times: until the cluster is open, and until it has answered a get by a quorum. */
async function opening(objects, dir) {
  const found = []
  for (let round = 0; round < rounds; round++) {
    const begun = performance.now()
    const cluster = await open(dir, memoryFor(objects))
    const opened = performance.now() - begun
    const key = keyOf(Math.floor(objects / 2))
    const answer = await cluster.bucket('default').get(key)
    if (answer.value === undefined) throw new Error(`${key} is not there`)
    found.push({ opened, served: performance.now() - begun })
    await cluster.close()
  }
  const middle = (name) => found.map((each) => each[name]).sort((a, b) => a - b)[rounds >> 1]
  return { objects, openedMs: middle('opened'), servedMs: middle('served'), rounds: found }
}

async function beyondMemory(objects, dir, seconds) {
  // What an object takes is about 170 bytes a replica; a tenth of that, and not less than a cluster can have.
  const memory = Math.max(4 * MiB, Math.round((objects * 170) / 10))
  const filled = await fill(objects, `${dir}/beyond`, memory)
  try {
    const { copiesInMemory } = filled
    const inMemory = ((copiesInMemory / (3 * objects)) * 100).toFixed(0)
    console.log(
      `\n${objects.toLocaleString('en')} objects, object buffer of ${Math.round(memory / MiB)} MiB a node,`,
    )
    console.log(`which holds ${inMemory} % of the copies\n`)
    const cases = operations(filled, seconds / 3).filter(({ what }) => !what.startsWith('getSync'))
    return await alternate(cases, rounds)
  } finally {
    await filled.cluster.close()
  }
}

function printCosts(results) {
  const least = (what) => results.find((one) => one.what === what)
  table(
    results.map((one) => ({
      what: one.what,
      objects: one.objects.toLocaleString('en'),
      'bytes a replica': one.bytes,
      'per second': one.perSecond,
      slowest: one.slowest,
      fastest: one.fastest,
      'us of CPU': one.cpu,
      'CPU: it / the fewest': ratioText(ratio(one, least(one.what), 'cpu')),
    })),
  )
}

function printOpening(results) {
  console.log('')
  table(
    results.map(({ objects, openedMs, servedMs }) => ({
      'objects on disk': objects.toLocaleString('en'),
      'open, ms': openedMs,
      'first get answered, ms': servedMs,
    })),
  )
}
