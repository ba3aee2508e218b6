// A vnode that compares itself with a peer because it may lack something is not done as long as the peer holds what it
// cannot read: that may be the only copy, and readable the next time. What stays damaged does not hold it up for ever.

import { expect, it } from 'vitest'
import type { Turn } from '../../src/actors/actor.js'
import { synced } from '../../src/actors/vnode/repair.js'
import type { VnodeState } from '../../src/actors/vnode/state.js'
import { vnodeAddress } from '../../src/protocol/address.js'
import { nothingDone, type Synced } from '../../src/protocol/sync.js'

function bench() {
  const timers: number[] = []
  const turn = { now: 1_000, after: (delay: number) => void timers.push(delay) } as unknown as Turn
  const repair = { isBare: false, missing: [2], request: 7, rows: [], outstanding: 0, damagedTries: 0 }
  const state = { self: vnodeAddress(1, 0), repair, complete: false } as unknown as VnodeState
  const told = (unread: number) => {
    const report = { ...nothingDone, unread }
    synced(state, { type: 'synced', peer: 2, report, failure: undefined } as Synced, turn)
  }
  return { state, timers, told }
}

it('compares itself again while the peer cannot read what it holds, and is done when it can', () => {
  const { state, timers, told } = bench()
  for (let tries = 1; tries <= 3; tries++) {
    told(1)
    expect([state.complete, timers.length]).toEqual([false, tries])
  }
  told(0)
  expect([state.complete, state.repair]).toEqual([true, undefined])
})

it('is done after some tries also when it never can', () => {
  const { state, told } = bench()
  let tries = 0
  while (!state.complete && tries < 1_000) {
    told(3)
    tries++
  }
  expect(tries).toBeGreaterThan(10)
  expect(tries).toBeLessThan(100)
})
