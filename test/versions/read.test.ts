// What a reader sees: live values only, a context that covers all, and when two objects are the same.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Sibling, StoredObject } from '../../src/versions/object.js'
import { contextOf, earliestExpiry, liveSiblings, sameObject } from '../../src/versions/read.js'
import { bare, clockOf, made, object } from './arbitrary.js'

const objectOf = (...siblings: Sibling[]): StoredObject => ({
  clock: clockOf(...siblings.map(({ dot }) => [dot.actor, dot.counter] as const)),
  siblings,
})
const forever = made(1, 1)
const shortly = made(2, 1, { expires: 100 })
const later = made(3, 1, { expires: 200 })
const deleted = made(4, 1, { deleted: true, value: Buffer.alloc(0), stamp: 77 })

describe('live values', () => {
  it.each<[string, Sibling[], number, Sibling[]]>([
    ['without an expiry live for ever', [forever], 1e15, [forever]],
    ['live until their expiry', [shortly], 99, [shortly]],
    ['are gone at the very instant', [shortly], 100, []],
    ['are gone after it', [shortly, later], 150, [later]],
    ['are never tombstones', [deleted], 0, []],
    ['are what is left beside tombstones and expired ones', [forever, shortly, deleted], 100, [forever]],
  ])('%s', (_name, siblings, wall, expected) => {
    expect(liveSiblings(objectOf(...siblings), wall)).toEqual(expected)
  })

  it('are the very array when all live', () => {
    const all = objectOf(forever, later)
    expect(liveSiblings(all, 0)).toBe(all.siblings)
  })
})

describe('the context', () => {
  it('covers tombstones and expired values too: a write with it replaces them', () => {
    const all = objectOf(forever, shortly, deleted)
    expect(contextOf(all)).toEqual({ clock: all.clock, stamp: 77 })
  })
})

describe('the earliest expiry', () => {
  it.each<[Sibling[], number, number]>([
    [[forever], 0, 0],
    [[forever, later, shortly], 0, 100],
    [[forever, later, shortly], 100, 200],
    [[forever, later, shortly], 200, 0],
    [[deleted], 0, 0],
    [[made(1, 1, { expires: 50, deleted: true }), later], 0, 200],
  ])('case %#', (siblings, wall, expected) => {
    expect(earliestExpiry(objectOf(...siblings), wall)).toBe(expected)
  })
})

describe('the same object', () => {
  it('is one with the same clock and values, whether its bytes are at hand or not', () => {
    fc.assert(
      fc.property(object, (each) => {
        expect(sameObject(each, { ...bare(each), encoded: Buffer.from('x') })).toBe(true)
      }),
    )
    expect(sameObject(undefined, undefined)).toBe(true)
  })

  const base = objectOf(forever, later)
  it.each<[string, StoredObject | undefined]>([
    ['none', undefined],
    ['another clock', { clock: clockOf([1, 1], [3, 2]), siblings: base.siblings }],
    ['another actor in the clock', { clock: clockOf([1, 1], [4, 1]), siblings: base.siblings }],
    ['a longer clock', { clock: clockOf([1, 1], [3, 1], [5, 1]), siblings: base.siblings }],
    ['a sibling less', { clock: base.clock, siblings: [forever] }],
    [
      'another counter',
      { clock: base.clock, siblings: [forever, { ...later, dot: { actor: 3, counter: 2 } }] },
    ],
    [
      'another actor',
      { clock: base.clock, siblings: [forever, { ...later, dot: { actor: 4, counter: 1 } }] },
    ],
    ['another value', { clock: base.clock, siblings: [forever, { ...later, value: Buffer.from('3:2') }] }],
    ['another stamp', { clock: base.clock, siblings: [forever, { ...later, stamp: 9 }] }],
    ['another expiry', { clock: base.clock, siblings: [forever, { ...later, expires: 201 }] }],
    ['a tombstone', { clock: base.clock, siblings: [forever, { ...later, deleted: true }] }],
    ['another encoding', { clock: base.clock, siblings: [forever, { ...later, encoding: 3 }] }],
  ])('is not one with %s', (_name, other) => {
    expect(sameObject(base, other)).toBe(false)
    expect(sameObject(other, base)).toBe(false)
  })
})
