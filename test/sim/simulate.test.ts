// The module `ringspun/sim`, as an application uses it: a cart whose merge function keeps everything passes under
// every fault, one that keeps the longer of two does not; and what the simulated world says of itself.

import { describe, expect, it } from 'vitest'
import type { Application } from '../../src/sim/application.js'
import { planOf } from '../../src/sim/plan.js'
import { runPlan } from '../../src/sim/run.js'
import { commandOf, indexesOf, rangesOf, shrink } from '../../src/sim/shrink.js'
import { simulate } from '../../src/sim/simulate.js'

type Cart = readonly string[]

const cart: Application<Cart, string> = {
  merge: (carts) => [...new Set(carts.flat())].sort(),
  draw: (_random, index) => `item-${index}`,
  apply: (items = [], item) => [...items, item].sort(),
  check(items = [], acknowledged, perhaps) {
    const missing = acknowledged.filter((item) => !items.includes(item))
    const strange = items.filter((item) => !acknowledged.includes(item) && !perhaps.includes(item))
    if (missing.length > 0) return `lost ${missing.join(' ')}`
    return strange.length > 0 ? `nobody added ${strange.join(' ')}` : undefined
  },
}

const careless: Application<Cart, string> = {
  ...cart,
  merge: (carts) => carts.reduce((longest, each) => (each.length > longest.length ? each : longest)),
}

/** More of them when what they run is counted (npm run coverage). */
const seeds = Number(process.env['RINGSPUN_SEEDS'] ?? 60)

describe('an application in the simulated world', () => {
  it('loses nothing with a merge function that keeps everything', { timeout: 60_000 }, () => {
    const report = simulate({ seeds: 25, application: cart, bucket: { r: 2, w: 2, dw: 1 } })
    expect(report.failures).toEqual([])
    expect(report.outcomes.ok).toBeGreaterThan(1_000)
    expect(Object.keys(report.faults).length).toBeGreaterThan(15)
  })

  it('is told what a careless merge function loses', { timeout: 60_000 }, () => {
    const { failures } = simulate({ seeds: 10, application: careless, bucket: { r: 2, w: 2, dw: 1 } })
    const checks = failures.flatMap(({ violations }) => violations.map(({ check }) => check))
    expect(checks).toContain('the application says so')
    // The cluster kept its own promises: it is the merge that lost something.
    expect(new Set(checks).size).toBe(1)
  })

  it('is told that last-write-wins loses concurrent changes', { timeout: 60_000 }, () => {
    const { failures } = simulate({ seeds: 10, application: cart, bucket: { conflicts: 'last-write-wins' } })
    expect(failures.length).toBeGreaterThan(0)
  })
})

describe('a run', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('is the same whenever it is run (seed %i)', (seed) => {
    const [first, second] = [runPlan(planOf(seed)), runPlan(planOf(seed))]
    expect(second.digest).toBe(first.digest)
    expect(second.outcomes).toEqual(first.outcomes)
    expect(first.events).toBeGreaterThan(1_000)
  })

  it('is the same with the story, which says what happened', () => {
    const plain = runPlan(planOf(3))
    const told = runPlan(planOf(3), { trace: true })
    expect(told.outcomes).toEqual(plain.outcomes)
    expect(told.events).toBe(plain.events)
    expect(told.lines.join('\n')).toMatch(/fault \d+: .* of node \d[\s\S]*all faults are over/)
  })

  it('keeps every fault and every operation in its place when others are left out', () => {
    const whole = planOf(17)
    const part = planOf(17, { faults: new Set([2, 3]), operations: new Set([5, 9, 11]) })
    expect(part.faults).toEqual(whole.faults.filter(({ index }) => index === 2 || index === 3))
    expect(part.operations).toEqual(whole.operations.filter(({ index }) => [5, 9, 11].includes(index)))
  })

  it('breaks nothing, for the first seeds', { timeout: 900_000 }, () => {
    const { failures } = simulate({ seeds })
    expect(failures.map(({ command, violations }) => `${command}: ${violations[0]?.text}`)).toEqual([])
  })
})

describe('what fails', () => {
  it('is shrunk to the few operations and faults that it takes', { timeout: 120_000 }, () => {
    const given = { style: 'application', bucket: { r: 2, w: 2, dw: 1 } } as const
    const application = careless as unknown as Application
    const seeds = Array.from({ length: 20 }, (_, index) => index + 1)
    const seed = seeds.find(
      (each) => runPlan(planOf(each, given), { application }).violations.length > 0,
    ) as number
    const shrunk = shrink(seed, given, { application })
    // Two that add to the same cart at once, and one that reads both, or the end that does.
    expect(shrunk?.plan.operations.length).toBeLessThanOrEqual(6)
    expect(shrunk?.plan.operations.length).toBeGreaterThanOrEqual(2)
    expect(shrunk?.plan.faults.length).toBeLessThanOrEqual(2)
    expect(runPlan((shrunk as NonNullable<typeof shrunk>).plan, { application }).violations[0]?.check).toBe(
      'the application says so',
    )
  })

  it('is shrunk only when something fails', () => {
    expect(shrink(1)).toBeUndefined()
  })

  it('is repeated by a command', () => {
    const faults = new Set([7, 1, 2, 3])
    expect(commandOf(17, { nodes: 3, faults, operations: new Set() })).toBe(
      'ringspun sim --seeds 17 --nodes 3 --faults 1-3,7 --operations none',
    )
    expect(indexesOf(rangesOf(faults))).toEqual(faults)
    expect(indexesOf('none')).toEqual(new Set())
    expect(indexesOf('1-x')).toBeUndefined()
  })
})
