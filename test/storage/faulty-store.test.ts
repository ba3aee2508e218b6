// The faulty store: every fault of a plan happens where it is planned, and nowhere else.

import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/base/random.js'
import type { Millis } from '../../src/base/units.js'
import { createFaultyStore, type Fault } from '../../src/storage/faulty-store.js'
import { createMemoryStore } from '../../src/storage/memory-store.js'
import { commit, deleteRange, put, read, readTexts, rowsOf, walk } from './store-calls.js'

function open(...plan: Fault[]) {
  const inner = createMemoryStore((task) => queueMicrotask(task))
  const delays: Millis[] = []
  const store = createFaultyStore(inner, plan, {
    random: seededRandom(3),
    after: (delay, task) => {
      delays.push(delay)
      queueMicrotask(task)
    },
  })
  return { store, inner, delays }
}

const failed = (reason: string) => ({ code: 'storage-failed', outcome: 'indeterminate', details: { reason } })

describe('a commit that fails', () => {
  it('has no effect, and the store takes no more until it is healed', async () => {
    const { store, inner } = open({ type: 'fail', call: 'commit', when: { first: 2, last: 2 }, error: 'EIO' })
    await commit(store, [put('a', '1')])
    await expect(commit(store, [put('b', '1')])).rejects.toMatchObject(failed('EIO'))
    await expect(commit(store, [put('c', '1')])).rejects.toThrow('failed before')
    await expect(deleteRange(store, 'a', 'z')).rejects.toThrow('failed before')
    expect(await rowsOf(inner)).toEqual(['a'])
    store.heal()
    await commit(store, [put('d', '1')])
    expect(await rowsOf(store)).toEqual(['a', 'd'])
  })

  it('may land all the same', async () => {
    const { store, inner } = open({
      type: 'fail',
      call: 'commit',
      when: { first: 1, last: 1 },
      error: 'EIO',
      lands: true,
    })
    await expect(commit(store, [put('a', '1')], 'disk')).rejects.toMatchObject(failed('EIO'))
    expect(await readTexts(store, 'a')).toEqual(['1'])
    expect(inner.crash('power').size).toBe(0)
  })
})

describe('a sync that fails', () => {
  it('counts commits to disk only, and leaves the batch in the log', async () => {
    const { store, inner } = open({ type: 'fail', call: 'sync', when: { first: 2, last: 2 }, error: 'EIO' })
    await commit(store, [put('a', '1')], 'disk')
    await commit(store, [put('b', '1')], 'os')
    await expect(commit(store, [put('c', '1')], 'disk')).rejects.toMatchObject(failed('EIO'))
    expect(await rowsOf(inner)).toEqual(['a', 'b', 'c'])
    expect(await rowsOf(inner.crash('power'))).toEqual(['a'])
  })
})

describe('a full disk', () => {
  it('refuses what does not fit and all that follows', async () => {
    const { store } = open({ type: 'full', bytes: 10 })
    await commit(store, [put('a', '1234')])
    await expect(commit(store, [put('b', '123456')])).rejects.toMatchObject(failed('ENOSPC'))
    await expect(commit(store, [put('c', '')])).rejects.toThrow('ENOSPC')
    expect(await rowsOf(store)).toEqual(['a'])
  })
})

describe('a commit that is lost', () => {
  it('is answered like any other, and is not there', async () => {
    const { store } = open({ type: 'lose', when: { first: 2, last: 3 } })
    for (const row of ['a', 'b', 'c', 'd']) await commit(store, [put(row, '1')], 'disk')
    expect(await rowsOf(store)).toEqual(['a', 'd'])
  })
})

describe('a row that rots', () => {
  it('has one bit wrong in reads and walks, and is whole in the store', async () => {
    const { store, inner } = open({ type: 'rot', rows: 'o', chance: 1 })
    const value = Buffer.alloc(50)
    await commit(store, [
      { row: 'm', value },
      { row: 'o1', value },
      { row: 'o2', value: Buffer.alloc(0) },
    ])
    const bitsOf = (seen: unknown) =>
      [...(seen as Uint8Array)].reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0)
    expect((await read(store, ['m', 'o1', 'o2'])).map(bitsOf)).toEqual([0, 1, 0])
    expect((await walk(store, '', 'z', 9)).map((row) => bitsOf(row.value))).toEqual([0, 1, 0])
    expect((await read(inner, ['o1'])).map(bitsOf)).toEqual([0])
  })

  it('happens as often as its chance says', async () => {
    const { store } = open({ type: 'rot', rows: '', chance: 0.25 })
    const rows = Array.from({ length: 1000 }, (_, i) => `${i}`)
    await commit(
      store,
      rows.map((row) => put(row, '\0')),
    )
    const rotten = (await read(store, rows)).filter((value) => (value as Uint8Array)[0] !== 0).length
    expect(rotten).toBeGreaterThan(200)
    expect(rotten).toBeLessThan(300)
  })
})

describe('a row that cannot be read', () => {
  it('has its error in its place, the others their values; a walk over it fails', async () => {
    const { store } = open({ type: 'unreadable', rows: 'b', chance: 1 })
    await commit(store, [put('a', '1'), put('b', '1'), put('c', '1')])
    const values = await readTexts(store, 'a', 'b', 'c', 'missing')
    expect(values).toEqual(['1', expect.objectContaining({ code: 'storage-failed' }), '1', undefined])
    await expect(walk(store, '', 'z', 9)).rejects.toMatchObject(failed('EIO'))
    expect(await walk(store, 'b', 'z', 9)).toHaveLength(1)
  })
})

describe('a read or walk that fails', () => {
  it('fails as a whole, and does not close the store for writing', async () => {
    const { store } = open(
      { type: 'fail', call: 'read', when: { first: 1, last: 1 }, error: 'EIO' },
      { type: 'fail', call: 'walk', when: { first: 2, last: Number.POSITIVE_INFINITY }, error: 'EIO' },
    )
    await commit(store, [put('a', '1')])
    await expect(read(store, ['a'])).rejects.toMatchObject(failed('EIO'))
    expect(await readTexts(store, 'a')).toEqual(['1'])
    expect(await walk(store, '', 'z', 9)).toHaveLength(1)
    await expect(walk(store, '', 'z', 9)).rejects.toMatchObject(failed('EIO'))
    await expect(walk(store, '', 'z', 9)).rejects.toMatchObject(failed('EIO'))
    await commit(store, [put('b', '1')])
  })
})

describe('a slow disk', () => {
  it('answers late by what is planned, delays added up, and applies in order', async () => {
    const { store, delays } = open(
      { type: 'delay', call: 'commit', when: { first: 2, last: 3 }, delay: 200 },
      { type: 'delay', call: 'commit', when: { first: 3, last: 3 }, delay: 50 },
      { type: 'delay', call: 'read', when: { chance: 1 }, delay: 7 },
    )
    for (const value of ['1', '2', '3']) await commit(store, [put('a', value)])
    expect(await readTexts(store, 'a')).toEqual(['3'])
    expect(delays).toEqual([200, 250, 7])
  })
})

describe('a plan', () => {
  it('prints itself, with what has happened so far', async () => {
    const { store } = open(
      { type: 'fail', call: 'sync', when: { first: 3, last: 3 }, error: 'EIO' },
      { type: 'fail', call: 'commit', when: { first: 9, last: 9 }, error: 'ENOSPC', lands: true },
      { type: 'fail', call: 'read', when: { chance: 0.5 }, error: 'EIO' },
      { type: 'full', bytes: 4096 },
      { type: 'lose', when: { first: 2, last: Number.POSITIVE_INFINITY } },
      { type: 'rot', rows: 'o\0', chance: 0.01 },
      { type: 'unreadable', rows: 'm', chance: 1 },
      { type: 'delay', call: 'walk', when: { first: 1, last: 4 }, delay: 200 },
    )
    for (let i = 0; i < 3; i++) await commit(store, [put('a', '1')])
    expect(store.describe().split('\n')).toEqual([
      'sync 3 fails with EIO, but lands: 0 so far',
      'commit 9 fails with ENOSPC, but lands: 0 so far',
      'read with chance 0.5 fails with EIO: 0 so far',
      'the disk is full after 4096 bytes: 0 so far',
      'commit from 2 is lost in silence: 2 so far',
      'a bit rots in rows that begin with "o\\u0000", chance 0.01: 0 so far',
      'rows that begin with "m" are unreadable, chance 1: 0 so far',
      'walk 1 to 4 is answered 200 ms late: 0 so far',
    ])
    expect(open().store.describe()).toBe('no faults')
  })
})
