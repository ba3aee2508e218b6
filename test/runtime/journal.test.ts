// "Durable before acknowledged" and group commit, on a store that answers when the test says so: what waits
// for a level is released by the batch that holds it and by no earlier one; a batch that fails releases the
// other answer; the last batch of an orderly end says "clean", and no other.

import { describe, expect, it } from 'vitest'
import { singleAddress } from '../../src/protocol/address.js'
import type { Envelope } from '../../src/protocol/envelope.js'
import { Journal } from '../../src/runtime/journal.js'
import { decodeMeta, type Meta, metaRow } from '../../src/storage/meta.js'
import { type CommitLevel, objectRow } from '../../src/storage/store.js'
import { type HandDriven, handDriven, key, type PendingCommit } from './hand-driven.js'

const self = singleAddress('host', 1)

interface Bench extends HandDriven {
  readonly journal: Journal
  /** Names of what was released, in order. */
  readonly released: string[]
  /** Notes a write and an answer that waits for it. */
  readonly write: (name: string, level: CommitLevel) => void
  /** Writes to memory only: flushed some day. */
  readonly buffer: (name: string, value?: string) => void
}

function bench(): Bench {
  const driven = handDriven()
  const released: string[] = []
  const names = new Map<Envelope, string>()
  const journal = new Journal(
    driven.ports,
    driven.storage,
    (envelope) => void released.push(names.get(envelope) ?? '?'),
    (hash) => hash % 16,
    () => undefined,
  )
  const named = (name: string): Envelope => {
    const message = { type: 'repair-due' } as const
    const envelope: Envelope = { to: self, from: self, request: 0, deadline: 0, message }
    names.set(envelope, name)
    return envelope
  }
  const buffer = (name: string, value = name) => {
    expect(driven.memory.put(key(name), name.length, Buffer.from(value), 'dirty')).toBe(true)
  }
  const write = (name: string, level: CommitLevel) => {
    buffer(name)
    journal.note(key(name), name.length, level)
    journal.gate(level, named(name), named(`${name} failed`))
  }
  return { ...driven, journal, released, write, buffer }
}

function rowsOf(commit: PendingCommit): string[] {
  return commit.writes.map(({ row }) => row).filter((row) => row !== metaRow && !row.startsWith('t'))
}

function metaOf(commit: PendingCommit): Meta {
  const row = commit.writes.find(({ row }) => row === metaRow)
  return decodeMeta(row?.value as Uint8Array)
}

function rowOf(name: string): string {
  return objectRow(name.length % 16, key(name))
}

describe('an answer that waits for its write', () => {
  it.each(['os', 'disk'] as const)(
    'is released by the commit of its batch at level %s, not before',
    (level) => {
      const { journal, store, released, write, marks } = bench()
      write('a', level)
      expect(released).toEqual([])
      journal.pump()
      expect(released).toEqual([])
      expect(store.commits).toHaveLength(1)
      const commit = store.nextCommit()
      expect(commit.level).toBe(level)
      expect(rowsOf(commit)).toEqual([rowOf('a')])
      expect(metaOf(commit)).toMatchObject({ sequence: 11, clean: false, incarnation: 77, peers: [0, 3, 4] })
      expect(marks).toEqual([])
      commit.end()
      expect(marks).toEqual([11])
      expect(released).toEqual(['a'])
      expect(journal.lastSequence).toBe(11)
    },
  )

  it('hears the other answer when the batch fails, and so does everything that waits behind it', () => {
    const { journal, store, released, write, fatal, marks } = bench()
    write('a', 'disk')
    journal.pump()
    write('bb', 'os')
    store.nextCommit().end(new Error('EIO'))
    expect(released).toEqual(['a failed', 'bb failed'])
    expect(fatal.map(({ message }) => message)).toEqual(['EIO'])
    expect(marks).toEqual([])
    expect(journal.failed?.message).toBe('EIO')
    // From now on nothing is promised any more.
    write('ccc', 'os')
    journal.pump()
    expect(released.at(-1)).toBe('ccc failed')
    expect(store.commits).toHaveLength(0)
  })
})

describe('group commit', () => {
  it('one batch at a time; what is noted meanwhile is the next batch, all of it, at the highest level asked', () => {
    const { journal, store, released, write } = bench()
    write('a', 'os')
    journal.pump()
    write('bb', 'os')
    write('ccc', 'disk')
    write('dddd', 'os')
    journal.pump()
    expect(store.commits).toHaveLength(1)
    const first = store.nextCommit()
    expect(rowsOf(first)).toEqual([rowOf('a')])
    first.end()
    expect(released).toEqual(['a'])
    const second = store.nextCommit()
    expect(second.level).toBe('disk')
    expect(rowsOf(second)).toEqual([rowOf('bb'), rowOf('ccc'), rowOf('dddd')])
    expect(metaOf(second).sequence).toBe(metaOf(first).sequence + 1)
    second.end()
    expect(released).toEqual(['a', 'bb', 'ccc', 'dddd'])
    expect(journal.counters.commits).toBe(2)
    expect(journal.counters.syncs).toBe(1)
    expect(journal.idle).toBe(true)
  })

  it('a key that is written twice goes into a batch once, as it is then', () => {
    const { journal, store, write, buffer } = bench()
    write('a', 'os')
    buffer('a', 'newer')
    journal.pump()
    const commit = store.nextCommit()
    expect(rowsOf(commit)).toEqual([rowOf('a')])
    commit.end()
    expect(Buffer.from(store.rows.get(rowOf('a')) as Uint8Array).toString()).toBe('newer')
  })

  it('a key that is overwritten while its batch is under way stays unflushed', () => {
    const { journal, store, memory, write, buffer, clock } = bench()
    write('a', 'os')
    journal.pump()
    buffer('a', 'newer')
    store.nextCommit().end()
    expect(memory.dirtyObjects).toBe(1)
    clock.now += 60_000
    journal.pump()
    store.nextCommit().end()
    expect(memory.dirtyObjects).toBe(0)
    expect(Buffer.from(store.rows.get(rowOf('a')) as Uint8Array).toString()).toBe('newer')
  })
})

describe('the flush of what nobody waits for', () => {
  it('comes by itself, at the time that the journal names', () => {
    const { journal, store, memory, buffer, clock } = bench()
    buffer('a')
    buffer('bb')
    journal.pump()
    expect(store.commits).toHaveLength(0)
    const due = journal.nextDue() as number
    expect(due).toBeGreaterThan(clock.now)
    clock.now = due
    journal.pump()
    const commit = store.nextCommit()
    expect(rowsOf(commit).sort()).toEqual([rowOf('a'), rowOf('bb')].sort())
    commit.end()
    expect(memory.dirtyObjects).toBe(0)
    expect(journal.flushedTo).toBe(due)
  })

  it('what lies in the log unsynced is fsynced after a while, although nothing happens', () => {
    const { journal, store, write, clock, memory } = bench()
    write('a', 'os')
    journal.pump()
    store.nextCommit().end()
    expect(memory.dirtyObjects).toBe(0)
    const levels: string[] = []
    for (let i = 0; i < 10; i++) {
      const due = journal.nextDue()
      if (due === undefined) break
      clock.now = Math.max(clock.now, due)
      journal.pump()
      for (const commit of store.commits.splice(0)) {
        levels.push(commit.level)
        commit.end()
      }
    }
    expect(levels).toContain('disk')
    // And then there is nothing to do: an idle node does not write.
    expect(journal.nextDue()).toBeUndefined()
    expect(levels.length).toBeLessThan(3)
  })
})

describe('a barrier', () => {
  it('calls back when all that was received before it is in the store', () => {
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

  it('does not pass while a batch that holds an older write is under way', () => {
    const { journal, store, write, clock } = bench()
    let passed = false
    write('a', 'os')
    journal.pump()
    clock.now += 10
    journal.barrier(clock.now, () => {
      passed = true
    })
    journal.pump()
    expect(passed).toBe(false)
    store.nextCommit().end()
    while (store.commits.length > 0) store.nextCommit().end()
    expect(passed).toBe(true)
  })
})

describe('drain', () => {
  it('writes all that is unflushed, then one last fsynced batch that alone says clean', () => {
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
      last = store.nextCommit()
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
    expect(marks.at(-1)).toBe(seen.at(-1)?.sequence)
  })

  it('during a batch waits for it', () => {
    const { journal, store, write } = bench()
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
    while (store.commits.length > 0) store.nextCommit().end()
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
})
