// Rows are written by flushes, each object once, and what was logged before goes; a barrier waits for them; the last
// batch of an orderly end says "clean", no other, and leaves no log.

import { describe, expect, it } from 'vitest'
import { type Meta, metaRow } from '../../src/storage/meta.js'
import type { PendingCommit } from './hand-driven.js'
import { bench, logOf, metaOf, rowOf, rowsOf } from './journal-bench.js'

describe('a flush', () => {
  it('comes by itself, at the time that the journal names; a key that was written twice is written to its row once', () => {
    const { journal, store, memory, buffer, write, settle, goOn } = bench()
    write('a', 'os')
    buffer('bb')
    journal.pump()
    settle()
    write('a', 'os', 'newer')
    journal.pump()
    settle()
    expect(memory.dirtyObjects).toBe(2)
    expect(logOf(store.rows)).toHaveLength(2)
    const rows: string[] = []
    while (memory.dirtyObjects > 0) {
      goOn()
      for (const commit of settle()) rows.push(...rowsOf(commit))
    }
    expect(rows.sort()).toEqual([rowOf('a'), rowOf('bb')].sort())
    expect(Buffer.from(store.rows.get(rowOf('a')) as Uint8Array).toString()).toBe('newer')
    // All that was logged is in rows.
    expect(logOf(store.rows)).toEqual([])
  })

  it('leaves unflushed what is overwritten while its row is under way, and the log of that', () => {
    const { journal, store, memory, write, settle, goOn } = bench()
    write('a', 'os')
    journal.pump()
    settle()
    while (store.commits.every((commit) => rowsOf(commit).length === 0)) {
      settle()
      goOn()
    }
    write('a', 'os', 'newer')
    settle()
    expect(memory.dirtyObjects).toBe(1)
    expect(Buffer.from(store.rows.get(rowOf('a')) as Uint8Array).toString()).toBe('a')
    expect(logOf(store.rows)).toHaveLength(1)
    while (memory.dirtyObjects > 0) {
      goOn()
      settle()
    }
    expect(Buffer.from(store.rows.get(rowOf('a')) as Uint8Array).toString()).toBe('newer')
    expect(logOf(store.rows)).toEqual([])
  })

  it('ends only this life when the log behind it cannot be deleted', () => {
    const { journal, store, memory, fatal, write, goOn } = bench()
    write('a', 'os')
    journal.pump()
    while (memory.dirtyObjects > 0) {
      store.commits.shift()?.end()
      goOn()
    }
    store.deletions[0]?.end(new Error('EIO'))
    expect(fatal.map(({ message }) => message)).toEqual(['EIO'])
    expect(logOf(store.rows)).not.toEqual([])
  })

  it('what lies in the log unsynced is fsynced after a while, although nothing happens', () => {
    const { journal, write, clock, settle, memory } = bench()
    write('a', 'os')
    journal.pump()
    settle()
    const levels: string[] = []
    for (let i = 0; i < 20; i++) {
      const due = journal.nextDue()
      if (due === undefined) break
      clock.now = Math.max(clock.now, due)
      journal.pump()
      for (const commit of settle()) levels.push(commit.level)
    }
    expect(levels).toContain('disk')
    expect(memory.dirtyObjects).toBe(0)
    // And then there is nothing to do: an idle node does not write.
    expect(journal.nextDue()).toBeUndefined()
    expect(levels.length).toBeLessThan(5)
  })
})

describe('a barrier', () => {
  it('calls back when all that was received before it has its row', () => {
    const { journal, store, buffer, clock } = bench()
    const order: string[] = []
    clock.now += 10
    buffer('a')
    journal.barrier(clock.now, () => order.push('barrier'))
    expect(order).toEqual([])
    journal.pump()
    const commit = store.nextCommit()
    expect(rowsOf(commit)).toEqual([rowOf('a')])
    expect(order).toEqual([])
    commit.end()
    expect(order).toEqual(['barrier'])
  })

  it('that was passed already calls back at once; one that comes during a flush waits for the next', () => {
    const { journal, store, buffer, clock } = bench()
    const order: string[] = []
    journal.barrier(clock.now - 1, () => order.push('old'))
    expect(order).toEqual(['old'])
    clock.now += 10
    buffer('a')
    journal.barrier(clock.now, () => order.push('first'))
    journal.pump()
    clock.now += 10
    buffer('bb')
    journal.barrier(clock.now, () => order.push('second'))
    store.nextCommit().end()
    expect(order).toEqual(['old', 'first'])
    journal.pump()
    const next = store.nextCommit()
    expect(rowsOf(next)).toEqual([rowOf('bb')])
    next.end()
    expect(order).toEqual(['old', 'first', 'second'])
  })

  it('does not pass while a batch that logs an older write is under way', () => {
    const { journal, store, write, clock, settle } = bench()
    let passed = false
    write('a', 'os')
    journal.pump()
    clock.now += 10
    journal.barrier(clock.now, () => {
      passed = true
    })
    journal.pump()
    store.nextCommit().end()
    expect(passed).toBe(false)
    settle()
    expect(passed).toBe(true)
  })
})

describe('drain', () => {
  it('writes all that is unflushed, then one last fsynced batch that alone says clean, and leaves no log', () => {
    const { journal, store, memory, released, write, buffer, marks } = bench()
    buffer('buffered')
    write('a', 'os')
    let ended: Error | undefined | 'no' = 'no'
    journal.drain((error) => {
      ended = error
    })
    const seen: Meta[] = []
    let last: PendingCommit | undefined
    while (store.commits.length > 0) {
      expect(ended).toBe('no')
      // In the order of the calls: the log goes before the last batch.
      store.deletions.shift()?.end()
      last = store.nextCommit()
      if (metaOf(last).clean) expect(logOf(store.rows)).toEqual([])
      seen.push(metaOf(last))
      last.end()
    }
    expect(ended).toBeUndefined()
    expect(memory.dirtyObjects).toBe(0)
    expect(store.rows.has(rowOf('buffered'))).toBe(true)
    expect(released).toEqual(['a'])
    expect(last?.level).toBe('disk')
    expect(last === undefined ? [] : rowsOf(last)).toEqual([])
    expect(seen.at(-1)?.clean).toBe(true)
    expect(logOf(store.rows)).toEqual([])
    expect(marks.at(-1)).toBe(seen.at(-1)?.sequence)
  })

  it('that comes while a flush is going on does not wait for the time of the next', () => {
    const { journal, store, memory, write, buffer, clock, settle } = bench()
    buffer('a')
    clock.now = 60_000
    journal.pump()
    expect(rowsOf(store.commits[0] as PendingCommit)).toEqual([rowOf('a')])
    write('bb', 'os')
    let ended = false
    journal.drain(() => {
      ended = true
    })
    settle()
    expect(ended).toBe(true)
    expect(memory.dirtyObjects).toBe(0)
    expect(store.rows.has(rowOf('bb'))).toBe(true)
    expect(logOf(store.rows)).toEqual([])
  })

  it('during a batch waits for it', () => {
    const { journal, store, write, settle } = bench()
    write('a', 'os')
    journal.pump()
    let ended = false
    journal.drain(() => {
      ended = true
    })
    const first = store.nextCommit()
    expect(metaOf(first).clean).toBe(false)
    first.end()
    expect(ended).toBe(false)
    settle()
    expect(ended).toBe(true)
  })

  it('that fails says so, and nothing is clean', () => {
    const { journal, store, buffer, fatal } = bench()
    buffer('a')
    let ended: Error | undefined
    journal.drain((error) => {
      ended = error
    })
    store.nextCommit().end(new Error('ENOSPC'))
    expect(ended?.message).toBe('ENOSPC')
    expect(store.commits).toHaveLength(0)
    expect(store.rows.has(metaRow)).toBe(false)
    expect(fatal).toEqual([])
    journal.drain((error) => {
      ended = error === undefined ? undefined : new Error('again')
    })
    expect(ended?.message).toBe('again')
  })

  it('whose log cannot be deleted fails', () => {
    const { journal, store, write } = bench()
    write('a', 'os')
    const heard: (Error | undefined)[] = []
    journal.drain((error) => void heard.push(error))
    while (store.deletions.length === 0) store.nextCommit().end()
    store.deletions.shift()?.end(new Error('EIO'))
    while (store.commits.length > 0) store.nextCommit().end()
    expect(heard.map((error) => error?.message)).toEqual(['EIO'])
  })
})
