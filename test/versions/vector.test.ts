// Version vectors: who has seen what. Tables for the cases, properties for the order that they make.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { advance, covers, cut, join, seen } from '../../src/versions/vector.js'
import { clock, clockOf } from './arbitrary.js'

describe('seen', () => {
  it.each([
    [[], 1, 1, false],
    [[[1, 5]], 1, 5, true],
    [[[1, 5]], 1, 1, true],
    [[[1, 5]], 1, 6, false],
    [[[1, 5]], 2, 1, false],
    [
      [
        [1, 5],
        [4, 2],
      ],
      4,
      2,
      true,
    ],
    [
      [
        [1, 5],
        [4, 2],
      ],
      4,
      3,
      false,
    ],
  ] as const)('%j has seen event %i:%i: %s', (pairs, actor, counter, expected) => {
    expect(seen(clockOf(...pairs), { actor, counter })).toBe(expected)
  })
})

describe('join', () => {
  it.each([
    [[], [], []],
    [[[1, 1]], [], [[1, 1]]],
    [
      [[1, 1]],
      [[2, 1]],
      [
        [1, 1],
        [2, 1],
      ],
    ],
    [
      [
        [1, 3],
        [2, 1],
      ],
      [
        [1, 2],
        [2, 4],
      ],
      [
        [1, 3],
        [2, 4],
      ],
    ],
    [
      [
        [2, 1],
        [9, 9],
      ],
      [
        [1, 1],
        [5, 5],
      ],
      [
        [1, 1],
        [2, 1],
        [5, 5],
        [9, 9],
      ],
    ],
  ] as const)('of %j and %j is %j', (left, right, expected) => {
    expect(join(clockOf(...left), clockOf(...right))).toEqual(clockOf(...expected))
    expect(join(clockOf(...right), clockOf(...left))).toEqual(clockOf(...expected))
  })

  it('is the least that covers both, and one of them when it covers the other', () => {
    fc.assert(
      fc.property(clock, clock, (a, b) => {
        const both = join(a, b)
        expect(covers(both, a) && covers(both, b)).toBe(true)
        for (const entry of both) expect(seen(a, entry) || seen(b, entry)).toBe(true)
        expect(join(both, a)).toBe(both)
        expect(join(b, both)).toEqual(both)
        expect(both.map(({ actor }) => actor)).toEqual(
          [...new Set([...a, ...b].map(({ actor }) => actor))].sort((x, y) => x - y),
        )
      }),
    )
  })

  it('answers the left one when both are equal, without a new array', () => {
    fc.assert(
      fc.property(clock, (a) => {
        expect(join(a, [...a])).toBe(a)
        expect(join(a, [])).toBe(a)
        if (a.length > 0) expect(join([], a)).toBe(a)
      }),
    )
  })

  it('takes the later time of equal counters, so that the order of merging does not show', () => {
    const early = [{ actor: 1, counter: 2, time: 10 }]
    const late = [{ actor: 1, counter: 2, time: 20 }]
    expect(join(early, late)).toBe(late)
    expect(join(late, early)).toBe(late)
  })

  it('takes the time with the counter: a newer event may bear an older time', () => {
    const newer = [{ actor: 1, counter: 3, time: 10 }]
    const older = [{ actor: 1, counter: 2, time: 20 }]
    expect(join(older, newer)).toBe(newer)
  })
})

describe('covers', () => {
  it('is a partial order, by counters alone', () => {
    fc.assert(
      fc.property(clock, clock, clock, (a, b, c) => {
        expect(covers(a, a)).toBe(true)
        expect(covers(a, [])).toBe(true)
        const counters = (of: typeof a) => of.map(({ actor, counter }) => [actor, counter])
        if (covers(a, b) && covers(b, a)) expect(counters(a)).toEqual(counters(b))
        const [ab, abc] = [join(a, b), join(join(a, b), c)]
        expect(covers(abc, ab) && covers(ab, a) && covers(abc, a)).toBe(true)
      }),
    )
  })
})

describe('advance', () => {
  it.each([
    [[], [[3, 1]]],
    [
      [[1, 1]],
      [
        [1, 1],
        [3, 1],
      ],
    ],
    [
      [[5, 1]],
      [
        [3, 1],
        [5, 1],
      ],
    ],
    [[[3, 0]], [[3, 1]]],
  ] as const)('of %j by the event 3:1 is %j', (before, after) => {
    expect(advance(clockOf(...before), { actor: 3, counter: 1 }, 1)).toEqual(clockOf(...after))
  })
})

describe('cut', () => {
  const entries = [
    { actor: 1, counter: 1, time: 30 },
    { actor: 2, counter: 1, time: 10 },
    { actor: 3, counter: 1, time: 20 },
    { actor: 4, counter: 1, time: 10 },
  ]
  const actors = (max: number, ...kept: number[]) =>
    cut(entries, max, (actor) => kept.includes(actor)).map(({ actor }) => actor)

  it('leaves a clock that is short enough as it is', () => {
    expect(cut(entries, 4, () => false)).toBe(entries)
    expect(cut(entries, 9, () => false)).toBe(entries)
  })

  it('removes the oldest first; of equal age the smaller actor; and keeps the order', () => {
    expect(actors(3)).toEqual([1, 3, 4])
    expect(actors(2)).toEqual([1, 3])
    expect(actors(1)).toEqual([1])
    expect(actors(0)).toEqual([])
  })

  it('never removes what it is told to keep, even if it stays too long', () => {
    expect(actors(2, 2)).toEqual([1, 2])
    expect(actors(1, 2, 4)).toEqual([2, 4])
    expect(actors(0, 1, 2, 3, 4)).toEqual([1, 2, 3, 4])
  })
})
