// Memory is filled from the store after a restart: all of it, while there is room, and never with anything older than
// what the store has now, whatever happens between the question for a page and the page.

import { crc32 } from 'node:zlib'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Key } from '../../src/base/units.js'
import { Journal } from '../../src/runtime/journal.js'
import { Warming } from '../../src/runtime/warming.js'
import { objectRow, type Row, type Store } from '../../src/storage/store.js'
import { type HandDriven, handDriven } from './hand-driven.js'

const hashOf = (key: Key) => (Number(key.slice(1)) * 2_654_435_761) >>> 0
const nameOf = (index: number) => `k${String(index).padStart(5, '0')}` as Key
const rowOf = (index: number) => objectRow(0, nameOf(index))
const partition = 0

let driven: HandDriven
let journal: Journal
let warming: Warming
/** Pages that were asked for: what the store had at that moment, to be handed over later. */
let pages: (() => void)[]

function begin(options: Parameters<typeof handDriven>[0] = {}): void {
  driven = handDriven({ complete: false, ...options })
  const { ports, storage, store } = driven
  pages = []
  const walk: Store['walk'] = (after, before, limit, done) => {
    const found: Row[] = [...store.rows]
      .filter(([row]) => row > after && row < before)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([row, value]) => ({ row, value }))
    pages.push(() => done(undefined, found))
  }
  store.walk = walk
  journal = new Journal(
    ports,
    storage,
    () => {},
    () => partition,
    () => undefined,
  )
  warming = new Warming(ports, storage, journal, hashOf)
}

function pump(queued = 0): void {
  driven.clock.now += 100
  warming.pump(driven.clock.now, queued)
}

/** Asks for the next page and hands it over. */
function page(): void {
  pump()
  pages.shift()?.()
}

function text(index: number): string | undefined {
  return driven.storage.memory
    .peek(nameOf(index), hashOf(nameOf(index)))
    ?.subarray(0, -4)
    .toString()
    .trim()
}

/** With its checksum, as objects are stored. */
function whole(index: number, value: string): Buffer {
  const bytes = Buffer.from(`${value.padEnd(4)}    `)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, -4), hashOf(nameOf(index))), bytes.length - 4)
  return bytes
}

function store(index: number, value: string): void {
  driven.store.rows.set(rowOf(index), whole(index, value))
}

beforeEach(() => begin())

describe('warming', () => {
  it('brings all objects into memory, page by page, and ends', () => {
    for (let index = 0; index < 1_000; index++) store(index, `v${index}`)
    for (let tries = 0; tries < 20 && !warming.isOver; tries++) page()
    expect(warming.isOver).toBe(true)
    expect(driven.storage.memory.objects).toBe(1_000)
    expect(text(777)).toBe('v777')
    expect(driven.storage.memory.dirtyObjects).toBe(0)
    expect(warming.nextDue()).toBeUndefined()
  })

  it('has nothing to do where memory holds all that the store has', () => {
    begin({ complete: true })
    store(1, 'v')
    page()
    expect(pages).toHaveLength(0)
    expect(warming.isOver).toBe(true)
  })

  it('waits while requests do', () => {
    store(1, 'v')
    pump(1_000)
    expect(pages).toHaveLength(0)
    pump(0)
    expect(pages).toHaveLength(1)
  })

  it('leaves what is damaged where it is', () => {
    store(1, 'whole')
    driven.store.rows.set(rowOf(2), Buffer.from('no checksum'))
    page()
    expect(text(1)).toBe('whole')
    expect(driven.storage.memory.objects).toBe(1)
  })

  it('leaves alone what was written since the page was asked for', () => {
    store(1, 'old')
    pump()
    driven.storage.memory.put(nameOf(1), hashOf(nameOf(1)), whole(1, 'new'), 'dirty')
    pages.shift()?.()
    expect(text(1)).toBe('new')
  })

  it('does not bring back what was deleted since the page was asked for', () => {
    store(1, 'dead')
    store(2, 'alive')
    pump()
    journal.forget(partition, nameOf(1))
    driven.storage.memory.remove(nameOf(1), hashOf(nameOf(1)))
    pages.shift()?.()
    expect(text(1)).toBeUndefined()
    // As long as the row may still be there, nothing is asked for; afterwards the rest comes.
    pump()
    expect(pages).toHaveLength(0)
    driven.store.rows.delete(rowOf(1))
    driven.storage.memory.forgetting = false
    page()
    expect(text(1)).toBeUndefined()
    expect(text(2)).toBe('alive')
  })

  it('ends when memory lets go of something, and uses no page from before', () => {
    begin({ memoryBytes: 1024 * 1024 })
    store(1, 'old')
    pump()
    const { memory } = driven.storage
    const large = Buffer.alloc(60_000)
    for (let index = 100; memory.evictions === 0; index++) {
      memory.put(nameOf(index), hashOf(nameOf(index)), large, 'clean')
    }
    pages.shift()?.()
    expect(text(1)).toBeUndefined()
    pump()
    expect(warming.isOver).toBe(true)
    expect(pages).toHaveLength(0)
  })

  it('ends when an eighth of memory is left, and evicts nothing', () => {
    begin({ memoryBytes: 1024 * 1024 })
    for (let index = 0; index < 3_000; index++) store(index, 'x'.repeat(2_000))
    for (let tries = 0; tries < 50 && !warming.isOver; tries++) page()
    const { memory } = driven.storage
    expect(warming.isOver).toBe(true)
    expect(memory.evictions).toBe(0)
    expect(memory.objects).toBeGreaterThan(200)
    expect(memory.objects).toBeLessThan(600)
  })
})
