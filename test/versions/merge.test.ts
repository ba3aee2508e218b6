// The merge rule case by case: who stays, and when the answer is the very object that came or was there.
// Its laws are in test/properties/versions.test.ts.

import { describe, expect, it } from 'vitest'
import { merge } from '../../src/versions/merge.js'
import type { Conflicts, Sibling, StoredObject } from '../../src/versions/object.js'
import { clockOf, made } from './arbitrary.js'

type Pairs = readonly (readonly [number, number])[]

const objectOf = (clock: Pairs, dots: Pairs): StoredObject => ({
  clock: clockOf(...clock),
  siblings: dots.map(([actor, counter]) => made(actor, counter)),
})
const dotsOf = ({ siblings }: StoredObject) => siblings.map(({ dot }) => [dot.actor, dot.counter])

describe('siblings', () => {
  it.each<[string, StoredObject, StoredObject, Pairs]>([
    ['a value and its successor', objectOf([[1, 1]], [[1, 1]]), objectOf([[1, 2]], [[1, 2]]), [[1, 2]]],
    [
      'two that know nothing of each other',
      objectOf([[1, 1]], [[1, 1]]),
      objectOf([[2, 1]], [[2, 1]]),
      [
        [1, 1],
        [2, 1],
      ],
    ],
    ['the same', objectOf([[1, 1]], [[1, 1]]), objectOf([[1, 1]], [[1, 1]]), [[1, 1]]],
    [
      'siblings by one actor: the second writer had read nothing',
      objectOf(
        [[1, 2]],
        [
          [1, 1],
          [1, 2],
        ],
      ),
      objectOf([[1, 1]], [[1, 1]]),
      [
        [1, 1],
        [1, 2],
      ],
    ],
    [
      'one of two siblings was replaced meanwhile',
      objectOf(
        [
          [1, 1],
          [2, 1],
        ],
        [
          [1, 1],
          [2, 1],
        ],
      ),
      objectOf(
        [
          [1, 1],
          [3, 1],
        ],
        [[3, 1]],
      ),
      [
        [2, 1],
        [3, 1],
      ],
    ],
    [
      'both were replaced, by two who did not know of each other',
      objectOf(
        [
          [1, 2],
          [2, 1],
        ],
        [[1, 2]],
      ),
      objectOf(
        [
          [1, 1],
          [2, 2],
        ],
        [[2, 2]],
      ),
      [
        [1, 2],
        [2, 2],
      ],
    ],
  ])('%s', (_name, a, b, expected) => {
    expect(dotsOf(merge(a, b, 'siblings'))).toEqual(expected)
    expect(dotsOf(merge(b, a, 'siblings'))).toEqual(expected)
  })

  it('of many, replaces only what was seen', () => {
    const local = objectOf(
      [
        [1, 3],
        [2, 2],
        [5, 1],
      ],
      [
        [1, 1],
        [1, 3],
        [2, 2],
        [5, 1],
      ],
    )
    const incoming = objectOf(
      [
        [1, 2],
        [2, 2],
        [9, 1],
      ],
      [[9, 1]],
    )
    expect(dotsOf(merge(local, incoming, 'siblings'))).toEqual([
      [1, 3],
      [5, 1],
      [9, 1],
    ])
  })
})

describe('the hot path gives back what it was given', () => {
  const older = objectOf([[1, 1]], [[1, 1]])
  const newer = objectOf([[1, 2]], [[1, 2]])
  const copy = objectOf([[1, 2]], [[1, 2]])
  const more = objectOf(
    [
      [1, 2],
      [2, 1],
    ],
    [
      [1, 2],
      [2, 1],
    ],
  )

  it.each<[string, StoredObject | undefined, StoredObject, 'local' | 'incoming']>([
    ['nothing was here', undefined, newer, 'incoming'],
    ['what came is newer', older, newer, 'incoming'],
    ['what came is older', newer, older, 'local'],
    ['what came is what is here', newer, copy, 'local'],
    ['what came has all that is here and more', newer, more, 'incoming'],
    ['what is here has all that came and more', more, newer, 'local'],
  ])('%s: %s', (_name, local, incoming, which) => {
    expect(merge(local, incoming, 'siblings')).toBe(which === 'local' ? local : incoming)
  })

  it('with the last write winning too', () => {
    const [early, late] = [latest(1, 1), latest(2, 2)]
    expect(merge(undefined, early, 'last-write-wins')).toBe(early)
    expect(merge(early, late, 'last-write-wins')).toBe(late)
    expect(merge(late, early, 'last-write-wins')).toBe(late)
    expect(merge(late, latest(2, 2), 'last-write-wins')).toBe(late)
  })

  it('a result of two parts remembers no bytes of either', () => {
    const left: StoredObject = { ...older, encoded: Buffer.from('left') }
    const right: StoredObject = { ...objectOf([[2, 1]], [[2, 1]]), encoded: Buffer.from('right') }
    expect(merge(left, right, 'siblings').encoded).toBeUndefined()
  })
})

function latest(actor: number, stamp: number, counter = 1): StoredObject {
  return { clock: clockOf([actor, counter]), siblings: [made(actor, counter, { stamp, encoding: 0x80 })] }
}

describe('last write wins', () => {
  const mode: Conflicts = 'last-write-wins'

  it.each([
    ['the later stamp', latest(9, 5), latest(1, 6), 1],
    ['of equal stamps the greater actor', latest(1, 5), latest(9, 5), 9],
  ])('%s', (_name, a, b, winner) => {
    for (const both of [merge(a, b, mode), merge(b, a, mode)]) {
      expect(dotsOf(both)).toEqual([[winner, 1]])
      expect(both.clock.map(({ actor }) => actor)).toEqual([winner])
    }
  })

  it('of equal stamps and actors the greater counter', () => {
    const [first, second] = [latest(1, 5, 1), latest(1, 5, 2)]
    expect(merge(first, second, mode)).toBe(second)
    expect(merge(second, first, mode)).toBe(second)
  })

  it('a clock that knows more comes down to the event of the value', () => {
    const object: StoredObject = { ...latest(1, 5), clock: clockOf([1, 1], [7, 3]) }
    expect(merge(undefined, object, mode).clock.map(({ actor }) => actor)).toEqual([1])
    expect(merge(object, latest(9, 4), mode).clock.map(({ actor }) => actor)).toEqual([1])
  })

  it('siblings from before the bucket had this mode come down to the latest, with a clock of its event alone', () => {
    const stamp = 1_700_000_000_000 * 2048
    const siblings: Sibling[] = [
      made(1, 1, { stamp: stamp + 1 }),
      made(2, 3, { stamp }),
      made(4, 2, { stamp: 7 }),
    ]
    const many: StoredObject = { clock: clockOf([1, 8], [2, 3], [4, 2]), siblings }
    const alone = { clock: [{ actor: 1, counter: 1, time: 1_700_000_000 }], siblings: [siblings[0]] }
    expect(merge(many, many, mode)).toEqual(alone)
    expect(merge(undefined, many, mode)).toEqual(alone)
    expect(merge(latest(9, 3), many, mode)).toEqual(alone)
    expect(merge(many, latest(9, 3), mode)).toEqual(alone)
  })
})
