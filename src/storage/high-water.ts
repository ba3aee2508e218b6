// The last batch that a node has acknowledged, kept by another way than its store: a small file with two
// slots, written in turn, each with its checksum and in a sector of its own. A note is one write, which
// survives kill -9; the file is fsynced now and then. A store that comes back with less than this has lost
// something (storage/recovery).
//
// Invariant: the slot with the larger sequence is never the one that is overwritten, so a torn write costs one
// note and not both.

import { closeSync, constants, existsSync, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { RingspunError } from '../base/errors.js'
import type { Incarnation } from '../base/units.js'
import { syncDirectory } from './directories.js'

export interface HighWaterFile {
  /** What an earlier life had noted; undefined when there is nothing, or nothing that can be trusted. */
  readonly last: { readonly incarnation: Incarnation; readonly sequence: number } | undefined
  /** Some microseconds; in the page cache when it returns. */
  note(incarnation: Incarnation, sequence: number): void
  sync(): void
  close(): void
}

interface Slot {
  readonly incarnation: Incarnation
  readonly sequence: number
}

/** Incarnation and sequence as doubles, then their CRC-32, little-endian. */
const slotBytes = 20
/** The second slot is here: no disk has larger sectors, so a torn one does not cost both. */
const secondSlotAt = 4096
/** Made when it is not there, never emptied. */
const openFlags = constants.O_RDWR | constants.O_CREAT

export function openHighWater(path: string): HighWaterFile {
  try {
    return open(path)
  } catch (error) {
    const reason = `${path} cannot be opened: ${(error as Error).message}`
    throw new RingspunError('storage-unavailable', reason, { path }, error)
  }
}

function open(path: string): HighWaterFile {
  const isNew = !existsSync(path)
  const file = openSync(path, openFlags, 0o600)
  if (isNew) syncDirectory(dirname(path))
  const first = readSlot(file, 0)
  const second = readSlot(file, secondSlotAt)
  const firstIsLast = first !== undefined && (second === undefined || first.sequence >= second.sequence)
  let position = firstIsLast ? secondSlotAt : 0
  const slot = Buffer.alloc(slotBytes)
  const body = slot.subarray(0, 16)
  return {
    last: firstIsLast ? first : second,
    note(incarnation, sequence) {
      slot.writeDoubleLE(incarnation, 0)
      slot.writeDoubleLE(sequence, 8)
      slot.writeUInt32LE(crc32(body), 16)
      writeSync(file, slot, 0, slotBytes, position)
      position = secondSlotAt - position
    },
    sync: () => fdatasyncSync(file),
    close: () => closeSync(file),
  }
}

function readSlot(file: number, position: number): Slot | undefined {
  const slot = Buffer.alloc(slotBytes)
  if (readSync(file, slot, 0, slotBytes, position) < slotBytes) return undefined
  if (slot.readUInt32LE(16) !== crc32(slot.subarray(0, 16))) return undefined
  return { incarnation: slot.readDoubleLE(0), sequence: slot.readDoubleLE(8) }
}
