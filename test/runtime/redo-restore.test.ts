// What a new life finds in the log: the newest of each key, in memory or, where it has no room, in its row; hints like
// objects; nothing that memory has already; and the word that some of it could not be read.

import { describe, expect, it } from 'vitest'
import { hintKey } from '../../src/protocol/hint.js'
import { RedoLog } from '../../src/runtime/redo.js'
import { restoreRedo } from '../../src/runtime/redo-restore.js'
import { createMemoryStore, type MemoryStore } from '../../src/storage/memory-store.js'
import { ObjectBuffer } from '../../src/storage/object-buffer.js'
import { createObjectBuffer } from '../../src/storage/object-buffer-layout.js'
import { redoRow } from '../../src/storage/redo-rows.js'
import { objectRow } from '../../src/storage/store.js'
import { unsoundRow } from '../../src/storage/tree-rows.js'
import { key } from './hand-driven.js'

const tasks: (() => void)[] = []
const partitionOf = (hash: number) => hash % 16

function answer(): void {
  for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task()
}

function storeWith(...batches: ((log: RedoLog) => void)[]): MemoryStore {
  const store = createMemoryStore((task) => void tasks.push(task))
  const log = new RedoLog()
  batches.forEach((fill, index) => {
    fill(log)
    store.commit([{ row: redoRow(index + 1), value: log.take() }], 'disk', () => {})
  })
  answer()
  return store
}

function restore(store: MemoryStore, memory: ObjectBuffer): Error | undefined {
  let found: { readonly error: Error | undefined; readonly damage: Error | undefined } | undefined
  restoreRedo({ store, memory, partitionOf }, (error, damage) => {
    found = { error, damage }
  })
  answer()
  expect(found?.error).toBeUndefined()
  expect(memory.restored).toBe(true)
  return found?.damage
}

function fresh(bytes = 256 * 1024): ObjectBuffer {
  return new ObjectBuffer(createObjectBuffer(bytes))
}

const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString()

describe('a new life', () => {
  it('has the newest of each key, unflushed; not what was deleted or went to its row', () => {
    const store = storeWith(
      (log) => {
        for (const name of ['a', 'b', 'c', 'd']) log.object(key(name), 1, Buffer.from(`${name}1`))
      },
      (log) => {
        log.object(key('a'), 1, Buffer.from('a2'))
        log.deleted(key('b'))
        log.row(key('c'))
        log.deleted(key('d'))
        log.object(key('d'), 1, Buffer.from('d2'))
      },
    )
    const memory = fresh()
    expect(restore(store, memory)).toBeUndefined()
    const found = ['a', 'b', 'c', 'd'].map((name) => text(memory.peek(key(name), 1)))
    expect(found).toEqual(['a2', undefined, undefined, 'd2'])
    expect(memory.dirtyObjects).toBe(2)
  })

  it('reads all pages of a long log', () => {
    const store = storeWith(
      ...Array.from({ length: 100 }, (_, at) => (log: RedoLog) => {
        log.object(key(`${at % 40}`), at % 40, Buffer.from(`${at}`))
      }),
    )
    const memory = fresh()
    restore(store, memory)
    expect(memory.objects).toBe(40)
    for (let at = 60; at < 100; at++) expect(text(memory.peek(key(`${at % 40}`), at % 40))).toBe(`${at}`)
  })

  it('has hints again under their own keys', () => {
    const hint = hintKey(3, key('a'))
    const memory = fresh()
    restore(
      storeWith((log) => void log.object(hint, 5, Buffer.from('kept'))),
      memory,
    )
    expect(text(memory.peek(hint, 5))).toBe('kept')
    expect(memory.has(key('a'), 5)).toBe(false)
  })

  it('leaves what came over in memory as it is: that is as new or newer', () => {
    const memory = fresh()
    memory.put(key('a'), 1, Buffer.from('newer'), 'dirty')
    restore(
      storeWith((log) => void log.object(key('a'), 1, Buffer.from('older'))),
      memory,
    )
    expect(text(memory.peek(key('a'), 1))).toBe('newer')
  })

  it('does not ask again once all of it is in memory', () => {
    const store = storeWith((log) => void log.object(key('a'), 1, Buffer.from('logged')))
    const memory = fresh()
    restore(store, memory)
    memory.remove(key('a'), 1)
    restore(store, memory)
    expect(memory.has(key('a'), 1)).toBe(false)
  })
})

describe('where memory is too small', () => {
  it('rows are written at once, their partitions are read again, and a second start finds the same', () => {
    const names = Array.from({ length: 60 }, (_, at) => `k${at}`)
    const store = storeWith((log) => {
      names.forEach((name, at) => void log.object(key(name), at, Buffer.from(name.padEnd(2_000, '.'))))
      log.object(hintKey(2, key('k1')), 1, new Uint8Array(2_000))
    })
    const memory = fresh(96 * 1024)
    restore(store, memory)
    // Far from where new work would be refused.
    expect(memory.dirtyBytes).toBeLessThan(memory.capacityBytes / 3)
    let rows = 0
    names.forEach((name, at) => {
      const row = store.look(objectRow(partitionOf(at), key(name)))
      expect(text(memory.peek(key(name), at) ?? row)?.startsWith(name)).toBe(true)
      if (row === undefined) return
      rows++
      expect(store.look(unsoundRow(partitionOf(at)))).toBeDefined()
    })
    expect(rows).toBeGreaterThan(20)
    // In the life that followed one of them was written again, and one was deleted.
    const log = new RedoLog()
    log.object(key('k59'), 59, Buffer.from('newer'))
    log.deleted(key('k58'))
    const deleted = { row: objectRow(partitionOf(58), key('k58')), value: undefined }
    store.commit([deleted, { row: redoRow(2), value: log.take() }], 'disk', () => {})
    answer()
    const larger = fresh(1024 * 1024)
    restore(store, larger)
    expect(text(larger.peek(key('k59'), 59))).toBe('newer')
    expect(larger.has(key('k58'), 58)).toBe(false)
    expect(store.look(objectRow(partitionOf(58), key('k58')))).toBeUndefined()
  })
})

describe('a damaged row', () => {
  it('is told, and what the others say is there all the same', () => {
    const store = storeWith(
      (log) => void log.object(key('a'), 1, Buffer.from('a1')),
      (log) => void log.object(key('b'), 1, Buffer.from('b1')),
      (log) => void log.object(key('c'), 1, Buffer.from('c1')),
    )
    const damaged = Uint8Array.from(store.look(redoRow(2)) as Uint8Array)
    damaged[3] = (damaged[3] as number) ^ 1
    store.commit([{ row: redoRow(2), value: damaged }], 'disk', () => {})
    const memory = fresh()
    expect(restore(store, memory)?.message).toMatch(/damaged/)
    expect(['a', 'b', 'c'].map((name) => memory.has(key(name), 1))).toEqual([true, false, true])
  })

  it('a store that cannot be read is an error, and the next life asks again', () => {
    const store = storeWith((log) => void log.object(key('a'), 1, Buffer.from('a1')))
    store.close(() => {})
    const memory = fresh()
    let failure: Error | undefined
    restoreRedo({ store, memory, partitionOf }, (error) => {
      failure = error
    })
    answer()
    expect(failure).toBeDefined()
    expect(memory.restored).toBe(false)
  })
})
