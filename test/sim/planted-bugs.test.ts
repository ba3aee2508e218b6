// Each checker is proven: bugs are planted one at a time, and each must be found within 200 seeds by a check that
// should find it, while the same seeds are green without it (fifty here; .ci/run runs a thousand). What is printed has
// the seeds at which they were found.

import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { type PlantedBug, plantedBugs } from './planted-bugs.js'
import { logBugs } from './planted-bugs-log.js'
import { moreBugs } from './planted-bugs-more.js'

const dist = fileURLToPath(new URL('../../dist', import.meta.url))
const bugs = [...plantedBugs, ...moreBugs, ...logBugs]
const seeds = 200
/** Without any bug; .ci/run runs a thousand. */
const seedsWithout = 50

interface Hunted {
  /** How often the text to be replaced occurs. */
  readonly times: number
  readonly seed?: number
  readonly check?: string
  readonly text?: string
  readonly seen?: Readonly<Record<string, string>>
}

function hunt(bug: PlantedBug | undefined): Promise<Hunted> {
  return new Promise((resolve, reject) => {
    const workerData = { dist, bug, seeds: bug === undefined ? seedsWithout : seeds }
    const worker = new Worker(new URL('./hunt.mjs', import.meta.url), { workerData })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

/** It takes both cores for minutes. */
const isSkipped = process.env['CI'] === undefined && process.env['RINGSPUN_PLANTED'] === undefined

const took: number[] = []

const describeBugs = isSkipped ? describe.skip : describe.concurrent

describeBugs(
  'planted bugs (minutes: with CI=true or RINGSPUN_PLANTED=1)',
  { concurrent: availableParallelism() > 1 },
  () => {
    it('without any, no check fails', { timeout: 900_000 }, async () => {
      expect((await hunt(undefined)).seen).toEqual({})
    })

    it.each(bugs)('$name', { timeout: 900_000 }, async (bug) => {
      const { times, seed, seen } = await hunt(bug)
      expect(times, `${bug.file} has the text once`).toBe(1)
      expect(seed, `found within ${seeds} seeds; what else was seen: ${JSON.stringify(seen)}`).toBeDefined()
      took.push(seed as number)
    })
  },
)

describe('the table', () => {
  it('has at least 40 bugs, each with a name of its own', () => {
    expect(bugs.length).toBeGreaterThanOrEqual(40)
    expect(new Set(bugs.map(({ name }) => name)).size).toBe(bugs.length)
    took.sort((a, b) => a - b)
    if (isSkipped) return
    const median = took[Math.floor(took.length / 2)]
    process.stdout.write(
      `planted bugs: ${took.length} of ${bugs.length} found, median ${median} seeds, most ${took.at(-1)}\n`,
    )
  })
})
