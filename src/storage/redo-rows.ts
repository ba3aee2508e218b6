// The redo log of a node: what its objects became, in the order in which they became it, one row for each batch. A
// row of its own for every object costs several times as much as its bytes in a log, and most objects are written
// again before they must be one: so a write is durable when it is logged here, and becomes a row when the object
// buffer is flushed (Dynamo 6.1, the writer thread). What is here counts as the store's: a new life reads it first.
//
//     'r' sequence (7 bytes)     records of one batch, crc32
//
//     record:  kind (1), length of the key, key [, hash (4), length of the object, object]
//
// Invariant: of each key the last record is the newest that the store has of it, in rows or here.

import { crc32 } from 'node:zlib'
import { Malformed, Reader, type Writer } from '../base/bytes.js'
import type { Key } from '../base/units.js'
import { type RowKey, sequenceName } from './store.js'

/** What a record says: the object is this; it was deleted; its row is written with the same batch. */
export const redoKind = { object: 1, deleted: 2, row: 3 } as const

export const redoBounds = { after: 'r', before: 's' } as const

export interface RedoVisitor {
  object(key: Key, hash: number, value: Uint8Array): void
  /** Nothing before this says what the key is: it is gone, or its row does. */
  settled(key: Key): void
}

export function redoRow(sequence: number): RowKey {
  return `r${sequenceName(sequence)}`
}

export function writeObject(writer: Writer, key: Key, hash: number, value: Uint8Array): void {
  writer.u8(redoKind.object)
  writer.varint(key.length)
  writer.latin1(key)
  writer.u32(hash)
  writer.varint(value.length)
  writer.raw(value)
}

export function writeSettled(writer: Writer, kind: 2 | 3, key: Key): void {
  writer.u8(kind)
  writer.varint(key.length)
  writer.latin1(key)
}

/** Ends a row: its checksum. */
export function seal(writer: Writer): Uint8Array {
  writer.u32(crc32(writer.bytes.subarray(0, writer.length)))
  return writer.bytes.subarray(0, writer.length)
}

/** Visits the records of one row in order. Values are views of it. Throws `Malformed` before any is visited. */
export function readRedo(row: Uint8Array, visitor: RedoVisitor): void {
  const end = row.length - 4
  if (end < 0 || new Reader(row, end).u32() !== crc32(row.subarray(0, end)))
    throw new Malformed('damaged redo row')
  eachRecord(new Reader(row, 0, end), { object() {}, settled() {} })
  eachRecord(new Reader(row, 0, end), visitor)
}

function eachRecord(reader: Reader, visitor: RedoVisitor): void {
  while (reader.rest > 0) {
    const kind = reader.u8()
    const key = reader.latin1(reader.varint()) as Key
    if (kind === redoKind.deleted || kind === redoKind.row) visitor.settled(key)
    else if (kind !== redoKind.object) throw new Malformed('unknown record of a redo row')
    else visitor.object(key, reader.u32(), reader.raw(reader.varint()))
  }
}
