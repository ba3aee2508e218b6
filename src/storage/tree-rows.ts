// How the trees of a node lie in its store, so that a restart need not read every object again: the leaves of
// each partition as they were at a checkpoint, and for each batch since then one row with what it changed. The
// row of a batch is written with the batch, so the two cannot come apart. A slot is (copies - 1) * 2^16 + partition.
//
//     't' 'v'                            format, Q and leaves a tree: the rows below are there and whole
//     't' 'p' slot (3 bytes)             leaves at the checkpoint, two words each, crc32
//     't' 'd' sequence (7 bytes)         changes of one batch: u32 slot, u16 leaf, u32, u32 each, crc32
//     't' 'u' partition (2 bytes)        the rows of this partition are not to be trusted: read it again

import { crc32 } from 'node:zlib'
import { Malformed, Reader, Writer } from '../base/bytes.js'
import type { Partition } from '../base/units.js'
import { type RowKey, sequenceName } from './store.js'

const format = 1
const writer = new Writer(16 * 1024)

export const treeBounds = { after: 't', before: 'u' } as const
export const treeMarkerRow: RowKey = 'tv'

export interface LeafChange {
  readonly slot: number
  readonly leaf: number
  readonly high: number
  readonly low: number
}

export function leavesRow(slot: number): RowKey {
  return `tp${String.fromCharCode(slot >>> 16, (slot >>> 8) & 0xff, slot & 0xff)}`
}

export function unsoundRow(partition: Partition): RowKey {
  return `tu${String.fromCharCode(partition >>> 8, partition & 0xff)}`
}

export function changesRow(sequence: number): RowKey {
  return `td${sequenceName(sequence)}`
}

export function kindOfTreeRow(row: RowKey): string {
  return row.charAt(1)
}

/** The slot of a row of leaves, the partition of an unsound one. */
export function numberOfTreeRow(row: RowKey): number {
  let number = 0
  for (let at = 2; at < row.length; at++) number = number * 256 + row.charCodeAt(at)
  return number
}

export function encodeMarker(partitions: number, leaves: number): Uint8Array {
  writer.reset()
  writer.u8(format)
  writer.u32(partitions)
  writer.u32(leaves)
  return writer.copy()
}

export function isMarker(bytes: Uint8Array, partitions: number, leaves: number): boolean {
  return Buffer.compare(bytes, encodeMarker(partitions, leaves)) === 0
}

export function encodeLeaves(words: Uint32Array): Uint8Array {
  writer.reset()
  for (const word of words) writer.u32(word)
  return sealed()
}

export function decodeLeaves(bytes: Uint8Array, leaves: number): Uint32Array {
  const reader = opened(bytes)
  if (reader.rest !== 8 * leaves) throw new Malformed('a tree of another size')
  const words = new Uint32Array(2 * leaves)
  for (let i = 0; i < words.length; i++) words[i] = reader.u32()
  return words
}

/** Changes of a batch as they come together: numbers, not objects, because there is one for each write. */
export class LeafChanges {
  count = 0
  /** Slot, leaf, high, low of each. */
  private words = new Uint32Array(4 * 256)

  add(slot: number, leaf: number, high: number, low: number): void {
    if (high === 0 && low === 0) return
    const at = 4 * this.count++
    if (at === this.words.length) {
      const grown = new Uint32Array(2 * at)
      grown.set(this.words)
      this.words = grown
    }
    this.words[at] = slot
    this.words[at + 1] = leaf
    this.words[at + 2] = high
    this.words[at + 3] = low
  }

  eachSlot(visit: (slot: number) => void): void {
    for (let at = 0; at < 4 * this.count; at += 4) visit(this.words[at] as number)
  }

  clear(): void {
    this.count = 0
  }

  encoded(): Uint8Array {
    writer.reset()
    for (let at = 0; at < 4 * this.count; at += 4) {
      writer.u32(this.words[at] as number)
      writer.u16(this.words[at + 1] as number)
      writer.u32(this.words[at + 2] as number)
      writer.u32(this.words[at + 3] as number)
    }
    return sealed()
  }
}

export function decodeChanges(bytes: Uint8Array): LeafChange[] {
  const reader = opened(bytes)
  const changes: LeafChange[] = []
  while (reader.rest > 0) {
    changes.push({ slot: reader.u32(), leaf: reader.u16(), high: reader.u32(), low: reader.u32() })
  }
  return changes
}

function sealed(): Uint8Array {
  writer.u32(crc32(writer.bytes.subarray(0, writer.length)))
  return writer.copy()
}

function opened(bytes: Uint8Array): Reader {
  const end = bytes.length - 4
  if (end < 0 || new Reader(bytes, end).u32() !== crc32(bytes.subarray(0, end))) {
    throw new Malformed('a damaged row of a tree')
  }
  return new Reader(bytes, 0, end)
}
