// `ringspun sim`: runs the whole cluster in an invented world, seed after seed, on several threads, and says what was
// broken. A seed that fails is repeated by one command, shrunk, and told as a story.

import { Piscina } from 'piscina'
import { planOf } from '../sim/plan.js'
import { runPlan } from '../sim/run.js'
import { commandOf, indexesOf, shrink } from '../sim/shrink.js'
import {
  type Arguments,
  type Option,
  optionLines,
  readArguments,
  UsageError,
  wholeNumber,
} from './arguments.js'
import type { SeedsTask, SeedTold } from './sim-worker.js'
import { duration, print, printJson, table } from './table.js'

const options: readonly Option[] = [
  { name: 'seeds', value: 'A..B', help: 'which seeds; one number is one seed', default: '1..100' },
  { name: 'jobs', value: 'J', help: 'threads that run them', default: '1' },
  { name: 'nodes', value: 'S', help: 'nodes of the cluster; drawn from the seed when left out' },
  { name: 'copies', value: 'N', help: 'copies of a key; drawn from the seed when left out' },
  { name: 'seconds', value: 'T', help: 'virtual seconds in which faults happen; drawn when left out' },
  { name: 'faults', value: 'LIST', help: 'only these faults of the plan, as 1-3,7 or none' },
  { name: 'operations', value: 'LIST', help: 'only these operations of the plan' },
  { name: 'trace', help: 'print what happened, message by message; for one seed' },
  { name: 'shrink', help: 'look for the smallest plan that fails in the same way; for one seed' },
  { name: 'json', help: 'print JSON' },
]

const help = `Usage: ringspun sim [--seeds A..B] [--jobs J] [OPTIONS]

Runs the cluster in a simulated world: real nodes, with a network, disks, clocks and deaths that are drawn from a
seed. Clients read, write, merge and delete meanwhile, and checkers that stand outside say whether a promise was
broken. The same seed is the same run. Exit code 0 when nothing was broken, 1 when something was.

Options:
${optionLines(options)}`

interface Range {
  readonly from: number
  readonly to: number
}

function rangeOf(given: Arguments): Range {
  const text = String(given['seeds'] ?? '1..100')
  const match = /^(\d{1,9})(?:\.\.(\d{1,9}))?$/.exec(text)
  const from = Number(match?.[1])
  const to = Number(match?.[2] ?? match?.[1])
  if (match === null || to < from) throw new UsageError(`--seeds is A..B with A <= B, got ${text}`)
  return { from, to }
}

function listOf(given: Arguments, name: string): ReadonlySet<number> | undefined {
  const text = given[name]
  if (text === undefined) return undefined
  const indexes = indexesOf(String(text))
  if (indexes === undefined)
    throw new UsageError(`--${name} is a list such as 1-3,7 or none, got ${String(text)}`)
  return indexes
}

async function run(args: readonly string[]): Promise<number> {
  const given = readArguments(args, options)
  const range = rangeOf(given)
  const jobs = wholeNumber(given, 'jobs', 1, 64) ?? 1
  const task: SeedsTask = {
    ...range,
    nodes: wholeNumber(given, 'nodes', 2, 16),
    copies: wholeNumber(given, 'copies', 1, 16),
    seconds: wholeNumber(given, 'seconds', 1, 3_600),
    faults: listOf(given, 'faults'),
    operations: listOf(given, 'operations'),
  }
  const isOne = range.from === range.to
  if ((given['trace'] === true || given['shrink'] === true) && !isOne) {
    throw new UsageError('--trace and --shrink are for one seed: --seeds 17')
  }
  if (given['shrink'] === true) return showShrunk(task, given['trace'] === true)
  if (given['trace'] === true) return showStory(task)
  return showAll(task, jobs, given['json'] === true)
}

function showStory(task: SeedsTask): number {
  const { lines, violations } = runPlan(planOf(task.from, task), { trace: true })
  print(lines)
  print(violations.map(({ check, at, text }) => `${at.toFixed(3)} BROKEN ${check}: ${text}`))
  return violations.length === 0 ? 0 : 1
}

function showShrunk(task: SeedsTask, isTraced: boolean): number {
  const { from, nodes, copies, seconds, faults, operations } = task
  const shrunk = shrink(from, { nodes, copies, seconds, faults, operations })
  if (shrunk === undefined) {
    print([`seed ${from} breaks nothing`])
    return 0
  }
  const { plan, options: left, runs } = shrunk
  const { violations, lines } = runPlan(plan, { trace: isTraced })
  if (isTraced) print(lines)
  print([
    `${plan.nodes} nodes, ${plan.faults.length} faults, ${plan.operations.length} operations (after ${runs} runs)`,
    ...plan.faults.map(
      ({ at, kind, node, ms }) => `  ${at.toFixed(0)} ms: ${kind} of node ${node}, ${ms.toFixed(0)} ms`,
    ),
    ...violations.map(({ check, at, text }) => `${at.toFixed(0)} ms: ${check}: ${text}`),
    commandOf(from, left),
  ])
  return 1
}

/** Seeds that a thread takes at once. */
const chunk = 5

async function showAll(task: SeedsTask, jobs: number, isJson: boolean): Promise<number> {
  const filename = new URL('./sim-worker.js', import.meta.url).href
  const pool = new Piscina({
    filename,
    name: 'runSeeds',
    minThreads: jobs,
    maxThreads: jobs,
    atomics: 'disabled',
  })
  const began = performance.now()
  const all: SeedTold[] = []
  const progress = new Progress(task.to - task.from + 1)
  try {
    const chunks: Promise<void>[] = []
    for (let from = task.from; from <= task.to; from += chunk) {
      const part = { ...task, from, to: Math.min(task.to, from + chunk - 1) }
      chunks.push(
        pool.run(part).then((told: SeedTold[]) => {
          all.push(...told)
          progress.show(all, performance.now() - began)
        }),
      )
    }
    await Promise.all(chunks)
  } finally {
    await pool.destroy()
  }
  progress.end()
  all.sort((a, b) => a.seed - b.seed)
  const report = reportOf(all, task, performance.now() - began, jobs)
  if (isJson) printJson(report)
  else print(render(report))
  return report.failures.length === 0 ? 0 : 1
}

/** A line that is written over and over, on a terminal; nothing elsewhere. */
class Progress {
  private readonly total: number
  private readonly isShown = process.stderr.isTTY === true

  constructor(total: number) {
    this.total = total
  }

  show(all: readonly SeedTold[], ms: number): void {
    if (!this.isShown) return
    const done = Math.round((30 * all.length) / this.total)
    const failed = all.filter(({ check }) => check !== undefined).length
    const virtual = Math.round(all.reduce((sum, each) => sum + each.virtualMs, 0) / ms)
    const bar = '#'.repeat(done).padEnd(30, '.')
    process.stderr.write(
      `\r[${bar}] ${all.length}/${this.total} seeds, ${virtual} virtual s/s, ${failed} failed `,
    )
  }

  end(): void {
    if (this.isShown) process.stderr.write('\n')
  }
}

type Report = ReturnType<typeof reportOf>

function reportOf(all: readonly SeedTold[], task: SeedsTask, ms: number, jobs: number) {
  const faults: Record<string, number> = {}
  const rare: Record<string, { taken: number; seen: number }> = {}
  const outcomes: Record<string, number> = {}
  let virtualMs = 0
  for (const told of all) {
    virtualMs += told.virtualMs
    for (const [kind, count] of told.faults) faults[kind] = (faults[kind] ?? 0) + count
    for (const [name, count] of Object.entries(told.outcomes)) outcomes[name] = (outcomes[name] ?? 0) + count
    for (const [branch, { taken, seen }] of told.rare) {
      const sum = rare[branch] ?? { taken: 0, seen: 0 }
      rare[branch] = { taken: sum.taken + taken, seen: sum.seen + seen }
    }
  }
  const { nodes, copies, seconds, faults: only, operations } = task
  const failures = all
    .filter(({ check }) => check !== undefined)
    .map(({ seed, check, text }) => ({
      seed,
      check,
      text,
      command: commandOf(seed, { nodes, copies, seconds, faults: only, operations }),
    }))
  const rate = virtualMs / ms / jobs
  return {
    seeds: all.length,
    failures,
    ms: Math.round(ms),
    virtualMs: Math.round(virtualMs),
    rate,
    faults,
    rare,
    outcomes,
  }
}

function render(report: Report): string[] {
  const { seeds, failures, ms, virtualMs, rate, faults, rare, outcomes } = report
  const failed = failures.flatMap(({ seed, check, text, command }) => [
    `seed ${seed}: ${check}: ${text}`,
    `  ${command}`,
  ])
  const byCount = Object.entries(faults).sort((a, b) => b[1] - a[1])
  const branches = Object.entries(rare).sort()
  return [
    ...failed,
    `${seeds} seeds, ${failures.length} failed, in ${duration(ms)}: ${duration(virtualMs)} of virtual time,` +
      ` ${Math.round(rate)} virtual seconds per second and job`,
    '',
    ...table(
      ['FAULT', 'TIMES'],
      byCount.map(([kind, count]) => [kind, String(count)]),
    ),
    '',
    ...table(
      ['RARE BRANCH', 'TAKEN', 'SEEN'],
      branches.map(([branch, { taken, seen }]) => [branch, String(taken), String(seen)]),
    ),
    '',
    ...table(
      ['REQUESTS', 'COUNT'],
      Object.entries(outcomes).map(([name, count]) => [name, String(count)]),
    ),
  ]
}

export const sim = { run, help }
