// Checks what users pass before anything happens: names, types, ranges, and how they fit together. A wrong
// option is refused with what was expected; an unknown one too, because a typing error must not pass.

import { availableParallelism } from 'node:os'
import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Millis, NodeId } from '../base/units.js'
import type { Ring } from '../ring/ring.js'
import type {
  BucketOptions,
  BucketProperties,
  Cluster,
  ClusterOptions,
  Durability,
  RequestOptions,
} from './api.js'
import { describe } from './keys.js'

const durabilities: readonly Durability[] = ['memory', 'os', 'disk']

/** The options of a call without any: known by what it is, so that nothing needs to be checked. */
export const none: Readonly<Record<never, never>> = {}

/** The options that every request has. */
export const requestNames: readonly string[] = ['timeout', 'signal']

export function checkNames(options: object, known: readonly string[], where: string): void {
  if (typeof options !== 'object' || options === null) {
    throw new RingspunError('option-invalid', `${where}: options are an object, got ${describe(options)}`)
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const shown = name.slice(0, 40)
    const reason = `${where}: there is no option ${JSON.stringify(shown)}; there are ${known.join(', ')}`
    throw new RingspunError('option-unknown', reason, { option: shown })
  }
}

export function checkWhole(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    const reason = `${name} is a whole number from ${min} to ${max}, got ${describe(value)}`
    throw new RingspunError('option-invalid', reason, { option: name, min, max })
  }
  return value
}

/** A node by its number. */
export function checkNode(name: string, value: unknown, nodes: readonly NodeId[]): NodeId {
  if (typeof value === 'number' && nodes.includes(value)) return value
  const reason = `${name} is the number of a node, ${nodes.join(' ')}, got ${describe(value)}`
  throw new RingspunError('option-invalid', reason, { option: name })
}

export function checkOneOf<T extends string>(name: string, value: unknown, choices: readonly T[]): T {
  if (!choices.includes(value as T)) {
    const reason = `${name} is one of ${choices.join(', ')}, got ${describe(value)}`
    throw new RingspunError('option-invalid', reason, { option: name })
  }
  return value as T
}

export function checkFlag(name: string, value: unknown): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false
  throw new RingspunError('option-invalid', `${name} is true or false, got ${describe(value)}`, {
    option: name,
  })
}

function quorum(name: string, value: unknown, min: number, max: number, bound: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    const reason = `${min} <= ${name} <= ${bound} = ${max}, got ${describe(value)}`
    throw new RingspunError('quorum-invalid', reason, { option: name, min, max })
  }
  return value
}

/** r of a read. */
export function checkR(value: unknown, n: number): number {
  return quorum('r', value, 1, n, 'n')
}

export function checkW(value: unknown, n: number): number {
  return quorum('w', value, 1, n, 'n')
}

export function checkDw(value: unknown, w: number): number {
  return quorum('dw', value, 0, w, 'w')
}

export function checkPr(value: unknown, r: number): number {
  return quorum('pr', value, 0, r, 'r')
}

export function checkPw(value: unknown, w: number): number {
  return quorum('pw', value, 0, w, 'w')
}

/** Properties of a bucket as given, laid over what it has. A quorum that no longer fits is an error, not adjusted. */
export function checkProperties(
  given: Partial<BucketProperties>,
  base: BucketProperties,
  nodes: number,
  durable: boolean,
): BucketProperties {
  const n = quorum('n', given.n ?? base.n, 1, Math.min(nodes, limits.copiesMax), 'nodes')
  const durability = checkOneOf('durability', given.durability ?? base.durability, durabilities)
  if (durability !== 'memory' && !durable) {
    throw new RingspunError('option-invalid', `durability ${durability} needs a data directory (option dir)`)
  }
  return {
    conflicts: checkOneOf('conflicts', given.conflicts ?? base.conflicts, ['siblings', 'last-write-wins']),
    n,
    r: checkR(given.r ?? base.r, n),
    w: checkW(given.w ?? base.w, n),
    dw: checkDw(given.dw ?? base.dw, given.w ?? base.w),
    durability,
  }
}

const timeoutMsDefault: Millis = 5_000

/** The timeout of a request; its signal is looked at too. */
export function timeoutOf(options: RequestOptions): Millis {
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) {
    throw new RingspunError('option-invalid', 'signal is an AbortSignal', { option: 'signal' })
  }
  if (options.timeout === undefined) return timeoutMsDefault
  return checkWhole('timeout', options.timeout, 1, limits.timeoutMsMax)
}

const bucketNames = ['conflicts', 'n', 'r', 'w', 'dw', 'durability', 'merge', 'codec']

export function checkBucketOptions<T>(options: BucketOptions<T>): Partial<BucketProperties> {
  checkNames(options, bucketNames, 'bucket')
  if (options.merge !== undefined && typeof options.merge !== 'function') {
    throw new RingspunError('option-invalid', `merge is a function, got ${describe(options.merge)}`)
  }
  if (options.codec !== undefined) checkOneOf('codec', options.codec, ['auto', 'bytes'])
  const { merge: _merge, codec: _codec, ...properties } = options
  return properties
}

const clusterNames = [
  'dir',
  'nodes',
  'partitions',
  'hash',
  'memory',
  'valueBytesMax',
  'routing',
  'log',
  'reapAfterMs',
  'gossipEveryMs',
  'n',
  'r',
  'w',
  'dw',
  'durability',
]

export interface ClusterSettings {
  readonly dir: string | undefined
  readonly nodes: number
  readonly partitions: number | undefined
  readonly hash: 'halfsip' | 'md5' | undefined
  readonly memory: number
  readonly valueBytesMax: number
  readonly reapAfterMs: Millis
  readonly gossipEveryMs: Millis
  readonly routing: 'client' | 'server'
  readonly log: NonNullable<ClusterOptions['log']>
  readonly defaults: BucketProperties
}

const MiB = 1024 * 1024

export function checkClusterOptions(options: ClusterOptions): ClusterSettings {
  checkNames(options, clusterNames, 'cluster')
  const { dir } = options
  if (dir !== undefined && (typeof dir !== 'string' || dir === '')) {
    throw new RingspunError('option-invalid', `dir is the path of a directory, got ${describe(dir)}`)
  }
  const nodes = checkWhole('nodes', options.nodes ?? nodesDefault(options.n), 1, limits.nodesMax)
  if (options.log !== undefined && typeof options.log !== 'function') {
    throw new RingspunError('option-invalid', `log is a function, got ${describe(options.log)}`)
  }
  // Defaults that were not chosen bend to what was: n to the nodes, r and w to n, dw to w.
  const n = options.n ?? Math.min(3, nodes)
  const majority = typeof n === 'number' ? Math.min(2, n) : 2
  const w = options.w ?? majority
  const durability = options.durability ?? (dir === undefined ? 'memory' : 'disk')
  const base: BucketProperties = {
    conflicts: 'siblings',
    n,
    r: options.r ?? majority,
    w,
    dw: options.dw ?? (durability === 'memory' ? 0 : 1),
    durability,
  }
  const memory = checkWhole('memory', options.memory ?? 256 * MiB, 4 * MiB, 4095 * MiB)
  const valueBytesMax = checkWhole(
    'valueBytesMax',
    options.valueBytesMax ?? Math.min(limits.valueBytesMaxDefault, memory / 16),
    1,
    limits.valueBytesMaxCeiling,
  )
  if (valueBytesMax > memory / 16) {
    const reason = `values of ${valueBytesMax} bytes need at least 16 times as much memory on each node, got ${memory}`
    throw new RingspunError('option-invalid', reason, { option: 'memory', valueBytesMax, memory })
  }
  return {
    dir,
    nodes,
    partitions:
      options.partitions === undefined
        ? undefined
        : checkWhole('partitions', options.partitions, 1, limits.partitionsMax),
    hash:
      options.hash === undefined ? undefined : checkOneOf('hash', options.hash, ['halfsip', 'md5'] as const),
    memory,
    valueBytesMax,
    reapAfterMs: checkWhole(
      'reapAfterMs',
      options.reapAfterMs ?? limits.reapAfterMsDefault,
      0,
      limits.reapAfterMsMax,
    ),
    gossipEveryMs: checkWhole('gossipEveryMs', options.gossipEveryMs ?? 1_000, 10, 3_600_000),
    routing: checkOneOf('routing', options.routing ?? 'client', ['client', 'server']),
    log: options.log ?? logToStandardError,
    defaults: checkProperties({}, base, nodes, dir !== undefined),
  }
}

/** As many as cores, and enough for the paper's three copies, or for as many as were asked for. */
function nodesDefault(n: unknown): number {
  const copies = typeof n === 'number' && n <= limits.copiesMax ? n : 0
  return Math.max(3, availableParallelism(), copies)
}

export function logToStandardError(level: 'info' | 'warn' | 'error', text: string): void {
  if (level !== 'info') process.stderr.write(`ringspun ${level}: ${text}\n`)
}

/** What the application sees of them. */
export function publicOptions(settings: ClusterSettings, ring: Ring): Cluster['options'] {
  const { n, r, w, dw, durability } = settings.defaults
  const { dir, nodes, memory, valueBytesMax, reapAfterMs, gossipEveryMs, routing } = settings
  const { partitions, hash } = ring
  return {
    dir,
    nodes,
    partitions,
    hash,
    memory,
    valueBytesMax,
    reapAfterMs,
    gossipEveryMs,
    routing,
    n,
    r,
    w,
    dw,
    durability,
  }
}
