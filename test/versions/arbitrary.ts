// Objects for the tests of versions: any that keep the invariants of object.ts, and short ways to make one.

import fc from 'fast-check'
import type { Dot, Sibling, StoredObject, VersionVector } from '../../src/versions/object.js'

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
export const keyHash = u32

/** Numbers of all sizes below 2^53: small ones and the largest matter most. */
const large = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.constantFrom(127, 128, 2 ** 32 - 1, 2 ** 32, 2 ** 49 - 1, 2 ** 49, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat().filter((number) => number > 0),
)

const entry = fc.record({ actor: large, counter: large, time: u32 })

export const clock: fc.Arbitrary<VersionVector> = fc
  .uniqueArray(entry, { selector: ({ actor }) => actor, maxLength: 14 })
  .map((entries) => entries.sort((a, b) => a.actor - b.actor))

/** `encoding` fixes the mode: 0x80 is last-write-wins. */
export function sibling(encoding = fc.integer({ min: 0, max: 255 })): fc.Arbitrary<Sibling> {
  return fc
    .record({
      actor: large,
      counter: large,
      stamp: fc.oneof(fc.constant(0), large),
      expires: fc.oneof(fc.constant(0), large),
      deleted: fc.boolean(),
      encoding,
      value: fc.uint8Array({ maxLength: 300 }),
    })
    .map(({ actor, counter, value, deleted, ...rest }) => {
      const kept = deleted ? Buffer.alloc(0) : Buffer.from(value)
      return { dot: { actor, counter }, deleted, value: kept, ...rest }
    })
}

/** Any object: siblings by different events, sorted, seen by the clock. */
export const anyObject: fc.Arbitrary<StoredObject> = fc
  .tuple(fc.uniqueArray(sibling(), { minLength: 1, maxLength: 6, selector: ({ dot }) => nameOf(dot) }), clock)
  .map(([siblings, base]) => {
    siblings.sort((a, b) => a.dot.actor - b.dot.actor || a.dot.counter - b.dot.counter)
    const entries = new Map(base.map((each) => [each.actor, each]))
    for (const { dot } of siblings) {
      const present = entries.get(dot.actor)
      if (present === undefined || present.counter < dot.counter) entries.set(dot.actor, { ...dot, time: 1 })
    }
    return { clock: [...entries.values()].sort((a, b) => a.actor - b.actor), siblings }
  })

/** One last-write-wins value with the clock of its own event. */
export const latestObject: fc.Arbitrary<StoredObject> = fc
  .tuple(sibling(fc.integer({ min: 0x80, max: 0xff })), u32)
  .map(([only, time]) => ({ clock: [{ ...only.dot, time }], siblings: [only] }))

export const object = fc.oneof(anyObject, latestObject)

function nameOf({ actor, counter }: Dot): string {
  return `${actor}:${counter}`
}

/** Without the bytes at hand, so that encoding begins anew. */
export function bare({ clock: entries, siblings }: StoredObject): StoredObject {
  return {
    clock: entries,
    siblings: siblings.map((each) => ({ ...each, value: Buffer.from(each.value) })),
  }
}

/** A sibling of which only some fields matter. */
export function made(actor: number, counter: number, fields: Partial<Sibling> = {}): Sibling {
  const value = Buffer.from(`${actor}:${counter}`)
  return {
    dot: { actor, counter },
    stamp: counter,
    expires: 0,
    deleted: false,
    encoding: 0,
    value,
    ...fields,
  }
}

/** A clock from pairs of actor and counter; the time of an entry is its counter. */
export function clockOf(...pairs: readonly (readonly [number, number])[]): VersionVector {
  return pairs.map(([actor, counter]) => ({ actor, counter, time: counter }))
}
