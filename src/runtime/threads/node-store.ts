// What a node's thread asks of its store when a life begins, as promises: the store, its meta row, its redo log and what
// it has heard of membership. A store that cannot be read any more is set aside, and the node begins with nothing, like one whose
// disk was replaced: its peers have everything (storage/set-aside).

import { RingspunError } from '../../base/errors.js'
import { emptyHistory, type History } from '../../membership/history.js'
import { decodeHistory } from '../../membership/history-codec.js'
import { decodeMeta, encodeMeta, type Meta, membershipRow, metaRow } from '../../storage/meta.js'
import { isDamage, openRocksStore } from '../../storage/rocksdb-store.js'
import { objectsFolder, setAside } from '../../storage/set-aside.js'
import type { Store } from '../../storage/store.js'
import { type RedoSources, restoreRedo } from '../redo-restore.js'

export interface OpenedStore {
  readonly store: Store
  /** What was lost, when something was. */
  readonly damage: Error | undefined
}

/** The store of the node in `dir`. One that is damaged beyond opening is set aside, when another node's looks well. */
export async function openStore(dir: string): Promise<OpenedStore> {
  try {
    return await openAsItIs(dir)
  } catch (error) {
    return beginAnew(dir, error as Error)
  }
}

/** Sets the store aside and opens an empty one, when `error` says that it is damaged; throws it when not. */
export async function beginAnew(dir: string, error: Error): Promise<OpenedStore> {
  const aside = isDamage(error) ? setAside(dir) : undefined
  if (aside === undefined) throw error
  const { store } = await openAsItIs(dir)
  const reason = `${error.message}; it was set aside as ${aside}`
  return { store, damage: new RingspunError('storage-failed', reason, { reason }, error) }
}

function openAsItIs(dir: string): Promise<OpenedStore> {
  return new Promise((resolve, reject) => {
    openRocksStore(`${dir}/${objectsFolder}`, {}, (error, store, damage) => {
      if (error !== undefined || store === undefined) reject(error)
      else resolve({ store, damage })
    })
  })
}

export function closeStore(store: Store): Promise<void> {
  return new Promise((resolve, reject) => {
    store.close((error) => (error === undefined ? resolve() : reject(error)))
  })
}

export function readMeta(store: Store): Promise<Meta | undefined> {
  return new Promise((resolve, reject) => {
    store.read([metaRow], (error, [row]) => {
      if (error !== undefined) return reject(error)
      if (row === undefined) return resolve(undefined)
      if (row instanceof Error) return reject(row)
      try {
        resolve(decodeMeta(row))
      } catch {
        // A damaged meta row says nothing: the node has lost its memory.
        resolve(undefined)
      }
    })
  })
}

/** Empty where there is none, or none that can be read: the others tell it again. */
export function readHistory(store: Store): Promise<History> {
  return new Promise((resolve) => {
    store.read([membershipRow], (error, [row]) => {
      if (error !== undefined || !(row instanceof Uint8Array)) return resolve(emptyHistory)
      try {
        resolve(decodeHistory(row))
      } catch {
        resolve(emptyHistory)
      }
    })
  })
}

/** Brings back what the log of the store holds; `damage` says that some of it cannot be read. */
export function restoreLog(sources: RedoSources): Promise<{ readonly damage: Error | undefined }> {
  return new Promise((resolve, reject) => {
    restoreRedo(sources, (error, damage) => (error === undefined ? resolve({ damage }) : reject(error)))
  })
}

export function commitMeta(store: Store, meta: Meta): Promise<void> {
  return new Promise((resolve, reject) => {
    store.commit([{ row: metaRow, value: encodeMeta(meta) }], 'disk', (error) =>
      error === undefined ? resolve() : reject(error),
    )
  })
}
