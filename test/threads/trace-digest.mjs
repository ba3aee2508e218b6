// A digest of all that a host is, the same on a thread and in the simulated world: every field of the host, of its
// actors, its journal, its timers and its trees, and the objects in memory.
//
// Left out: what the host was given (ports, store), functions, and what is only a cache of something else.

import { createHash } from 'node:crypto'

/** `ports`, `storage`, `store`: given. The rest holds views that are good for one turn, or scratch. */
const left = new Set([
  'ports',
  'storage',
  'store',
  'memory',
  'hashes',
  'fetched',
  'found',
  'readKey',
  'readBytes',
])
const places = 64 * 1024

export function textOf(bytes) {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** By part, so that a difference says where it is. */
export function digestOf({ host, memory, trees }) {
  const parts = { objects: objectsOf(memory), trees: hashOf(trees), unflushed: memory.dirtyBytes }
  for (const name of Object.keys(host).sort()) {
    const value = host[name]
    if (left.has(name) || typeof value === 'function' || value === undefined) continue
    if (name === 'cast') for (const actor of Object.keys(value)) parts[`cast.${actor}`] = hashOf(value[actor])
    else parts[name] = hashOf(value)
  }
  return parts
}

/** What is in the object buffer: keys, versions and values as they are encoded, and which of it is unflushed. */
function objectsOf(memory) {
  const objects = new Map()
  const take = (key, hash, value) => objects.set(key, `${hash} ${textOf(value)}`)
  for (let at = memory.walk(0, places, take); at !== 0; ) at = memory.walk(at, places, take)
  const unflushed = []
  memory.eachDirty((key) => unflushed.push(key))
  const rows = [...objects].sort(([a], [b]) => (a < b ? -1 : 1))
  return `${objects.size} ${memory.complete} ${memory.forgetting} ${short(JSON.stringify([rows, unflushed]))}`
}

export function digestOfRows(rows) {
  return short(JSON.stringify(rows.map((row) => (row instanceof Uint8Array ? textOf(row) : (row ?? null)))))
}

export function digestOfWrites(writes) {
  return digestOfRows(writes.flatMap(({ row, value }) => [row, value]))
}

function short(text) {
  return createHash('sha256').update(text).digest('base64').slice(0, 16)
}

function hashOf(value) {
  const hash = createHash('sha256')
  visit(value, hash, new Map())
  return hash.digest('base64').slice(0, 16)
}

/** Feeds a value and all that can be reached from it; what was seen before by its number. */
function visit(value, hash, seen) {
  if (typeof value === 'function') return
  if (typeof value !== 'object' || value === null) {
    hash.update(`${typeof value}:${Object.is(value, -0) ? '-0' : String(value)};`)
    return
  }
  const known = seen.get(value)
  if (known !== undefined) {
    hash.update(`#${known};`)
    return
  }
  seen.set(value, seen.size)
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof SharedArrayBuffer) return
    hash.update(Buffer.from(value.buffer, value.byteOffset, value.byteLength))
  } else if (value instanceof Map || value instanceof Set || Array.isArray(value)) {
    hash.update(`${value instanceof Map ? 'map' : 'list'} ${value.size ?? value.length};`)
    for (const item of value) visit(item, hash, seen)
  } else if (value.constructor?.name === 'Writer') {
    // What lies behind its end was never written.
    hash.update(value.bytes.subarray(0, value.length))
  } else if (!(value instanceof SharedArrayBuffer)) {
    hash.update('{')
    for (const name of Object.keys(value).sort()) {
      if (left.has(name) || value[name] === undefined || typeof value[name] === 'function') continue
      hash.update(`${name}=`)
      visit(value[name], hash, seen)
    }
    hash.update('}')
  }
}
