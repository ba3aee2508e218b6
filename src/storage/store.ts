// The port behind which a node keeps its objects: ordered keys and bytes, one batch at a time. RocksDB,
// memory and the faulty store implement it and pass the same contract suite (test/storage/store-contract).
//
// Callbacks, not promises: the simulated world decides when a disk answers, and a turn must not be
// interleaved with microtasks. A callback is called exactly once, never before the call returned.
// Stores know nothing of objects, versions or checksums; keys and values are bytes.

import type { Key } from '../base/units.js'
import { isHintKey, keyOfHint, ownerOfHint } from '../protocol/hint.js'

/** `os`: written to the log, survives kill -9. `disk`: fsynced, survives a power cut. */
export type CommitLevel = 'os' | 'disk'

/** Key of a row: a binary string (one character per byte), ordered by its bytes. See key-layout. */
export type RowKey = string

export interface Write {
  readonly row: RowKey
  /** undefined deletes the row. */
  readonly value: Uint8Array | undefined
}

export interface Row {
  readonly row: RowKey
  readonly value: Uint8Array
}

export type Done = (error: Error | undefined) => void

export interface Store {
  /** Applies all writes or none, in order, and reaches `level` before it is done. */
  commit(writes: readonly Write[], level: CommitLevel, done: Done): void
  /**
   * Reads rows: `values[i]` belongs to `rows[i]`, undefined when it is not there. A row that cannot be read
   * (bad block) has its Error in its place; `error` is for the failure of the whole.
   */
  read(
    rows: readonly RowKey[],
    done: (error: Error | undefined, values: readonly (Uint8Array | Error | undefined)[]) => void,
  ): void
  /** Rows with `after < row < before` in byte order, `limit` at most (`rows.length < limit` means the end was reached). */
  walk(
    after: RowKey,
    before: RowKey,
    limit: number,
    done: (error: Error | undefined, rows: readonly Row[]) => void,
  ): void
  /** Deletes `from <= row < to`. */
  deleteRange(from: RowKey, to: RowKey, done: Done): void
  /** Waits for what is under way and closes. Every later call is answered with an error. */
  close(done: Done): void
}

/** The row of an object: its partition (two bytes, big-endian), then bucket, NUL and key. Of a hint: see layout. */
export function objectRow(partition: number, key: Key): RowKey {
  if (key.length > 0 && isHintKey(key)) {
    return `h${String.fromCharCode(ownerOfHint(key), partition >>> 8, partition & 0xff)}${keyOfHint(key)}`
  }
  return String.fromCharCode(0x6f, partition >>> 8, partition & 0xff) + key
}

/** The number of a batch in a row's name: seven bytes, so that rows are in the order of their batches. */
export function sequenceName(sequence: number): string {
  let name = ''
  for (let scale = 2 ** 48; scale >= 1; scale /= 256)
    name += String.fromCharCode(Math.floor(sequence / scale) % 256)
  return name
}
