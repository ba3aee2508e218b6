// Some seeds of `ringspun sim`, in a thread of its own: what came of each is told in plain values.

import { planOf } from '../sim/plan.js'
import { runPlan } from '../sim/run.js'

export interface SeedsTask {
  readonly from: number
  readonly to: number
  readonly nodes: number | undefined
  readonly copies: number | undefined
  readonly seconds: number | undefined
  readonly faults: ReadonlySet<number> | undefined
  readonly operations: ReadonlySet<number> | undefined
}

export interface SeedTold {
  readonly seed: number
  readonly check: string | undefined
  readonly text: string | undefined
  readonly virtualMs: number
  readonly events: number
  readonly digest: string
  readonly faults: ReadonlyMap<string, number>
  readonly rare: ReadonlyMap<string, { taken: number; seen: number }>
  readonly outcomes: Readonly<Record<string, number>>
}

export function runSeeds(task: SeedsTask): SeedTold[] {
  const told: SeedTold[] = []
  for (let seed = task.from; seed <= task.to; seed++) {
    const { violations, virtualMs, events, digest, faults, rare, outcomes } = runPlan(planOf(seed, task))
    const { check, text } = violations[0] ?? {}
    told.push({ seed, check, text, virtualMs, events, digest, faults, rare, outcomes })
  }
  return told
}
