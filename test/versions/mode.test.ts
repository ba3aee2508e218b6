// The mode travels with each value; where values of two modes meet, the latest write decides.

import { describe, expect, it } from 'vitest'
import {
  codecOf,
  conflictsOf,
  copiesOfEncoding,
  isVolatile,
  isVolatileEncoding,
  withMode,
} from '../../src/versions/mode.js'
import type { Sibling, StoredObject } from '../../src/versions/object.js'
import { clockOf, made } from './arbitrary.js'

const objectOf = (...siblings: Sibling[]): StoredObject => ({
  clock: clockOf(...siblings.map(({ dot }) => [dot.actor, dot.counter] as const)),
  siblings,
})
const kept = withMode(0, 'siblings', false, 3)
const wins = withMode(0, 'last-write-wins', false, 3)
const cached = withMode(0, 'siblings', true, 3)

describe('the encoding byte', () => {
  it('holds the codec number of the client and both modes, each untouched by the others', () => {
    for (let number = 0; number < 64; number++) {
      const codec = number % 4
      const copies = 1 + Math.floor(number / 4)
      for (const conflicts of ['siblings', 'last-write-wins'] as const) {
        for (const volatile of [false, true]) {
          const encoding = withMode(codec, conflicts, volatile, copies)
          expect(encoding).toBeLessThan(256)
          expect(codecOf(encoding)).toBe(codec)
          expect(copiesOfEncoding(encoding)).toBe(copies)
          expect(isVolatileEncoding(encoding)).toBe(volatile)
          expect(conflictsOf(objectOf(made(1, 1, { encoding })))).toBe(conflicts)
        }
      }
    }
  })
})

describe('how objects are merged', () => {
  const sibling = (actor: number, stamp: number, encoding: number) => made(actor, 1, { stamp, encoding })

  it.each([
    ['one value says it', objectOf(sibling(1, 1, wins)), undefined, 'last-write-wins'],
    [
      'the latest of several, first by name',
      objectOf(sibling(1, 9, kept), sibling(2, 3, wins)),
      undefined,
      'siblings',
    ],
    [
      'the latest of several, last by name',
      objectOf(sibling(1, 3, wins), sibling(2, 9, kept)),
      undefined,
      'siblings',
    ],
    ['of two objects the later', objectOf(sibling(1, 3, wins)), objectOf(sibling(2, 9, kept)), 'siblings'],
    [
      'of two objects the later, again',
      objectOf(sibling(1, 3, kept)),
      objectOf(sibling(2, 9, wins)),
      'last-write-wins',
    ],
    [
      'of equal stamps the greater actor',
      objectOf(sibling(1, 9, wins)),
      objectOf(sibling(2, 9, kept)),
      'siblings',
    ],
  ] as const)('%s', (_name, object, other, expected) => {
    expect(conflictsOf(object, other)).toBe(expected)
    if (other !== undefined) expect(conflictsOf(other, object)).toBe(expected)
  })
})

describe('an object is kept in memory only', () => {
  it.each([
    ['when its value is', [cached], true],
    ['when all of them are', [cached, cached], true],
    ['not when one is durable, first', [kept, cached], false],
    ['not when one is durable, last', [cached, kept], false],
  ] as const)('%s', (_name, encodings, expected) => {
    const siblings = encodings.map((encoding, index) => made(index + 1, 1, { encoding }))
    expect(isVolatile(objectOf(...siblings))).toBe(expected)
  })
})
