// Envelopes as bytes, for mailboxes between threads. The six messages of the hot path are written by hand;
// every other is MessagePack behind the same header. Both ends are of the same build and the bytes come
// from our own shared memory, yet a damaged message never does more than throw `Malformed`.
//
//   u8 message, u8 kinds (to * 16 + from), u16 to.partition, u16 from.partition, u8 to.node, u8 from.node,
//   u32 request, f64 deadline, then the body

import { Packr } from 'msgpackr'
import { Malformed, Reader, type Writer } from '../base/bytes.js'
import type { Key } from '../base/units.js'
import { decodeHistory, encodeHistory } from '../membership/history-codec.js'
import { ringFromJson, ringToJson } from '../ring/ring.js'
import type { ClockEntry, Context } from '../versions/object.js'
import { type Address, type Kind, singleAddress, vnodeAddress } from './address.js'
import { type Envelope, Letter, type Message } from './envelope.js'
import { packedTypes } from './packed-types.js'
import { flagsOfReplicated, levelNumber, levels, replicatedOf } from './replicated.js'
import { Copy, type Level, type Put, type PutAnswered } from './write.js'

const kinds: readonly Kind[] = [
  'vnode',
  'gateway',
  'supervisor',
  'machine',
  'client',
  'host',
  'courier',
  'mender',
  'gossip',
  'claimant',
  'reaper',
]
const kindNumber = Object.fromEntries(kinds.map((kind, at) => [kind, at])) as Readonly<Record<Kind, number>>
const changes: readonly Put['change'][] = ['value', 'delete', 'touch']
const conditions: readonly Put['condition'][] = ['none', 'absent', 'present']

const packed = 0
const putCode = 1
const putAnsweredCode = 2
const replicateCode = 3
const replicatedCode = 4
const fetchCode = 5
const fetchedCode = 6
// 7: acknowledgements.ts

const packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' })

/** Where in an envelope's bytes the node is that it goes to. */
export const toNodeAt = 6

/** Appends the envelope. */
export function encodeEnvelope(writer: Writer, envelope: Envelope): void {
  const { message } = envelope
  switch (message.type) {
    case 'put':
      writeHeader(writer, putCode, envelope)
      return writePut(writer, message)
    case 'put-answered':
      writeHeader(writer, putAnsweredCode, envelope)
      return writePutAnswered(writer, message)
    case 'replicate':
      writeHeader(writer, replicateCode, envelope)
      writeKey(writer, message.key, message.hash)
      writer.u8(levelNumber[message.level])
      return writer.raw(message.object)
    case 'replicated':
      writeHeader(writer, replicatedCode, envelope)
      return writer.u8(flagsOfReplicated(message))
    case 'fetch':
      writeHeader(writer, fetchCode, envelope)
      return writeKey(writer, message.key, message.hash)
    case 'fetched':
      writeHeader(writer, fetchedCode, envelope)
      writer.u8((message.complete ? 1 : 0) | (message.object === undefined ? 0 : 2))
      if (message.object !== undefined) writer.raw(message.object)
      return
    case 'ring-changed':
    case 'keep-ring':
      // MessagePack knows no array of 16-bit numbers.
      writeHeader(writer, packed, envelope)
      return writer.raw(packr.pack({ type: message.type, ring: ringToJson(message.ring) }))
    case 'gossip-history':
    case 'membership-news':
      // Its own bytes, which are looked through when they are read.
      writeHeader(writer, packed, envelope)
      return writer.raw(packr.pack({ ...message, history: encodeHistory(message.history) }))
    default:
      writeHeader(writer, packed, envelope)
      return writer.raw(packr.pack(message))
  }
}

let lastReader = new Reader(Buffer.alloc(0))

/** Reads an envelope back. Values in it are views of `bytes`. */
export function decodeEnvelope(bytes: Buffer, start: number, end: number): Envelope {
  // One reader for all messages that came together.
  if (lastReader.bytes !== bytes) lastReader = new Reader(bytes)
  const reader = lastReader
  reader.at = start
  reader.end = end
  const code = reader.u8()
  const both = reader.u8()
  const toPartition = reader.u16()
  const fromPartition = reader.u16()
  const to = addressOf(both >>> 4, reader.u8(), toPartition)
  const from = addressOf(both & 15, reader.u8(), fromPartition)
  const request = reader.u32()
  const deadline = reader.f64()
  return new Letter(to, from, request, deadline, readMessage(reader, code))
}

function addressOf(kind: number, node: number, partition: number): Address {
  const name = kinds[kind]
  if (name === undefined) throw new Malformed('unknown kind of address')
  return name === 'vnode' ? vnodeAddress(node, partition) : singleAddress(name, node)
}

function writeHeader(writer: Writer, code: number, envelope: Envelope): void {
  const { to, from } = envelope
  writer.u8(code)
  writer.u8(kindNumber[to.kind] * 16 + kindNumber[from.kind])
  writer.u16(to.partition)
  writer.u16(from.partition)
  writer.u8(to.node)
  writer.u8(from.node)
  writer.u32(envelope.request)
  writer.f64(envelope.deadline)
}

function readMessage(reader: Reader, code: number): Message {
  switch (code) {
    case putCode:
      return readPut(reader)
    case putAnsweredCode:
      return readPutAnswered(reader)
    case replicateCode: {
      const hash = reader.u32()
      const key = readKey(reader)
      const level = levelOf(reader.u8())
      return new Copy(key, hash, reader.raw(reader.rest), level)
    }
    case replicatedCode:
      return replicatedOf(reader.u8())
    case fetchCode: {
      const hash = reader.u32()
      return { type: 'fetch', hash, key: readKey(reader) }
    }
    case fetchedCode: {
      const flags = reader.u8()
      const object = (flags & 2) === 0 ? undefined : reader.raw(reader.rest)
      return { type: 'fetched', object, complete: (flags & 1) === 1 }
    }
    case packed:
      return readPacked(reader)
    default:
      throw new Malformed('unknown message')
  }
}

function readPacked(reader: Reader): Message {
  let message: Message | null | undefined
  try {
    message = packr.unpack(reader.raw(reader.rest))
    if (message?.type === 'ring-changed' || message?.type === 'keep-ring')
      message = { ...message, ring: ringFromJson(message.ring) }
    else if (message?.type === 'gossip-history' || message?.type === 'membership-news') {
      message = { ...message, history: decodeHistory(message.history as unknown as Uint8Array) }
    }
  } catch (error) {
    throw new Malformed('not MessagePack, or not a ring or a history', { cause: error })
  }
  if (!packedTypes.has(message?.type as string)) throw new Malformed('unknown message')
  return message as Message
}

function writeKey(writer: Writer, key: Key, hash: number): void {
  writer.u32(hash)
  writer.varint(key.length)
  writer.latin1(key)
}

/** The key alone; its hash was read before. */
function readKey(reader: Reader): Key {
  return reader.latin1(reader.varint()) as Key
}

function levelOf(number: number): Level {
  const level = levels[number]
  if (level === undefined) throw new Malformed('unknown level')
  return level
}

function writeContext(writer: Writer, context: Context): void {
  writer.f64(context.stamp)
  writer.varint(context.clock.length)
  for (const entry of context.clock) {
    writer.f64(entry.actor)
    writer.varint(entry.counter)
    writer.u32(entry.time)
  }
}

function readContext(reader: Reader): Context {
  const stamp = reader.f64()
  const count = reader.varint()
  if (count * 13 > reader.rest) throw new Malformed('clock cut off')
  // Nearly always one: an array that grows from nothing has room for seventeen.
  if (count === 1) return { stamp, clock: [readEntry(reader)] }
  const clock: ClockEntry[] = []
  for (let i = 0; i < count; i++) clock.push(readEntry(reader))
  return { stamp, clock }
}

function readEntry(reader: Reader): ClockEntry {
  return { actor: reader.f64(), counter: reader.varint(), time: reader.u32() }
}

function writePut(writer: Writer, put: Put): void {
  writeKey(writer, put.key, put.hash)
  writer.u8(
    changes.indexOf(put.change) | (conditions.indexOf(put.condition) << 2) | (levelNumber[put.level] << 4),
  )
  writer.u8(
    (put.keepExpiry ? 1 : 0) |
      (put.returnPrevious ? 2 : 0) |
      (put.conflicts === 'siblings' ? 4 : 0) |
      (put.context === undefined ? 0 : 8) |
      (put.looked ? 16 : 0) |
      (put.seen === undefined ? 0 : 32),
  )
  writer.u8(put.n)
  writer.u8(put.w)
  writer.u8(put.dw)
  writer.u8(put.pw)
  writer.u8(put.coordinator)
  writer.u8(put.standsInFor)
  writer.u8(put.encoding)
  writer.u32(put.checksum)
  writer.f64(put.expires)
  if (put.looked) writer.f64(put.epoch ?? 0)
  if (put.context !== undefined) writeContext(writer, put.context)
  if (put.seen !== undefined) {
    writer.f64(put.seenUntil)
    writer.varint(put.seen.length)
    writer.raw(put.seen)
  }
  writer.raw(put.value)
}

function readPut(reader: Reader): Put {
  const hash = reader.u32()
  const key = readKey(reader)
  const choice = reader.u8()
  const flags = reader.u8()
  const change = changes[choice & 3]
  const condition = conditions[(choice >>> 2) & 3]
  if (change === undefined || condition === undefined) throw new Malformed('unknown kind of put')
  return {
    type: 'put',
    key,
    hash,
    change,
    condition,
    level: levelOf(choice >>> 4),
    keepExpiry: (flags & 1) !== 0,
    returnPrevious: (flags & 2) !== 0,
    conflicts: (flags & 4) !== 0 ? 'siblings' : 'last-write-wins',
    n: reader.u8(),
    w: reader.u8(),
    dw: reader.u8(),
    pw: reader.u8(),
    coordinator: reader.u8(),
    standsInFor: reader.u8(),
    encoding: reader.u8(),
    checksum: reader.u32(),
    expires: reader.f64(),
    ...((flags & 16) !== 0 && { epoch: reader.f64() }),
    context: (flags & 8) === 0 ? undefined : readContext(reader),
    looked: (flags & 16) !== 0,
    seenUntil: (flags & 32) === 0 ? 0 : reader.f64(),
    seen: (flags & 32) === 0 ? undefined : reader.raw(reader.varint()),
    value: reader.raw(reader.rest),
  }
}

function writePutAnswered(writer: Writer, answer: PutAnswered): void {
  writer.u8(answer.stored)
  writer.u8(answer.durable)
  writer.u8(levelNumber[answer.level] | (answer.existed ? 4 : 0) | (answer.previous === undefined ? 0 : 8))
  writeContext(writer, answer.context)
  if (answer.previous !== undefined) writer.raw(answer.previous)
}

function readPutAnswered(reader: Reader): PutAnswered {
  const stored = reader.u8()
  const durable = reader.u8()
  const flags = reader.u8()
  const context = readContext(reader)
  return {
    type: 'put-answered',
    stored,
    durable,
    level: levelOf(flags & 3),
    existed: (flags & 4) !== 0,
    context,
    previous: (flags & 8) === 0 ? undefined : reader.raw(reader.rest),
  }
}
