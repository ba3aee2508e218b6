// The directory of a cluster: whose it is, how it was made, who has it open. Everything is checked before
// anything is written, and a refusal leaves the directory as it was.
//
//   DIR/ringspun.json   the cluster's identity (format, id, Q, nodes, hash, seed)
//   DIR/buckets.json    properties of buckets
//   DIR/LOCK            locked by the process that has it open; the kernel lets go when that process dies
//   DIR/node-N/         store and high-water file of node N, and in owner.json whose they are

import { randomBytes } from 'node:crypto'
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { NodeId } from '../base/units.js'
import { makeDirectory, syncDirectory } from './directories.js'

/** Brings no types: an advisory lock of the kernel's on an open file, true when it was granted. */
const { tryLock } = createRequire(import.meta.url)('fs-native-extensions') as {
  tryLock(file: number): boolean
}

/**
 * The format of the whole directory. 2: stores have a redo log, which a reader of 1 would pass over, and with it what was
 * written last. A directory of format 1 is one of format 2 whose logs are empty: it becomes that when it is opened.
 */
const format = 2
const identityFile = 'ringspun.json'
const ownerFile = 'owner.json'
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
  /** What makes it less safe than it should be, in sentences; nothing that keeps it closed. */
  readonly concerns: readonly string[]
  nodeDirectory(node: NodeId): string
  /** The cluster has so many nodes now. */
  setNodes(count: number): void
  /** Undefined when the file is not there. */
  readJson(file: string): unknown
  /** On disk, whole, before it returns. */
  writeJson(file: string, value: unknown): void
  close(): void
}

export function openDataDirectory(
  path: string,
  wanted: WantedLayout,
  version: string,
  nodesDefault = 3,
): DataDirectory {
  const dir = resolve(path)
  // Once before the lock, because the lock is a file and a refusal writes none; once more behind it, because
  // another process may have made the cluster in between.
  look(dir, wanted, version)
  const lock = takeLock(dir)
  try {
    const known = look(dir, wanted, version)
    const identity = known === undefined ? newIdentity(wanted, version, nodesDefault) : { ...known, format }
    // Before any node writes: no older version may open the directory from here on.
    if (known?.format !== format) writeJson(dir, identityFile, identity)
    for (let node = 1; node <= identity.nodes; node++) makeNodeDirectory(dir, identity, node)
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
    concerns: concernsOf(dir),
    nodeDirectory: (node) => nodePath(dir, node),
    setNodes: (count) => writeJson(dir, identityFile, { ...identity, nodes: count }),
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

/** The cluster that is in the directory, undefined when there is none yet; refuses what cannot be opened. */
function look(dir: string, wanted: WantedLayout, version: string): ClusterIdentity | undefined {
  if (prepare(dir)) return undefined
  const identity = readIdentity(dir, version)
  checkLayout(dir, identity, wanted)
  for (let node = 1; node <= identity.nodes; node++) checkOwner(dir, identity, node)
  return identity
}

/** The store of another node would be taken for this one's: all it lacks would count as never written. */
function checkOwner(dir: string, { id }: ClusterIdentity, node: NodeId): void {
  const owner = readJson(dir, join(`node-${node}`, ownerFile))
  if (owner === undefined) return
  const { cluster, node: number } = Object(owner) as { cluster?: unknown; node?: unknown }
  if (cluster === id && number === node) return
  if (typeof cluster !== 'string' || typeof number !== 'number') {
    throw invalid(dir, `has a damaged node-${node}/${ownerFile}`)
  }
  const whose = cluster === id ? 'this cluster' : `the cluster ${cluster.slice(0, 40)}`
  throw invalid(dir, `has in node-${node} what belongs to node ${number} of ${whose}`)
}

function makeNodeDirectory(dir: string, { id }: ClusterIdentity, node: NodeId): void {
  const path = nodePath(dir, node)
  makeDirectory(path)
  if (!existsSync(join(path, ownerFile))) writeJson(path, ownerFile, { cluster: id, node })
}

/** Refusing these would keep out what is common: volumes of containers are often open to all, or somebody else's. */
function concernsOf(dir: string): string[] {
  if (process.getuid === undefined) return []
  const concerns: string[] = []
  const { mode, uid } = statSync(dir)
  if ((mode & 0o022) !== 0) {
    concerns.push(`${dir} can be written by others (mode ${(mode & 0o777).toString(8)}): chmod 700 it`)
  }
  if (uid !== process.getuid()) {
    concerns.push(`${dir} belongs to user ${uid}, this process is user ${process.getuid()}`)
  }
  return concerns
}

/** What may lie in a directory that has no cluster yet: traces of an opening that was cut short, and a new disk's. */
const ignored: readonly string[] = ['LOCK', `${identityFile}.new`, 'lost+found']

/** Makes the directory when it is not there; true when there is no cluster in it yet. */
function prepare(dir: string): boolean {
  try {
    if (!existsSync(dir)) makeDirectory(dir)
    if (!statSync(dir).isDirectory()) throw invalid(dir, 'is not a directory')
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK)
    const entries = readdirSync(dir).filter((name) => !ignored.includes(name))
    if (entries.length === 0) return true
    if (entries.includes(identityFile)) return false
    throw invalid(dir, `holds ${JSON.stringify(entries[0])} and no cluster: use an empty directory`)
  } catch (error) {
    if (error instanceof RingspunError) throw error
    throw invalid(dir, `cannot be used: ${(error as Error).message}`, error)
  }
}

function takeLock(dir: string): number {
  let file: number | undefined
  try {
    file = openSync(join(dir, 'LOCK'), constants.O_RDWR | constants.O_CREAT, 0o600)
    if (tryLock(file)) return file
  } catch (error) {
    if (file !== undefined) closeSync(file)
    throw invalid(dir, `cannot be locked: ${(error as Error).message}`, error)
  }
  closeSync(file)
  const reason = `${dir} is open in another process, or a second time in this one`
  throw new RingspunError('data-dir-locked', reason, { dir })
}

function readIdentity(dir: string, version: string): ClusterIdentity {
  const found = readJson(dir, identityFile)
  if (typeof found !== 'object' || found === null) throw invalid(dir, `has a damaged ${identityFile}`)
  const identity = found as ClusterIdentity
  if (typeof identity.format !== 'number') throw invalid(dir, `has a damaged ${identityFile}`)
  if (!whole(identity.format, format)) {
    const reason = `${dir} has format ${identity.format}, made by ringspun ${identity.createdBy}; ringspun ${version} knows formats 1 to ${format}`
    throw new RingspunError('data-dir-format', reason, { format: identity.format, known: format })
  }
  const { id, partitions, nodes, hash, seed } = identity
  const seedOk = Array.isArray(seed) && seed.length === 2 && seed.every((part) => part >>> 0 === part)
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

function newIdentity(wanted: WantedLayout, version: string, nodesDefault: number): ClusterIdentity {
  const random = randomBytes(24)
  return {
    format,
    id: random.toString('hex', 0, 16),
    partitions: wanted.partitions ?? partitionsDefault,
    nodes: wanted.nodes ?? nodesDefault,
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
      writeFileSync(handle, `${JSON.stringify(value, null, 2)}\n`)
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
    renameSync(fresh, path)
    syncDirectory(dir)
  } catch (error) {
    rmSync(fresh, { force: true })
    const reason = `${path} cannot be written: ${(error as Error).message}`
    throw new RingspunError('storage-unavailable', reason, { path }, error)
  }
}
