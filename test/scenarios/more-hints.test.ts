// What seldom happens to hints: a disk that gives one back damaged, or fails in the middle of a delivery; several owners
// whose hints are given up at once; nobody who could have them.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import { singleAddress } from '../../src/protocol/address.js'
import type { World } from '../../src/sim/world.js'
import type { Store } from '../../src/storage/store.js'
import {
  drainHints,
  get,
  hintsOf,
  keyLedBy,
  mustPut,
  nodeOf,
  preference,
  put,
  sendAway,
  settle,
  startWorld,
  values,
  valuesAtEach,
} from '../sim/helpers.js'

interface Ills {
  /** What a read of a hint's row gives instead of what is there. */
  damage?: ((value: Uint8Array) => Uint8Array | Error) | undefined
  fails: boolean
}

const damages = [
  {
    as: 'other bits, which nobody can mend,',
    damage: (value: Uint8Array) => Buffer.from(value).fill(7),
    second: { type: 'put-answered' },
  },
  {
    as: 'a block that cannot be read, and may be readable later,',
    damage: () => new Error('EIO'),
    second: { type: 'put-failed', code: 'quorum-lost', details: { stored: 2 } },
  },
]

/** Of rows of hints. */
function ill(ills: Ills): (node: NodeId, store: Store) => Store {
  const isHint = (row: string) => !row.startsWith('o') && !row.startsWith('m') && !row.startsWith('t')
  return (_node, store) => ({
    commit: (writes, level, done) => store.commit(writes, level, done),
    read: (rows, done) =>
      store.read(rows, (error, found) =>
        done(
          error,
          found.map((value, at) =>
            ills.damage !== undefined && isHint(rows[at] as string) && value instanceof Uint8Array
              ? ills.damage(value)
              : value,
          ),
        ),
      ),
    walk: (after, before, limit, done) => {
      if (ills.fails && isHint(after)) store.walk(after, before, limit, () => done(new Error('EIO'), []))
      else store.walk(after, before, limit, done)
    },
    deleteRange: (from, to, done) => store.deleteRange(from, to, done),
    close: (done) => store.close(done),
  })
}

function dropAll(world: World, owners: readonly NodeId[]): void {
  for (const { node, host } of world.nodes.values()) {
    for (const owner of owners) {
      const to = singleAddress('courier', node)
      host?.receive({ to, from: to, request: 0, deadline: 0, message: { type: 'drop-hints', owner } })
    }
    world.wake(nodeOf(world, node))
  }
}

describe('a hint that its disk gives back damaged', () => {
  it.each(damages)('as $as is not answered as nothing', ({ damage, second }) => {
    const ills: Ills = { fails: false }
    const world = startWorld({ seed: 1, nodes: 4, warms: false, wrapStore: ill(ills) })
    const key = keyLedBy(world, 1)
    const home = preference(world, key).slice(0, 3)
    sendAway(world, home.slice(0, 1))
    mustPut(world, key, 'one', { w: 2, dw: 3 })
    // Until it is written out of the log, which a new life would read whole.
    world.pass(30_000)
    const standIn = preference(world, key)[3] as number
    expect(hintsOf(world)).toEqual({ [`${standIn}->${home[0]}`]: 1 })
    world.crash('process')
    ills.damage = damage
    for (const node of [...home.slice(1), standIn]) world.spawn(node)
    expect(world.runUntil(() => hintsOf(world)[`${standIn}->${home[0]}`] === 1, 60_000)).toBe(true)
    // Nobody else can say what the hint said: who asks all is told, who asks fewer has what the others know.
    expect(get(world, key, { r: 3, timeoutMs: 2_000 })).toMatchObject({
      type: 'get-failed',
      code: 'unavailable',
    })
    expect(values(world, key, { r: 2 })).toEqual(['one'])
    expect(put(world, key, 'two', { w: 3, timeoutMs: 2_000 })).toMatchObject(second)
    ills.damage = undefined
    world.spawn(home[0] as number)
    settle(world, 30_000)
    drainHints(world)
    expect(values(world, key, { r: 3 })).toEqual(['one', 'two'])
  })
})

describe('a delivery in whose middle the disk fails', () => {
  it('begins again, and ends', () => {
    const ills: Ills = { fails: false }
    const world = startWorld({ seed: 2, nodes: 4, wrapStore: ill(ills) })
    const keys = Array.from({ length: 40 }, (_, index) => `k${index}`)
    sendAway(world, [1])
    for (const key of keys) mustPut(world, key, key, { w: 2, dw: 2 })
    world.pass(3_000)
    ills.fails = true
    world.spawn(1)
    world.pass(15_000)
    ills.fails = false
    settle(world, 60_000)
    drainHints(world)
    for (const key of keys) expect(valuesAtEach(world, key)).toEqual([[key], [key], [key]])
  })
})

describe('hints for several owners', () => {
  it('that are given up at once are all forgotten, and what they were for is compared', () => {
    const world = startWorld({ seed: 3, nodes: 6, mendEveryMs: 500 })
    const keys = Array.from({ length: 200 }, (_, index) => `k${index}`)
    sendAway(world, [1, 2])
    for (const key of keys) mustPut(world, key, key, { w: 1, dw: 1 })
    world.pass(3_000)
    // Asked for last, looked for first: the pages of the one come while the other is still to come.
    dropAll(world, [1, 2])
    dropAll(world, [1, 2])
    world.pass(10_000)
    expect(hintsOf(world)).toEqual({})
    world.start()
    settle(world, 120_000)
    for (const key of keys) expect(valuesAtEach(world, key)).toEqual([[key], [key], [key]])
  })
})
