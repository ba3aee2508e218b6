// The last batch that a node has acknowledged, kept by another way than its store: a small file with two
// slots, written in turn, each with its checksum. A note is one pwrite, which survives kill -9; the file is
// fsynced now and then. A store that comes back with less than this has lost something.

import { closeSync, constants, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import type { Incarnation } from '../base/units.js'

const slotBytes = 32

export interface HighWaterFile {
  /** What an earlier life had noted; undefined when there is nothing, or nothing that can be trusted. */
  readonly last: { readonly incarnation: Incarnation; readonly sequence: number } | undefined
  note(incarnation: Incarnation, sequence: number): void
  sync(): void
  close(): void
}

export function openHighWater(path: string): HighWaterFile {
  const file = openSync(path, openFlags, 0o600)
  const slots = [readSlot(file, 0), readSlot(file, 1)].filter((slot) => slot !== undefined)
  slots.sort((a, b) => b.sequence - a.sequence)
  const buffer = Buffer.alloc(slotBytes)
  let turn = 0
  return {
    last: slots[0],
    note(incarnation, sequence) {
      buffer.writeDoubleLE(incarnation, 0)
      buffer.writeDoubleLE(sequence, 8)
      buffer.writeUInt32LE(crc32(buffer.subarray(0, 16)), 16)
      writeSync(file, buffer, 0, slotBytes, turn * slotBytes)
      turn = 1 - turn
    },
    sync: () => fdatasyncSync(file),
    close: () => closeSync(file),
  }
}

/** Made when it is not there, never emptied. */
const openFlags = constants.O_RDWR | constants.O_CREAT

function readSlot(file: number, slot: number): { incarnation: Incarnation; sequence: number } | undefined {
  const buffer = Buffer.alloc(slotBytes)
  if (readSync(file, buffer, 0, slotBytes, slot * slotBytes) < 20) return undefined
  if (buffer.readUInt32LE(16) !== crc32(buffer.subarray(0, 16)) || buffer.readDoubleLE(8) === 0)
    return undefined
  return { incarnation: buffer.readDoubleLE(0), sequence: buffer.readDoubleLE(8) }
}
