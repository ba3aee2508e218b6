// What benchmarks share: closed loops with a fixed number in flight, latencies, tables, and a redis-server
// of their own on loopback, ended by its process id.

import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** Runs `op(i)` with `inFlight` open at any time for `seconds`; answers rate and latencies in microseconds. */
export async function measure(op, inFlight, seconds) {
  const latencies = new Float64Array(4_000_000)
  let count = 0
  let next = 0
  const begun = performance.now()
  const end = begun + seconds * 1000
  const worker = async () => {
    for (;;) {
      const from = performance.now()
      if (from >= end) return
      await op(next++)
      latencies[count++ % latencies.length] = performance.now() - from
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  const elapsed = performance.now() - begun
  const sorted = latencies.subarray(0, Math.min(count, latencies.length)).sort()
  const at = (quantile) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] * 1000
  return { perSecond: (count / elapsed) * 1000, p50: at(0.5), p99: at(0.99), p999: at(0.999) }
}

/** Operations a second with `inFlight` open, without a clock between them: for what takes less than a microsecond. */
export async function rate(op, inFlight, seconds) {
  const end = performance.now() + seconds * 1000
  const begun = performance.now()
  let next = 0
  const worker = async () => {
    while (performance.now() < end) for (let i = 0; i < 32; i++) await op(next++)
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return (next / (performance.now() - begun)) * 1000
}

/** The same for an operation that answers at once. */
export function rateSync(op, seconds) {
  const begun = performance.now()
  const end = begun + seconds * 1000
  let next = 0
  while (performance.now() < end) for (let i = 0; i < 1000; i++) op(next++)
  return (next / (performance.now() - begun)) * 1000
}

/** Runs all contestants in turn, several times, and keeps the median of each: what else the machine does hits all. */
export async function alternate(contestants, rounds) {
  const rates = contestants.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [at, { run }] of contestants.entries()) rates[at].push(await run())
  }
  return contestants.map(({ run: _run, ...rest }, at) => {
    const sorted = rates[at].sort((a, b) => a - b)
    return { ...rest, perSecond: sorted[sorted.length >> 1], slowest: sorted[0], fastest: sorted.at(-1) }
  })
}

/** Processor time of each thread of this process so far, in milliseconds, by its number; undefined where unknown. */
export function threadTimes() {
  try {
    const times = new Map()
    for (const task of readdirSync('/proc/self/task')) {
      const fields = readFileSync(`/proc/self/task/${task}/stat`, 'utf8').split(') ')[1].split(' ')
      times.set(task, (Number(fields[11]) + Number(fields[12])) * 10)
    }
    return times
  } catch {
    return undefined
  }
}

export function table(rows) {
  const titles = Object.keys(rows[0])
  const text = rows.map((row) => titles.map((title) => cell(row[title])))
  const widths = titles.map((title, i) => Math.max(title.length, ...text.map((line) => line[i].length)))
  const line = (cells) =>
    cells.map((value, i) => (i < 2 ? value.padEnd(widths[i]) : value.padStart(widths[i]))).join('  ')
  console.log([line(titles), line(widths.map((width) => '-'.repeat(width))), ...text.map(line)].join('\n'))
}

function cell(value) {
  if (typeof value === 'string') return value
  if (value >= 100) return Math.round(value).toLocaleString('en')
  return value.toFixed(2)
}

export function temporaryDirectory() {
  const dir = mkdtempSync(join(tmpdir(), 'ringspun-bench-'))
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) }
}

/** A redis-server without persistence, or undefined where none is installed. */
export async function startRedis(extra = []) {
  const port = await freePort()
  const { dir, remove } = temporaryDirectory()
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    dir,
    ...extra,
  ]
  const child = spawn('redis-server', args, { stdio: 'ignore' })
  const failed = await new Promise((resolve) => {
    child.once('error', () => resolve(true))
    child.once('spawn', () => resolve(false))
  })
  if (failed) {
    remove()
    return undefined
  }
  await pause(300)
  return {
    port,
    stop: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      process.kill(child.pid, 'SIGTERM')
      await gone
      remove()
    },
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
