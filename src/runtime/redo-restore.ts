// What a new life does about the log that the last one left: objects that are in no row yet, or newer than their row,
// come back into memory as unflushed, where a later flush finds them. What memory holds already (it came over from
// a life that died alone) is as new or newer. Memory that came over whole is not asked for: the log says nothing
// that it does not. That `restored` is kept in it, because a life may end while this is going on.
//
// What would fill memory (it was larger before) is written to its rows at once; the trees of those partitions are then
// read again (trees-restore). What the log says of it stays true: it is what these rows hold.

import { Malformed } from '../base/bytes.js'
import type { Key, Partition } from '../base/units.js'
import { readRedo, redoBounds } from '../storage/redo-rows.js'
import { objectRow, type Row, type RowKey, type Store, type Write } from '../storage/store.js'
import { unsoundRow } from '../storage/tree-rows.js'
import type { Memory } from './ports.js'

/** Rows of a batch can be megabytes. */
const pageRows = 16
const batchRows = 1024
/** So much of memory may be unflushed when a life begins: far from where new work is refused. */
const roomShare = 1 / 4

interface Logged {
  readonly hash: number
  readonly value: Uint8Array
}

export interface RedoSources {
  readonly store: Store
  readonly memory: Memory
  readonly partitionOf: (hash: number) => Partition
}

/** `damage` says that some of the log cannot be read: the store has less than it had acknowledged. */
export type RedoRestored = (error: Error | undefined, damage: Error | undefined) => void

/** Brings back what the log of the store holds, unless memory came over with all of it. */
export function restoreRedo(sources: RedoSources, done: RedoRestored): void {
  if (sources.memory.restored) return done(undefined, undefined)
  const newest = new Map<Key, Logged>()
  let damage: Error | undefined
  const take = (rows: readonly Row[]) => {
    for (const { value } of rows) {
      try {
        readRedo(value, {
          object: (key, hash, bytes) => void newest.set(key, { hash, value: bytes }),
          settled: (key) => void newest.delete(key),
        })
      } catch (error) {
        if (!(error instanceof Malformed)) throw error
        damage ??= error
      }
    }
  }
  const page = (after: RowKey): void => {
    sources.store.walk(after, redoBounds.before, pageRows, (error, rows) => {
      if (error !== undefined) return done(error, undefined)
      take(rows)
      const last = rows.at(-1)
      if (rows.length === pageRows && last !== undefined) return page(last.row)
      writeRows(sources.store, bringBack(sources, newest), (failure) => {
        if (failure === undefined) sources.memory.restored = true
        done(failure, damage)
      })
    })
  }
  page(redoBounds.after)
}

/** Into memory; answers the rows of those that found no room. */
function bringBack({ memory, partitionOf }: RedoSources, newest: ReadonlyMap<Key, Logged>): Write[] {
  const writes: Write[] = []
  const unsound = new Set<Partition>()
  const room = memory.capacityBytes * roomShare
  for (const [key, { hash, value }] of newest) {
    if (memory.has(key, hash)) continue
    if (memory.dirtyBytes < room && memory.put(key, hash, value, 'dirty')) continue
    const partition = partitionOf(hash)
    if (!unsound.has(partition)) writes.push({ row: unsoundRow(partition), value: new Uint8Array(1) })
    unsound.add(partition)
    writes.push({ row: objectRow(partition, key), value })
  }
  return writes
}

function writeRows(store: Store, writes: readonly Write[], done: (error: Error | undefined) => void): void {
  if (writes.length === 0) return done(undefined)
  store.commit(writes.slice(0, batchRows), 'os', (error) => {
    if (error !== undefined) done(error)
    else writeRows(store, writes.slice(batchRows), done)
  })
}
