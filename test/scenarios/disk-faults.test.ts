// A disk that fails or lies: a commit that fails is indeterminate and ends that life of the node, never an
// acknowledgement; a row that comes back damaged is answered by the other replicas, never returned.

import { describe, expect, it } from 'vitest'
import { errorTable } from '../../src/base/errors.js'
import { seededRandom } from '../../src/base/random.js'
import { metaRow } from '../../src/storage/meta.js'
import type { Store } from '../../src/storage/store.js'
import { contextOf } from '../../src/versions/read.js'
import {
  fetchFrom,
  get,
  keyLedBy,
  mustGet,
  mustPut,
  nodeOf,
  preference,
  put,
  settle,
  startWorld,
  values,
  valuesAtEach,
} from '../sim/helpers.js'
import { Workload } from '../sim/workload.js'

interface Faults {
  /** Whether the next commit fails, and whether it was applied all the same. */
  commit: (node: number) => 'fine' | 'lost' | 'applied'
  /** Whether a row that is read comes back damaged. */
  damage: (node: number) => boolean
  /** The same of a row of a walk. */
  damageWalked: (node: number) => boolean
}

function faulty(faults: Faults): (node: number, store: Store) => Store {
  return (node, store) => ({
    commit: (writes, level, done) => {
      const fault = faults.commit(node)
      if (fault === 'fine') return store.commit(writes, level, done)
      // EIO was seen to come back although the batch was in the log.
      const failed = () => done(new Error('EIO'))
      if (fault === 'applied') store.commit(writes, level, failed)
      else store.read([metaRow], failed)
    },
    read: (rows, done) =>
      store.read(rows, (error, found) => {
        const seen = found.map((value) =>
          value instanceof Uint8Array && faults.damage(node) ? flipped(value) : value,
        )
        done(error, seen)
      }),
    walk: (after, before, limit, done) =>
      store.walk(after, before, limit, (error, rows) => {
        const seen = rows.map(({ row, value }) => ({
          row,
          value: row.startsWith('o') && faults.damageWalked(node) ? flipped(value) : value,
        }))
        done(error, seen)
      }),
    deleteRange: (from, to, done) => store.deleteRange(from, to, done),
    close: (done) => store.close(done),
  })
}

function flipped(value: Uint8Array): Uint8Array {
  const copy = Buffer.from(value)
  copy[copy.length >> 1] = (copy[copy.length >> 1] as number) ^ 4
  return copy
}

const none: Faults = { commit: () => 'fine', damage: () => false, damageWalked: () => false }

describe('a commit that fails', () => {
  it.each(['lost', 'applied'] as const)('(%s) is indeterminate, and the node begins a new life', (fault) => {
    const faults = { ...none }
    const world = startWorld({ seed: 1, nodes: 3, wrapStore: faulty(faults) })
    const key = keyLedBy(world, 1)
    mustPut(world, key, 'before', { w: 3, dw: 3 })
    faults.commit = (node) => (node === 1 ? fault : 'fine')
    const answer = put(world, key, 'v', { w: 1, dw: 1, conflicts: 'last-write-wins' })
    expect(answer.type).toBe('put-failed')
    if (answer.type === 'put-failed') expect(errorTable[answer.code].outcome).toBe('indeterminate')
    expect(world.transcript.toString()).toContain('node 1 died: EIO')
    faults.commit = none.commit
    settle(world)
    expect(nodeOf(world, 1).generation).toBeGreaterThan(1)
    expect(world.whole).toBe(true)
    expect([['before'], ['v']]).toContainEqual(values(world, key, { r: 3, conflicts: 'last-write-wins' }))
  })

  it('on another replica only costs its vote: dw is reached by the others, or the put is indeterminate', () => {
    const faults = { ...none }
    const world = startWorld({ seed: 2, nodes: 3, wrapStore: faulty(faults) })
    const key = keyLedBy(world, 1)
    mustPut(world, key, 'before', { w: 3, dw: 3 })
    faults.commit = (node) => (node === 1 ? 'fine' : 'lost')
    expect(mustPut(world, key, 'one', { w: 1, dw: 1 }).durable).toBe(1)
    const answer = put(world, key, 'three', { w: 3, dw: 3 })
    expect(answer).toMatchObject({ type: 'put-failed', code: 'quorum-lost', details: { dw: 3 } })
  })

  it('at any moment loses nothing that was acknowledged (60 seeds)', () => {
    let failures = 0
    for (let seed = 1; seed <= 60; seed++) {
      const random = seededRandom(seed, 12)
      let armed = true
      const faults: Faults = {
        ...none,
        commit: () => {
          if (!armed || random() > 0.05) return 'fine'
          failures++
          return random() < 0.5 ? 'lost' : 'applied'
        },
      }
      const world = startWorld({ seed, nodes: 4, wrapStore: faulty(faults) })
      const write = { w: 1 + (seed % 2), dw: 1, timeoutMs: 1_000 }
      const workload = new Workload(world, { steps: 60, keys: 3, write, r: 3 - (seed % 2), regular: true })
      workload.run()
      armed = false
      settle(world)
      expect(workload.finish().lost, `seed ${seed}`).toEqual([])
    }
    expect(failures).toBeGreaterThan(60)
  })
})

describe('a row that comes back damaged', () => {
  const keys = Array.from({ length: 20 }, (_, index) => `k${index}`)

  /** A world whose nodes have nothing in memory: every first read of a key goes to the disk. */
  function cold(seed: number, faults: Faults) {
    const world = startWorld({ seed, nodes: 3, warms: false, wrapStore: faulty(faults) })
    for (const key of keys) mustPut(world, key, `value of ${key}`, { w: 3, dw: 3 })
    // Long enough that catching up does not ask for them again.
    world.pass(200_000)
    for (let i = 0; i < 20; i++) mustPut(world, `late ${i}`, 'v', { w: 3, dw: 3 })
    world.pass(5_000)
    for (let i = 0; i < 20; i++) mustPut(world, `late ${i}`, 'v', { w: 3, dw: 3 })
    world.crash('process')
    world.start()
    settle(world)
    return world
  }

  it.each([1, 2, 3])('on node %i is an error of that replica, the others are read, and mend it', (node) => {
    const faults = { ...none }
    const world = cold(node, faults)
    faults.damage = (of) => of === node
    for (const key of keys) {
      expect(fetchFrom(world, node, key)).toMatchObject({ type: 'fetch-failed', code: 'unreadable' })
      expect(get(world, key, { r: 3 })).toMatchObject({ code: 'unavailable', details: { reached: 2 } })
      expect(values(world, key, { r: 2 })).toEqual([`value of ${key}`])
      world.pass(200)
      expect(values(world, key, { r: 3 })).toEqual([`value of ${key}`])
    }
  })

  it('on its coordinator does not stop a put: another replica leads it, and its copy mends the damaged one', () => {
    const faults = { ...none }
    const world = cold(4, faults)
    faults.damage = (of) => of === 1
    const led = keys.filter((key) => preference(world, key)[0] === 1)
    expect(led.length).toBeGreaterThan(0)
    for (const key of led) {
      const { object } = mustGet(world, key, { r: 2 })
      const context = object && contextOf(object)
      mustPut(world, key, 'new', { w: 3, dw: 3, ...(context && { context }) })
      for (const values of valuesAtEach(world, key)) expect(values).toEqual(['new'])
    }
  })

  it.each([21, 22, 23])(
    'on a node that gives its places away does not hold that up for ever (%i)',
    (seed) => {
      const faults = { ...none }
      const world = startWorld({ seed, nodes: 3, memoryBytes: 512 * 1024, wrapStore: faulty(faults) })
      for (const key of keys) mustPut(world, key, `value of ${key}`, { w: 3, dw: 3 })
      // Memory has let go of them when as much else has come.
      for (let i = 0; i < 40; i++) {
        mustPut(world, `late ${i}`, 'v'.repeat(20_000), { w: 3, dw: 3 })
        world.pass(5_000)
      }
      world.add(4)
      faults.damage = (of) => of === 1
      faults.damageWalked = faults.damage
      let walks = 0
      world.watch = ({ message }) => {
        if (message.type === 'walk') walks++
      }
      world.change(Uint16Array.from(world.ring.owners, (owner) => (owner === 1 ? 4 : owner)))
      expect(
        world.runUntil(() => world.ring.change === undefined && world.ring.nodes.includes(4), 200_000),
      ).toBe(true)
      // Each asked again for a while, and no more often than that.
      expect(walks).toBeLessThan(16 * 3 * 30)
      for (const key of keys) expect(values(world, key, { r: 2 })).toEqual([`value of ${key}`])
    },
  )

  it('anywhere is an error or another copy, and never a wrong value', () => {
    let refused = 0
    for (let seed = 10; seed < 20; seed++) {
      const random = seededRandom(seed, 4)
      const faults: Faults = { ...none }
      const world = cold(seed, faults)
      faults.damage = () => random() < 0.4
      for (const key of keys) {
        const answer = get(world, key, { r: 2 })
        if (answer.type === 'get-answered') {
          expect(answer.object?.siblings.map(({ value }) => `${value}`)).toEqual([`value of ${key}`])
        } else {
          expect(answer).toMatchObject({ type: 'get-failed', code: 'unavailable' })
          refused++
        }
      }
    }
    expect(refused).toBeGreaterThan(0)
  })
})
