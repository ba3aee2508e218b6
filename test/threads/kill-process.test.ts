// The whole process dies: SIGKILL at any moment of a load. Every put that had been acknowledged with dw = 1
// is there when the directory is opened again, and so is its value; nobody had to close anything.
//
// RINGSPUN_KILL_ROUNDS=10 RINGSPUN_KILL_PUTS=100000 is the long run.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Bucket, Cluster, type ClusterOptions, type GetResult, RingspunError } from '../../dist/index.js'
import { randomBelow, seededRandom } from '../../src/base/random.js'
import { quick, temporary, until } from './cluster-helpers.js'
import { keyOf, makeValue } from './writer-values.mjs'

const rounds = Number(process.env['RINGSPUN_KILL_ROUNDS'] ?? 3)
const puts = Number(process.env['RINGSPUN_KILL_PUTS'] ?? 3_000)
const testMsMax = 60_000 + rounds * (20_000 + puts)

interface Writer {
  readonly child: ChildProcess
  /** Bytes of the file of acknowledged puts. */
  readonly noted: () => number
  readonly numbers: () => number[]
  readonly all: Promise<unknown>
}

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url))

async function startWriter(
  dir: string,
  round: number,
  putsMax: number,
  options: ClusterOptions = {},
): Promise<Writer> {
  const path = join(temporary(), 'acknowledged')
  const given = JSON.stringify({ nodes: 3, partitions: 16, dw: 1, ...options })
  const child = spawn(
    process.execPath,
    [script('./writer.mjs'), dir, path, String(round), '256', String(putsMax), given],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const all = new Promise((resolve) => {
    lines.on('line', (line) => line === 'all' && resolve(undefined))
  })
  await once(lines, 'line')
  const numbers = () => readFileSync(path, 'utf8').split('\n').filter(Boolean).map(Number)
  return { child, all, numbers, noted: () => (existsSync(path) ? statSync(path).size : 0) }
}

async function kill(writer: Writer, signal: NodeJS.Signals): Promise<void> {
  const exit = once(writer.child, 'exit')
  writer.child.kill(signal)
  expect(await exit).toEqual([null, signal])
}

/** A refusal is no answer, and no loss: a node that catches up asks to be asked again. */
async function readAll(bucket: Bucket<string>, keys: readonly string[]): Promise<GetResult<string>[]> {
  for (;;) {
    try {
      return await bucket.getMany(keys, { r: 2, timeout: 60_000 })
    } catch (error) {
      if (!(error instanceof RingspunError) || error.outcome !== 'refused') throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

/** Numbers of the puts that are not there, or not as they were written. */
async function lostOf(bucket: Bucket<string>, round: number, numbers: readonly number[]): Promise<number[]> {
  const lost: number[] = []
  for (let at = 0; at < numbers.length; at += 2_000) {
    const part = numbers.slice(at, at + 2_000)
    const read = await readAll(
      bucket,
      part.map((number) => keyOf(round, number)),
    )
    lost.push(...part.filter((number, i) => read[i]?.values[0] !== makeValue(round, number)))
  }
  return lost
}

describe('kill -9', () => {
  test(`${rounds} rounds of ${puts} acknowledged puts: none is lost`, { timeout: testMsMax }, async () => {
    const dir = temporary()
    const random = seededRandom(20)
    const acknowledged: number[][] = []
    const figures: string[] = []
    for (let round = 0; round < rounds; round++) {
      const writer = await startWriter(dir, round, puts * 2)
      const begun = performance.now()
      // A number and its line end have 5 or 6 bytes: at some moment after the puts wanted.
      const bytes = puts * 6 + randomBelow(random, puts)
      await Promise.race([writer.all, until('enough is written', () => writer.noted() >= bytes, testMsMax)])
      await kill(writer, 'SIGKILL')
      const took = performance.now() - begun
      const numbers = writer.numbers()
      acknowledged.push(numbers)
      expect(numbers.length).toBeGreaterThanOrEqual(puts * 0.8)
      expect(new Set(numbers).size).toBe(numbers.length)

      const lines: string[] = []
      const opening = performance.now()
      const cluster = await Cluster.open({ ...quick, dir, log: (_level, text) => lines.push(text) })
      const opened = performance.now() - opening
      try {
        const bucket = cluster.bucket<string>('written')
        expect(await lostOf(bucket, round, numbers)).toEqual([])
        expect(lines.filter((line) => line.includes(': closed in order'))).toEqual([])
        const whole = () => cluster.status().nodes.every(({ complete }) => complete)
        // Every row of late is sent again by both peers: more rows, more time.
        await until('all nodes are whole', whole, 30_000 + puts * 2)
        expect(await lostOf(bucket, round, numbers)).toEqual([])
      } finally {
        await cluster.close()
      }
      figures.push(
        `round ${round}: ${numbers.length} puts in ${Math.round(took)} ms, opened in ${Math.round(opened)} ms`,
      )
    }
    const cluster = await Cluster.open({ ...quick, dir })
    try {
      for (const [round, numbers] of acknowledged.entries()) {
        expect(await lostOf(cluster.bucket('written'), round, numbers)).toEqual([])
      }
    } finally {
      await cluster.close()
    }
    if (process.env['RINGSPUN_KILL_ROUNDS'] !== undefined) process.stdout.write(`${figures.join('\n')}\n`)
  })

  test('while it opens, again and again: the directory can still be opened', async () => {
    const dir = temporary()
    const writer = await startWriter(dir, 0, 500)
    await writer.all
    await kill(writer, 'SIGKILL')
    const random = seededRandom(3)
    for (let attempt = 0; attempt < 8; attempt++) {
      const opener = spawn(process.execPath, [script('./opener.mjs'), dir], { stdio: 'ignore' })
      const exit = once(opener, 'exit')
      await new Promise((resolve) => setTimeout(resolve, 60 + randomBelow(random, 300)))
      opener.kill('SIGKILL')
      await exit
    }
    const cluster = await Cluster.open({ ...quick, dir })
    try {
      expect(await lostOf(cluster.bucket('written'), 0, writer.numbers())).toEqual([])
    } finally {
      await cluster.close()
    }
  })
})

test('SIGTERM, where nobody listens for it, is no worse', async () => {
  const dir = temporary()
  const writer = await startWriter(dir, 0, 1_000_000)
  await until('much is written', () => writer.noted() > 5_000)
  await kill(writer, 'SIGTERM')
  const cluster = await Cluster.open({ ...quick, dir })
  try {
    expect(await lostOf(cluster.bucket('written'), 0, writer.numbers())).toEqual([])
  } finally {
    await cluster.close()
  }
})

test('a second process that wants the directory is refused while the first writes on', async () => {
  const dir = temporary()
  const writer = await startWriter(dir, 0, 1_000_000)
  await until('something is written', () => writer.noted() > 0)
  const other = spawnSync(process.execPath, [script('./opener.mjs'), dir], { encoding: 'utf8' })
  expect(other.stdout).toBe('data-dir-locked refused\n')
  const noted = writer.noted()
  await until('the first writes on', () => writer.noted() > noted)
  await kill(writer, 'SIGKILL')
  const after = spawnSync(process.execPath, [script('./opener.mjs'), dir], { encoding: 'utf8' })
  expect(after.stdout).toBe('opened\n')
})
