// "Durable before acknowledged" and group commit, on a store that answers when the test says so: what waits
// for a level is released by the batch that logs it and by no earlier one; a batch that fails releases the
// other answer; rows are written by flushes, each object once; the last batch of an orderly end says "clean", no other,
// and leaves no log.

import { describe, expect, it } from 'vitest'
import { singleAddress } from '../../src/protocol/address.js'
import type { Envelope } from '../../src/protocol/envelope.js'
import { Journal } from '../../src/runtime/journal.js'
import { decodeMeta, type Meta, metaRow } from '../../src/storage/meta.js'
import { readRedo, redoBounds } from '../../src/storage/redo-rows.js'
import { type CommitLevel, objectRow } from '../../src/storage/store.js'
import { type HandDriven, handDriven, key, type PendingCommit } from './hand-driven.js'

const self = singleAddress('host', 1)

interface Bench extends HandDriven {
  readonly journal: Journal
  /** Names of what was released, in order. */
  readonly released: string[]
  /** Writes, and an answer that waits for it. */
  readonly write: (name: string, level: CommitLevel, value?: string) => void
  /** Asked of memory only: logged and flushed some day. */
  readonly buffer: (name: string, value?: string) => void
  readonly remove: (name: string) => void
  /** Ends what is under way and whatever follows, until nothing is; answers what was committed. */
  readonly settle: () => PendingCommit[]
  /** Moves the clock to when the journal wants to be pumped, and pumps. */
  readonly goOn: () => void
}

function bench(): Bench {
  const driven = handDriven()
  const { memory, store, clock } = driven
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
  const put = (name: string, value: string, level: CommitLevel | 'memory') => {
    const bytes = Buffer.from(value)
    expect(memory.put(key(name), name.length, bytes, 'dirty')).toBe(true)
    journal.write(key(name), name.length, bytes, level)
  }
  const buffer = (name: string, value = name) => put(name, value, 'memory')
  const write = (name: string, level: CommitLevel, value = name) => {
    put(name, value, level)
    journal.gate(level, named(name), named(`${name} failed`))
  }
  const remove = (name: string) => {
    journal.forget(name.length % 16, key(name))
    memory.remove(key(name), name.length)
  }
  const settle = () => {
    const ended: PendingCommit[] = []
    while (store.commits.length + store.deletions.length > 0) {
      const commit = store.commits.shift()
      if (commit !== undefined) ended.push(commit)
      commit?.end()
      store.deletions.shift()?.end()
    }
    return ended
  }
  const goOn = () => {
    clock.now = Math.max(clock.now, journal.nextDue() ?? clock.now)
    journal.pump()
  }
  return { ...driven, journal, released, write, buffer, remove, settle, goOn }
}

/** Of objects. */
function rowsOf(commit: PendingCommit): string[] {
  return commit.writes.map(({ row }) => row).filter((row) => row.startsWith('o'))
}

/** What the commit logs: `name=value`, or `name` alone where it is settled. */
function loggedIn(commit: PendingCommit): string[] {
  const records: string[] = []
  const nameOf = (of: string) => of.slice('test\0'.length)
  for (const { row, value } of commit.writes) {
    if (row <= redoBounds.after || row >= redoBounds.before || value === undefined) continue
    readRedo(value, {
      object: (of, _hash, bytes) => void records.push(`${nameOf(of)}=${Buffer.from(bytes)}`),
      settled: (of) => void records.push(nameOf(of)),
    })
  }
  return records
}

function logOf(rows: ReadonlyMap<string, Uint8Array>): string[] {
  return [...rows.keys()].filter((row) => row > redoBounds.after && row < redoBounds.before)
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
    'is released by the commit of the batch that logs it at level %s, not before',
    (level) => {
      const { journal, store, released, write, marks } = bench()
      write('a', level)
      expect(released).toEqual([])
      journal.pump()
      expect(released).toEqual([])
      expect(store.commits).toHaveLength(1)
      const commit = store.nextCommit()
      expect(commit.level).toBe(level)
      expect(loggedIn(commit)).toEqual(['a=a'])
      expect(rowsOf(commit)).toEqual([])
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

  it('for a copy that was there already: the batch that is under way must end first', () => {
    const { journal, store, released, write, buffer } = bench()
    buffer('a')
    write('bb', 'os')
    journal.pump()
    journal.persist('disk')
    journal.gate('disk', { ...envelopeOf() }, envelopeOf())
    store.nextCommit().end()
    expect(released).toEqual(['bb'])
    const next = store.nextCommit()
    expect(next.level).toBe('disk')
    next.end()
    expect(released).toEqual(['bb', '?'])
  })

  it('nobody who waits, nothing to log: the journal does not want to be pumped', () => {
    const { journal } = bench()
    journal.persist('os')
    expect(journal.nextDue()).toBeUndefined()
  })
})

function envelopeOf(): Envelope {
  return { to: self, from: self, request: 0, deadline: 0, message: { type: 'repair-due' } }
}

describe('group commit', () => {
  it('one batch at a time; what is written meanwhile is the next batch, all of it, at the highest level asked', () => {
    const { journal, store, released, write } = bench()
    write('a', 'os')
    journal.pump()
    write('bb', 'os')
    write('ccc', 'disk')
    write('dddd', 'os')
    journal.pump()
    expect(store.commits).toHaveLength(1)
    const first = store.nextCommit()
    expect(loggedIn(first)).toEqual(['a=a'])
    first.end()
    expect(released).toEqual(['a'])
    const second = store.nextCommit()
    expect(second.level).toBe('disk')
    expect(loggedIn(second)).toEqual(['bb=bb', 'ccc=ccc', 'dddd=dddd'])
    expect(metaOf(second).sequence).toBe(metaOf(first).sequence + 1)
    second.end()
    expect(released).toEqual(['a', 'bb', 'ccc', 'dddd'])
    expect(journal.counters.commits).toBe(2)
    expect(journal.counters.syncs).toBe(1)
    expect(journal.idle).toBe(true)
  })

  it('what was asked of memory alone is logged with whatever batch comes next', () => {
    const { journal, store, write, buffer } = bench()
    buffer('a')
    journal.pump()
    expect(store.commits).toHaveLength(0)
    write('bb', 'os')
    journal.pump()
    expect(loggedIn(store.nextCommit())).toEqual(['a=a', 'bb=bb'])
  })

  it('what nobody waits for gathers for a while, and is logged at the time that the journal names', () => {
    const { journal, store, clock, memory } = bench()
    memory.put(key('a'), 1, Buffer.from('a'), 'dirty')
    journal.write(key('a'), 1, Buffer.from('a'), 'os')
    journal.pump()
    expect(store.commits).toHaveLength(0)
    clock.now = journal.nextDue() as number
    journal.pump()
    expect(loggedIn(store.nextCommit())).toEqual(['a=a'])
  })

  it('a large object goes to its row, and the log says so; small again, it is logged again', () => {
    const { journal, store, write, settle } = bench()
    const large = 'x'.repeat(20_000)
    write('a', 'os', 'small')
    write('a', 'os', large)
    journal.pump()
    const [first] = settle()
    expect(rowsOf(first as PendingCommit)).toEqual([rowOf('a')])
    expect(loggedIn(first as PendingCommit).slice(0, 2)).toEqual(['a=small', 'a'])
    expect(Buffer.from(store.rows.get(rowOf('a')) as Uint8Array).toString()).toBe(large)
    write('a', 'os', 'small again')
    journal.pump()
    const [second] = settle()
    expect(rowsOf(second as PendingCommit)).toEqual([])
    expect(loggedIn(second as PendingCommit)).toEqual(['a=small again'])
  })

  it('a deletion is logged, and its row goes with the same batch', () => {
    const { journal, write, remove, settle } = bench()
    write('a', 'os')
    journal.pump()
    settle()
    remove('a')
    write('bb', 'os')
    journal.pump()
    const [commit] = settle()
    expect(loggedIn(commit as PendingCommit)).toEqual(['a', 'bb=bb'])
    expect(commit?.writes).toContainEqual({ row: rowOf('a'), value: undefined })
  })
})

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
