// Where does the time of a put and of a get go? Processor time by thread, turns and messages per operation, and for the
// thread of the application its own time by source file (the profiler of V8, sampling). With --cpu-prof around it each
// node's thread writes a profile too: NODE_OPTIONS, or node --cpu-prof bench/main.mjs turn.

import { Session } from 'node:inspector/promises'
import { Cluster } from '../dist/index.js'
import { rate, rateSync, table, temporaryDirectory, threadTimes } from './tools.mjs'

const keys = 20_000
const keyOf = (i) => `user${String((i * 7919) % keys).padStart(8, '0')}`
const value = Buffer.alloc(100, 'x')

export async function run({ seconds }) {
  const { dir, remove } = temporaryDirectory()
  const cluster = await Cluster.open({ dir, nodes: 3, n: 3, r: 2, w: 2, dw: 0, log: () => {} })
  const bucket = cluster.bucket('default')
  const cache = cluster.bucket('cache', { conflicts: 'last-write-wins', durability: 'memory' })
  const cases = [
    ['put dw=0', (i) => bucket.put(keyOf(i), value)],
    ['put memory', (i) => cache.put(keyOf(i), value)],
    ['get r=2', (i) => bucket.get(keyOf(i))],
    ['getSync r=2', (i) => bucket.getSync(keyOf(i)), true],
  ]
  const results = []
  try {
    for (const bucketOf of [bucket, cache]) {
      await bucketOf.putMany(Array.from({ length: keys }, (_, i) => [keyOf(i), value]))
      for (let i = 0; i < 3; i++) await bucketOf.getMany(Array.from({ length: keys }, (_, j) => keyOf(j)))
    }
    for (const [what, op, isSync] of cases) {
      const load = (for_) => (isSync ? rateSync(op, for_) : rate(op, 64, for_))
      await load(0.5)
      results.push({ what, ...(await observe(cluster, load, seconds)) })
    }
  } finally {
    await cluster.close()
    remove()
  }
  table(
    results.map(({ what, perSecond, cpu, turns, stages }) => ({
      what,
      'per second': perSecond,
      'us of client': cpu?.client ?? 0,
      'us of nodes': cpu?.others ?? 0,
      'turns of nodes': turns,
      'of the client': stages
        .slice(0, 3)
        .map(([name, share]) => `${name} ${Math.round(share * 100)}%`)
        .join(', '),
    })),
  )
  for (const { what, stages } of results) {
    console.log(`\n${what}: the client's thread, by file`)
    for (const [name, share] of stages.slice(0, 12))
      console.log(`  ${(share * 100).toFixed(1).padStart(5)} %  ${name}`)
  }
  return results
}

async function observe(cluster, load, seconds) {
  const turnsNow = () => cluster.status().nodes.reduce((sum, node) => sum + node.turns, 0)
  const before = threadTimes()
  const turnsBefore = turnsNow()
  const begun = performance.now()
  const perSecond = await load(seconds)
  const count = (perSecond * (performance.now() - begun)) / 1000
  const after = threadTimes()
  const turns = (turnsNow() - turnsBefore) / count
  const stages = await profile(() => load(Math.min(seconds, 2)))
  return { perSecond, cpu: after && share(before, after, count), turns, stages }
}

/** Microseconds an operation: of the thread of the application, and of all others together. */
function share(before, after, count) {
  let client = 0
  let others = 0
  for (const [task, ms] of after) {
    const spent = ((ms - (before.get(task) ?? 0)) * 1000) / count
    if (Number(task) === process.pid) client += spent
    else others += spent
  }
  return { client, others }
}

/** Shares of this thread's time by source file, the largest first. */
async function profile(work) {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 200 })
  await session.post('Profiler.start')
  await work()
  const { profile: found } = await session.post('Profiler.stop')
  session.disconnect()
  const nodes = new Map(found.nodes.map((node) => [node.id, node]))
  const byFile = new Map()
  let total = 0
  for (const [at, id] of found.samples.entries()) {
    const { functionName, url } = nodes.get(id).callFrame
    const name = url === '' ? functionName : url.replace(/^.*\/dist\//, '').replace(/^.*\/bench\//, 'bench/')
    if (name === '(root)' || name === '(program)') continue
    byFile.set(name, (byFile.get(name) ?? 0) + found.timeDeltas[at])
    total += found.timeDeltas[at]
  }
  return [...byFile].sort((a, b) => b[1] - a[1]).map(([name, time]) => [name, time / total])
}
