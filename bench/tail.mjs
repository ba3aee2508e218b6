// How late is the latest put? p50, p99 and p99.9 at the same offered load (Dynamo 6.1, figure 5: buffered writes cut
// p99.9 five times), buffered (level memory; level disk with dw 0) against written through with fsync (dw 1).
//
// Open loop: requests come at random moments (Poisson) that do not wait for answers, and a latency is counted from the
// moment at which its request was due, so that what waits behind a slow one is counted too. `--loads 1000,4000`.
// The thread that offers them turns its event loop without a pause: a sleep of a tenth of a millisecond, which it
// had before, ends up to half a millisecond late on a virtual machine, for every contestant alike, and hid the median.

import { seededRandom } from '../dist/base/random.js'
import { Cluster } from '../dist/index.js'
import { alternate, diskDirectory, flushed, ratio, ratioText, table } from './tools.mjs'

const keys = 20_000
const names = Array.from({ length: keys }, (_, i) => `user${String((i * 7919) % keys).padStart(8, '0')}`)
const value = Buffer.alloc(100, 'x')
const rounds = 5

export async function run({ seconds, options }) {
  const loads = (options.loads ?? '1000,4000').split(',').map(Number)
  const { dir, remove, fileSystem } = diskDirectory(options.dir)
  const cluster = await Cluster.open({ dir: `${dir}/ringspun`, n: 3, r: 2, w: 2, dw: 0, log: () => {} })
  const bucket = cluster.bucket('default')
  const cache = cluster.bucket('cache', { conflicts: 'last-write-wins', durability: 'memory' })
  const ways = [
    ['memory', (name) => cache.put(name, value)],
    ['disk, dw 0', (name) => bucket.put(name, value)],
    ['disk, dw 1', (name) => bucket.put(name, value, { dw: 1 })],
  ]
  const results = []
  try {
    for (const [, put] of ways) {
      for (let at = 0; at < keys; at += 100) await Promise.all(names.slice(at, at + 100).map(put))
    }
    for (const perSecond of loads) {
      const contestants = ways.map(([way, put]) => ({
        way,
        offered: perSecond,
        // The same moments for all of a round.
        run: async () => {
          const found = await offer(put, perSecond, seconds, seededRandom(perSecond))
          await flushed(cluster)
          return found
        },
      }))
      results.push(...(await alternate(contestants, rounds, 1)))
    }
  } finally {
    await cluster.close()
    remove()
  }
  print(results)
  return results.map((result) => ({ ...result, fileSystem }))
}

/** Offers `rate` requests a second for `seconds`; what is late is offered at once. Latencies in microseconds. */
async function offer(put, rate, seconds, random) {
  const count = Math.round(rate * seconds)
  const latencies = new Float64Array(count)
  const open = []
  const begun = performance.now() + 10
  let due = begun
  let failed = 0
  for (let i = 0; i < count; ) {
    const now = performance.now()
    if (now < due) {
      await new Promise((resolve) => setImmediate(resolve))
      continue
    }
    const [at, from] = [i++, due]
    open.push(
      put(names[at % keys]).then(
        () => {
          latencies[at] = (performance.now() - from) * 1000
        },
        () => {
          failed++
          latencies[at] = Number.POSITIVE_INFINITY
        },
      ),
    )
    due += (-Math.log(1 - random()) * 1000) / rate
  }
  await Promise.all(open)
  const perSecond = (count / (performance.now() - begun)) * 1000
  const sorted = latencies.sort()
  const at = (quantile) => sorted[Math.floor(count * quantile)]
  return { perSecond, failed, p50: at(0.5), p99: at(0.99), p999: at(0.999) }
}

function print(results) {
  const through = (offered) => results.find((one) => one.way === 'disk, dw 1' && one.offered === offered)
  table(
    results.map((one) => ({
      way: one.way,
      'offered a second': String(one.offered),
      served: one.perSecond,
      failed: one.failed,
      'p50 us': one.p50,
      'p99 us': one.p99,
      'p99.9 us': one.p999,
      'dw 1 / it: p50': ratioText(ratio(through(one.offered), one, 'p50')),
      p99: ratioText(ratio(through(one.offered), one, 'p99')),
      'p99.9': ratioText(ratio(through(one.offered), one, 'p999')),
    })),
  )
}
