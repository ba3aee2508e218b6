// The simulated world is held against threads: a cluster of three nodes runs a load, a thread is ended in it, the
// process opens the directory a second time; then the same inputs go to nodes of the simulated world, life by life,
// turn by turn, and everything that they do and are must be the same.

import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { LocalCluster } from '../../dist/client/cluster.js'
import type { Cluster } from '../../dist/index.js'
import { openRocksStore } from '../../dist/storage/rocksdb-store.js'
import type { Row, Store } from '../../dist/storage/store.js'
import { quick, temporary, until } from './cluster-helpers.js'
import { buildRecording } from './trace-build.js'
import { textOf } from './trace-digest.mjs'
import { type LifeLine, Replay } from './trace-replay.js'

const nodes = [1, 2, 3]

async function load(cluster: Cluster, from: number, count: number): Promise<void> {
  const carts = cluster.bucket<string>('carts')
  const numbers = cluster.bucket<number>('numbers', { conflicts: 'last-write-wins', w: 1, dw: 0 })
  const work = Array.from({ length: count }, async (_, index) => {
    const key = `key ${(from + index) % 150}`
    try {
      if (index % 5 === 0) await carts.put(key, `blind ${from + index}`)
      else if (index % 5 === 1) await numbers.put(key, index)
      else if (index % 5 === 2) await carts.delete(key)
      else {
        const found = await carts.get(key, { r: 3 })
        await carts.put(
          key,
          `merged ${from + index}`,
          found.context === undefined ? {} : { context: found.context },
        )
      }
    } catch {
      // A node dies meanwhile: what was refused is not the matter here.
    }
  })
  await Promise.all(work)
}

async function loads(cluster: Cluster, from: number, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) await load(cluster, from + round * 40, 40)
}

function rowsOf(store: Pick<Store, 'walk'>): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const take = (error: Error | undefined, rows: readonly Row[]) => {
      if (error !== undefined) reject(error)
      else
        resolve(
          rows.map(({ row, value }) => `${Buffer.from(row, 'latin1').toString('hex')} ${textOf(value)}`),
        )
    }
    store.walk('', '\u00ff\u00ff', 1_000_000, take)
  })
}

async function rowsOnDisk(dir: string, node: number): Promise<string[]> {
  const home = readdirSync(dir, { recursive: true, encoding: 'utf8' }).find(
    (path) =>
      path.endsWith('objects') &&
      path.split(/[\\/]/).some((part) => new RegExp(`^\\D*0*${node}$`).test(part)),
  )
  const store = await new Promise<Store>((resolve, reject) => {
    openRocksStore(join(dir, home as string), {}, (error, opened) =>
      opened ? resolve(opened) : reject(error),
    )
  })
  const rows = await rowsOf(store)
  await new Promise<void>((resolve) => store.close(() => resolve()))
  return rows
}

interface Recorded {
  readonly lines: readonly unknown[]
  readonly memory: Uint8Array | undefined
}

function livesOf(traces: string, node: number): Recorded[] {
  const lives: Recorded[] = []
  const files = new Set(readdirSync(traces))
  for (let life = 1; files.has(`${node}-${life}.jsonl`); life++) {
    const lines = readFileSync(join(traces, `${node}-${life}.jsonl`), 'utf8').split('\n')
    // The last line of a thread that was ended may be cut.
    lines.pop()
    const image = `${node}-${life}.memory`
    const memory = files.has(image) ? readFileSync(join(traces, image)) : undefined
    lives.push({ lines: lines.map((line) => JSON.parse(line)), memory })
  }
  return lives
}

test('what threads were given, given to the simulated world, comes to the same state and the same envelopes', async () => {
  const home = temporary()
  const dir = join(home, 'data')
  mkdirSync(dir)
  const { entry, traces } = buildRecording(home)
  const { Cluster: Recording } = (await import(entry)) as { Cluster: typeof Cluster }
  const options = { ...quick, memory: 4 * 1024 * 1024, dir }
  const first = (await Recording.open(options)) as LocalCluster
  await loads(first, 0, 10)
  const under = loads(first, 400, 10)
  first.machine.kill(2)
  await under
  await until('node 2 is back', () => first.status().nodes[1]?.state === 'up')
  await loads(first, 800, 5)
  await until('all are whole', () => first.status().nodes.every(({ complete }) => complete))
  await first.close()
  const second = await Recording.open(options)
  await loads(second, 1000, 10)
  await second.close()

  for (const node of nodes) {
    const lives = livesOf(traces, node)
    expect(lives).toHaveLength(node === 2 ? 3 : 2)
    const replay = new Replay(lives[0]?.lines[0] as LifeLine)
    lives.forEach(({ lines, memory }, index) => {
      const died = index === 0 ? undefined : memory !== undefined ? 'thread' : 'process'
      replay.play(lines, died, memory)
    })
    const here = rowsOf(replay.disk)
    replay.pump()
    expect(await here).toEqual(await rowsOnDisk(dir, node))
    expect(replay.counts.turns).toBeGreaterThan(100)
  }
})
