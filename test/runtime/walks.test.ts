// A walk over a partition: every row once, page by page, each as new as memory knows it; keys of buckets that
// are kept in memory only are among them; a store that fails fails the page, never shortens it.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limits } from '../../src/base/limits.js'
import type { Key } from '../../src/base/units.js'
import { vnodeAddress } from '../../src/protocol/address.js'
import type { RowsRead } from '../../src/protocol/walk.js'
import { Journal } from '../../src/runtime/journal.js'
import { Walks } from '../../src/runtime/walks.js'
import { objectRow } from '../../src/storage/store.js'
import { withMode } from '../../src/versions/mode.js'
import { decodeObject, encodeObject } from '../../src/versions/object-codec.js'
import { handDriven } from './hand-driven.js'

const partition = 3
const hash = 99

function bytesOf(value: string, stamp = 1): Uint8Array {
  const dot = { actor: 5, counter: 1 }
  const encoding = withMode(1, 'siblings', false, 3)
  const sibling = { dot, stamp, expires: 0, deleted: false, encoding, value: Buffer.from(value) }
  return encodeObject({ clock: [{ ...dot, time: 1 }], siblings: [sibling] }, hash)
}

function bench() {
  const driven = handDriven()
  const answers: RowsRead[] = []
  const journal = new Journal(
    driven.ports,
    driven.storage,
    () => {},
    () => partition,
    () => undefined,
  )
  const walks = new Walks(
    driven.ports,
    driven.storage,
    journal,
    () => hash,
    ({ message }) => void answers.push(message as RowsRead),
  )
  const store = (key: string, bytes: Uint8Array, of = partition) =>
    driven.store.rows.set(objectRow(of, key as Key), bytes)
  const remember = (key: string, bytes: Uint8Array, state: 'clean' | 'dirty' | 'volatile' = 'clean') =>
    driven.memory.put(key as Key, hash, bytes, state)
  /** One page; flushes what it must wait for. */
  const page = (wanted: {
    prefix?: string
    after?: string
    limit?: number
    since?: number
    begunAt?: number
  }) => {
    walks.begin({
      asker: vnodeAddress(1, partition),
      partition,
      owner: 0,
      request: 1,
      prefix: wanted.prefix ?? '',
      after: wanted.after ?? '',
      limit: wanted.limit ?? 100,
      begunAt: wanted.begunAt ?? driven.clock.now,
      since: wanted.since ?? 0,
    })
    journal.pump()
    while (driven.store.commits.length > 0) driven.store.nextCommit().end()
    const walk = driven.store.walks.shift()
    if (walk === undefined) throw new Error('the store was not asked')
    walk.end()
    return answers.pop() as RowsRead
  }
  const all = (options: { prefix?: string; limit: number; since?: number }) => {
    const keys: string[] = []
    let after: string | undefined = ''
    for (let pages = 0; after !== undefined; pages++) {
      if (pages > 1_000) throw new Error('a walk without end')
      const answer: RowsRead = page({ ...options, after })
      keys.push(...answer.rows.map(({ key }) => key))
      expect(answer.rows.length).toBeLessThanOrEqual(options.limit)
      after = answer.next
    }
    return keys
  }
  return { clock: driven.clock, disk: driven.store, walks, answers, journal, store, remember, page, all }
}

const texts = (answer: RowsRead) =>
  answer.rows.map(({ object }) => `${decodeObject(object, hash).siblings[0]?.value}`)

describe('a walk', () => {
  it('meets every row of the partition once, in order, whatever the size of its pages', () => {
    const bucketed = fc.uniqueArray(
      fc
        .tuple(fc.constantFrom('a', 'b', 'c'), fc.uint8Array({ minLength: 1, maxLength: 3 }))
        .map(([bucket, bytes]) => {
          return `${bucket}\0${Buffer.from(bytes).toString('latin1')}`
        }),
      { maxLength: 30 },
    )
    fc.assert(
      fc.property(
        bucketed,
        fc.integer({ min: 1, max: 7 }),
        fc.constantFrom('', 'a\0', 'b\0'),
        (keys, limit, prefix) => {
          const { store, all } = bench()
          for (const key of keys) store(key, bytesOf(key))
          store('a\0other partition', bytesOf('x'), partition + 1)
          store('a\0other partition', bytesOf('x'), partition - 1)
          const expected = keys.filter((key) => key.startsWith(prefix)).sort((a, b) => (a < b ? -1 : 1))
          expect(all({ prefix, limit })).toEqual(expected)
        },
      ),
    )
  })

  it('shows a row as memory has it, when memory has it newer', () => {
    const { store, remember, page } = bench()
    store('a\0k', bytesOf('old'))
    remember('a\0k', bytesOf('new', 2), 'dirty')
    expect(texts(page({}))).toEqual(['new'])
  })

  it('waits until what was unflushed when it began is in the store', () => {
    const { walks, clock, remember, journal, answers, disk } = bench()
    clock.now += 5
    remember('a\0k', bytesOf('unflushed'), 'dirty')
    const vnode = vnodeAddress(1, partition)
    walks.begin({
      asker: vnode,
      partition,
      owner: 0,
      request: 1,
      prefix: '',
      after: '',
      limit: 9,
      begunAt: clock.now,
      since: 0,
    })
    expect(disk.walks).toHaveLength(0)
    journal.pump()
    expect(disk.walks).toHaveLength(0)
    disk.nextCommit().end()
    expect(disk.walks).toHaveLength(1)
    disk.walks.shift()?.end()
    expect(texts(answers[0] as RowsRead)).toEqual(['unflushed'])
  })

  it('for a peer that catches up leaves out what is older than it asks for, and still reaches the end', () => {
    const { store, all } = bench()
    for (let i = 0; i < 20; i++) store(`a\0${String(i).padStart(2, '0')}`, bytesOf('v', 1_000 + i))
    expect(all({ limit: 3, since: 1_017 })).toEqual(['a\x0017', 'a\x0018', 'a\x0019'])
    expect(all({ limit: 3, since: 5_000 })).toEqual([])
  })

  it('hands a damaged row on as it is: the reader has the checksum', () => {
    const { store, page } = bench()
    store('a\0k', Buffer.from('damaged'))
    expect(page({ since: 1_000 }).rows).toEqual([{ key: 'a\0k', object: Buffer.from('damaged') }])
  })

  it('ends a page early when its bytes are many, with one row at least', () => {
    const { store, all, page } = bench()
    const large = 'x'.repeat(limits.walkBytesMax)
    for (const name of ['1', '2', '3']) store(`a\0${name}`, bytesOf(large))
    expect(page({}).rows).toHaveLength(1)
    expect(all({ limit: 100 })).toEqual(['a\x001', 'a\x002', 'a\x003'])
  })

  it('meets keys that are kept in memory only, until they are evicted', () => {
    const { walks, store, remember, all } = bench()
    store('a\0stored', bytesOf('v'))
    for (const name of ['a', 'm', 'z']) {
      remember(`a\0${name}`, bytesOf(name), 'volatile')
      walks.noteVolatile(partition, `a\0${name}` as Key)
    }
    walks.noteVolatile(partition, 'a\0evicted' as Key)
    for (const limit of [1, 2, 10]) expect(all({ limit })).toEqual(['a\0a', 'a\0m', 'a\0stored', 'a\0z'])
  })

  it('that the store cannot do fails as a whole', () => {
    const { walks, clock, answers, disk } = bench()
    const vnode = vnodeAddress(1, partition)
    walks.begin({
      asker: vnode,
      partition,
      owner: 0,
      request: 1,
      prefix: '',
      after: '',
      limit: 9,
      begunAt: clock.now - 1,
      since: 0,
    })
    disk.walks.shift()?.end(new Error('EIO'))
    expect(answers).toEqual([{ type: 'rows-read', rows: [], next: undefined, failed: true }])
  })
})
