// Values that describe themselves, for the tests of the object buffer: number of the key, version, length, a
// pattern made of all three, and a checksum. Whatever is torn, mixed up or stale shows.

import { crc32 } from 'node:zlib'
import type { Key } from '../../src/base/units.js'
import { hashKey } from '../../src/ring/hash.js'

/** The least bytes of a value. */
export const valueBytesMin = 16

export function keyOf(number: number): Key {
  // Lengths of 8 to 23, and a few long ones.
  const tail = number % 13 === 0 ? 'x'.repeat(60 + (number % 200)) : 'x'.repeat(number % 16)
  return `b\0${String(number).padStart(6, '0')}${tail}` as Key
}

export function hashOf(number: number): number {
  // Every seventh key has the hash of another one.
  return hashKey([7, 9], keyOf(number % 7 === 0 ? 1_000_000 + (number % 3) : number))
}

export function makeValue(number: number, version: number, length: number): Buffer {
  const value = Buffer.alloc(Math.max(valueBytesMin, length), (number * 31 + version * 7) & 0xff)
  value.writeUInt32LE(number, 0)
  value.writeUInt32LE(version, 4)
  value.writeUInt32LE(value.length, 8)
  value.writeUInt32LE(checksum(value), 12)
  return value
}

function checksum(value: Buffer): number {
  return (crc32(value.subarray(0, 12)) ^ crc32(value.subarray(16))) >>> 0
}

/** The version, or -1 when it is not a whole value of this key. */
export function versionOf(number: number, bytes: Uint8Array): number {
  const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (value.length < valueBytesMin || value.readUInt32LE(8) !== value.length) return -1
  if (value.readUInt32LE(0) !== number || value.readUInt32LE(12) !== checksum(value)) return -1
  return value.readUInt32LE(4)
}

/** The check that an adoption is handed: true for a whole value under its own key. */
export function isWhole(key: Key, hash: number, bytes: Uint8Array): boolean {
  const number = Number(key.slice(2, 8))
  return keyOf(number) === key && hashOf(number) === hash && versionOf(number, bytes) >= 0
}
