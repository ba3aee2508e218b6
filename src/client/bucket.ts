// A bucket as the application sees it: keys and values in, requests out, answers back as values. What a
// request means is decided by actors; this file translates.

import { Malformed } from '../base/bytes.js'
import { crc32 } from '../base/crc.js'
import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Key, Millis, NodeId } from '../base/units.js'
import type { Get, GetAnswered } from '../protocol/read.js'
import { AskedPut, type Put, type PutAnswered } from '../protocol/write.js'
import { absent } from '../storage/object-buffer-reader.js'
import { encodeContext } from '../versions/context-codec.js'
import { merge } from '../versions/merge.js'
import type { StoredObject } from '../versions/object.js'
import { decodeObject, findLatest, latest, looksWhole } from '../versions/object-codec.js'
import { contextOf, liveSiblings } from '../versions/read.js'
import type {
  Bucket,
  BucketOptions,
  BucketProperties,
  ContextToken,
  GetResult,
  KeyInput,
  PutOptions,
  ReadOptions,
  RequestOptions,
  ScanOptions,
  ScanPage,
  WriteOptions,
  WriteResult,
} from './api.js'
import { type Change, deletion, touch, valueChange } from './change.js'
import { decodeBytes, decodeValue, encodeValue } from './codec.js'
import type { ClusterCore } from './core.js'
import { bucketPrefix, describe, internalKey, keyText, userKey } from './keys.js'
import {
  checkDw,
  checkNames,
  checkPr,
  checkPw,
  checkR,
  checkW,
  none,
  requestNames,
  timeoutOf,
} from './options.js'
import type { Answer } from './requests.js'
import { Glance, Reading, Written } from './results.js'
import { clearBucket, countKeys, scanPage, walkPages } from './scan.js'
import { readToken, writeToken } from './token.js'

/** Requests of one getMany or putMany that are open at once. More only wait in queues: they fill mailboxes and caches. */
const windowMax = limits.turnMessagesMax
const readNames = [...requestNames, 'r', 'pr']

export class ClusterBucket<T> implements Bucket<T> {
  readonly name: string
  readonly prefix: string
  private readonly core: ClusterCore
  private readonly merge: ((a: T, b: T) => T) | undefined
  private readonly codec: 'auto' | 'bytes'
  private readonly reading: (answer: Answer, message: Get) => GetResult<T>
  private readonly written: (answer: Answer, message: Put) => WriteResult<T>

  constructor(core: ClusterCore, name: string, options: BucketOptions<T>) {
    this.core = core
    this.name = name
    this.prefix = bucketPrefix(name)
    this.merge = options.merge
    this.codec = options.codec ?? 'auto'
    this.reading = (answer, { hash }) => {
      const { object, fastest } = answer as GetAnswered
      return new Reading(this, object, hash, fastest, false)
    }
    this.written = (answer, { hash }) => new Written(this, answer as PutAnswered, hash)
  }

  get properties(): BucketProperties {
    return this.core.propertiesOf(this.name)
  }

  get(key: KeyInput, options: ReadOptions = none): Promise<GetResult<T>> {
    try {
      const { properties } = this
      const r = readQuorum(options, properties)
      const text = keyText(key)
      const hash = this.core.hash(text, this.prefix)
      const found = this.look(text, hash, properties, r, options.signal)
      return found === undefined
        ? this.ask(text, hash, properties, r, options)
        : this.core.pace.resolve(found)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  getSync(key: KeyInput, options: ReadOptions = none): GetResult<T> | undefined {
    const { properties } = this
    const r = readQuorum(options, properties)
    const text = keyText(key)
    this.core.requests.check(options.signal)
    return this.look(text, this.core.hash(text, this.prefix), properties, r, options.signal)
  }

  /** What R replicas have in memory, without a message (runtime/shared-reads). */
  private look(
    text: string,
    hash: number,
    { n, conflicts }: BucketProperties,
    r: number,
    signal: AbortSignal | undefined,
  ): GetResult<T> | undefined {
    const { shared, requests } = this.core
    if (shared === undefined || requests.refuses(signal)) return undefined
    const found = shared.read(text, hash, n, r, this.prefix)
    if (found === undefined) return undefined
    const { copy, first } = shared
    const { bytes, valueStart, valueEnd } = copy
    if (found === absent) return new Reading(this, undefined, hash, first, true)
    // Two copies that are equal to the byte prove each other; one alone is proved by its checksum.
    if ((r > 1 || looksWhole(bytes, hash, valueStart, valueEnd)) && findLatest(bytes, valueStart, valueEnd)) {
      const value = decodeBytes(copy.view(latest.start, latest.end), latest.encoding, this.codec, true) as T
      return new Glance(this, value, hash, first, copy)
    }
    try {
      const object = merge(undefined, decodeObject(copy.value, hash), conflicts)
      return new Reading(this, object, hash, first, true)
    } catch (error) {
      // A copy with a wrong checksum: the replicas are asked, and mend it.
      if (error instanceof Malformed) return undefined
      throw error
    }
  }

  /** The key is made of prefix and text when a message must carry it, and not before. */
  private ask(
    text: string,
    hash: number,
    { n, conflicts }: BucketProperties,
    r: number,
    options: ReadOptions,
  ): Promise<GetResult<T>> {
    const pr = options.pr === undefined ? 0 : checkPr(options.pr, r)
    const message: Get = { type: 'get', key: (this.prefix + text) as Key, hash, conflicts, n, r, pr }
    return this.core.requests.sendFor(message, timeoutOf(options), options.signal, this.reading)
  }

  put(key: KeyInput, value: T, options: PutOptions = none): Promise<WriteResult<T>> {
    try {
      return this.send(this.prepare(key, options, valueChange(value, options)), options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  delete(
    key: KeyInput,
    options: WriteOptions & { readonly returnPrevious?: boolean } = none,
  ): Promise<WriteResult<T>> {
    try {
      return this.send(this.prepare(key, options, deletion(options)), options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  expire(
    key: KeyInput,
    expiresAt: Millis,
    options: WriteOptions & { readonly returnPrevious?: boolean } = none,
  ): Promise<WriteResult<T>> {
    try {
      return this.send(this.prepare(key, options, touch(expiresAt, options)), options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  private prepare(key: KeyInput, options: WriteOptions, wanted: Change): Put {
    const { core } = this
    const properties = this.properties
    const { n, conflicts, durability } = properties
    const w = options.w === undefined ? properties.w : checkW(options.w, n)
    const dw = options.dw === undefined ? Math.min(properties.dw, w) : checkDw(options.dw, w)
    const pw = options.pw === undefined ? 0 : checkPw(options.pw, w)
    const internal = internalKey(this.prefix, key)
    const hash = core.hash(internal)
    const { encoding, bytes: value } = this.encode(wanted)
    const checksum = crc32(value, hash)
    const seen = readToken(options.context, hash, core.secret)
    const needs = { conflicts, n, w, dw, pw, level: durability }
    return new AskedPut({ key: internal, hash }, wanted, { value, encoding, checksum }, seen, needs)
  }

  private send(put: Put, options: WriteOptions): Promise<WriteResult<T>> {
    return this.core.requests.sendFor(put, timeoutOf(options), options.signal, this.written)
  }

  private encode(wanted: Change): { readonly encoding: number; readonly bytes: Uint8Array } {
    if (wanted.change !== 'value') return { encoding: 0, bytes: nothing }
    return encodeValue(wanted.value, this.codec, this.core.valueBytesMax)
  }

  async getMany(keys: readonly KeyInput[], options: ReadOptions = {}): Promise<GetResult<T>[]> {
    checkBatch(keys)
    const results = new Array<GetResult<T>>(keys.length)
    for (let start = 0; start < keys.length; start += windowMax) {
      const asked: Promise<unknown>[] = []
      const end = Math.min(keys.length, start + windowMax)
      const { properties } = this
      const r = readQuorum(options, properties)
      for (let at = start; at < end; at++) {
        const text = keyText(keys[at] as KeyInput)
        const hash = this.core.hash(text, this.prefix)
        const found = this.look(text, hash, properties, r, options.signal)
        if (found !== undefined) results[at] = found
        else asked.push(this.ask(text, hash, properties, r, options).then((result) => (results[at] = result)))
      }
      if (asked.length > 0) await Promise.all(asked)
      else if (end < keys.length) await this.core.pace.yield()
    }
    return results
  }

  /** All entries are checked before any is sent: a batch that was refused for what was in it had no effect. */
  async putMany(
    entries: readonly (readonly [KeyInput, T])[],
    options: PutOptions = {},
  ): Promise<WriteResult<T>[]> {
    checkBatch(entries)
    const puts = entries.map((entry) => {
      if (!Array.isArray(entry)) {
        throw new RingspunError('option-invalid', `an entry is [key, value], got ${describe(entry)}`)
      }
      const [key, value] = entry as readonly [KeyInput, T]
      return this.prepare(key, options, valueChange(value, options))
    })
    return inWindows(puts, (put) => this.send(put, options))
  }

  scan(options: ScanOptions = {}): Promise<ScanPage<T>> {
    return scanPage(this, this.core, options, (object) => this.valuesOf(object))
  }

  async *keys(options: ScanOptions = {}): AsyncIterable<Uint8Array> {
    for await (const entry of this.entries(options)) yield entry.key
  }

  entries(
    options: ScanOptions = {},
  ): AsyncIterable<{ readonly key: Uint8Array; readonly values: readonly T[] }> {
    return walkPages((page) => this.scan(page), options)
  }

  count(options: RequestOptions = {}): Promise<number> {
    return countKeys(this, this.core, options)
  }

  clear(options: RequestOptions = {}): Promise<number> {
    return clearBucket(this, this.core, options)
  }

  /** The live values of an object, merged into one where the bucket has a merge function. */
  valuesOf(object: StoredObject | undefined, owned = false): T[] {
    if (object === undefined) return []
    const live = liveSiblings(object, Date.now())
    const values = live.map((sibling) => decodeValue(sibling, this.codec, owned) as T)
    const { merge } = this
    if (merge === undefined || values.length < 2) return values
    return [values.reduce(merge)]
  }

  token(object: StoredObject, hash: number, coordinator: NodeId): ContextToken {
    return writeToken(encodeContext(contextOf(object), hash, this.core.secret), coordinator)
  }

  contextToken(answer: PutAnswered, hash: number): ContextToken {
    return writeToken(encodeContext(answer.context, hash, this.core.secret), 0)
  }

  userKey(key: Key): Uint8Array {
    return userKey(this.prefix, key)
  }
}

const nothing = Buffer.alloc(0)

/** Checks what was asked, and answers by how many. */
function readQuorum(options: ReadOptions, { n, r: usual }: BucketProperties): number {
  if (options === none) return usual
  checkNames(options, readNames, 'get')
  timeoutOf(options)
  const r = options.r === undefined ? usual : checkR(options.r, n)
  if (options.pr !== undefined) checkPr(options.pr, r)
  return r
}

function checkBatch(items: readonly unknown[]): void {
  if (!Array.isArray(items)) throw new RingspunError('option-invalid', 'pass an array')
  if (items.length > limits.batchKeysMax) {
    const reason = `a batch has at most ${limits.batchKeysMax} keys, got ${items.length}`
    throw new RingspunError('batch-too-large', reason, { keys: items.length, limit: limits.batchKeysMax })
  }
}

/** Many requests at once, but not all: results in order, the first error ends it. */
async function inWindows<I, O>(items: readonly I[], one: (item: I) => Promise<O>): Promise<O[]> {
  const results: O[] = []
  for (let start = 0; start < items.length; start += windowMax) {
    results.push(...(await Promise.all(items.slice(start, start + windowMax).map(one))))
  }
  return results
}
