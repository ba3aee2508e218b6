// The detector alone, with a clock in hand: who is asked and silent is probed, then suspected, then probed ever
// more seldom; who is heard is no suspect; who is asked nothing is never looked at.

import { describe, expect, it } from 'vitest'
import { probeMsMax, Suspicion, silenceMs } from '../../src/membership/suspicion.js'

/** Runs the detector to `until`, and answers when it probed and when it began to suspect. */
function run(suspicion: Suspicion, from: number, until: number) {
  const probes: number[] = []
  const changes: number[] = []
  for (let due = suspicion.nextDue(); due !== undefined && due <= until; due = suspicion.nextDue()) {
    expect(due).toBeGreaterThanOrEqual(from)
    if (suspicion.check(due, () => probes.push(due as number))) changes.push(due)
  }
  return { probes, changes }
}

describe('a node that was asked', () => {
  it('and says nothing is probed, then suspected, then probed ever more seldom', () => {
    const suspicion = new Suspicion()
    suspicion.asked(2, 1_000)
    suspicion.asked(2, 1_100)
    const { probes, changes } = run(suspicion, 1_000, 20_000)
    expect(probes[0]).toBe(1_000 + silenceMs)
    expect(changes).toEqual([1_000 + 2 * silenceMs])
    const pauses = probes.slice(1).map((at, i) => at - (probes[i] as number))
    expect(Math.max(...pauses)).toBe(probeMsMax)
    expect([...pauses].sort((a, b) => a - b)).toEqual(pauses)
    expect(suspicion.isSuspected(2)).toBe(true)
    expect(suspicion.heard(2)).toBe(true)
    expect(suspicion.isSuspected(2)).toBe(false)
    expect(suspicion.nextDue()).toBeUndefined()
  })

  it('and answers in time, or answers the probe, is not suspected', () => {
    const suspicion = new Suspicion()
    for (let at = 0; at < 10_000; at += 200) {
      suspicion.asked(2, at)
      expect(run(suspicion, at, at + 199).probes).toEqual([])
      expect(suspicion.heard(2)).toBe(false)
    }
    suspicion.asked(2, 10_000)
    expect(run(suspicion, 10_000, 10_300)).toEqual({ probes: [10_250], changes: [] })
    expect(suspicion.heard(2)).toBe(false)
    expect(run(suspicion, 10_300, 60_000)).toEqual({ probes: [], changes: [] })
  })

  it('is not suspected because the one that asks was away itself: it is probed first', () => {
    const suspicion = new Suspicion()
    suspicion.asked(2, 0)
    const probed: number[] = []
    expect(suspicion.check(60_000, (node) => probed.push(node))).toBe(false)
    expect(probed).toEqual([2])
    expect(suspicion.nextDue()).toBe(60_000 + silenceMs)
  })
})

it('who was asked nothing is no suspect, however long it is silent', () => {
  const suspicion = new Suspicion()
  suspicion.heard(3)
  expect(suspicion.nextDue()).toBeUndefined()
  expect(suspicion.check(1e9, () => expect.unreachable())).toBe(false)
})
