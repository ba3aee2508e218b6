// What a new life does about the log that the last one left: objects that are in no row yet, or newer than their row,
// come back into memory as unflushed, where a later flush finds them. What memory holds already (it came over from
// a life that died alone) is as new or newer.
//
// Where memory has no room for them (it was larger before), their rows are written at once; the trees of those
// partitions are then read again (trees-restore).

import { Malformed } from '../base/bytes.js'
import type { Key, Partition } from '../base/units.js'
import { readRedo, redoBounds } from '../storage/redo-rows.js'
import { objectRow, type Row, type RowKey, type Store, type Write } from '../storage/store.js'
import { unsoundRow } from '../storage/tree-rows.js'
import type { Memory } from './ports.js'

/** Rows of a batch can be megabytes. */
const pageRows = 16
const batchRows = 1024

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

/** Brings back what the log of the store holds. */
export function restoreRedo(sources: RedoSources, done: RedoRestored): void {
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
      writeRows(sources.store, bringBack(sources, newest), (failure) => done(failure, damage))
    })
  }
  page(redoBounds.after)
}

/** Into memory; answers the rows of those that found no room. */
function bringBack({ memory, partitionOf }: RedoSources, newest: ReadonlyMap<Key, Logged>): Write[] {
  const writes: Write[] = []
  const unsound = new Set<Partition>()
  for (const [key, { hash, value }] of newest) {
    if (memory.has(key, hash) || memory.put(key, hash, value, 'dirty')) continue
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
