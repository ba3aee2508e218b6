// Objects as bytes: in memory, in the store, and between nodes the same, so that a copy is a copy. The last
// four bytes are a checksum over all before and, through its hash, over the key: verified wherever an object
// is decoded, so bytes that changed, or that belong to another key, are never taken for an object.
//
//   u8 format, u8 kind (0: any object, 1: one last-write-wins value), the body of that kind, u32 crc32
//   any:     varint entries { f64 actor, varint counter, u32 time },
//            varint siblings { varint 1 + entry of its actor (0: f64 actor follows), varint counter, f64 stamp,
//            u8 flags (1 deleted, 2 expires), u8 encoding, f64 expires if so, varint length, value }
//   latest:  u8 flags, u8 encoding, f64 stamp, f64 actor, varint counter, u32 time, f64 expires if so, value
//
// The second kind is nearly every object of a cache or a session store: small, quick to decode, and which of
// two is newer can be told without decoding either.

import { Malformed, onlyMalformed, Reader, Writer } from '../base/bytes.js'
import { crc32 } from '../base/crc.js'
import { byDot } from './merge.js'
import { conflictsOf, copiesOfEncoding, isVolatileEncoding } from './mode.js'
import type { ClockEntry, Sibling, StoredObject } from './object.js'

const format = 1
const anyKind = 0
const latestKind = 1
const stampAt = 4
/** Of one last-write-wins value: after its stamp and its actor. */
const dotCounterAt = stampAt + 16
/** The fewest bytes of a clock entry and of a sibling: bounds a count before anything is allocated by it. */
const entryBytesMin = 13
const siblingBytesMin = 13

const scratchBytes = 4096
/** A scratch that grew beyond this for one large object is let go again. */
const scratchBytesKept = 4 * 1024 * 1024
const scratch = new Writer(scratchBytes)

/** A fresh copy, which the object remembers. */
export function encodeObject(object: StoredObject, keyHash: number): Uint8Array {
  if (object.encoded !== undefined) return object.encoded
  const latest = onlyLatest(object)
  if (latest !== undefined) {
    object.encoded = encodeFresh(latest, object.clock[0]?.time ?? 0, keyHash)
    return object.encoded
  }
  scratch.reset()
  scratch.u8(format)
  encodeAny(object)
  object.encoded = sealed(keyHash)
  return object.encoded
}

/** An object of this last-write-wins value alone, with a clock of its own event; `time` is that of the event. */
export function encodeFresh(latest: Sibling, time: number, keyHash: number): Uint8Array {
  scratch.reset()
  scratch.u8(format)
  encodeLatest(latest, time)
  return sealed(keyHash)
}

/** A copy of what `scratch` holds, with its checksum. */
function sealed(keyHash: number): Uint8Array {
  scratch.u32(crc32(scratch.bytes, keyHash, 0, scratch.length))
  const bytes = scratch.copy()
  if (scratch.bytes.length > scratchBytesKept) scratch.shrink(scratchBytes)
  return bytes
}

/** The value of an object that is one last-write-wins value with a clock of its own event alone. */
function onlyLatest(object: StoredObject): Sibling | undefined {
  const [sibling] = object.siblings
  const [entry] = object.clock
  if (object.siblings.length !== 1 || object.clock.length !== 1 || conflictsOf(object) === 'siblings')
    return undefined
  const same = entry?.actor === sibling?.dot.actor && entry?.counter === sibling?.dot.counter
  return same ? sibling : undefined
}

function encodeLatest(sibling: Sibling, time: number): void {
  const { dot, stamp, deleted, expires, encoding, value } = sibling
  scratch.u8(latestKind)
  scratch.u8((deleted ? 1 : 0) | (expires !== 0 ? 2 : 0))
  scratch.u8(encoding)
  scratch.f64(stamp)
  scratch.f64(dot.actor)
  scratch.varint(dot.counter)
  scratch.u32(time)
  if (expires !== 0) scratch.f64(expires)
  scratch.raw(value)
}

function encodeAny(object: StoredObject): void {
  const { clock, siblings } = object
  scratch.u8(anyKind)
  scratch.varint(clock.length)
  for (const { actor, counter, time } of clock) {
    scratch.f64(actor)
    scratch.varint(counter)
    scratch.u32(time)
  }
  scratch.varint(siblings.length)
  for (const sibling of siblings) encodeSibling(sibling, clock)
}

function encodeSibling(sibling: Sibling, clock: StoredObject['clock']): void {
  const { dot, stamp, deleted, expires, encoding, value } = sibling
  let at = 0
  while (at < clock.length && clock[at]?.actor !== dot.actor) at++
  const inClock = at < clock.length
  scratch.varint(inClock ? at + 1 : 0)
  if (!inClock) scratch.f64(dot.actor)
  scratch.varint(dot.counter)
  scratch.f64(stamp)
  scratch.u8((deleted ? 1 : 0) | (expires !== 0 ? 2 : 0))
  scratch.u8(encoding)
  if (expires !== 0) scratch.f64(expires)
  scratch.varint(value.length)
  scratch.raw(value)
}

/** A format, a kind, something, and a checksum. */
const wholeBytesMin = 7
/** What a CRC-32 comes to that goes on over itself, as it lies: whatever came before, and only when it is right. */
const residue = 0x2144df1c

/** True when the checksum of the object from `start` to `end` is right. */
export function looksWhole(bytes: Uint8Array, keyHash: number, start = 0, end = bytes.length): boolean {
  return end - start >= wholeBytesMin && crc32(bytes, keyHash, start, end) === residue
}

/** What `findLatest` has found: the encoding byte of the value, and where it begins and ends. */
export const latest = { encoding: 0, start: 0, end: 0 }

/**
 * Finds the value in the commonest of objects, one last-write-wins value that lives for ever, without decoding the
 * rest: into `latest`. False for any other. Its checksum is not looked at: that is for whoever has another proof.
 */
export function findLatest(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] !== format || bytes[start + 1] !== latestKind || bytes[start + 2] !== 0) return false
  let at = start + dotCounterAt
  while ((bytes[at] as number) >= 0x80 && at < end) at++
  // The last byte of the counter, and the time.
  at += 5
  if (at > end - 4) return false
  latest.encoding = bytes[start + 3] as number
  latest.start = at
  latest.end = end - 4
  return true
}

/** Values are views of `bytes`, and `encoded` is `bytes`. Throws `Malformed` on anything that is not an object of this key. */
export function decodeObject(bytes: Uint8Array, keyHash: number): StoredObject {
  if (!looksWhole(bytes, keyHash)) throw new Malformed('wrong checksum')
  const reader = new Reader(bytes, 0, bytes.length - 4)
  if (reader.u8() !== format) throw new Malformed('unknown format of an object')
  const kind = reader.u8()
  if (kind === latestKind) return decodeLatest(reader, bytes)
  if (kind !== anyKind) throw new Malformed('unknown kind of object')
  const entries = bounded(reader, entryBytesMin)
  const clock: ClockEntry[] = []
  let last = 0
  for (let i = 0; i < entries; i++) {
    const actor = actorOf(reader)
    if (actor <= last) throw new Malformed('clock out of order')
    clock.push({ actor, counter: counterOf(reader), time: reader.u32() })
    last = actor
  }
  const count = bounded(reader, siblingBytesMin)
  if (count === 0) throw new Malformed('an object without siblings')
  const siblings: Sibling[] = []
  for (let i = 0; i < count; i++) {
    const sibling = decodeSibling(reader, clock)
    if (i > 0 && byDot(siblings[i - 1] as Sibling, sibling) >= 0) throw new Malformed('siblings out of order')
    siblings.push(sibling)
  }
  if (reader.rest !== 0) throw new Malformed('trailing bytes')
  return { clock, siblings, encoded: bytes }
}

function decodeLatest(reader: Reader, bytes: Uint8Array): StoredObject {
  const flags = flagsOf(reader)
  const encoding = reader.u8()
  const stamp = stampOf(reader)
  const dot = { actor: actorOf(reader), counter: counterOf(reader) }
  const time = reader.u32()
  const expires = (flags & 2) !== 0 ? expiryOf(reader) : 0
  const value = reader.raw(reader.rest)
  const sibling: Sibling = { dot, stamp, expires, deleted: (flags & 1) !== 0, encoding, value }
  return { clock: [{ actor: dot.actor, counter: dot.counter, time }], siblings: [sibling], encoded: bytes }
}

/** An encoded object that lies in other bytes. */
export interface Located {
  bytes: Uint8Array
  start: number
  end: number
}

/** True for one last-write-wins value that is newer than another one, by their first bytes; checksums are not looked at. */
export function replaces(newer: Uint8Array, { bytes, start, end }: Located): boolean {
  if (!isLatest(newer, 0, newer.length) || !isLatest(bytes, start, end)) return false
  return stampOfLatest(newer, 0) > stampOfLatest(bytes, start)
}

function isLatest(bytes: Uint8Array, start: number, end: number): boolean {
  return bytes[start] === format && bytes[start + 1] === latestKind && end - start >= stampAt + 8
}

const stampWords = new Float64Array(1)
const stampBytes = new Uint8Array(stampWords.buffer)

function stampOfLatest(bytes: Uint8Array, start: number): number {
  for (let i = 0; i < 8; i++) stampBytes[i] = bytes[start + stampAt + i] as number
  return stampWords[0] as number
}

/** True for one last-write-wins value that is neither deleted nor expired; for any other object, what its kind says: no. */
export function isLive({ bytes, start, end }: Located, wall: number): boolean {
  if (!isLatest(bytes, start, end)) return false
  const flags = bytes[start + 2] as number
  if (flags === 0) return true
  if ((flags & 1) !== 0) return false
  const reader = new Reader(bytes, start + stampAt + 16, end)
  reader.varint()
  reader.u32()
  return reader.f64() > wall
}

/** True for an encoded object of a bucket that is kept in memory only. */
export function isVolatileEncoded(bytes: Uint8Array): boolean | undefined {
  return bytes[1] === latestKind ? isVolatileEncoding(bytes[3] as number) : undefined
}

export interface Mode {
  /** Kept in memory only. */
  readonly volatile: boolean
  /** On how many nodes it shall be. */
  readonly copies: number
}

/** By encoding byte. */
const modes: readonly Mode[] = Array.from({ length: 256 }, (_, encoding) => ({
  volatile: isVolatileEncoding(encoding),
  copies: copiesOfEncoding(encoding),
}))

/** What an encoded object says of itself, without looking at values or checksum; of a damaged one, anything. */
export function modeOf(bytes: Uint8Array): Mode {
  return modeAt(bytes, 0, bytes.length)
}

/** The same of one that lies in other bytes. */
export function modeAt(whole: Uint8Array, start: number, end: number): Mode {
  // Of a row that was cut off there may be nothing.
  if (whole[start + 1] === latestKind) return modes[whole[start + 3] ?? 0] as Mode
  const bytes = whole.subarray(start, end)
  let volatile = true
  let copies = 1
  const isWhole = eachSibling(bytes, (_flags, encoding) => {
    if (!isVolatileEncoding(encoding)) volatile = false
    copies = Math.max(copies, copiesOfEncoding(encoding))
  })
  return { volatile: volatile && isWhole, copies }
}

/** True for an encoded object of which some value is deleted or expires. */
export function isMortal(bytes: Uint8Array): boolean {
  if (bytes[1] === latestKind) return bytes[2] !== 0
  let mortal = false
  eachSibling(bytes, (flags) => {
    if (flags !== 0) mortal = true
  })
  return mortal
}

/** Visits the siblings of an encoded object of the first kind; false for one that is damaged. */
function eachSibling(bytes: Uint8Array, visit: (flags: number, encoding: number) => void): boolean {
  try {
    const reader = new Reader(bytes, 2, bytes.length - 4)
    for (let entries = bounded(reader, entryBytesMin); entries > 0; entries--) {
      reader.at += 8
      reader.varint()
      reader.at += 4
    }
    for (let siblings = bounded(reader, siblingBytesMin); siblings > 0; siblings--) {
      if (reader.varint() === 0) reader.at += 8
      reader.varint()
      reader.at += 8
      const flags = reader.u8()
      const encoding = reader.u8()
      visit(flags, encoding)
      if ((flags & 2) !== 0) reader.at += 8
      reader.raw(reader.varint())
    }
  } catch (error) {
    onlyMalformed(error)
    return false
  }
  return true
}

function decodeSibling(reader: Reader, clock: readonly ClockEntry[]): Sibling {
  const at = reader.varint()
  const entry = clock[at - 1]
  if (at > 0 && entry === undefined) throw new Malformed('a dot of an unknown actor')
  const actor = entry === undefined ? actorOf(reader) : entry.actor
  const counter = counterOf(reader)
  const stamp = stampOf(reader)
  const flags = flagsOf(reader)
  const encoding = reader.u8()
  const expires = (flags & 2) !== 0 ? expiryOf(reader) : 0
  const value = reader.raw(reader.varint())
  return { dot: { actor, counter }, stamp, expires, deleted: (flags & 1) !== 0, encoding, value }
}

// What merges takes for granted: a number that is none (NaN) would compare with nothing, for ever.

function actorOf(reader: Reader): number {
  const actor = reader.f64()
  if (!Number.isSafeInteger(actor) || actor < 1) throw new Malformed('an actor out of range')
  return actor
}

function counterOf(reader: Reader): number {
  const counter = reader.varint()
  if (counter === 0) throw new Malformed('a counter of 0')
  return counter
}

function stampOf(reader: Reader): number {
  const stamp = reader.f64()
  if (!Number.isSafeInteger(stamp) || stamp < 0) throw new Malformed('a stamp out of range')
  return stamp
}

function flagsOf(reader: Reader): number {
  const flags = reader.u8()
  if (flags > 3) throw new Malformed('unknown flags')
  return flags
}

function expiryOf(reader: Reader): number {
  const expires = reader.f64()
  if (!(expires > 0 && expires < Number.POSITIVE_INFINITY)) throw new Malformed('an expiry out of range')
  return expires
}

function bounded(reader: Reader, bytesMin: number): number {
  const count = reader.varint()
  if (count * bytesMin > reader.rest) throw new Malformed('cut off')
  return count
}
