// Listings: partition after partition, page after page, with a cursor that holds all the state there is.
// Bounded memory: a page at a time, some partitions asked ahead because most pages of a small bucket are empty.

import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Key, Millis, NodeId } from '../base/units.js'
import type { ScanAnswered } from '../protocol/walk.js'
import { now } from '../runtime/threads/clock.js'
import type { StoredObject } from '../versions/object.js'
import { liveSiblings } from '../versions/read.js'
import type { Bucket, ContextToken, RequestOptions, ScanOptions, ScanPage } from './api.js'
import type { ClusterCore, PartitionCursor } from './core.js'
import { checkNames, checkWhole, requestNames, timeoutOf } from './options.js'

const pageNames = [...requestNames, 'cursor', 'limit']

const limitDefault = 128
/** Partitions that are asked at once. */
const aheadMax = 16
const listingMsDefault: Millis = 60_000
/** The longest key in base64, and the two numbers before it. */
const cursorLengthMax = Math.ceil((limits.keyBytesMax * 4) / 3) + 32

interface Page<E> {
  readonly entries: readonly E[]
  readonly cursor: string | undefined
}

interface Scanned {
  readonly name: string
  readonly prefix: string
  readonly properties: Bucket<unknown>['properties']
  userKey(key: Key): Uint8Array
}

export function scanPage<T>(
  bucket: Scanned,
  core: ClusterCore,
  options: ScanOptions,
  valuesOf: (object: StoredObject) => readonly T[],
): Promise<ScanPage<T>> {
  return readPage(bucket, core, options, (key, object) => {
    const values = valuesOf(object)
    return values.length === 0 ? undefined : { key: bucket.userKey(key), values }
  })
}

/** A page of what `entryOf` makes of each object; objects of which it makes nothing are not counted. */
async function readPage<E>(
  bucket: Scanned,
  core: ClusterCore,
  options: ScanOptions,
  entryOf: (key: Key, object: StoredObject) => E | undefined,
): Promise<Page<E>> {
  checkNames(options, pageNames, 'scan')
  const limit = checkWhole('limit', options.limit ?? limitDefault, 1, limits.walkRowsMax)
  let at = readCursor(options.cursor, bucket.prefix, core.partitions)
  const entries: E[] = []
  // Doubled while pages come back short: small buckets are asked wide, large ones waste nothing.
  let width = 1
  for (;;) {
    const cursors = ahead(at, core.partitions, width)
    width = Math.min(aheadMax, width * 2)
    const answers = await Promise.all(cursors.map((cursor) => ask(bucket, core, cursor, limit, options)))
    for (const answer of answers) {
      for (const { key, object } of answer.rows) {
        const entry = entryOf(key, object)
        if (entry !== undefined) entries.push(entry)
      }
      const { begunAt } = at
      if (answer.next !== undefined) {
        at = { partition: at.partition, after: answer.next, begunAt }
        break
      }
      at = { partition: at.partition + 1, after: '', begunAt }
      if (entries.length >= limit) break
    }
    if (at.partition >= core.partitions) return { entries, cursor: undefined }
    if (entries.length >= limit) return { entries, cursor: writeCursor(at, bucket.prefix) }
  }
}

/** This partition and some after it: in the middle of a partition, it alone. */
function ahead(at: PartitionCursor, partitions: number, width: number): PartitionCursor[] {
  if (at.after !== '') return [at]
  const cursors: PartitionCursor[] = []
  for (let p = at.partition; p < partitions && cursors.length < width; p++) {
    cursors.push({ partition: p, after: '', begunAt: at.begunAt })
  }
  return cursors
}

async function ask(
  bucket: Scanned,
  core: ClusterCore,
  cursor: PartitionCursor,
  limit: number,
  options: RequestOptions,
): Promise<ScanAnswered> {
  const { n, r, conflicts } = bucket.properties
  const { partition, after, begunAt } = cursor
  const answer = await core.requests.send(
    { type: 'scan', partition, prefix: bucket.prefix, after, limit, begunAt, conflicts, n, r },
    timeoutOf(options),
    options.signal,
  )
  return answer as ScanAnswered
}

function writeCursor(at: PartitionCursor, prefix: string): string {
  const after = Buffer.from(at.after.slice(prefix.length), 'latin1').toString('base64url')
  return `${at.partition}.${Math.ceil(at.begunAt)}.${after}`
}

function readCursor(cursor: string | undefined, prefix: string, partitions: number): PartitionCursor {
  if (cursor === undefined) return { partition: 0, after: '', begunAt: now() }
  const text = String(cursor)
  const [, partition, begunAt, after] = /^(\d{1,5})\.(\d{1,15})\.([\w-]*)$/.exec(text) ?? []
  if (
    text.length > cursorLengthMax ||
    partition === undefined ||
    begunAt === undefined ||
    after === undefined ||
    Number(partition) >= partitions
  ) {
    throw new RingspunError('cursor-invalid', 'this is not a cursor of a scan')
  }
  const key = Buffer.from(after, 'base64url').toString('latin1')
  // From before the machine was started again, or forged: nobody could wait until that instant has been flushed.
  const begun = Math.min(Number(begunAt), now())
  return { partition: Number(partition), after: key === '' ? '' : prefix + key, begunAt: begun }
}

/** All pages, one after the other: an entry at a time, a page in memory. */
export async function* walkPages<T>(
  page: (options: ScanOptions) => Promise<ScanPage<T>>,
  options: ScanOptions,
): AsyncGenerator<ScanPage<T>['entries'][number]> {
  checkNames(options, pageNames, 'scan')
  let { cursor } = options
  for (;;) {
    const { entries, cursor: next } = await page(cursor === undefined ? options : { ...options, cursor })
    yield* entries
    if (next === undefined) return
    cursor = next
  }
}

export async function countKeys(
  bucket: Scanned,
  core: ClusterCore,
  options: RequestOptions,
): Promise<number> {
  checkNames(options, requestNames, 'count')
  const begunAt = now()
  const waits = { timeout: listingMsDefault, ...options }
  let count = 0
  let nextPartition = 0
  const walker = async () => {
    while (nextPartition < core.partitions) {
      let cursor: PartitionCursor = { partition: nextPartition++, after: '', begunAt }
      for (;;) {
        const answer = await ask(bucket, core, cursor, limits.walkRowsMax, waits)
        const wall = Date.now()
        for (const { object } of answer.rows) if (liveSiblings(object, wall).length > 0) count++
        if (answer.next === undefined) break
        cursor = { ...cursor, after: answer.next }
      }
    }
  }
  await Promise.all(Array.from({ length: aheadMax }, walker))
  return count
}

interface Cleared extends Scanned {
  token(object: StoredObject, hash: number, coordinator: NodeId): ContextToken
  delete: Bucket<unknown>['delete']
}

/** Each delete carries the context of what the walk saw: without one it would leave siblings as they are. */
export async function clearBucket(
  bucket: Cleared,
  core: ClusterCore,
  options: RequestOptions,
): Promise<number> {
  checkNames(options, requestNames, 'clear')
  const waits = { timeout: listingMsDefault, ...options }
  let cleared = 0
  let cursor: string | undefined
  do {
    const asked = { ...waits, limit: limits.walkRowsMax, ...(cursor === undefined ? {} : { cursor }) }
    const page: Page<{ readonly key: Uint8Array; readonly context: ContextToken }> = await readPage(
      bucket,
      core,
      asked,
      (key, object) => {
        if (liveSiblings(object, Date.now()).length === 0) return undefined
        return { key: bucket.userKey(key), context: bucket.token(object, core.hash(key), 0) }
      },
    )
    await Promise.all(page.entries.map(({ key, context }) => bucket.delete(key, { ...waits, context })))
    cleared += page.entries.length
    cursor = page.cursor
  } while (cursor !== undefined)
  return cleared
}
