// The part of the native binding that is used, with types (it brings none). The package is rocksdb-native
// under the name `rocksdb`; docs/decisions/dependencies.md says why that one.

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export interface WriteBatch {
  tryPut(key: Uint8Array, value: Uint8Array): void
  tryDelete(key: Uint8Array): void
  tryDeleteRange(start: Uint8Array, end: Uint8Array): void
  flush(): Promise<void>
  destroy(): void
}

export interface ReadBatch {
  /** null when the key is not there. */
  get(key: Uint8Array): Promise<Buffer | null>
  tryFlush(): void
  flush(): Promise<void>
  destroy(): void
}

export interface WalFile {
  /** Names the file. Its `path` is left alone: the binding reads it after its own cleanup. */
  readonly number: number
}

export interface IteratorOptions {
  readonly gt?: Uint8Array
  readonly gte?: Uint8Array
  readonly lt?: Uint8Array
  readonly limit?: number
  /** Rows fetched per call into the library. */
  readonly capacity?: number
}

/** A readable stream of rows. */
export interface RowStream {
  on(event: 'data', listener: (row: { readonly key: Buffer; readonly value: Buffer }) => void): this
  on(event: 'error', listener: (error: Error) => void): this
  /** After the last row, or after the error: comes always, once. */
  on(event: 'close', listener: () => void): this
}

export interface Database {
  ready(): Promise<void>
  close(): Promise<void>
  write(options?: { readonly capacity?: number; readonly autoDestroy?: boolean }): WriteBatch
  read(options?: { readonly capacity?: number; readonly autoDestroy?: boolean }): ReadBatch
  iterator(options: IteratorOptions): RowStream
  currentWalFile(): Promise<WalFile>
  getProperty(name: string): Promise<string | null>
}

export interface DatabaseOptions {
  readonly maxBackgroundJobs?: number
  readonly writeBufferSize?: number
  readonly maxWriteBufferNumber?: number
  readonly tableBlockSize?: number
  readonly walRecoveryMode?: number
  readonly avoidFlushDuringShutdown?: boolean
  readonly filterPolicy?: object
}

interface Binding {
  new (path: string, options: DatabaseOptions): Database
  readonly BloomFilterPolicy: new (bitsPerKey: number) => object
  readonly constants: {
    readonly walRecoveryMode: {
      readonly TOLERATE_CORRUPTED_TAIL_RECORDS: number
      readonly POINT_IN_TIME: number
    }
  }
}

const load = createRequire(import.meta.url)

export const RocksDB = load('rocksdb') as Binding

/**
 * From now on every call of native code in this thread is made between these two. The package calls it through one
 * object, which is not among what it exports.
 */
export function guardNativeCalls(enter: () => void, leave: () => void): void {
  const native = load(join(dirname(load.resolve('rocksdb')), 'binding.js')) as Record<string, unknown>
  for (const [name, call] of Object.entries(native)) {
    if (typeof call !== 'function') continue
    native[name] = (...args: unknown[]) => {
      enter()
      try {
        return call(...args)
      } finally {
        leave()
      }
    }
  }
}
