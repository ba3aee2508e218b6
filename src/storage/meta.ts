// The meta row of a node's store, written with every batch: who wrote it, how many batches there were, how
// far the buffer was flushed. At the next start it tells what may be missing (storage/recovery).

import { crc32 } from 'node:zlib'
import { Malformed, Reader, Writer } from '../base/bytes.js'
import type { Incarnation, Millis } from '../base/units.js'
import type { Stamp } from '../versions/object.js'
import type { RowKey } from './store.js'

export interface Meta {
  readonly incarnation: Incarnation
  /** Batches committed so far, over all lives. */
  readonly sequence: number
  /** Everything received before this (wall clock) was in the store. */
  readonly flushedTo: Millis
  /** The next life stamps above this: the latest instant that the wall clock had shown, as a stamp. */
  readonly stampFloor: Stamp
  /** The node was closed in order: nothing was unflushed. */
  readonly clean: boolean
  /** Set while the node still catches up: what it may lack is at least this new. */
  readonly owing: Stamp | undefined
  /** The last batch that each other node had reported, by node number: their memory for them. */
  readonly peers: readonly number[]
}

/** Sorts before every object row. */
export const metaRow: RowKey = 'm:node'

/** Who ever became a member, as this node has heard (membership/history-codec). */
export const membershipRow: RowKey = 'm:membership'

const format = 1
const writer = new Writer(64)

export function encodeMeta(meta: Meta): Uint8Array {
  writer.reset()
  writer.u8(format)
  writer.u8(meta.clean ? 1 : 0)
  writer.f64(meta.incarnation)
  writer.f64(meta.sequence)
  writer.f64(meta.flushedTo)
  writer.f64(meta.stampFloor)
  writer.f64(meta.owing ?? -1)
  writer.varint(meta.peers.length)
  for (let node = 0; node < meta.peers.length; node++) writer.varint(meta.peers[node] ?? 0)
  writer.u32(crc32(writer.bytes.subarray(0, writer.length)))
  return writer.copy()
}

/** Throws `Malformed` on damaged bytes. */
export function decodeMeta(bytes: Uint8Array): Meta {
  const reader = new Reader(bytes)
  if (reader.u8() !== format) throw new Malformed('unknown format of the meta row')
  const clean = reader.u8() === 1
  const incarnation = reader.f64()
  const sequence = reader.f64()
  const flushedTo = reader.f64()
  const stampFloor = reader.f64()
  const owing = reader.f64()
  const peers: number[] = []
  const count = reader.varint()
  if (count > reader.rest) throw new Malformed('meta row cut off')
  for (let node = 0; node < count; node++) peers.push(reader.varint())
  const body = bytes.subarray(0, bytes.length - 4)
  if (reader.u32() !== crc32(body) || reader.rest !== 0) throw new Malformed('damaged meta row')
  return { incarnation, sequence, flushedTo, stampFloor, clean, owing: owing < 0 ? undefined : owing, peers }
}
