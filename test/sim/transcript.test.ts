// The simulated world is a function of its seed: the same seed gives the same run, line for line; another
// seed gives another. Without this no failing seed could be replayed.

import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/base/random.js'
import type { World } from '../../src/sim/world.js'
import { startWorld } from './helpers.js'

function busyRun(seed: number): World {
  const world = startWorld({ seed, nodes: 4, network: { duplication: 0.05, reordering: true } })
  const random = seededRandom(seed, 77)
  for (let i = 0; i < 60; i++) {
    const key = `k${Math.floor(random() * 6)}`
    if (random() < 0.5) world.client.put(key, `v${i}`, { w: 1 + Math.floor(random() * 3), dw: i % 2 })
    else world.client.get(key, { r: 1 + Math.floor(random() * 3), ...(i < 30 ? { via: 1 + (i % 4) } : {}) })
    if (i === 30) world.pass(5)
    if (i === 30) world.kill(1 + (seed % 4))
    if (i === 45) {
      world.crash(seed % 2 === 0 ? 'process' : 'power')
      world.start()
    }
    world.pass(random() * 2)
  }
  world.pass(6_000)
  return world
}

describe('a run of the simulated world', () => {
  it.each([1, 2, 3, 4, 5])('seed %i gives the same transcript twice', (seed) => {
    const first = busyRun(seed)
    const second = busyRun(seed)
    expect(second.transcript.lines).toEqual(first.transcript.lines)
    expect(second.transcript.digest).toBe(first.transcript.digest)
    expect(first.client.unanswered).toBe(0)
  })

  it('another seed gives another transcript', () => {
    const digests = [11, 12, 13, 14, 15].map((seed) => busyRun(seed).transcript.digest)
    expect(new Set(digests).size).toBe(digests.length)
  })

  it('a run that another run preceded is not moved by it', () => {
    const alone = busyRun(21).transcript.digest
    busyRun(22)
    expect(busyRun(21).transcript.digest).toBe(alone)
  })
})
