// Timers are a heap by (due, armed first): no timer is early, none is forgotten, and those due at the same
// instant fire in the order in which they were armed.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { singleAddress } from '../../src/protocol/address.js'
import type { Envelope } from '../../src/protocol/envelope.js'
import { Timers } from '../../src/runtime/timers.js'

const self = singleAddress('host', 1)

function timer(request: number): Envelope {
  return { to: self, from: self, request, deadline: 0, message: { type: 'repair-due' } }
}

function due(timers: Timers, now: number): number[] {
  const fired: number[] = []
  for (let next = timers.next(now); next !== undefined; next = timers.next(now)) fired.push(next.request)
  return fired
}

describe('timers', () => {
  it('none is due before its time, all are at it', () => {
    const timers = new Timers()
    expect(timers.nextDue()).toBeUndefined()
    timers.arm(10, timer(1))
    timers.arm(5, timer(2))
    expect(timers.nextDue()).toBe(5)
    expect(due(timers, 4.999)).toEqual([])
    expect(due(timers, 5)).toEqual([2])
    expect(timers.nextDue()).toBe(10)
    expect(due(timers, 100)).toEqual([1])
    expect(timers.nextDue()).toBeUndefined()
  })

  it('fire in order of their time, then of their arming, whenever they are asked for', () => {
    const step = fc.oneof(
      fc.record({ arm: fc.integer({ min: 0, max: 20 }) }),
      fc.record({ pass: fc.integer({ min: 0, max: 10 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const timers = new Timers()
        let now = 0
        let armed = 0
        let model: { readonly at: number; readonly request: number }[] = []
        for (const each of steps) {
          if ('arm' in each) {
            const at = now + each.arm
            timers.arm(at, timer(armed))
            model.push({ at, request: armed++ })
            continue
          }
          now += each.pass
          const ready = model
            .filter(({ at }) => at <= now)
            .sort((a, b) => a.at - b.at || a.request - b.request)
          model = model.filter(({ at }) => at > now)
          expect(due(timers, now)).toEqual(ready.map(({ request }) => request))
          const first = model.map(({ at }) => at).sort((a, b) => a - b)[0]
          expect(timers.nextDue()).toBe(first)
        }
      }),
    )
  })
})
