// What benchmarks share: closed loops with a fixed number in flight, latencies, tables, and a redis-server
// of their own on loopback, ended by its process id.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
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
