// The coordinator's step: what a put replaces, what it leaves, and what its clock then covers.

import { describe, expect, it } from 'vitest'
import { limits } from '../../src/base/limits.js'
import { merge } from '../../src/versions/merge.js'
import type { Context, Sibling, StoredObject } from '../../src/versions/object.js'
import { contextAfter, nextWriteStamp, write } from '../../src/versions/write.js'
import { clockOf, made } from './arbitrary.js'

const dotsOf = ({ siblings }: StoredObject) => siblings.map(({ dot }) => [dot.actor, dot.counter])
const pairsOf = ({ clock }: StoredObject) => clock.map(({ actor, counter }) => [actor, counter])
const contextFor = (...pairs: readonly (readonly [number, number])[]): Context => ({
  clock: clockOf(...pairs),
  stamp: 0,
})

describe('siblings', () => {
  const local: StoredObject = {
    clock: clockOf([1, 4], [2, 2]),
    siblings: [made(1, 4), made(2, 1), made(2, 2)],
  }

  it('the first write of a key is alone', () => {
    const object = write(undefined, undefined, made(5, 1), 'siblings', 77)
    expect(object).toEqual({ clock: [{ actor: 5, counter: 1, time: 77 }], siblings: [made(5, 1)] })
  })

  it('a put without a context has seen nothing: everything stays', () => {
    const object = write(local, undefined, made(1, 5), 'siblings', 0)
    expect(dotsOf(object)).toEqual([
      [1, 4],
      [1, 5],
      [2, 1],
      [2, 2],
    ])
    expect(pairsOf(object)).toEqual([
      [1, 5],
      [2, 2],
    ])
  })

  it('a put with a context replaces exactly what that had seen', () => {
    const object = write(local, contextFor([1, 4], [2, 1]), made(3, 1), 'siblings', 0)
    expect(dotsOf(object)).toEqual([
      [2, 2],
      [3, 1],
    ])
    expect(pairsOf(object)).toEqual([
      [1, 4],
      [2, 2],
      [3, 1],
    ])
  })

  it('an empty context is like none', () => {
    expect(write(local, contextFor(), made(1, 5), 'siblings', 0)).toEqual(
      write(local, undefined, made(1, 5), 'siblings', 0),
    )
  })

  it('what the context has seen elsewhere goes into the clock, though it was never here', () => {
    const object = write(local, contextFor([2, 2], [9, 6]), made(1, 5), 'siblings', 0)
    expect(dotsOf(object)).toEqual([
      [1, 4],
      [1, 5],
    ])
    expect(pairsOf(object)).toEqual([
      [1, 5],
      [2, 2],
      [9, 6],
    ])
  })

  it('a delete is a version like any other', () => {
    const tombstone = made(1, 5, { deleted: true, value: Buffer.alloc(0) })
    const object = write(local, contextFor([1, 4], [2, 1]), tombstone, 'siblings', 0)
    expect(object.siblings).toEqual([tombstone, made(2, 2)])
  })

  it('changes neither what was here nor the context', () => {
    const [before, seen] = [structuredClone(local.clock), contextFor([1, 4])]
    write(local, seen, made(1, 5), 'siblings', 0)
    expect(local.clock).toEqual(before)
    expect(local.siblings).toHaveLength(3)
    expect(seen).toEqual(contextFor([1, 4]))
  })

  it('is not limited here: a hundred blind writers leave a hundred siblings, and the clock knows each', () => {
    let object: StoredObject | undefined
    for (let actor = 1; actor <= 100; actor++) {
      object = write(object, undefined, made(actor, 1), 'siblings', actor)
    }
    expect(object?.siblings).toHaveLength(100)
    expect(object?.clock).toHaveLength(100)
    const resolved = write(object, { clock: object?.clock ?? [], stamp: 0 }, made(7, 2), 'siblings', 200)
    expect(dotsOf(resolved)).toEqual([[7, 2]])
    // Whoever misses this write has them all still: they are cut with the next.
    expect(resolved.clock).toHaveLength(100)
    expect(dotsOf(merge(object as StoredObject, resolved, 'siblings'))).toEqual([[7, 2]])
    const next = write(resolved, { clock: resolved.clock, stamp: 0 }, made(8, 2), 'siblings', 300)
    expect(next.clock).toHaveLength(limits.clockEntriesMax)
  })

  it('cuts nothing that it knows from the writer alone: that would come back from where it is', () => {
    const old = Array.from(
      { length: limits.clockEntriesMax },
      (_, index) => [index + 1, 3] as [number, number],
    )
    const context = contextFor(...old)
    const standIn = write(undefined, context, made(50, 1), 'siblings', 200)
    for (const [actor] of old) expect(standIn.clock.map((entry) => entry.actor)).toContain(actor)
    const home: StoredObject = { clock: context.clock, siblings: [made(1, 3)] }
    expect(dotsOf(merge(home, standIn, 'siblings'))).toEqual([[50, 1]])
    const again = write(standIn, { clock: standIn.clock, stamp: 0 }, made(51, 1), 'siblings', 300)
    expect(again.clock).toHaveLength(limits.clockEntriesMax)
  })

  it('takes a clock of any writer for no more than siblings may need', () => {
    const long = Array.from({ length: 110 }, (_, index) => [index + 1, 1] as [number, number])
    const most = limits.siblingsMax + limits.clockEntriesMax
    expect(write(undefined, contextFor(...long), made(500, 1), 'siblings', 5).clock).toHaveLength(most)
  })
})

describe('last write wins', () => {
  it('the new value is alone, and so is its event, whatever was here or was seen', () => {
    const local: StoredObject = { clock: clockOf([1, 4], [2, 2]), siblings: [made(1, 4), made(2, 2)] }
    for (const context of [undefined, contextFor([9, 9])]) {
      expect(write(local, context, made(3, 1), 'last-write-wins', 5)).toEqual({
        clock: [{ actor: 3, counter: 1, time: 5 }],
        siblings: [made(3, 1)],
      })
    }
  })
})

describe('the context that a put answers', () => {
  const after = (local: StoredObject | undefined, context: Context | undefined, sibling: Sibling) => {
    const object = write(local, context, sibling, 'siblings', 0)
    return contextAfter(object, context, sibling.dot).clock.map(({ actor, counter }) => [actor, counter])
  }
  const local: StoredObject = { clock: clockOf([1, 4], [2, 2]), siblings: [made(1, 4), made(2, 2)] }

  it.each<[string, StoredObject | undefined, Context | undefined, Sibling, number[][]]>([
    ['of the first write is its event', undefined, undefined, made(5, 1), [[5, 1]]],
    [
      'of a write that replaced all is all',
      local,
      contextFor([1, 4], [2, 2]),
      made(5, 1),
      [
        [1, 4],
        [2, 2],
        [5, 1],
      ],
    ],
    [
      'leaves out what was not read',
      local,
      contextFor([2, 2]),
      made(5, 1),
      [
        [2, 2],
        [5, 1],
      ],
    ],
    ['leaves out all of it for a blind write', local, undefined, made(5, 1), [[5, 1]]],
    [
      'leaves out its own event where that would cover an unread one',
      local,
      contextFor([2, 2]),
      made(1, 5),
      [[2, 2]],
    ],
    ['is empty for a blind write through the same coordinator', local, undefined, made(1, 5), []],
    ['covers an own event that was read', local, contextFor([1, 4]), made(1, 5), [[1, 5]]],
    ['is not misled by an equal counter of another', local, undefined, made(9, 2), [[9, 2]]],
  ])('%s', (_name, object, context, sibling, expected) => {
    expect(after(object, context, sibling)).toEqual(expected)
  })

  it('has the latest stamp of all that is there', () => {
    const object: StoredObject = {
      ...local,
      siblings: [made(1, 4, { stamp: 70 }), made(2, 2, { stamp: 90 })],
    }
    expect(contextAfter(object, undefined, { actor: 1, counter: 4 }).stamp).toBe(90)
  })
})

describe('the stamp of a write', () => {
  const stamped = (...stamps: number[]): Sibling[] => stamps.map((stamp, i) => made(i + 1, 1, { stamp }))
  const local: StoredObject = { clock: clockOf([1, 1], [2, 1]), siblings: stamped(50, 900) }

  it.each<[string, StoredObject | undefined, Context | undefined, number, number, number]>([
    ['the wall clock', undefined, undefined, 0, 3, 3 * 2048],
    ['what the coordinator stamped last', undefined, undefined, 9000, 3, 9001],
    ['every value that is here', local, undefined, 0, 0, 901],
    ['what the writer had seen', local, { clock: [], stamp: 1000 }, 0, 0, 1001],
    ['all of it', local, { clock: [], stamp: 1000 }, 2000, 1, 2048],
  ])('is later than %s', (_name, object, context, last, wall, expected) => {
    expect(nextWriteStamp(object, context, last, wall)).toBe(expected)
  })
})
