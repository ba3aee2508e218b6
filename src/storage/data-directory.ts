// The directory of a cluster: whose it is, how it was made, who has it open. Everything is checked before
// anything is written, and a refusal leaves the directory as it was.
//
//   DIR/ringspun.json   the cluster's identity (format, id, Q, nodes, hash, seed)
//   DIR/buckets.json    properties of buckets
//   DIR/LOCK            locked by the process that has it open; the kernel lets go when that process dies
//   DIR/node-N/         store and high-water file of node N

import { randomBytes } from 'node:crypto'
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { NodeId } from '../base/units.js'

/** Brings no types: an advisory lock of the kernel's on an open file, true when it was granted. */
const { tryLock } = createRequire(import.meta.url)('fs-native-extensions') as {
  tryLock(file: number): boolean
}

/** The format of the whole directory. A reader knows this one and none other yet. */
const format = 1
const identityFile = 'ringspun.json'
const partitionsDefault = 256

export interface ClusterIdentity {
  readonly format: number
  readonly id: string
  readonly partitions: number
  readonly nodes: number
  readonly hash: 'halfsip' | 'md5'
  readonly seed: readonly [number, number]
  readonly createdBy: string
  readonly created: string
}

/** What the opener wants; undefined takes what the directory has. */
export interface WantedLayout {
  readonly partitions: number | undefined
  readonly nodes: number | undefined
  readonly hash: 'halfsip' | 'md5' | undefined
}

export interface DataDirectory {
  readonly path: string
  readonly identity: ClusterIdentity
  /** True when this opening made the cluster. */
  readonly created: boolean
  nodeDirectory(node: NodeId): string
  /** Undefined when the file is not there. */
  readJson(file: string): unknown
  /** On disk, whole, before it returns. */
  writeJson(file: string, value: unknown): void
  close(): void
}

export function openDataDirectory(path: string, wanted: WantedLayout, version: string): DataDirectory {
  const dir = resolve(path)
  const isNew = prepare(dir)
  const lock = takeLock(dir)
  try {
    const known = isNew ? undefined : readIdentity(dir)
    if (known !== undefined) checkLayout(dir, known, wanted)
    const identity = known ?? newIdentity(wanted, version)
    if (known === undefined) writeJson(dir, identityFile, identity)
    for (let node = 1; node <= identity.nodes; node++)
      mkdirSync(nodePath(dir, node), { recursive: true, mode: 0o700 })
    return opened(dir, identity, known === undefined, lock)
  } catch (error) {
    closeSync(lock)
    throw error
  }
}

function opened(dir: string, identity: ClusterIdentity, created: boolean, lock: number): DataDirectory {
  let open = true
  return {
    path: dir,
    identity,
    created,
    nodeDirectory: (node) => nodePath(dir, node),
    readJson: (file) => readJson(dir, file),
    writeJson: (file, value) => writeJson(dir, file, value),
    close: () => {
      if (open) closeSync(lock)
      open = false
    },
  }
}

function nodePath(dir: string, node: NodeId): string {
  return join(dir, `node-${node}`)
}

function invalid(dir: string, reason: string, cause?: unknown): RingspunError {
  return new RingspunError('data-dir-invalid', `${dir} ${reason}`, { dir }, cause)
}

/** Makes the directory when it is not there; true when there is no cluster in it yet. */
function prepare(dir: string): boolean {
  try {
    if (!existsSync(dir)) mkdirSync(dir, { recursive: true, mode: 0o700 })
    if (!statSync(dir).isDirectory()) throw invalid(dir, 'is not a directory')
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK)
    const entries = readdirSync(dir).filter((name) => name !== 'LOCK' && name !== `${identityFile}.new`)
    if (entries.length === 0) return true
    if (!entries.includes(identityFile)) {
      throw invalid(dir, `holds ${JSON.stringify(entries[0])} and no cluster: use an empty directory`)
    }
    return false
  } catch (error) {
    if (error instanceof RingspunError) throw error
    throw invalid(dir, `cannot be used: ${(error as Error).message}`, error)
  }
}

function takeLock(dir: string): number {
  let file: number
  try {
    file = openSync(join(dir, 'LOCK'), constants.O_RDWR | constants.O_CREAT, 0o600)
  } catch (error) {
    throw invalid(dir, `cannot be locked: ${(error as Error).message}`, error)
  }
  if (tryLock(file)) return file
  closeSync(file)
  throw new RingspunError(
    'data-dir-locked',
    `${dir} is open in another process, or a second time in this one`,
    { dir },
  )
}

function readIdentity(dir: string): ClusterIdentity {
  const found = readJson(dir, identityFile)
  if (typeof found !== 'object' || found === null) throw invalid(dir, `has a damaged ${identityFile}`)
  const identity = found as ClusterIdentity
  if (typeof identity.format !== 'number') throw invalid(dir, `has a damaged ${identityFile}`)
  if (identity.format !== format) {
    const reason = `${dir} has format ${identity.format}, made by ringspun ${identity.createdBy}; this one knows format ${format}`
    throw new RingspunError('data-dir-format', reason, { format: identity.format, known: format })
  }
  const { id, partitions, nodes, hash, seed } = identity
  const seedOk = Array.isArray(seed) && seed.length === 2 && seed.every((part) => Number.isInteger(part))
  const hashOk = hash === 'halfsip' || hash === 'md5'
  if (
    typeof id !== 'string' ||
    !whole(partitions, limits.partitionsMax) ||
    !whole(nodes, limits.nodesMax) ||
    !hashOk ||
    !seedOk
  ) {
    throw invalid(dir, `has a damaged ${identityFile}`)
  }
  return identity
}

function whole(value: unknown, max: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max
}

function checkLayout(dir: string, identity: ClusterIdentity, wanted: WantedLayout): void {
  const differs = (name: 'partitions' | 'nodes' | 'hash', made: string, asked: string) => {
    const reason = `${dir} was made with ${made}; it cannot be opened with ${asked}`
    const value = wanted[name]
    if (value !== undefined && value !== identity[name]) {
      throw new RingspunError('data-dir-layout', reason, { [name]: identity[name], wanted: value })
    }
  }
  differs('nodes', `${identity.nodes} nodes`, `${wanted.nodes}`)
  differs('partitions', `${identity.partitions} partitions`, `${wanted.partitions}`)
  differs('hash', `the hash ${identity.hash}`, `${wanted.hash}`)
}

function newIdentity(wanted: WantedLayout, version: string): ClusterIdentity {
  const random = randomBytes(24)
  return {
    format,
    id: random.toString('hex', 0, 16),
    partitions: wanted.partitions ?? partitionsDefault,
    nodes: wanted.nodes ?? 3,
    hash: wanted.hash ?? 'halfsip',
    seed: [random.readUInt32LE(16), random.readUInt32LE(20)],
    createdBy: version,
    created: new Date().toISOString(),
  }
}

function readJson(dir: string, file: string): unknown {
  const path = join(dir, file)
  if (!existsSync(path)) return undefined
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown
  } catch (error) {
    throw invalid(dir, `has a damaged ${file}: ${(error as Error).message}`, error)
  }
}

/** Written beside, fsynced, renamed over, directory fsynced: a crash leaves the old file or the new one. */
function writeJson(dir: string, file: string, value: unknown): void {
  const path = join(dir, file)
  const fresh = `${path}.new`
  try {
    const handle = openSync(fresh, 'w', 0o600)
    try {
      writeSync(handle, `${JSON.stringify(value, null, 2)}\n`)
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
    renameSync(fresh, path)
    syncDirectory(dir)
  } catch (error) {
    if (existsSync(fresh)) unlinkSync(fresh)
    throw new RingspunError(
      'storage-unavailable',
      `${path} cannot be written: ${(error as Error).message}`,
      {},
      error,
    )
  }
}

function syncDirectory(dir: string): void {
  // Windows has no fsync of directories; renames are ordered there by the journal.
  if (process.platform === 'win32') return
  const handle = openSync(dir, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
