// Laws of merging versions (Dynamo 4.4): over states that replicas can come into, and over any at all.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { merge } from '../../src/versions/merge.js'
import type { ClockEntry, Conflicts, StoredObject } from '../../src/versions/object.js'
import { encodeObject } from '../../src/versions/object-codec.js'
import { sameObject } from '../../src/versions/read.js'
import { seen } from '../../src/versions/vector.js'
import { made } from '../versions/arbitrary.js'
import { world } from '../versions/worlds.js'

const modes: readonly Conflicts[] = ['siblings', 'last-write-wins']

/** Three states of one history. More than ten replicas, so that clocks are cut too. */
function states(conflicts: Conflicts): fc.Arbitrary<readonly [StoredObject, StoredObject, StoredObject]> {
  return fc
    .tuple(world(conflicts, 14), fc.nat(1000), fc.nat(1000), fc.nat(1000))
    .filter(([made]) => made.states.length > 0)
    .map(([made, ...picks]) => {
      const [a, b, c] = picks.map((pick) => made.states[pick % made.states.length] as StoredObject)
      return [a as StoredObject, b as StoredObject, c as StoredObject] as const
    })
}

const bytesOf = (object: StoredObject) =>
  Buffer.from(encodeObject({ clock: object.clock, siblings: object.siblings }, 1)).toString('hex')

function expectSame(a: StoredObject, b: StoredObject): void {
  expect(a.clock).toEqual(b.clock)
  expect(sameObject(a, b)).toBe(true)
  expect(bytesOf(a)).toBe(bytesOf(b))
}

describe.each(modes)('merge is a least upper bound (%s)', (mode) => {
  it('is commutative', () => {
    fc.assert(fc.property(states(mode), ([a, b]) => expectSame(merge(a, b, mode), merge(b, a, mode))))
  })

  it('is associative', () => {
    fc.assert(
      fc.property(states(mode), ([a, b, c]) =>
        expectSame(merge(merge(a, b, mode), c, mode), merge(a, merge(b, c, mode), mode)),
      ),
    )
  })

  it('is idempotent, and says so by identity', () => {
    fc.assert(
      fc.property(states(mode), ([a, b]) => {
        expect(merge(a, a, mode)).toBe(a)
        const both = merge(a, b, mode)
        expect(merge(both, a, mode)).toBe(both)
        expect(merge(both, b, mode)).toBe(both)
        expectSame(merge(a, both, mode), both)
        expect(merge(undefined, a, mode)).toBe(a)
      }),
    )
  })

  it('keeps the invariants of an object', () => {
    fc.assert(
      fc.property(states(mode), ([a, b]) => {
        for (const { clock, siblings } of [a, b, merge(a, b, mode)]) {
          expect(siblings.length).toBeGreaterThan(0)
          const dots = siblings.map(({ dot }) => dot)
          expect(dots).toEqual([...dots].sort((x, y) => x.actor - y.actor || x.counter - y.counter))
          expect(new Set(dots.map(({ actor, counter }) => `${actor}:${counter}`)).size).toBe(dots.length)
          for (const dot of dots) expect(seen(clock, dot)).toBe(true)
          const actors = clock.map(({ actor }) => actor)
          expect(actors).toEqual([...new Set(actors)].sort((x, y) => x - y))
        }
      }),
    )
  })

  it('brings replicas that have heard everything to the same bytes, in whatever order they heard it', () => {
    const order = fc.array(fc.nat(100), { minLength: 20, maxLength: 20 })
    fc.assert(
      fc.property(world(mode, 14), order, (made, extra) => {
        made.settle([...extra, ...made.replicas.keys()])
        const [first, ...others] = made.replicas.map(({ object }) => object)
        for (const other of others) {
          if (first === undefined) expect(other).toBeUndefined()
          else expectSame(other as StoredObject, first)
        }
      }),
    )
  })
})

describe.each(modes)('the laws hold for any objects, even such as no history leads to (%s)', (mode) => {
  // Few events, so that they meet; what an event wrote, and when, is a function of it.
  const dot = fc.record({ actor: fc.integer({ min: 1, max: 4 }), counter: fc.integer({ min: 1, max: 3 }) })
  const stampOf = (actor: number, counter: number) => ((actor * 7 + counter * 5) % 11) * 2_048_000
  const counters = fc
    .tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3))
    .filter((all) => all.some((each) => each > 0))
  const any: fc.Arbitrary<StoredObject> = fc
    .tuple(
      counters,
      fc.uniqueArray(dot, { selector: ({ actor, counter }) => actor * 10 + counter }),
      fc.nat(),
    )
    .map(([all, dots, pick]) => {
      const clock = all.flatMap((counter, index) =>
        counter === 0 ? [] : [{ actor: index + 1, counter, time: stampOf(index + 1, counter) / 2_048_000 }],
      )
      const present = dots.filter((each) => seen(clock, each))
      const { actor, counter } = clock[pick % clock.length] as ClockEntry
      const chosen = present.length > 0 ? present : [{ actor, counter }]
      chosen.sort((a, b) => a.actor - b.actor || a.counter - b.counter)
      const siblings = chosen.map((each) =>
        made(each.actor, each.counter, { stamp: stampOf(each.actor, each.counter) }),
      )
      // With last-write-wins nothing else is ever stored.
      return mode === 'siblings' ? { clock, siblings } : merge(undefined, { clock, siblings }, mode)
    })

  it('commutative, associative, idempotent', () => {
    fc.assert(
      fc.property(any, any, any, (a, b, c) => {
        const both = merge(a, b, mode)
        expectSame(both, merge(b, a, mode))
        expectSame(merge(both, c, mode), merge(a, merge(b, c, mode), mode))
        expect(merge(a, a, mode)).toBe(a)
        expect(merge(both, a, mode)).toBe(both)
        expectSame(merge(a, both, mode), both)
      }),
      { numRuns: 1000 },
    )
  })
})
