// How a node's object buffer lies in its SharedArrayBuffer. Everything that must outlive the thread is here;
// everything else is counted again by whoever adopts the memory.
//
//   header | segment table | index | uses | segments: entry entry entry ... | ...
//
// An offset of an entry is a `unit` of 8 bytes from the start of the memory, so 0 is never an entry.
// Invariant: an entry's key and value never change while its segment has the same generation; only its
// state word and its two links do, and readers in other threads look at neither.
// Left to others: what is alive (the index), where there is room (the arena).

import { assert } from '../base/assert.js'
import { RingspunError } from '../base/errors.js'

const magic = 0x0b7ec7b1 | 0
const headerBytes = 256
const KiB = 1024
/** The least that works at all; only tests go so low. */
const budgetBytesMin = 64 * KiB
/** A Buffer of Node 20 ends at 4 GiB, and so does an offset that fits a few bit operations. */
const budgetBytesMax = 4 * KiB * KiB * KiB - KiB * KiB
const segmentBytesMin = 2 * KiB
const segmentBytesMax = 256 * KiB
/** Budget for each place in the index: at 8 of 10 places taken, objects of 120 bytes fill all memory. */
const budgetBytesPerSlot = 112
/** Bytes of an index place: hash, unit, and one byte of uses. */
const slotBytes = 9

/** Words of the header that change. The first eight words are magic and geometry. */
export const headerWord = {
  /** Odd while entries of the index are being moved: a reader that found nothing looks again. */
  moves: 16,
  /** 1 while memory holds everything that the store has. */
  complete: 17,
  /** 1 from the first write on: this memory has a past, and must be adopted before it is written. */
  begun: 18,
  /** 1 while objects are gone from here whose rows the store still has: if its writer dies now, they are there again. */
  forgetting: 19,
  /** 1 since all that the redo log of the store says of objects is here, or in their rows. */
  restored: 20,
} as const

/** Bytes before the key: six words. */
export const entryHeaderBytes = 24
export const entryWord = {
  hash: 0,
  /** State in the low byte, length of the key above. One word, so that a change of state is one store. */
  state: 1,
  valueLength: 2,
  /** Number of the put, modulo 2^32. */
  sequence: 3,
  /** Neighbours in the order of unflushed entries, as units. Known to the writer alone, void after its death. */
  older: 4,
  newer: 5,
} as const

/** States of an entry; `flushing` is a bit beside `dirty`: it was handed out and no answer came yet. */
export const entryState = { clean: 0, dirty: 1, volatile: 2, flushing: 4, mask: 0xff } as const
export const keyLengthShift = 8

/** The largest object worth taking: an eighth of all, so that it always finds its place beside others. */
export function objectBytesMaxOf(memoryBytes: number): number {
  return Math.floor(memoryBytes / 8)
}

export interface Geometry {
  /** Places of the index where a search may begin. */
  readonly homes: number
  /** All places: behind the homes are some to spill into. The last is always empty: it ends every search. */
  readonly slots: number
  readonly segments: number
  readonly segmentUnits: number
  readonly segmentUnitsShift: number
  /** Word of the first segment's generation and kind, two words each. */
  readonly tableWord: number
  readonly indexWord: number
  readonly usesByte: number
  readonly arenaUnit: number
  readonly totalBytes: number
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to
}

function geometry(budgetBytes: number): Geometry {
  let segmentBytes = segmentBytesMax
  while (segmentBytes > segmentBytesMin && segmentBytes * 32 > budgetBytes) segmentBytes /= 2
  // Searches never wrap around: what hashes near the end spills into extra places behind it.
  const homes = Math.floor(budgetBytes / budgetBytesPerSlot)
  const slots = homes + Math.min(512, Math.max(64, homes >>> 3))
  const rest = budgetBytes - headerBytes - slots * slotBytes - 3 * 64
  const segments = Math.floor(rest / (segmentBytes + 8))
  const indexByte = align(headerBytes + segments * 8, 64)
  const usesByte = indexByte + slots * 8
  const arenaByte = align(usesByte + slots, 64)
  return {
    homes,
    slots,
    segments,
    segmentUnits: segmentBytes / 8,
    segmentUnitsShift: Math.log2(segmentBytes / 8),
    tableWord: headerBytes / 4,
    indexWord: indexByte / 4,
    usesByte,
    arenaUnit: arenaByte / 8,
    totalBytes: arenaByte + segments * segmentBytes,
  }
}

/** What a budget comes to: never more than the budget, except for budgets below 64 KiB. */
export function objectBufferBytes(budgetBytes: number): number {
  if (!(budgetBytes <= budgetBytesMax)) {
    throw new RingspunError('option-invalid', `a node's memory ends at ${budgetBytesMax} bytes`, {
      limit: budgetBytesMax,
      value: budgetBytes,
    })
  }
  return geometry(Math.max(budgetBytesMin, Math.floor(budgetBytes))).totalBytes
}

/** Memory for the objects of one node. Pages become resident when they are used, the low ones first. */
export function createObjectBuffer(budgetBytes: number): SharedArrayBuffer {
  const totalBytes = objectBufferBytes(budgetBytes)
  const memory = new SharedArrayBuffer(totalBytes)
  const words = new Int32Array(memory)
  const shape = geometry(Math.max(budgetBytesMin, Math.floor(budgetBytes)))
  const { homes, slots, segments, segmentUnits, tableWord, indexWord, arenaUnit } = shape
  words.set([0, homes, slots, segments, segmentUnits, tableWord, indexWord, arenaUnit])
  Atomics.store(words, 0, magic)
  return memory
}

/** Reads the geometry that a memory was made with. */
export function geometryOf(memory: SharedArrayBuffer): Geometry {
  const words = new Int32Array(memory)
  assert(Atomics.load(words, 0) === magic, 'an object buffer is made by createObjectBuffer')
  const at = (word: number) => words[word] as number
  const [homes, slots, segments, segmentUnits] = [at(1), at(2), at(3), at(4)]
  const [tableWord, indexWord, arenaUnit] = [at(5), at(6), at(7)]
  return {
    homes,
    slots,
    segments,
    segmentUnits,
    segmentUnitsShift: Math.log2(segmentUnits),
    tableWord,
    indexWord,
    usesByte: indexWord * 4 + slots * 8,
    arenaUnit,
    totalBytes: memory.byteLength,
  }
}

/** What an entry takes: whole units. */
export function entryUnits(keyLength: number, valueLength: number): number {
  return (entryHeaderBytes + keyLength + valueLength + 7) >>> 3
}
