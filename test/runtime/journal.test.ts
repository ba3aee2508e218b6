// "Durable before acknowledged" and group commit, on a store that answers when the test says so: what waits
// for a level is released by the batch that logs it and by no earlier one; a batch that fails releases the
// other answer. Flushes, barriers and the end stand in journal-flush.test.ts.

import { describe, expect, it } from 'vitest'
import { key, type PendingCommit } from './hand-driven.js'
import { bench, envelopeOf, loggedIn, metaOf, rowOf, rowsOf } from './journal-bench.js'

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
