// One run: a plan is carried out in a world of its own, and the checkers say what was broken. The same plan gives the
// same run, event for event; two digests that differ are a bug of the simulation itself.

import type { RareBranch } from '../actors/actor.js'
import { seededRandom } from '../base/random.js'
import type { Millis } from '../base/units.js'
import { type Application, Applying } from './application.js'
import { Checks, type Violation } from './checks.js'
import { Ending } from './ending.js'
import { Nemesis } from './nemesis.js'
import { Oracle } from './oracle.js'
import type { FaultKind, SimPlan } from './plan.js'
import { Sessions } from './sessions.js'
import { act } from './workload.js'
import { World } from './world.js'

export interface RunOutcome {
  readonly seed: number
  readonly violations: readonly Violation[]
  readonly digest: string
  readonly virtualMs: Millis
  readonly events: number
  readonly faults: ReadonlyMap<FaultKind, number>
  /** How often each marked branch was taken, and could have been. */
  readonly rare: ReadonlyMap<RareBranch, { taken: number; seen: number }>
  readonly outcomes: Sessions['outcomes']
  /** The readable story, when it was asked for. */
  readonly lines: readonly string[]
}

/** How often limits are looked at. */
const limitsEveryMs: Millis = 1_000

export interface RunOptions {
  /** Keeps the readable story. */
  readonly trace?: boolean
  /** Whose data the operations of style `application` are. */
  readonly application?: Application | undefined
}

export function runPlan(plan: SimPlan, options: RunOptions = {}): RunOutcome {
  const { trace = false } = options
  const applying = options.application && new Applying(options.application)
  const rare = new Map<RareBranch, { taken: number; seen: number }>()
  let nemesis: Nemesis | undefined
  const world: World = new World({
    seed: plan.seed,
    nodes: plan.nodes,
    n: plan.copies,
    partitions: plan.partitions,
    memoryBytes: plan.memoryBytes,
    network: { delayMsMax: plan.delayMsMax, gathers: plan.gathers },
    hash: plan.hash,
    mendEveryMs: plan.mendEveryMs,
    reapAfterMs: plan.reapAfterMs,
    gossipEveryMs: plan.gossipEveryMs,
    transcript: trace ? 'lines' : 'digest',
    wrapStore: Nemesis.diskOf(
      () => nemesis,
      () => world,
      plan,
    ),
    rarely: rareBranches(plan, rare, () => nemesis?.isOver ?? true),
  })
  nemesis = new Nemesis(world, plan)
  const oracle = new Oracle(nemesis.damages, plan.reapAfterMs > 0)
  const checks = new Checks(world, oracle, nemesis, plan.copies)
  const sessions = new Sessions(world, oracle, checks, plan.paddingBytes)
  nemesis.processDied = () => sessions.forgotten()
  nemesis.nodeLost = () => sessions.lookAround()
  try {
    world.start()
    for (const operation of plan.operations) {
      world.schedule(operation.at, () => act(sessions, operation, plan.seed, applying))
    }
    for (let second = 0; second < plan.seconds; second++) {
      world.pass(limitsEveryMs)
      checks.limits()
    }
    new Ending(world, sessions, checks, nemesis, applying).run()
  } catch (error) {
    checks.fail(
      'an invariant is broken',
      error instanceof Error ? (error.stack ?? error.message) : String(error),
    )
  }
  return {
    seed: plan.seed,
    violations: checks.violations,
    digest: world.transcript.digest,
    virtualMs: world.now(),
    events: world.happened,
    faults: nemesis.counts,
    rare,
    outcomes: sessions.outcomes,
    lines: world.transcript.lines,
  }
}

/** Takes the rare branches of the actors as often as the plan says, until the faults are over. */
function rareBranches(
  plan: SimPlan,
  counts: Map<RareBranch, { taken: number; seen: number }>,
  isOver: () => boolean,
): (branch: RareBranch) => boolean {
  const random = seededRandom(plan.seed, 3)
  return (branch) => {
    let count = counts.get(branch)
    if (count === undefined) {
      count = { taken: 0, seen: 0 }
      counts.set(branch, count)
    }
    count.seen++
    if (plan.rare === 0 || isOver() || random() >= plan.rare) return false
    count.taken++
    return true
  }
}
