// Makes a run that fails smaller: fewer faults, fewer operations, fewer nodes, less time, as long as the same check
// fails (delta debugging; Zeller and Hildebrandt, 2002). What is left is what one has to understand.

import { type PlanOptions, planOf, type SimPlan } from './plan.js'
import { type RunOptions, runPlan } from './run.js'

export interface Shrunk {
  readonly plan: SimPlan
  readonly options: PlanOptions
  readonly runs: number
}

const runsMax = 400

/** The smallest plan of this seed that was found to fail in the same way. */
export function shrink(seed: number, given: PlanOptions = {}, run: RunOptions = {}): Shrunk | undefined {
  const whole = planOf(seed, given)
  const check = runPlan(whole, run).violations[0]?.check
  if (check === undefined) return undefined
  let runs = 1
  let options: PlanOptions = given
  const fails = (wanted: PlanOptions) => {
    if (runs >= runsMax) return false
    runs++
    return runPlan(planOf(seed, wanted), run).violations.some((violation) => violation.check === check)
  }
  const attempt = (wanted: PlanOptions) => {
    const isSmaller = fails(wanted)
    if (isSmaller) options = wanted
    return isSmaller
  }
  for (let nodes = 2; nodes < whole.nodes; nodes++) if (attempt({ ...options, nodes })) break
  const left = (of: 'faults' | 'operations') => planOf(seed, options)[of].map(({ index }) => index)
  for (const of of ['faults', 'operations', 'faults'] as const) {
    least(left(of), (indexes) => attempt({ ...options, [of]: new Set(indexes) }))
  }
  const last = Math.max(0, ...planOf(seed, options).operations.map(({ at }) => at))
  attempt({ ...options, seconds: Math.ceil(last / 1_000) + 1 })
  return { plan: planOf(seed, options), options, runs }
}

/** Leaves out halves, quarters and so on, down to single ones, as long as `fails` says so of the rest. */
function least(all: readonly number[], fails: (left: readonly number[]) => boolean): void {
  let left = all
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < left.length; ) {
      const rest = [...left.slice(0, at), ...left.slice(at + size)]
      if (fails(rest)) left = rest
      else at += size
    }
  }
}

/** The command that repeats a run. */
export function commandOf(seed: number, options: PlanOptions): string {
  const words = [`ringspun sim --seeds ${seed}`]
  if (options.nodes !== undefined) words.push(`--nodes ${options.nodes}`)
  if (options.copies !== undefined) words.push(`--copies ${options.copies}`)
  if (options.seconds !== undefined) words.push(`--seconds ${options.seconds}`)
  if (options.faults !== undefined) words.push(`--faults ${rangesOf(options.faults)}`)
  if (options.operations !== undefined) words.push(`--operations ${rangesOf(options.operations)}`)
  return words.join(' ')
}

/** As `1-3,7`; none: `none`. */
export function rangesOf(indexes: ReadonlySet<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b)
  const words: string[] = []
  for (let at = 0; at < sorted.length; ) {
    let end = at
    while (sorted[end + 1] === (sorted[end] as number) + 1) end++
    words.push(end === at ? `${sorted[at]}` : `${sorted[at]}-${sorted[end]}`)
    at = end + 1
  }
  return words.join(',') || 'none'
}

/** The reverse; undefined when it cannot be read. */
export function indexesOf(text: string): Set<number> | undefined {
  const indexes = new Set<number>()
  if (text === 'none') return indexes
  for (const word of text.split(',')) {
    const match = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(word)
    if (match === null) return undefined
    for (let index = Number(match[1]); index <= Number(match[2] ?? match[1]); index++) indexes.add(index)
  }
  return indexes
}
