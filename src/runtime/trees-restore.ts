// What a new life does about its trees before it takes up work: reads the rows that the last one left, and for
// each object that came over unflushed the row that it will replace. Only where those rows are missing,
// damaged or not to be trusted are the objects of a partition read again.

import { Malformed } from '../base/bytes.js'
import type { Key, Partition } from '../base/units.js'
import { isHintKey } from '../protocol/hint.js'
import { type Bounds, keyOfRow, partitionBounds } from '../storage/layout.js'
import { objectRow, type Row, type RowKey, type Store } from '../storage/store.js'
import {
  decodeChanges,
  decodeLeaves,
  isMarker,
  kindOfTreeRow,
  numberOfTreeRow,
  treeBounds,
  treeMarkerRow,
} from '../storage/tree-rows.js'
import type { Trees } from './trees.js'

export interface TreeSources {
  readonly store: Store
  readonly hashOf: (key: Key) => number
  /** The store has lost something, or was never asked: what it says of itself is not believed. */
  readonly rescan: boolean
  /** Visits objects in memory: those that are unflushed or kept in memory only, or all when no store has them. */
  readonly inMemory: (visit: (key: Key, hash: number, value: Uint8Array) => void) => void
}

const pageRows = 1024
const maxPartition: Partition = 0xffff

type Done = (error: Error | undefined) => void

/** Fills fresh trees. Calls back when they are what the node has, or with the error of the store. */
export function restoreTrees(trees: Trees, sources: TreeSources, done: Done): void {
  const rows: Row[] = []
  walkAll(
    sources.store,
    treeBounds.after,
    treeBounds.before,
    (page) => void rows.push(...page),
    (error) => {
      if (error !== undefined) return done(error)
      const again = sources.rescan ? 'all' : takeRows(trees, rows)
      const all: Bounds = { after: objectRow(0, '' as Key), before: partitionBounds(maxPartition).before }
      const bounds = again === 'all' ? [all] : again.map(partitionBounds)
      if (bounds.length > 0) trees.rewrite(rows.map(({ row }) => row).filter((row) => row !== treeMarkerRow))
      rescan(trees, sources, bounds, (failure) => {
        if (failure !== undefined) return done(failure)
        restoreMemory(trees, sources, done)
      })
    },
  )
}

/** Takes what the rows say; answers the partitions that must be read again. */
function takeRows(trees: Trees, rows: readonly Row[]): readonly Partition[] | 'all' {
  const marker = rows.find(({ row }) => row === treeMarkerRow)
  if (marker === undefined || !isMarker(marker.value, trees.partitions, trees.leaves)) return 'all'
  const unsound = new Set<Partition>()
  for (const { row } of rows) if (kindOfTreeRow(row) === 'u') unsound.add(numberOfTreeRow(row))
  const isSound = (slot: number) => !unsound.has(slot & 0xffff)
  try {
    const leaves: [number, Uint32Array][] = []
    const changes: [RowKey, ReturnType<typeof decodeChanges>][] = []
    for (const { row, value } of rows) {
      const kind = kindOfTreeRow(row)
      const number = numberOfTreeRow(row)
      if (kind === 'p' && isSound(number)) leaves.push([number, decodeLeaves(value, trees.leaves)])
      else if (kind === 'd') changes.push([row, decodeChanges(value).filter(({ slot }) => isSound(slot))])
    }
    for (const [slot, words] of leaves) trees.restoreLeaves(slot, words)
    for (const [row, of] of changes) trees.restoreChanges(row, of)
  } catch (error) {
    if (error instanceof Malformed) return 'all'
    throw error
  }
  trees.restored()
  return [...unsound]
}

function rescan(trees: Trees, sources: TreeSources, ranges: readonly Bounds[], done: Done): void {
  let at = 0
  const next = (): void => {
    const range = ranges[at++]
    if (range === undefined) return done(undefined)
    walkAll(
      sources.store,
      range.after,
      range.before,
      (page) => {
        for (const { row, value } of page) trees.restoreRow(sources.hashOf(keyOfRow(row)), value)
      },
      (error) => (error === undefined ? next() : done(error)),
    )
  }
  next()
}

function restoreMemory(trees: Trees, sources: TreeSources, done: Done): void {
  // What turned volatile while it was unflushed is visited as both.
  const objects = new Map<Key, { key: Key; hash: number; value: Uint8Array }>()
  sources.inMemory((key, hash, value) => {
    if (!isHintKey(key)) objects.set(key, { key, hash, value: Uint8Array.from(value) })
  })
  const found = [...objects.values()]
  let at = 0
  const next = (): void => {
    const page = found.slice(at, at + pageRows)
    at += page.length
    if (page.length === 0) return done(undefined)
    const rows = page.map(({ key, hash }) => objectRow(trees.partitionOf(hash), key))
    sources.store.read(rows, (error, values) => {
      if (error !== undefined) return done(error)
      page.forEach(({ key, hash, value }, index) => {
        const row = values[index]
        if (row instanceof Error) trees.doubt(trees.partitionOf(hash))
        trees.restoreMemory(key, hash, value, row instanceof Error ? undefined : row)
      })
      next()
    })
  }
  next()
}

function walkAll(
  store: Store,
  after: RowKey,
  before: RowKey,
  take: (rows: readonly Row[]) => void,
  done: Done,
): void {
  store.walk(after, before, pageRows, (error, rows) => {
    if (error !== undefined) return done(error)
    take(rows)
    const last = rows.at(-1)
    if (rows.length < pageRows || last === undefined) return done(undefined)
    walkAll(store, last.row, before, take, done)
  })
}
