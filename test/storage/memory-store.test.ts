// The memory store as the disk of the simulated world: what a crash leaves of it.

import { describe, expect, it } from 'vitest'
import { createMemoryStore, type MemoryStore } from '../../src/storage/memory-store.js'
import { commit, deleteRange, put, read, readTexts, remove, rowsOf } from './store-calls.js'

const open = (): MemoryStore => createMemoryStore((task) => queueMicrotask(task))

/** 'a' on disk; then 'b', 'c', a new 'a', and no 'b', each in the log only. */
async function fiveCommits(): Promise<MemoryStore> {
  const store = open()
  await commit(store, [put('a', 'old')], 'disk')
  await commit(store, [put('b', '1')], 'os')
  await commit(store, [put('c', '1')], 'os')
  await commit(store, [put('a', 'new')], 'os')
  await commit(store, [remove('b')], 'os')
  return store
}

describe('a process that dies', () => {
  it('leaves every commit', async () => {
    const left = (await fiveCommits()).crash('process')
    expect(await readTexts(left, 'a', 'b', 'c')).toEqual(['new', undefined, '1'])
    expect(await rowsOf(left)).toEqual(['a', 'c'])
    expect(left.size).toBe(2)
  })

  it('leaves in the log what was only there: the power may still take it', async () => {
    const left = (await fiveCommits()).crash('process').crash('power')
    expect(await readTexts(left, 'a', 'b', 'c')).toEqual(['old', undefined, undefined])
    expect(await rowsOf(left)).toEqual(['a'])
  })
})

describe('a power cut', () => {
  it.each([
    [0, ['old', undefined, undefined]],
    [0.19, ['old', undefined, undefined]],
    [0.2, ['old', '1', undefined]],
    [0.4, ['old', '1', '1']],
    [0.6, ['new', '1', '1']],
    [0.999, ['new', undefined, '1']],
  ])('that keeps %d of the log leaves its oldest part', async (keep, expected) => {
    const left = (await fiveCommits()).crash('power', keep)
    expect(await readTexts(left, 'a', 'b', 'c')).toEqual(expected)
    expect(await readTexts(left.crash('power'), 'a', 'b', 'c')).toEqual(expected)
  })

  it('takes nothing that came before a commit to disk, of whichever rows', async () => {
    const store = await fiveCommits()
    await commit(store, [put('z', '1')], 'disk')
    expect(await readTexts(store.crash('power'), 'a', 'b', 'c', 'z')).toEqual(['new', undefined, '1', '1'])
  })

  it('brings back a range that was deleted in the log only', async () => {
    const store = open()
    await commit(store, [put('a', '1'), put('b', '1')], 'disk')
    await deleteRange(store, 'a', 'c')
    expect(await rowsOf(store)).toEqual([])
    expect(await rowsOf(store.crash('power'))).toEqual(['a', 'b'])
  })
})

describe('a store that has crashed', () => {
  it('answers what was under way with an error, though its effect may be there', async () => {
    const store = open()
    const underWay = commit(store, [put('a', '1')], 'disk')
    const left = store.crash('power')
    await expect(underWay).rejects.toMatchObject({ code: 'storage-failed', outcome: 'indeterminate' })
    expect(await readTexts(left, 'a')).toEqual(['1'])
    await expect(read(store, ['a'])).rejects.toMatchObject({ code: 'storage-failed' })
  })

  it('and the one that is left do not see each other', async () => {
    const store = await fiveCommits()
    const left = store.crash('process')
    await commit(left, [put('a', 'later')])
    expect(await readTexts(left.crash('power'), 'a')).toEqual(['old'])
    expect(store.size).toBe(2)
  })
})

describe('callbacks', () => {
  it('wait until the scheduler runs them; the state does not', () => {
    const tasks: (() => void)[] = []
    const store = createMemoryStore((task) => void tasks.push(task))
    const seen: string[] = []
    store.commit([put('a', '1')], 'os', () => seen.push('committed'))
    store.read(['a'], (_error, [value]) => seen.push(`read ${value}`))
    store.commit([put('a', '2')], 'os', () => seen.push('committed again'))
    expect(seen).toEqual([])
    for (const task of tasks) task()
    expect(seen).toEqual(['committed', `read ${Buffer.from('1').join()}`, 'committed again'])
  })

  it('do not make what is not fsynced grow without limit', async () => {
    const store = open()
    const megabyte = Buffer.alloc(1_000_000)
    for (let i = 0; i < 20; i++) await commit(store, [{ row: `${i}`, value: megabyte }], 'os')
    // The first 16 MiB were written back; a power cut takes at most the rest.
    expect(store.crash('power').size).toBeGreaterThanOrEqual(16)
  })
})
