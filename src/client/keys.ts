// Keys and buckets as users write them, and as the house keeps them: a binary string `bucket + NUL + key`.

import { Buffer } from 'node:buffer'
import { latin1Slice } from '../base/bytes.js'
import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Key } from '../base/units.js'
import type { KeyInput } from './api.js'

const bucketName = /^[A-Za-z0-9_.:-]{1,64}$/

export function isBucketName(name: unknown): name is string {
  return typeof name === 'string' && bucketName.test(name)
}

export function checkBucketName(name: unknown): asserts name is string {
  if (!isBucketName(name)) {
    throw new RingspunError('bucket-invalid', 'a bucket name is 1 to 64 characters of A-Z a-z 0-9 _ . : -')
  }
}

/** The prefix that all keys of a bucket share. */
export function bucketPrefix(bucket: string): string {
  return `${bucket}\0`
}

export function internalKey(prefix: string, key: KeyInput): Key {
  return (prefix + keyText(key)) as Key
}

/** The user's key, checked, as a binary string. */
export function keyText(key: KeyInput): string {
  let bytes: string
  if (typeof key === 'string') {
    // As many bytes as characters: ASCII, which is its own binary string.
    bytes = Buffer.byteLength(key) === key.length ? key : utf8Key(key)
  } else if (key instanceof Uint8Array) {
    const view = Buffer.isBuffer(key) ? key : Buffer.from(key.buffer, key.byteOffset, key.byteLength)
    bytes = latin1Slice(view, 0, view.length)
  } else {
    throw new RingspunError('key-invalid', `a key is a string or a Uint8Array, got ${describe(key)}`)
  }
  if (bytes.length === 0) {
    throw new RingspunError('key-empty', `a key has 1 to ${limits.keyBytesMax} bytes, got 0`, { bytes: 0 })
  }
  if (bytes.length > limits.keyBytesMax) {
    const reason = `a key has at most ${limits.keyBytesMax} bytes, got ${bytes.length}`
    throw new RingspunError('key-too-large', reason, { bytes: bytes.length, limit: limits.keyBytesMax })
  }
  return bytes
}

function utf8Key(key: string): string {
  const utf8 = Buffer.from(key, 'utf8')
  // Half of a surrogate pair would become U+FFFD, and two keys one.
  if (utf8.toString('utf8') !== key) {
    throw new RingspunError('key-invalid', 'a key in text holds half of a surrogate pair')
  }
  return utf8.toString('latin1')
}

/** The user's key back, as bytes. */
export function userKey(prefix: string, key: Key): Uint8Array {
  return Buffer.from(key.slice(prefix.length), 'latin1')
}

/** A key of the house as its bucket and the user's key. */
export function splitKey(key: Key): { readonly bucket: string; readonly key: Uint8Array } {
  const at = key.indexOf('\0')
  return { bucket: key.slice(0, at), key: userKey(key.slice(0, at + 1), key) }
}

/** What a wrong argument was, for messages: its type, and its constructor if it has one. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return value.constructor?.name ?? 'an object'
  return typeof value === 'string'
    ? JSON.stringify(value.slice(0, 40))
    : `${typeof value} ${String(value).slice(0, 40)}`
}
