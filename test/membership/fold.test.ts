// The ring of a history: the same for the same set of entries, whichever way they came; and a successor takes
// exactly the place of the one that it replaces.

import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import type { Change } from '../../src/membership/change.js'
import { ringOf } from '../../src/membership/fold.js'
import {
  appendChange,
  emptyHistory,
  type History,
  membersOf,
  mergeHistories,
} from '../../src/membership/history.js'
import { createRing, type Ring } from '../../src/ring/ring.js'
import {
  anyEntry,
  base,
  founded,
  generatedHistory,
  historyOf,
  joining,
  leaving,
  plainRebalance,
} from './histories.js'

const ring = (history: History) => ringOf(history, base, plainRebalance)
const begun = founded([1, 2, 3])
const replacing = (node: number, successor: number, weight = 1): Change => ({
  kind: 'replace',
  node,
  successor,
  weight,
  host: '',
  zone: '',
})

describe('the ring of a history', () => {
  it('is the one that is planned from nothing for those who founded it', () => {
    const options = { ...base, epoch: 2, nodes: [1, 2, 3] }
    expect(ring(begun)).toEqual(createRing(options))
    expect(ring(emptyHistory)).toBeUndefined()
  })

  it('depends on the set of its entries, not on the way they came', () => {
    const shuffled = fc
      .array(anyEntry, { maxLength: 8 })
      .chain((entries) =>
        fc.tuple(
          fc.constant(entries),
          fc.shuffledSubarray([...entries, ...entries], { minLength: entries.length * 2 }),
        ),
      )
    fc.assert(
      fc.property(shuffled, ([entries, way]) => {
        let history = emptyHistory
        for (const entry of way) history = mergeHistories(history, { entries: [entry] })
        expect(ring(history)).toEqual(ring(historyOf(entries)))
      }),
    )
  })

  it('has as its nodes who is in, and counts the entries in its epoch', () => {
    fc.assert(
      fc.property(generatedHistory, (history) => {
        const made = ring(history)
        const nodes = membersOf(history).map(({ node }) => node)
        expect(made?.nodes ?? []).toEqual(nodes)
        if (made === undefined) return
        expect(made.epoch).toBe(history.entries.length + 1)
        expect(made.copies).toBe(Math.min(base.copies, nodes.length))
        expect(made.owners.every((owner) => nodes.includes(owner))).toBe(true)
      }),
    )
  })

  it('is the same when it goes on from an earlier one, and when that was no beginning', () => {
    fc.assert(
      fc.property(generatedHistory, fc.nat(8), generatedHistory, (history, length, other) => {
        const earlier = { entries: history.entries.slice(0, length) }
        for (const known of [earlier, other]) {
          const goneOn = ringOf(history, base, plainRebalance, { history: known, ring: ring(known) })
          expect(goneOn).toEqual(ring(history))
        }
      }),
    )
  })

  it('goes on without doing again what was done', () => {
    const rebalance = vi.fn(plainRebalance)
    const more = appendChange(begun, 1, 2_000, [joining(4)])
    ringOf(more, base, rebalance, { history: begun, ring: ring(begun) })
    expect(rebalance).toHaveBeenCalledTimes(1)
  })

  it('is rebalanced once for a plan, and not at all for what changes nothing', () => {
    const rebalance = vi.fn(plainRebalance)
    const plan = [joining(4), joining(5), leaving(1)]
    ringOf(appendChange(begun, 1, 2_000, plan), base, rebalance)
    // Once for the founding, once for the plan.
    expect(rebalance).toHaveBeenCalledTimes(2)
    rebalance.mockClear()
    const entry = { at: 3_000, issuer: 1, serial: 9, changes: [joining(2), leaving(9)] }
    const idle = ringOf({ entries: [...begun.entries, entry] }, base, rebalance) as Ring
    expect(rebalance).toHaveBeenCalledTimes(1)
    expect(idle.owners).toEqual(ring(begun)?.owners)
    expect(idle.epoch).toBe(3)
  })

  it('of a replacement is the old one with another name in it', () => {
    const before = ring(begun) as Ring
    const after = ring(appendChange(begun, 1, 2_000, [replacing(2, 9)])) as Ring
    expect(after.owners).toEqual(before.owners.map((owner) => (owner === 2 ? 9 : owner)))
    expect(after.nodes).toEqual([1, 3, 9])
    // One that shall hold more does not only take over.
    const heavier = ring(appendChange(begun, 1, 2_000, [replacing(2, 9, 3)])) as Ring
    expect(heavier.owners.filter((owner) => owner === 9).length).toBeGreaterThan(6)
    // Nor one that stands elsewhere: copies that were apart may not be any more.
    for (const [place, times] of [
      [{ host: 'h' }, 1],
      [{ zone: 'z' }, 2],
    ] as const) {
      const rebalance = vi.fn(plainRebalance)
      ringOf(appendChange(begun, 1, 2_000, [{ ...replacing(2, 9), ...place }]), base, rebalance)
      expect(rebalance).toHaveBeenCalledTimes(times)
    }
  })

  it('of a chain of replacements within one plan and the next is told by the last name', () => {
    const once = appendChange(begun, 1, 2_000, [replacing(1, 7), replacing(2, 8)])
    const twice = appendChange(once, 1, 3_000, [replacing(7, 2), replacing(8, 1)])
    const before = ring(begun) as Ring
    const swapped = ring(twice) as Ring
    expect(swapped.owners).toEqual(before.owners.map((owner) => ([0, 2, 1, 3] as const)[owner] as number))
  })

  it('has as many copies as there are members, up to what it is made for', () => {
    const one = ring(founded([1])) as Ring
    expect(one.copies).toBe(1)
    const four = appendChange(founded([1]), 1, 2_000, [joining(2), joining(3), joining(4)])
    expect(ring(four)?.copies).toBe(3)
  })
})
