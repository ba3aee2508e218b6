// Reading what is equal everywhere costs no disk anything (Riak's verify_no_writes_on_read): no commit, no copy.

import { describe, expect, it } from 'vitest'
import type { Done, Store } from '../../src/storage/store.js'
import { mustGet, mustPut, settle, startWorld } from '../sim/helpers.js'

describe('a key that all replicas have', () => {
  it.each([1, 2, 3])('read 1,000 times with r = %i writes nothing to any disk', (r) => {
    let written = 0
    const counting = (_node: number, inner: Store): Store => ({
      commit(writes, level, done: Done) {
        written += writes.length
        inner.commit(writes, level, done)
      },
      read: (rows, done) => inner.read(rows, done),
      walk: (after, before, limit, done) => inner.walk(after, before, limit, done),
      deleteRange: (from, to, done) => inner.deleteRange(from, to, done),
      close: (done) => inner.close(done),
    })
    const world = startWorld({ seed: r, nodes: 5, mendEveryMs: 300, wrapStore: counting })
    for (let i = 0; i < 20; i++) mustPut(world, `k${i}`, 'value', { w: 3 })
    settle(world, 10_000)
    const before = written
    expect(before).toBeGreaterThan(0)
    for (let i = 0; i < 1_000; i++) expect(mustGet(world, `k${i % 20}`, { r }).object).toBeDefined()
    world.pass(10_000)
    expect(written).toBe(before)
  })
})
