// The history of membership as bytes, for the wire and for the disk. Bytes that come from outside give a history
// that keeps all invariants of history.ts and change.ts, or throw `Malformed`.
//
//   u8 format, varint entries, then each: varint at, u8 issuer, varint serial, varint changes, then each:
//     u8 kind, u8 node, and  join: f64 weight, host, zone     leave: nothing
//                            replace: u8 successor, f64 weight, host, zone     weight: f64 weight
//   u32 crc32 of all that     (a text: varint length, then its bytes)

import { crc32 } from 'node:zlib'
import { Malformed, Reader, Writer } from '../base/bytes.js'
import { type Change, type Entry, isNode, mistakeIn } from './change.js'
import { compareEntries, type History } from './history.js'

const format = 1
const joinCode = 0
const leaveCode = 1
const replaceCode = 2
const weightCode = 3

export function encodeHistory(history: History): Uint8Array {
  const writer = new Writer(64 + history.entries.length * 32)
  writer.u8(format)
  writer.varint(history.entries.length)
  for (const entry of history.entries) {
    writer.varint(entry.at)
    writer.u8(entry.issuer)
    writer.varint(entry.serial)
    writer.varint(entry.changes.length)
    for (const change of entry.changes) writeChange(writer, change)
  }
  writer.u32(crc32(writer.bytes.subarray(0, writer.length)))
  return writer.copy()
}

/** Throws `Malformed` on anything that `encodeHistory` does not write. */
export function decodeHistory(bytes: Uint8Array): History {
  const reader = new Reader(bytes)
  if (reader.u8() !== format) throw new Malformed('unknown format of a history')
  const count = reader.varint()
  const entries: Entry[] = []
  // Grows as entries are read: the count is believed only as far as there are bytes for it.
  for (let i = 0; i < count; i++) {
    const entry = readEntry(reader)
    const last = entries.at(-1)
    if (last !== undefined && compareEntries(last, entry) >= 0) throw new Malformed('entries not in order')
    entries.push(entry)
  }
  const body = bytes.subarray(0, reader.at)
  if (reader.u32() !== crc32(body) || reader.rest !== 0) throw new Malformed('damaged history')
  return { entries }
}

function readEntry(reader: Reader): Entry {
  const at = reader.varint()
  const issuer = reader.u8()
  const serial = reader.varint()
  if (!isNode(issuer) || serial < 1) throw new Malformed('entry of nobody')
  const count = reader.varint()
  const changes: Change[] = []
  for (let i = 0; i < count; i++) changes.push(readChange(reader))
  const mistake = mistakeIn(changes)
  if (mistake !== undefined) throw new Malformed(mistake)
  return { at, issuer, serial, changes }
}

function writeChange(writer: Writer, change: Change): void {
  switch (change.kind) {
    case 'join':
      writer.u8(joinCode)
      writer.u8(change.node)
      return writeMember(writer, change)
    case 'leave':
      writer.u8(leaveCode)
      return writer.u8(change.node)
    case 'replace':
      writer.u8(replaceCode)
      writer.u8(change.node)
      writer.u8(change.successor)
      return writeMember(writer, change)
    case 'weight':
      writer.u8(weightCode)
      writer.u8(change.node)
      return writer.f64(change.weight)
  }
}

function readChange(reader: Reader): Change {
  const kind = reader.u8()
  const node = reader.u8()
  switch (kind) {
    case joinCode:
      return { kind: 'join', node, ...readMember(reader) }
    case leaveCode:
      return { kind: 'leave', node }
    case replaceCode:
      return { kind: 'replace', node, successor: reader.u8(), ...readMember(reader) }
    case weightCode:
      return { kind: 'weight', node, weight: reader.f64() }
    default:
      throw new Malformed('unknown change')
  }
}

interface Placed {
  readonly weight: number
  readonly host: string
  readonly zone: string
}

function writeMember(writer: Writer, { weight, host, zone }: Placed): void {
  writer.f64(weight)
  for (const text of [host, zone]) {
    writer.varint(text.length)
    writer.latin1(text)
  }
}

function readMember(reader: Reader): Placed {
  const weight = reader.f64()
  const host = reader.latin1(reader.varint())
  const zone = reader.latin1(reader.varint())
  return { weight, host, zone }
}
