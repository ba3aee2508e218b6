// Dynamo 4.4, data versioning: the story of figure 3 with its names, and the truncation of clocks.
// The paper's clocks are vectors of (node, counter); ours say the same and name beside it the write event
// (the dot) that made each value.

import { describe, expect, it } from 'vitest'
import { limits } from '../../src/base/limits.js'
import { merge } from '../../src/versions/merge.js'
import type { Conflicts, Context, StoredObject } from '../../src/versions/object.js'
import { contextOf } from '../../src/versions/read.js'
import { write } from '../../src/versions/write.js'
import { valuesOf } from '../versions/replicas.js'

const names = new Map([
  [1, 'Sx'],
  [2, 'Sy'],
  [3, 'Sz'],
])
const [Sx, Sy, Sz] = [1, 2, 3] as const

function put(
  node: number,
  counter: number,
  value: string,
  local?: StoredObject,
  context?: Context,
  seconds = 1000,
  conflicts: Conflicts = 'siblings',
): StoredObject {
  const dot = { actor: node, counter }
  const sibling = { dot, stamp: seconds * 1000 * 2048, expires: 0, deleted: false, encoding: 0 }
  return write(local, context, { ...sibling, value: Buffer.from(value) }, conflicts, seconds)
}

/** A clock as the figure writes it. */
function clockOf(object: StoredObject): string {
  const entries = object.clock.map(({ actor, counter }) => `[${names.get(actor)},${counter}]`)
  return `(${entries.join(',')})`
}

describe('figure 3: version evolution of an object over time', () => {
  const d1 = put(Sx, 1, 'D1')
  const d2 = put(Sx, 2, 'D2', d1, contextOf(d1))
  const d3 = put(Sy, 1, 'D3', d2, contextOf(d2))
  const d4 = put(Sz, 1, 'D4', d2, contextOf(d2))

  it('a client writes a new object, Sx handles it: D1 ([Sx,1])', () => {
    expect(clockOf(d1)).toBe('([Sx,1])')
    expect(valuesOf(d1)).toEqual(['D1'])
  })

  it('the same client updates it, Sx handles it again: D2 ([Sx,2]) descends from D1 and overwrites it', () => {
    expect(clockOf(d2)).toBe('([Sx,2])')
    expect(valuesOf(d2)).toEqual(['D2'])
    // "There may be replicas of D1 lingering at nodes that have not yet seen D2."
    expect(merge(d1, d2, 'siblings')).toBe(d2)
    expect(merge(d2, d1, 'siblings')).toBe(d2)
  })

  it('one client updates D2 through Sy, another through Sz: D3 ([Sx,2],[Sy,1]) and D4 ([Sx,2],[Sz,1])', () => {
    expect(clockOf(d3)).toBe('([Sx,2],[Sy,1])')
    expect(clockOf(d4)).toBe('([Sx,2],[Sz,1])')
    // A node that knows D1 or D2 sees from D4's clock that both are overwritten.
    for (const older of [d1, d2]) {
      expect(merge(older, d4, 'siblings')).toBe(d4)
      expect(merge(older, d3, 'siblings')).toBe(d3)
    }
  })

  it('a node that knows D3 and receives D4 finds no causal relation: both must be kept', () => {
    const both = merge(d3, d4, 'siblings')
    expect(valuesOf(both)).toEqual(['D3', 'D4'])
    expect(clockOf(both)).toBe('([Sx,2],[Sy,1],[Sz,1])')
    expect(merge(d4, d3, 'siblings')).toEqual(both)
  })

  it('a client reads both, reconciles, and Sx coordinates the write: D5 ([Sx,3],[Sy,1],[Sz,1])', () => {
    const both = merge(d3, d4, 'siblings')
    const d5 = put(Sx, 3, 'D5', both, contextOf(both))
    expect(clockOf(d5)).toBe('([Sx,3],[Sy,1],[Sz,1])')
    expect(valuesOf(d5)).toEqual(['D5'])
    for (const older of [d1, d2, d3, d4, both]) expect(merge(older, d5, 'siblings')).toBe(d5)
  })

  it('D5 may be written where only D2 is known: what the context has seen need not be here', () => {
    const context = contextOf(merge(d3, d4, 'siblings'))
    const d5 = put(Sx, 3, 'D5', d2, context)
    expect(clockOf(d5)).toBe('([Sx,3],[Sy,1],[Sz,1])')
    for (const older of [d3, d4]) expect(merge(d5, older, 'siblings')).toBe(d5)
  })

  it('with timestamp-based reconciliation (6.1) the later of D3 and D4 wins, everywhere', () => {
    const early = put(Sy, 1, 'D3', undefined, undefined, 1000, 'last-write-wins')
    const late = put(Sz, 1, 'D4', undefined, undefined, 1001, 'last-write-wins')
    expect(merge(early, late, 'last-write-wins')).toBe(late)
    expect(merge(late, early, 'last-write-wins')).toBe(late)
  })
})

describe('clock truncation: "the oldest pair is removed from the clock"', () => {
  /** Coordinators 1 to `count` write the key in turn, one second apart, each with the context of the last. */
  function written(count: number): StoredObject[] {
    const objects: StoredObject[] = []
    for (let node = 1; node <= count; node++) {
      const last = objects.at(-1)
      objects.push(put(node, 1, `v${node}`, last, last && contextOf(last), 1000 + node))
    }
    return objects
  }

  it('the threshold is the "say 10" of the paper', () => {
    expect(limits.clockEntriesMax).toBe(10)
    expect(
      written(10)
        .at(-1)
        ?.clock.map(({ actor }) => actor),
    ).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  it('after 11 coordinators the 10 newest pairs are left, the one with the oldest time is gone', () => {
    const last = written(11).at(-1) as StoredObject
    expect(last.clock.map(({ actor }) => actor)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    expect(valuesOf(last)).toEqual(['v11'])
  })

  it('the oldest is told by its time, not by its place', () => {
    let object = put(7, 1, 'first', undefined, undefined, 5000)
    for (let node = 11; node <= 20; node++) {
      object = put(node, 1, `v${node}`, object, contextOf(object), node === 14 ? 4000 : 5000 + node)
    }
    expect(object.clock.map(({ actor }) => actor)).toEqual([7, 11, 12, 13, 15, 16, 17, 18, 19, 20])
  })

  it('no value is lost: a replica that slept through all of it is a sibling at worst', () => {
    const objects = written(11)
    const last = objects.at(-1) as StoredObject
    const asleep = objects[0] as StoredObject
    const woken = merge(last, asleep, 'siblings')
    // "This can lead to inefficiencies in reconciliation": v1 was overwritten, but nobody remembers.
    expect(valuesOf(woken)).toEqual(['v1', 'v11'])
    const resolved = put(11, 2, 'v12', woken, contextOf(woken), 2000)
    expect(valuesOf(resolved)).toEqual(['v12'])
    // What was there a moment ago, on whatever replica, does not come back.
    for (const older of [asleep, woken, ...objects.slice(2)])
      expect(valuesOf(merge(older, resolved, 'siblings'))).toEqual(['v12'])
  })

  it('the pair of a value that is still there is never removed, however old', () => {
    const alone = put(99, 1, 'kept', undefined, undefined, 1)
    let context: Context | undefined
    let object = alone
    for (let node = 1; node <= 30; node++) {
      object = put(node, 1, `v${node}`, object, context, 1000 + node)
      // The client knows its own line of writes only, so 'kept' stays beside each of them.
      context = { clock: object.clock.filter(({ actor }) => actor !== 99), stamp: 0 }
    }
    expect(valuesOf(object)).toEqual(['kept', 'v30'])
    expect(object.clock).toHaveLength(10)
    expect(object.clock.at(-1)?.actor).toBe(99)
  })

  it('a merge never cuts: it must give the same whoever merges what first', () => {
    const [left, right] = [written(10).at(-1) as StoredObject, put(50, 1, 'other')]
    expect(merge(left, right, 'siblings').clock).toHaveLength(11)
  })
})
