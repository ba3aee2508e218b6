// The history of membership, Dynamo 4.8.1: a set of entries that merges by union, and what the entries make when
// some of them were issued without knowing of the others.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RingspunError } from '../../src/base/errors.js'
import { limits } from '../../src/base/limits.js'
import type { Change } from '../../src/membership/change.js'
import {
  appendChange,
  compareEntries,
  digestOf,
  emptyHistory,
  type History,
  membersOf,
  mergeHistories,
} from '../../src/membership/history.js'
import { anyEntry, founded, generatedHistory, historyOf, joining, leaving } from './histories.js'

const nodesOf = (history: History) => membersOf(history).map(({ node }) => node)
const texts = (history: History) => history.entries.map((entry) => JSON.stringify(Object.assign({}, entry)))

describe('two histories merge to what either knows', () => {
  it('to the union of both, in order, whatever they are', () => {
    fc.assert(
      fc.property(generatedHistory, generatedHistory, (a, b) => {
        const merged = mergeHistories(a, b)
        expect(new Set(texts(merged))).toEqual(new Set([...texts(a), ...texts(b)]))
        const { entries } = merged
        for (let i = 1; i < entries.length; i++) {
          expect(compareEntries(entries[i - 1] as never, entries[i] as never)).toBeLessThan(0)
        }
      }),
    )
  })

  it('in either order, in any grouping, as often as you like', () => {
    fc.assert(
      fc.property(generatedHistory, generatedHistory, generatedHistory, (a, b, c) => {
        expect(mergeHistories(a, b)).toEqual(mergeHistories(b, a))
        expect(mergeHistories(mergeHistories(a, b), c)).toEqual(mergeHistories(a, mergeHistories(b, c)))
        expect(mergeHistories(a, a)).toBe(a)
        const both = mergeHistories(a, b)
        expect(mergeHistories(both, a)).toBe(both)
        expect(mergeHistories(both, historyOf([...b.entries]))).toBe(both)
      }),
    )
  })

  it('and have one digest when they are equal, and only then', () => {
    fc.assert(
      fc.property(generatedHistory, generatedHistory, (a, b) => {
        expect(digestOf(mergeHistories(a, b))).toBe(digestOf(mergeHistories(b, a)))
        const isEqual = texts(a).join() === texts(b).join()
        expect(digestOf(a) === digestOf(b)).toBe(isEqual)
        expect(digestOf(historyOf(a.entries.map((entry) => ({ ...entry }))))).toBe(digestOf(a))
      }),
    )
  })

  it('entries are in one order, whoever compares them', () => {
    fc.assert(
      fc.property(anyEntry, anyEntry, anyEntry, (a, b, c) => {
        expect(Math.sign(compareEntries(a, b))).toBe(0 - Math.sign(compareEntries(b, a)))
        if (compareEntries(a, b) < 0 && compareEntries(b, c) < 0) {
          expect(compareEntries(a, c)).toBeLessThan(0)
        }
      }),
    )
  })
})

describe('who is in', () => {
  const of = (history: History, issuer: number, at: number, ...changes: Change[]) =>
    appendChange(history, issuer, at, changes)
  const begun = founded([1, 2, 3])

  it('who joined and did not leave; who left may come back', () => {
    const left = of(begun, 1, 2_000, leaving(3))
    expect(nodesOf(left)).toEqual([1, 2])
    const back = of(left, 2, 3_000, joining(3, 2, 'h', 'z'))
    expect(membersOf(back)[2]).toEqual({ node: 3, weight: 2, host: 'h', zone: 'z' })
  })

  it('two nodes that join through two others at once are both in', () => {
    const [a, b] = [of(begun, 1, 2_000, joining(4)), of(begun, 2, 2_000, joining(5))]
    expect(nodesOf(mergeHistories(a, b))).toEqual([1, 2, 3, 4, 5])
  })

  it('one node that joins through two others at once is in as the earlier says', () => {
    const [a, b] = [of(begun, 1, 2_000, joining(4, 2)), of(begun, 2, 1_999, joining(4, 3))]
    expect(membersOf(mergeHistories(a, b)).filter(({ node }) => node === 4)).toMatchObject([{ weight: 3 }])
    // And leaves by one leave.
    expect(nodesOf(of(mergeHistories(a, b), 1, 3_000, leaving(4)))).toEqual([1, 2, 3])
  })

  it('of a leave and a join of one node at once the later counts, and at one instant that of the larger issuer', () => {
    const out = of(begun, 1, 2_000, leaving(3))
    const cases = [
      { leftAt: 3_000, joinedAt: 3_001, isIn: true },
      { leftAt: 3_001, joinedAt: 3_000, isIn: false },
      { leftAt: 3_000, joinedAt: 3_000, isIn: true },
    ]
    for (const { leftAt, joinedAt, isIn } of cases) {
      // Node 1 has not heard that it left: to it, 3 may leave.
      const left = of(begun, 1, leftAt, leaving(3))
      const joined = of(out, 2, joinedAt, joining(3))
      expect(nodesOf(mergeHistories(left, joined)).includes(3)).toBe(isIn)
      expect(nodesOf(mergeHistories(joined, left)).includes(3)).toBe(isIn)
    }
  })

  it('a change that was issued in the knowledge of another comes after it, whatever the clock says', () => {
    const left = of(begun, 1, 9_000_000, leaving(3))
    const back = of(left, 2, 5, joining(3))
    expect(nodesOf(back)).toEqual([1, 2, 3])
    expect(back.entries.at(-1)).toMatchObject({ at: 9_000_001, issuer: 2, serial: 1 })
  })

  it('two that would both be the last to leave do not leave nobody', () => {
    const two = founded([1, 2])
    const merged = mergeHistories(of(two, 1, 2_000, leaving(1)), of(two, 2, 2_001, leaving(2)))
    expect(nodesOf(merged)).toEqual([2])
  })

  it('of two successors of one node the earlier takes its place, and the other is not in', () => {
    const replace = (successor: number): Change => ({
      kind: 'replace',
      node: 3,
      successor,
      weight: 1,
      host: '',
      zone: '',
    })
    const merged = mergeHistories(of(begun, 1, 2_000, replace(4)), of(begun, 2, 2_001, replace(5)))
    expect(nodesOf(merged)).toEqual([1, 2, 4])
  })

  it('an issuer that forgot its past and counts from one again takes nothing back', () => {
    const before = of(emptyHistory, 1, 2_000, joining(1))
    const after = of(emptyHistory, 1, 2_000, joining(1), joining(2))
    expect(after.entries[0]).toMatchObject({ at: 2_000, issuer: 1, serial: 1 })
    const merged = mergeHistories(before, after)
    expect(merged.entries.length).toBe(2)
    expect(merged).toEqual(mergeHistories(after, before))
    expect(nodesOf(merged)).toEqual([1, 2])
  })

  it('whatever the entries are, nothing is thrown, and once there is a member there is always one', () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 12 }), (entries) => {
        const { entries: sorted } = historyOf(entries)
        let isFounded = false
        for (let i = 0; i <= sorted.length; i++) {
          const nodes = nodesOf({ entries: sorted.slice(0, i) })
          isFounded ||= nodes.length > 0
          expect(nodes.length > 0).toBe(isFounded)
          expect(new Set(nodes).size).toBe(nodes.length)
        }
      }),
    )
  })
})

describe('a plan is issued', () => {
  const begun = founded([1, 2, 3])

  const code = (plan: unknown, history = begun) => {
    try {
      appendChange(history, 1, 5_000, plan as Change[])
      return 'issued'
    } catch (error) {
      if (error instanceof RingspunError) return `${error.code}: ${error.message}`
      throw error
    }
  }

  it('when all of it can be done', () => {
    expect(code([leaving(1), joining(4), { kind: 'weight', node: 2, weight: 3 }])).toBe('issued')
    expect(code([leaving(1), leaving(2)])).toBe('issued')
    // The only member may go when another comes with the same plan.
    expect(code([leaving(1), joining(2)], founded([1]))).toBe('issued')
    const replaced = { kind: 'replace', node: 3, successor: 9, weight: 1, host: 'h', zone: 'z' }
    expect(code([replaced])).toBe('issued')
  })

  it.each([
    [[joining(2)], 'node 2 is a member already'],
    [[leaving(4)], 'node 4 is not a member'],
    [[{ kind: 'weight', node: 4, weight: 2 }], 'node 4 is not a member'],
    [[{ kind: 'weight', node: 3, weight: 1 }], 'node 3 has this weight already'],
    [[{ ...joining(9), kind: 'replace', successor: 2 }], 'node 9 is not a member'],
    [[{ ...joining(3), kind: 'replace', successor: 2 }], 'node 2 is a member already'],
    [[{ ...joining(3), kind: 'replace', successor: 3 }], 'node 3 is named twice in one plan'],
    [[leaving(1), leaving(2), leaving(3)], 'node 3 is the last member'],
    [[joining(4), joining(4)], 'node 4 is named twice in one plan'],
    [[leaving(1), { ...joining(2), kind: 'replace', successor: 1 }], 'node 1 is named twice in one plan'],
    [[], 'a plan has 1 to 64 changes'],
    ['leave 1', 'a plan has 1 to 64 changes'],
    [[undefined], 'a change is an object'],
    [[{ kind: 'expel', node: 1 }], 'a change is a join, leave, replace or weight'],
    [[joining(0)], 'a node is a whole number from 1 to 64'],
    [[joining(65)], 'a node is a whole number from 1 to 64'],
    [[joining(1.5)], 'a node is a whole number from 1 to 64'],
    [[{ ...joining(3), kind: 'replace' }], 'a successor is a whole number from 1 to 64'],
    [[joining(4, 0)], 'a weight is a number from 0.001 to 1000'],
    [[joining(4, Number.NaN)], 'a weight is a number from 0.001 to 1000'],
    [[joining(4, '1' as never)], 'a weight is a number from 0.001 to 1000'],
    [[joining(4, 1, 'ü')], 'host and zone are at most 64 printable ASCII characters, without blanks'],
    [
      [joining(4, 1, '', 'z'.repeat(65))],
      'host and zone are at most 64 printable ASCII characters, without blanks',
    ],
    [
      [{ kind: 'join', node: 4, weight: 1 }],
      'host and zone are at most 64 printable ASCII characters, without blanks',
    ],
  ])('and refused when not: %j', (changes, reason) => {
    expect(code(changes)).toBe(`membership-invalid: ${reason}`)
  })

  it('not beyond the limit, which a merge may pass', () => {
    const full: History = {
      entries: Array.from({ length: limits.membershipChangesMax - 3 }, (_, i) => ({
        at: 2_000 + i,
        issuer: 2,
        serial: i + 1,
        changes: [{ kind: 'weight', node: 1, weight: 1 + i }],
      })),
    }
    const merged = mergeHistories(begun, full)
    expect(code([leaving(3)], merged)).toBe('membership-invalid: the history of membership is full')
    expect(mergeHistories(merged, founded([5], 9_999_999)).entries.length).toBe(merged.entries.length + 1)
  })

  it('later than all that is known, with a serial of its own', () => {
    let history = begun
    for (let i = 0; i < 20; i++) {
      const issuer = 1 + (i % 3)
      history = appendChange(history, issuer, 1_500 - i, [i % 2 === 0 ? joining(9) : leaving(9)])
    }
    const names = history.entries.map(({ issuer, serial }) => `${issuer}:${serial}`)
    expect(new Set(names).size).toBe(21)
    expect(historyOf(history.entries)).toEqual(history)
    expect(() => appendChange(begun, 1, Number.NaN, [leaving(1)])).toThrow('wall clock')
  })
})
