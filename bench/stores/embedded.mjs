// Stores within the process, for comparison: lmdb, the binding of RocksDB alone, a Map, lru-cache. None of them has a
// second copy, and the last two have no disk.

import { openRocksStore } from '../../dist/storage/rocksdb-store.js'
import { optional } from './program.mjs'

/**
 * lmdb-js. Writes of a turn of the event loop are one transaction. `durable`: a put is answered when its transaction
 * is fsynced; otherwise when it is committed, and the fsync follows (its default).
 */
export async function openLmdb(dir, { durable }) {
  const lmdb = await optional('lmdb')
  if (!lmdb) return undefined
  const name = durable ? 'lmdb, fsynced' : 'lmdb'
  const store = lmdb.open({
    path: `${dir}/${durable ? 'lmdb-durable' : 'lmdb'}`,
    encoding: 'binary',
    overlappingSync: !durable,
  })
  return {
    name,
    set: (key, value) => store.put(key, value),
    get: async (key) => store.get(key),
    getNow: (key) => store.get(key),
    close: () => store.close(),
  }
}

/**
 * RocksDB as a node of ours has it, without the rest: what comes while a batch is under way is the next, each batch
 * fsynced. With three logs as three nodes have them, keys in turn, but one thread for all.
 */
export async function openRocks(dir, logs = 1) {
  const stores = []
  for (let at = 0; at < logs; at++) stores.push(await openLog(`${dir}/rocksdb-${logs}-${at}`))
  let next = 0
  return {
    name: logs === 1 ? 'rocksdb binding, sync batches' : `rocksdb binding, ${logs} logs`,
    set: (row, value) => stores[next++ % logs].set(row, value),
    close: () => Promise.all(stores.map(({ close }) => close())),
  }
}

async function openLog(dir) {
  const store = await new Promise((resolve, reject) =>
    openRocksStore(dir, {}, (error, opened) => (error ? reject(error) : resolve(opened))),
  )
  let waiting = []
  let isBusy = false
  const commit = () => {
    const batch = waiting
    waiting = []
    const writes = batch.map(({ row, value }) => ({ row, value }))
    store.commit(writes, 'disk', (error) => {
      isBusy = false
      for (const { resolve, reject } of batch) error ? reject(error) : resolve()
      due()
    })
  }
  const due = () => {
    if (isBusy || waiting.length === 0) return
    isBusy = true
    setImmediate(commit)
  }
  return {
    set: (row, value) =>
      new Promise((resolve, reject) => {
        waiting.push({ row, value, resolve, reject })
        due()
      }),
    close: () => new Promise((resolve) => store.close(() => resolve())),
  }
}

export async function openLru(max) {
  const lru = await optional('lru-cache')
  if (!lru) return undefined
  const cache = new lru.LRUCache({ max })
  return {
    name: 'lru-cache',
    set: async (key, value) => cache.set(key, value),
    get: async (key) => cache.get(key),
    getNow: (key) => cache.get(key),
    close: () => {},
  }
}

export function openMap() {
  const map = new Map()
  return {
    name: 'Map',
    set: async (key, value) => map.set(key, value),
    get: async (key) => map.get(key),
    getNow: (key) => map.get(key),
    close: () => {},
  }
}
