// The calls of a store as promises, for tests that read from top to bottom, and the places where stores live.
// Every callback is checked here: never within the call, never twice.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { openRocksStore, type RocksOptions } from '../../src/storage/rocksdb-store.js'
import type { CommitLevel, Row, RowKey, Store, Write } from '../../src/storage/store.js'

type Answer<T> = (error: Error | undefined, result: T) => void

/** Settles with the answer of a call, and sees to it that the call keeps to the rules of callbacks. */
function settled<T>(call: (done: Answer<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let returned = false
    let answers = 0
    call((error, result) => {
      expect(returned, 'a callback within the call').toBe(true)
      expect(++answers, 'answers to one call').toBe(1)
      if (error === undefined) resolve(result)
      else reject(error)
    })
    returned = true
  })
}

export function commit(store: Store, writes: readonly Write[], level: CommitLevel = 'os'): Promise<void> {
  return settled<void>((done) => store.commit(writes, level, (error) => done(error, undefined)))
}

export function deleteRange(store: Store, from: RowKey, to: RowKey): Promise<void> {
  return settled<void>((done) => store.deleteRange(from, to, (error) => done(error, undefined)))
}

export function close(store: Store): Promise<void> {
  return settled<void>((done) => store.close((error) => done(error, undefined)))
}

export function read(
  store: Store,
  rows: readonly RowKey[],
): Promise<readonly (Uint8Array | Error | undefined)[]> {
  return settled((done) => store.read(rows, done))
}

export function walk(store: Store, after: RowKey, before: RowKey, limit: number): Promise<readonly Row[]> {
  return settled((done) => store.walk(after, before, limit, done))
}

export function put(row: RowKey, value: string): Write {
  return { row, value: Buffer.from(value, 'latin1') }
}

export function remove(row: RowKey): Write {
  return { row, value: undefined }
}

/** A value as text, so that expectations read well. */
export function text(value: Uint8Array | Error | undefined): string | Error | undefined {
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value
}

export async function readTexts(store: Store, ...rows: RowKey[]): Promise<(string | Error | undefined)[]> {
  return (await read(store, rows)).map(text)
}

/** Rows between two others as [row, value] pairs. */
export async function walkTexts(store: Store, after: RowKey, before: RowKey, limit: number) {
  return (await walk(store, after, before, limit)).map(({ row, value }) => [row, text(value)])
}

export async function rowsOf(store: Store): Promise<RowKey[]> {
  return (await walk(store, '', '\xff\xff', 100_000)).map(({ row }) => row)
}

export interface Place {
  readonly path: string
  readonly remove: () => void
}

export function temporaryPlace(): Place {
  const path = mkdtempSync(join(tmpdir(), 'ringspun-storage-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

export interface OpenedRocks {
  readonly store: Store
  readonly damage: Error | undefined
}

export function openRocks(dir: string, options: RocksOptions = {}): Promise<OpenedRocks> {
  return new Promise((resolve, reject) => {
    openRocksStore(dir, options, (error, store, damage) => {
      if (store === undefined) reject(error)
      else resolve({ store, damage })
    })
  })
}
