// Three stores, one contract (Dynamo 4.9: the local persistence component is pluggable).

import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/base/random.js'
import { createFaultyStore } from '../../src/storage/faulty-store.js'
import { createMemoryStore } from '../../src/storage/memory-store.js'
import { OrderedRows } from '../../src/storage/ordered-rows.js'
import { openRocks, temporaryPlace } from './store-calls.js'
import { storeContract } from './store-contract.js'

const place = temporaryPlace()
let opened = 0
afterAll(place.remove)

storeContract('the memory store', async () => createMemoryStore((task) => setImmediate(task)))

storeContract('the RocksDB store', async () => (await openRocks(join(place.path, `${++opened}`))).store)

storeContract('the RocksDB store with a tiny memtable', async () => {
  const { store } = await openRocks(join(place.path, `${++opened}`), { writeBufferBytes: 65_536 })
  return store
})

storeContract('the faulty store without faults', async () =>
  createFaultyStore(
    createMemoryStore((task) => setImmediate(task)),
    [],
    { random: seededRandom(1), after: (_delay, task) => setImmediate(task) },
  ),
)

describe('rows in order', () => {
  it('agree with a sorted list through 20,000 random additions and removals', () => {
    const random = seededRandom(7)
    const rows = new OrderedRows()
    const model = new Set<string>()
    for (let i = 0; i < 20_000; i++) {
      const row = String.fromCharCode(random() * 256, random() * 256)
      if (model.delete(row)) rows.remove(row)
      else {
        model.add(row)
        rows.add(row)
      }
    }
    const sorted = [...model].sort((a, b) => (a < b ? -1 : 1))
    expect(sorted.length).toBeGreaterThan(5_000)
    expect(rows.range('', '\xff\xff\xff', 100_000)).toEqual(sorted)
    const from = sorted[1_000] as string
    expect(rows.range(from, sorted[4_000] as string, 2_000)).toEqual(sorted.slice(1_000, 3_000))
    for (const row of sorted) rows.remove(row)
    expect(rows.range('', '\xff\xff\xff', 10)).toEqual([])
  })
})
