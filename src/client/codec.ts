// How values become bytes and come back. Bytes and strings go as they are; anything else by MessagePack.
// What is decoded may have been written by anybody: plain data only, no classes, bounded depth. What would
// come back as something else (a Map, a typed array, a key named __proto__) is refused when it is written.

import { Packr } from 'msgpackr'
import { latin1Slice } from '../base/bytes.js'
import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { codecOf } from '../versions/mode.js'
import type { Sibling } from '../versions/object.js'
import { describe } from './keys.js'
import { findFault } from './message-pack.js'

/** Numbers of the encodings, as stored. Never reuse one. */
export const encodings = { bytes: 0, text: 1, messagePack: 2 } as const

export interface EncodedValue {
  readonly encoding: number
  readonly bytes: Uint8Array
}

const packr = new Packr({ useRecords: false, mapsAsObjects: false, moreTypes: false, int64AsType: 'number' })
// Numbers are never written as 64-bit integers, so what is one was a bigint.
const unpackr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: 'bigint' })

export function encodeValue(value: unknown, codec: 'auto' | 'bytes', bytesMax: number): EncodedValue {
  const encoded = encode(value, codec)
  if (encoded.bytes.length > bytesMax) {
    const reason = `the value has ${encoded.bytes.length} bytes, the limit is ${bytesMax}`
    throw new RingspunError('value-too-large', reason, { bytes: encoded.bytes.length, limit: bytesMax })
  }
  return encoded
}

function encode(value: unknown, codec: 'auto' | 'bytes'): EncodedValue {
  if (value instanceof Uint8Array) return { encoding: encodings.bytes, bytes: value }
  if (codec === 'bytes') {
    throw new RingspunError('value-invalid', `this bucket takes Uint8Array values, got ${describe(value)}`)
  }
  if (typeof value === 'string') {
    checkText(value)
    return { encoding: encodings.text, bytes: Buffer.from(value, 'utf8') }
  }
  checkEncodable(value, 0, new Set())
  try {
    return { encoding: encodings.messagePack, bytes: Buffer.from(packr.pack(value)) }
  } catch (error) {
    throw new RingspunError(
      'value-invalid',
      `MessagePack cannot encode this value: ${String(error).slice(0, 200)}`,
      {},
      error,
    )
  }
}

/** MessagePack would drop functions, loop on cycles and write some objects as others: say so instead. */
function checkEncodable(value: unknown, depth: number, above: Set<object>): void {
  if (typeof value === 'function' || typeof value === 'symbol' || (value === undefined && depth === 0)) {
    throw new RingspunError('value-invalid', `a value cannot be or hold ${describe(value)}`)
  }
  if (typeof value === 'string') return checkText(value)
  if (typeof value === 'bigint') return checkBigint(value)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return
  if (value instanceof Date && !Number.isNaN(value.getTime())) return
  checkPlain(value)
  if (above.has(value)) throw new RingspunError('value-invalid', 'a value cannot contain itself')
  if (depth >= limits.nestingMax) {
    throw new RingspunError('value-invalid', `a value is nested at most ${limits.nestingMax} deep`)
  }
  above.add(value)
  if (!Array.isArray(value)) for (const name of Object.keys(value)) checkText(name)
  for (const part of Object.values(value)) checkEncodable(part, depth + 1, above)
  above.delete(value)
}

/** Half of a surrogate pair would come back as U+FFFD. At once for text that is latin1. */
function checkText(text: string): void {
  if (text.isWellFormed()) return
  throw new RingspunError('value-invalid', 'a value cannot be or hold text with half of a surrogate pair')
}

function checkBigint(value: bigint): void {
  if (BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value) return
  throw new RingspunError('value-invalid', 'a value cannot be or hold a bigint of more than 64 bits')
}

const tagOf = Object.prototype.toString

/** Arrays, objects, and instances of the application's own classes, of which the fields are kept. */
function checkPlain(value: object): void {
  if (!Array.isArray(value) && tagOf.call(value) !== '[object Object]') {
    const what = value instanceof Date ? 'an invalid Date' : describe(value)
    throw new RingspunError('value-invalid', `a value cannot be or hold ${what}: it would come back changed`)
  }
  if (Object.hasOwn(value, '__proto__')) {
    throw new RingspunError('value-invalid', 'a value cannot have a key named __proto__')
  }
}

export function decodeValue(
  { value, encoding }: Pick<Sibling, 'value' | 'encoding'>,
  codec: 'auto' | 'bytes',
  owned = false,
): unknown {
  return decodeBytes(value, encoding, codec, owned)
}

/** `mode`: the encoding byte of the sibling. `owned`: the bytes are nobody else's, and may be handed out as they are. */
export function decodeBytes(
  value: Uint8Array,
  mode: number,
  codec: 'auto' | 'bytes',
  owned: boolean,
): unknown {
  const encoding = codecOf(mode)
  // A copy of its own: what is handed out must not change, nor keep a whole batch of messages alive.
  if (codec === 'bytes' || encoding === encodings.bytes)
    return owned ? value : Uint8Array.prototype.slice.call(value)
  if (encoding === encodings.text)
    return Buffer.from(value.buffer, value.byteOffset, value.length).toString('utf8')
  if (encoding === encodings.messagePack) {
    const fault = findFault(value)
    if (fault !== undefined) throw undecodable(fault)
    try {
      return unpackr.unpack(value)
    } catch (error) {
      throw undecodable(String(error), error)
    }
  }
  throw new RingspunError('value-undecodable', `unknown encoding ${encoding}`, { encoding })
}

function undecodable(fault: string, cause?: unknown): RingspunError {
  return new RingspunError('value-undecodable', `the stored bytes are not MessagePack: ${fault}`, {}, cause)
}

/** Bytes as a latin1 text, for messages. */
export function printable(bytes: Uint8Array): string {
  return JSON.stringify(latin1Slice(Buffer.from(bytes), 0, Math.min(bytes.length, 40)))
}
