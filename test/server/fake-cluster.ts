// A cluster in one Map, for tests of the front doors: one copy of everything, the versions of the library in
// miniature (last write wins, or siblings with contexts), and a hook to hold operations back or make them
// fail. It promises what client/api.ts promises of shapes and errors, and nothing of replicas.

import { RingspunError } from '../../src/base/errors.js'
import type {
  Bucket,
  BucketProperties,
  Cluster,
  Comparison,
  GetResult,
  KeyInput,
  Plan,
  PutOptions,
  ReadOptions,
  ScanOptions,
  ScanPage,
  WriteOptions,
  WriteResult,
} from '../../src/client/api.js'
import type { ClusterStatus } from '../../src/client/api-status.js'

interface Version {
  readonly dot: number
  readonly value: Uint8Array | undefined
  readonly expiresAt: number
}

interface Record_ {
  versions: Version[]
}

export type Operation = 'get' | 'put' | 'delete' | 'expire' | 'scan' | 'count' | 'clear'

export interface FakeCluster extends Cluster {
  /** Called before every operation of a key; what it awaits or throws holds back or fails the operation. */
  before: ((operation: Operation, key: string) => Promise<void> | void) | undefined
  /** Operations in the order in which they took effect. */
  readonly history: string[]
}

const binary = (key: KeyInput): string => Buffer.from(key as Uint8Array).toString('latin1')

const noDots: ReadonlySet<number> = new Set()

const defaults = { n: 3, r: 2, w: 2, dw: 0, durability: 'memory' } as const

export interface FakeOptions {
  readonly valueBytesMax?: number
}

interface FakeBucketState {
  properties: BucketProperties
  readonly records: Map<string, Record_>
}

export function fakeCluster({ valueBytesMax = 1024 * 1024 }: FakeOptions = {}): FakeCluster {
  const buckets = new Map<string, FakeBucketState>()
  const dots = { last: 0 }
  const open = (name: string): FakeBucketState => {
    if (!/^[A-Za-z0-9_.:-]{1,64}$/.test(name)) throw new RingspunError('bucket-invalid', `bucket '${name}'`)
    let bucket = buckets.get(name)
    if (bucket === undefined) {
      const conflicts = name === 'default' ? 'last-write-wins' : 'siblings'
      bucket = { properties: { ...defaults, conflicts }, records: new Map() }
      buckets.set(name, bucket)
    }
    return bucket
  }
  const cluster: FakeCluster = {
    before: undefined,
    history: [],
    options: {
      dir: undefined,
      nodes: 3,
      partitions: 256,
      hash: 'halfsip',
      memory: 64 * 1024 * 1024,
      valueBytesMax,
      reapAfterMs: 0,
      gossipEveryMs: 1_000,
      routing: 'client',
      ...defaults,
    },
    bucket: <T>(name: string) => new FakeBucket(cluster, name, open(name), dots) as unknown as Bucket<T>,
    buckets: () => [...buckets].map(([name, { properties }]) => ({ name, properties })),
    async setBucket(name, properties) {
      const bucket = open(name)
      const next = { ...bucket.properties, ...properties }
      const { n, r, w, dw } = next
      if (n > 3 || r < 1 || r > n || w < 1 || w > n || dw < 0 || dw > w) {
        throw new RingspunError('quorum-invalid', `n ${n}, r ${r}, w ${w}, dw ${dw}`)
      }
      bucket.properties = next
      return next
    },
    status: fakeStatus,
    verify: async () => equalComparison,
    admin: fakeAdmin,
    handle: () => ({ kind: 'ringspun-cluster', format: 0, version: '', thread: 0, name: '' }),
    faults: { kill() {}, async stall() {}, async wipe() {}, isolate() {}, heal() {} },
    async close() {},
    async [Symbol.asyncDispose]() {},
  }
  return cluster
}

const fakeAdmin: Cluster['admin'] = {
  repair: async () => equalComparison,
  plan: () => emptyPlan,
  commit: async () => emptyPlan,
  transfers: () => ({
    isChanging: false,
    partitions: 256,
    moved: 256,
    bytes: 0,
    bytesPerSecond: 0,
    etaMs: undefined,
    transfers: [],
  }),
  hints: async () => [],
  async pauseHints() {},
  async resumeHints() {},
  async dropHints() {},
  ring: () => ({
    epoch: 1,
    partitions: 1,
    copies: 1,
    hash: 'halfsip',
    nodes: [],
    history: [],
    preferences: [],
  }),
}

const emptyPlan: Plan = {
  changes: [],
  moved: 0,
  replicaMoves: 0,
  bytes: 0,
  balanceBefore: 1,
  balanceAfter: 1,
  violationsBefore: { nodes: 0, hosts: 0, zones: 0 },
  violationsAfter: { nodes: 0, hosts: 0, zones: 0 },
  nodes: [],
}

const equalComparison: Comparison = {
  equal: true,
  partitions: 256,
  missing: 0,
  listed: 0,
  differing: 0,
  damaged: 0,
  mended: 0,
  bytes: 0,
  messages: 0,
  ms: 0,
  keys: [],
}

class FakeBucket implements Bucket<Uint8Array> {
  readonly name: string
  private readonly cluster: FakeCluster
  private readonly state: FakeBucketState
  private readonly dots: { last: number }

  constructor(cluster: FakeCluster, name: string, state: FakeBucketState, dots: { last: number }) {
    this.cluster = cluster
    this.name = name
    this.state = state
    this.dots = dots
  }

  get properties(): BucketProperties {
    return this.state.properties
  }

  private async enter(operation: Operation, key: KeyInput): Promise<string> {
    const text = binary(key)
    if (text === '') throw new RingspunError('key-empty', 'the key has no bytes')
    if (text.length > 65_536) throw new RingspunError('key-too-large', `the key has ${text.length} bytes`)
    const held = this.cluster.before?.(operation, text)
    if (held !== undefined) await held
    this.cluster.history.push(`${operation} ${text}`)
    return text
  }

  private result(key: string): GetResult<Uint8Array> {
    const record = this.state.records.get(key)
    const versions = live(record)
    return {
      values: valuesOf(versions),
      get value() {
        if (versions.length > 1) throw new RingspunError('too-many-siblings', 'several values')
        return versions[0]?.value
      },
      context: record === undefined ? undefined : contextOf(record),
      expiresAt: versions.reduce(
        (least, { expiresAt }) => (least === 0 ? expiresAt : Math.min(least, expiresAt)),
        0,
      ),
    }
  }

  /** Nothing is ever in memory here: commands fall back to `get`. */
  getSync(): undefined {
    return undefined
  }

  private write(
    key: string,
    value: Uint8Array | undefined,
    expiresAt: number,
    options: WriteOptions & { returnPrevious?: boolean },
  ): WriteResult<Uint8Array> {
    const { records, properties } = this.state
    const record: Record_ = records.get(key) ?? { versions: [] }
    const before = live(record)
    const replaced = options.context === undefined ? noDots : dotsOf(options.context)
    const wins = properties.conflicts === 'last-write-wins'
    record.versions = wins ? [] : record.versions.filter((version) => !replaced.has(version.dot))
    const kept = value === undefined ? undefined : Uint8Array.from(value)
    record.versions.push({ dot: ++this.dots.last, value: kept, expiresAt })
    records.set(key, record)
    return {
      context: contextOf(record),
      w: options.w ?? 2,
      dw: 0,
      level: 'memory',
      existed: before.length > 0,
      previous: options.returnPrevious ? valuesOf(before) : [],
    }
  }

  async get(key: KeyInput, options: ReadOptions = {}): Promise<GetResult<Uint8Array>> {
    const text = await this.enter('get', key)
    checkQuorum(options)
    return this.result(text)
  }

  async put(key: KeyInput, value: Uint8Array, options: PutOptions = {}): Promise<WriteResult<Uint8Array>> {
    const text = await this.enter('put', key)
    checkQuorum(options)
    if (value.length > this.cluster.options.valueBytesMax) {
      throw new RingspunError('value-too-large', `the value has ${value.length} bytes`)
    }
    const before = this.result(text)
    const wanted = options.condition
    if (wanted !== undefined && (wanted === 'present') !== before.values.length > 0) {
      throw new RingspunError('condition-failed', `the key is not ${wanted}`)
    }
    const kept = options.keepExpiry ? before.expiresAt : 0
    const expiresAt = options.expiresAt ?? (options.ttl === undefined ? kept : Date.now() + options.ttl)
    return this.write(text, value, expiresAt, options)
  }

  async delete(key: KeyInput, options: WriteOptions = {}): Promise<WriteResult<Uint8Array>> {
    const text = await this.enter('delete', key)
    checkQuorum(options)
    return this.write(text, undefined, 0, options)
  }

  async expire(
    key: KeyInput,
    expiresAt: number,
    options: WriteOptions = {},
  ): Promise<WriteResult<Uint8Array>> {
    const text = await this.enter('expire', key)
    const versions = live(this.state.records.get(text))
    if (versions.length === 0) throw new RingspunError('condition-failed', 'there is no live value')
    return this.write(text, versions[0]?.value, expiresAt, options)
  }

  getMany(keys: readonly KeyInput[], options?: ReadOptions): Promise<GetResult<Uint8Array>[]> {
    return Promise.all(keys.map((key) => this.get(key, options)))
  }

  putMany(
    entries: readonly (readonly [KeyInput, Uint8Array])[],
    options?: PutOptions,
  ): Promise<WriteResult<Uint8Array>[]> {
    return Promise.all(entries.map(([key, value]) => this.put(key, value, options)))
  }

  async scan({ cursor, limit = 128 }: ScanOptions = {}): Promise<ScanPage<Uint8Array>> {
    await this.cluster.before?.('scan', '')
    // The order of the keys, so that a cursor is the key it stopped at.
    const all = [...this.state.records].filter(([, record]) => live(record).length > 0).map(([key]) => key)
    const rest = all.sort().filter((key) => cursor === undefined || key > cursor.slice(1))
    const page = rest.slice(0, limit)
    return {
      entries: page.map((key) => ({ key: Buffer.from(key, 'latin1'), values: this.result(key).values })),
      cursor: rest.length > limit ? `>${page[page.length - 1]}` : undefined,
    }
  }

  async *keys(options?: ScanOptions): AsyncGenerator<Uint8Array> {
    for await (const { key } of this.entries(options)) yield key
  }

  async *entries(options?: ScanOptions): AsyncGenerator<ScanPage<Uint8Array>['entries'][number]> {
    let cursor: string | undefined
    do {
      const page = await this.scan({ ...options, ...(cursor === undefined ? {} : { cursor }) })
      yield* page.entries
      cursor = page.cursor
    } while (cursor !== undefined)
  }

  async count(): Promise<number> {
    await this.cluster.before?.('count', '')
    return [...this.state.records.values()].filter((record) => live(record).length > 0).length
  }

  async clear(): Promise<number> {
    await this.cluster.before?.('clear', '')
    const { records } = this.state
    for (const key of records.keys()) this.write(key, undefined, 0, { context: '' })
    return records.size
  }
}

function live(record: Record_ | undefined): Version[] {
  const now = Date.now()
  return (
    record?.versions.filter(
      ({ value, expiresAt }) => value !== undefined && (expiresAt === 0 || expiresAt > now),
    ) ?? []
  )
}

function valuesOf(versions: readonly Version[]): Uint8Array[] {
  return versions.map(({ value }) => value as Uint8Array)
}

function checkQuorum({ r, w, dw }: { r?: number; w?: number; dw?: number }): void {
  const bad = (count: number | undefined, least: number): boolean =>
    count !== undefined && (count < least || count > 3)
  if (bad(r, 1) || bad(w, 1) || bad(dw, 0)) throw new RingspunError('quorum-invalid', 'n is 3')
}

function contextOf(record: Record_): string {
  return `c${record.versions.map(({ dot }) => dot).join('.')}`
}

function dotsOf(context: string): ReadonlySet<number> {
  if (context === '') return noDots
  if (!/^c[0-9.]*$/.test(context)) throw new RingspunError('context-invalid', 'not a context')
  return new Set(context.slice(1).split('.').map(Number))
}

function fakeStatus(): ClusterStatus {
  return {
    version: '0.1.0',
    id: 'fake',
    partitions: 256,
    epoch: 1,
    ...defaults,
    uptimeMs: 1,
    requestsInFlight: 0,
    readRepairs: 0,
    nodes: [],
  }
}
