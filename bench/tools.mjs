// What benchmarks share: closed loops with a fixed number in flight, latencies, rounds in turn, ratios, tables, and
// directories. Servers and stores to compare with are in bench/stores/.

import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
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
  return { count, perSecond: (count / elapsed) * 1000, p50: at(0.5), p99: at(0.99), p999: at(0.999) }
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

/**
 * Runs all contestants in turn, several times, so that what else the machine does hits all. Each has `run`, which
 * answers its rate, or an object with `perSecond`. Answers the median of the rounds, the slowest and fastest, and all of
 * them in order. `warmUp` rounds before them count for nobody: compilers, first pages, connections.
 */
export async function alternate(contestants, rounds, warmUp = 0) {
  const all = contestants.map(() => [])
  for (let round = 0; round < warmUp; round++) for (const { run } of contestants) await run()
  for (let round = 0; round < rounds; round++) {
    for (const [at, { run }] of contestants.entries()) {
      const found = await run()
      all[at].push(typeof found === 'number' ? { perSecond: found } : found)
    }
  }
  return contestants.map(({ run: _run, ...rest }, at) => {
    const rates = all[at].map(({ perSecond }) => perSecond)
    const medians = Object.fromEntries(
      Object.keys(all[at][0]).map((key) => [key, median(all[at].map((each) => each[key]))]),
    )
    return { ...rest, ...medians, slowest: Math.min(...rates), fastest: Math.max(...rates), rounds: all[at] }
  })
}

/**
 * How many times `one` is `other`: the median of the rounds, each compared with its neighbour in time, and the least and
 * the most. With `key: 'p999'` the like of a latency.
 */
export function ratio(one, other, key = 'perSecond') {
  const each = one.rounds.map((round, at) => round[key] / other.rounds[at][key])
  return { median: median(each), least: Math.min(...each), most: Math.max(...each) }
}

export function ratioText(found) {
  if (found === undefined) return ''
  const digits = found.median >= 10 ? 0 : 2
  return `${found.median.toFixed(digits)} (${found.least.toFixed(digits)}-${found.most.toFixed(digits)})`
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1]
}

/** Waits until what was answered from memory is flushed too: its cost belongs to nobody that comes next. */
export async function flushed(cluster) {
  const end = performance.now() + 15_000
  const isDirty = () => cluster.status().nodes.some(({ dirtyBytes }) => dirtyBytes > 0)
  // The counters are told 20 times a second.
  do await pause(100)
  while (isDirty() && performance.now() < end)
}

/**
 * Adds to what `work` answers the processor time of an operation, in microseconds, of this process and of those whose
 * ids are given, until `settle` is over: what others do on the machine changes a rate at once, and this little.
 */
export async function priced(work, pids = [], settle = undefined) {
  const before = processorMicros(pids)
  const begun = performance.now()
  const found = await work()
  const rates = typeof found === 'number' ? { perSecond: found } : found
  const count = rates.count ?? (rates.perSecond * (performance.now() - begun)) / 1000
  await settle?.()
  return { ...rates, cpu: (processorMicros(pids) - before) / count }
}

function processorMicros(pids) {
  const { user, system } = process.cpuUsage()
  return pids.reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
    return sum + (Number(fields[11]) + Number(fields[12])) * 10_000
  }, user + system)
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

export function temporaryDirectory(parent = tmpdir()) {
  const dir = mkdtempSync(join(parent, 'ringspun-bench-'))
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) }
}

/**
 * A directory on a disk, for what is measured by its fsyncs: in `parent` (`--dir`), or else where temporary files are,
 * or else, when those are in memory, in the working directory. Says which file system it is.
 */
export function diskDirectory(parent) {
  const isMemory = (where) => ['tmpfs', 'ramfs'].includes(fileSystemOf(where)?.type)
  const chosen = parent ?? (isMemory(tmpdir()) ? process.cwd() : tmpdir())
  const fileSystem = fileSystemOf(chosen)
  const name =
    fileSystem === undefined ? 'an unknown file system' : `${fileSystem.type} on ${fileSystem.device}`
  console.log(`files are on ${name}${isMemory(chosen) ? ': NOT A DISK, fsync costs nothing there' : ''}\n`)
  return { ...temporaryDirectory(chosen), fileSystem: name }
}

/** Of the longest mount point that the path is below; undefined where the system does not say. */
function fileSystemOf(path) {
  try {
    const real = realpathSync(path)
    const mounts = readFileSync('/proc/self/mounts', 'utf8').trim().split('\n')
    return mounts
      .map((line) => line.split(' '))
      .map(([device, at, type]) => ({ device, at, type }))
      .filter(({ at }) => real === at || real.startsWith(at.endsWith('/') ? at : `${at}/`))
      .sort((a, b) => a.at.length - b.at.length)
      .at(-1)
  } catch {
    return undefined
  }
}
