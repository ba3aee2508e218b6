// Dynamo 4.4 with dotted version vectors: what a full read returns is exactly what no other write has seen.
// Three clients write three keys at once while messages come twice, overtake each other and are lost; an
// oracle outside the cluster, which knows only values and what each writer had read, says what is right.

import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/base/random.js'
import { setNetwork, startWorld } from '../sim/helpers.js'
import { Workload } from '../sim/workload.js'

const seeds = Array.from({ length: 60 }, (_, index) => index + 1)

describe('causality is exact', () => {
  it('with messages that come twice and out of order (60 seeds)', () => {
    let siblings = 0
    for (const seed of seeds) {
      const random = seededRandom(seed, 3)
      const world = startWorld({ seed, nodes: 4 })
      setNetwork(world, { duplication: random() * 0.5, reordering: true, delayMsMax: 1 + random() * 10 })
      const workload = new Workload(world, {
        steps: 80,
        keys: 3,
        write: { w: 2, dw: seed % 3 },
        r: 2,
        regular: true,
      })
      workload.run()
      const report = workload.finish()
      expect(report.lost, `seed ${seed}`).toEqual([])
      expect(report.refused + report.indeterminate).toBe(0)
      siblings = Math.max(siblings, report.siblingsSeen)
    }
    expect(siblings, 'the runs were no test without concurrent writers').toBeGreaterThan(2)
  })

  it('with messages that are lost: never a wrong value, and what was acknowledged is there (60 seeds)', () => {
    let indeterminate = 0
    for (const seed of seeds) {
      const random = seededRandom(seed, 4)
      const world = startWorld({ seed: 1000 + seed, nodes: 5 })
      setNetwork(world, {
        loss: 0.02 + random() * 0.15,
        duplication: random() * 0.3,
        reordering: seed % 2 === 0,
        delayMsMax: 1 + random() * 5,
      })
      const workload = new Workload(world, {
        steps: 60,
        keys: 3,
        write: { w: 2, dw: seed % 2, timeoutMs: 200 },
        r: 2,
        regular: true,
      })
      workload.run()
      setNetwork(world, { loss: 0 })
      const report = workload.finish()
      expect(report.lost, `seed ${seed}`).toEqual([])
      indeterminate += report.indeterminate
    }
    expect(indeterminate, 'nothing was lost on its way').toBeGreaterThan(50)
  })
})

describe('the oracle', () => {
  it('has teeth: with r + w <= n it finds reads that missed what was acknowledged', () => {
    const missed = seeds.slice(0, 20).filter((seed) => {
      const world = startWorld({ seed: 2_000 + seed, nodes: 4 })
      setNetwork(world, { loss: 0.2, delayMsMax: 3 })
      const write = { w: 1, dw: 0, timeoutMs: 200 }
      const workload = new Workload(world, { steps: 60, keys: 2, write, r: 1, regular: true })
      try {
        workload.run()
        return false
      } catch (error) {
        expect(String(error)).toContain('missed what was acknowledged')
        return true
      }
    })
    expect(missed.length).toBeGreaterThan(10)
  })
})
