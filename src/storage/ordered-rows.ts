// The keys of a table in byte order, for walks: a sorted list cut into chunks, so that a new key moves at most
// one chunk's worth of its neighbours. Good for some 10^5 keys; a balanced tree would win far beyond.
//
// Invariants: no chunk is empty; every key of a chunk is less than every key of the next; a key is in once.

import type { RowKey } from './store.js'

const chunkKeysMax = 512

export class OrderedRows {
  private readonly chunks: RowKey[][] = []

  /** The key must not be in yet. */
  add(row: RowKey): void {
    const { chunks } = this
    if (chunks.length === 0) {
      chunks.push([row])
      return
    }
    const at = this.chunkOf(row)
    const chunk = chunks[at] as RowKey[]
    chunk.splice(firstNotBefore(chunk, row), 0, row)
    if (chunk.length > chunkKeysMax) chunks.splice(at + 1, 0, chunk.splice(chunkKeysMax >>> 1))
  }

  /** The key must be in. */
  remove(row: RowKey): void {
    const at = this.chunkOf(row)
    const chunk = this.chunks[at] as RowKey[]
    chunk.splice(firstNotBefore(chunk, row), 1)
    if (chunk.length === 0) this.chunks.splice(at, 1)
  }

  /** Keys with `from <= key < before`, `limit` at most. */
  range(from: RowKey, before: RowKey, limit: number): RowKey[] {
    const found: RowKey[] = []
    const { chunks } = this
    if (chunks.length === 0) return found
    let at = this.chunkOf(from)
    let index = firstNotBefore(chunks[at] as RowKey[], from)
    for (; at < chunks.length; at++, index = 0) {
      const chunk = chunks[at] as RowKey[]
      for (; index < chunk.length; index++) {
        const row = chunk[index] as RowKey
        if (row >= before || found.length >= limit) return found
        found.push(row)
      }
    }
    return found
  }

  /** The last chunk that begins at `row` or before it; the first one when none does. */
  private chunkOf(row: RowKey): number {
    const { chunks } = this
    let low = 0
    let high = chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((chunks[middle]?.[0] as RowKey) <= row) low = middle + 1
      else high = middle
    }
    return low === 0 ? 0 : low - 1
  }
}

function firstNotBefore(chunk: readonly RowKey[], row: RowKey): number {
  let low = 0
  let high = chunk.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((chunk[middle] as RowKey) < row) low = middle + 1
    else high = middle
  }
  return low
}
