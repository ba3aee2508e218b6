// The context as an opaque text (Dynamo 4.1): what a read has seen, for which key, signed. A context that was
// damaged, forged, or read from another key is refused: one that claims events which never happened would
// make later writes vanish.
//
//   u8 version, u32 key hash, f64 stamp, varint entries { f64 actor, varint counter, u32 time }, 8 bytes HMAC

import { createHmac } from 'node:crypto'
import { Malformed, Reader, Writer } from '../base/bytes.js'
import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { ClockEntry, Context } from './object.js'
import { cut } from './vector.js'

const version = 1
const signatureBytes = 8
/** More than `siblingsMax`, and they fit into `contextBytesMax` whatever their counters are. */
const entriesMax = 200
const writer = new Writer(256)

/**
 * A clock too long for a token forgets its oldest entries: a put with it then leaves a few values beside its
 * own, to be resolved by the next.
 */
export function encodeContext(context: Context, keyHash: number, secret: readonly [number, number]): string {
  writer.reset()
  writer.u8(version)
  writer.u32(keyHash)
  writer.f64(context.stamp)
  const clock = cut(context.clock, entriesMax, () => false)
  writer.varint(clock.length)
  for (const { actor, counter, time } of clock) {
    writer.f64(actor)
    writer.varint(counter)
    writer.u32(time)
  }
  writer.raw(sign(writer.bytes.subarray(0, writer.length), secret))
  return writer.bytes.toString('base64url', 0, writer.length)
}

/** Throws RingspunError context-invalid, context-mismatch or context-too-large. */
export function decodeContext(token: string, keyHash: number, secret: readonly [number, number]): Context {
  if (typeof token !== 'string') throw new RingspunError('context-invalid', 'a context is a text')
  if (token.length > Math.ceil((limits.contextBytesMax * 4) / 3)) {
    throw new RingspunError('context-too-large', `a context has at most ${limits.contextBytesMax} bytes`)
  }
  const bytes = Buffer.from(token, 'base64url')
  const body = bytes.subarray(0, Math.max(0, bytes.length - signatureBytes))
  // The text must be exactly what was handed out: base64 has several texts for the same bytes.
  if (bytes.toString('base64url') !== token || !sign(body, secret).equals(bytes.subarray(body.length))) {
    throw new RingspunError('context-invalid', 'this is not a context of this cluster, or it was changed')
  }
  try {
    return read(new Reader(body), keyHash)
  } catch (error) {
    if (error instanceof Malformed)
      throw new RingspunError('context-invalid', `not a context: ${error.message}`)
    throw error
  }
}

function read(reader: Reader, keyHash: number): Context {
  if (reader.u8() !== version) throw new Malformed('unknown version')
  if (reader.u32() !== keyHash) {
    throw new RingspunError('context-mismatch', 'the context was read from another key or bucket')
  }
  const stamp = reader.f64()
  if (!Number.isSafeInteger(stamp) || stamp < 0) throw new Malformed('a stamp out of range')
  const count = reader.varint()
  if (count > entriesMax) throw new Malformed('too many entries')
  const clock: ClockEntry[] = []
  let last = 0
  for (let i = 0; i < count; i++) {
    const entry = { actor: reader.f64(), counter: reader.varint(), time: reader.u32() }
    if (!Number.isSafeInteger(entry.actor) || entry.actor <= last) throw new Malformed('entries out of order')
    if (entry.counter === 0) throw new Malformed('a counter of 0')
    clock.push(entry)
    last = entry.actor
  }
  if (reader.rest !== 0) throw new Malformed('trailing bytes')
  return { stamp, clock }
}

const keys = new WeakMap<readonly [number, number], Buffer>()

function sign(bytes: Uint8Array, secret: readonly [number, number]): Buffer {
  let key = keys.get(secret)
  if (key === undefined) {
    key = Buffer.alloc(8)
    key.writeUInt32LE(secret[0] >>> 0, 0)
    key.writeUInt32LE(secret[1] >>> 0, 4)
    keys.set(secret, key)
  }
  return createHmac('sha256', key).update(bytes).digest().subarray(0, signatureBytes)
}
