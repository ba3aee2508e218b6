// Where things are in the shared memory of an object buffer: a header, a table of segments, an index, and the
// segments, in which entries follow one another as they were written.
//
//   | header | segment table | index | segment 0 | segment 1 | ...
//   entry: u32 bytes, u32 hash, u32 state, u32 key length, f64 sequence, u32 value length, u32 0, key, value

/** Words of the header. */
export const header = { magic: 0, segmentBytes: 1, segments: 2, slots: 3, complete: 4 } as const
export const headerBytes = 64
export const magic = 0x52_53_4f_42

/** Words of a segment's row in the table. */
export const segmentRow = { state: 0, used: 1, live: 2, order: 3 } as const
export const segmentRowWords = 4
export const segmentStates = { free: 0, filling: 1, full: 2, run: 3, runRest: 4 } as const

export const entryHeaderBytes = 32
/** Words of an entry's header. */
export const entryWord = { bytes: 0, hash: 1, state: 2, keyLength: 3, valueLength: 6 } as const
/** The sequence, as a double, at this word of the entry. */
export const entrySequenceWord = 4

/** Kinds of an entry, in the low bits of its state word. */
export const entryStates = { dead: 0, clean: 1, dirty: 2, volatile: 3 } as const
export const kindMask = 3
/** Read since it was written, or since it was last spared. */
export const visitedBit = 4

export interface BufferShape {
  readonly segmentBytes: number
  readonly segments: number
  readonly slots: number
  readonly tableAt: number
  readonly indexAt: number
  readonly segmentsAt: number
  readonly bytes: number
}

const KiB = 1024
const MiB = 1024 * KiB

/** The fewest segments: some must be free while another is cleaned. */
const segmentsMin = 8

/** How a budget is cut up. The index has room for objects of 128 bytes on average at three quarters full. */
export function shapeOf(budgetBytes: number): BufferShape {
  let segmentBytes = MiB
  while (segmentBytes > 16 * KiB && budgetBytes / segmentBytes < 16) segmentBytes /= 2
  let slots = 1024
  while (slots * 128 < budgetBytes) slots *= 2
  const indexBytes = slots * 8
  const segments = Math.max(segmentsMin, Math.floor((budgetBytes - indexBytes) / segmentBytes))
  const tableAt = headerBytes
  const indexAt = align(tableAt + segments * segmentRowWords * 4)
  const segmentsAt = align(indexAt + indexBytes)
  return {
    segmentBytes,
    segments,
    slots,
    tableAt,
    indexAt,
    segmentsAt,
    bytes: segmentsAt + segments * segmentBytes,
  }
}

function align(at: number): number {
  return Math.ceil(at / 4096) * 4096
}
