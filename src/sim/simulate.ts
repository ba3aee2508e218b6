// The module `ringspun/sim`: the whole cluster in an invented world, for an application that wants to know what
// becomes of its data. Everything is drawn from a seed: the same seed is the same run, on every machine.
//
//     import { simulate } from 'ringspun/sim'
//     const report = simulate({ seeds: 200, application: cart, bucket: { r: 2, w: 2, dw: 1 } })
//     if (report.failures.length > 0) throw new Error(report.failures[0].violations[0].text)

import type { Application } from './application.js'
import type { Violation } from './checks.js'
import { type BucketSettings, type PlanOptions, planOf } from './plan.js'
import { type RunOutcome, runPlan } from './run.js'
import { commandOf } from './shrink.js'

export interface SimulateOptions<Value, Change> {
  /** How many seeds; 100 when left out. */
  readonly seeds?: number
  /** The first of them; 1 when left out. */
  readonly from?: number
  /** 2 to 16; drawn from the seed, 3 to 6, when left out. */
  readonly nodes?: number
  /** Copies of each key, at most as many as nodes; mostly 3 when left out. */
  readonly copies?: number
  /** What the clients do: an application's own values and changes. Left out: a mix of what is built in. */
  readonly application?: Application<Value, Change>
  /** How its bucket asks for copies; drawn from the seed where left out. */
  readonly bucket?: BucketSettings
  /** Told after each seed. */
  readonly progress?: (outcome: RunOutcome) => void
}

export interface SimulateFailure {
  readonly seed: number
  readonly violations: readonly Violation[]
  /** Repeats the run of a built-in mix; the application's own is repeated by `seeds: 1, from: seed`. */
  readonly command: string
}

export interface SimulateReport {
  readonly seeds: number
  readonly failures: readonly SimulateFailure[]
  /** Milliseconds of virtual time, over all seeds. */
  readonly virtualMs: number
  /** Writes by what became of them, and reads. */
  readonly outcomes: RunOutcome['outcomes']
  /** How often each kind of fault happened. */
  readonly faults: Readonly<Record<string, number>>
}

/**
 * Runs the cluster from one seed after the other under faults of the network, of disks, of threads and of the whole
 * process, and checks each run: nothing acknowledged is lost (as far as `dw` and level promise for what failed),
 * nothing comes from nowhere or comes back, siblings are exactly the concurrent writes, replicas become equal.
 * Takes about a tenth of a second a seed.
 */
export function simulate<Value = unknown, Change = unknown>(
  options: SimulateOptions<Value, Change> = {},
): SimulateReport {
  const { seeds = 100, from = 1, nodes, copies, bucket } = options
  const application = options.application as unknown as Application | undefined
  const failures: SimulateFailure[] = []
  const outcomes = { ok: 0, refused: 0, unknown: 0, reads: 0, failedReads: 0, glances: 0 }
  const faults: Record<string, number> = {}
  let virtualMs = 0
  for (let seed = from; seed < from + seeds; seed++) {
    const style = application && 'application'
    const planned: PlanOptions = { nodes, copies, bucket, style }
    const outcome = runPlan(planOf(seed, planned), { application })
    virtualMs += outcome.virtualMs
    for (const name of Object.keys(outcomes) as (keyof typeof outcomes)[])
      outcomes[name] += outcome.outcomes[name]
    for (const [kind, count] of outcome.faults) faults[kind] = (faults[kind] ?? 0) + count
    const { violations } = outcome
    if (violations.length > 0) failures.push({ seed, violations, command: commandOf(seed, planned) })
    options.progress?.(outcome)
  }
  return { seeds, failures, virtualMs, outcomes, faults }
}
