// Takes over the memory of a writer that died at any instant: checks every place of the index and what it
// names, and mends what a half-finished step left behind. It never builds anew, because the successor may
// die as well, and because readers go on reading meanwhile.
//
// What a death can leave: an entry that no place names (it never was, or it is dead), one entry named by
// two places (a removal was moving it), a place whose hash is new and whose entry is still old (the same).
// All of it is taken out with the index's own removal, which is safe to die in. Invariant: whatever a put had
// returned true for is still named afterwards, unless its bytes fail the check. Then it counts as dropped.

import { latin1Slice } from '../base/bytes.js'
import type { Key } from '../base/units.js'
import { entryHeaderBytes, entryState, entryWord, headerWord } from './object-buffer-layout.js'
import { regainFree } from './object-buffer-reclaim.js'
import type { ObjectTable } from './object-buffer-table.js'

export type IsWhole = (key: Key, hash: number, value: Uint8Array) => boolean

export interface Adoption {
  readonly objects: number
  readonly dirty: number
  /** Entries that were there and failed the check: something is lost. */
  readonly dropped: number
}

/** Fills a fresh table from what is in its memory. Calls back with each unflushed entry, oldest write first. */
export function adoptMemory(table: ObjectTable, isWhole: IsWhole): Adoption & { readonly sequence: number } {
  const { index, words, arena, order } = table
  // What it had removed, and not yet in the store, is there again: only the store can tell what is not there.
  if (table.forgetting) {
    table.complete = false
    table.restored = false
  }
  table.forgetting = false
  const wasMoving = ((words[headerWord.moves] as number) & 1) === 1
  let dropped = 0
  for (let slot = 0; slot < index.slots; slot++) {
    for (let unit = index.unit(slot); unit !== 0; unit = index.unit(slot)) {
      const verdict = judge(table, slot, unit, isWhole)
      if (verdict === 'whole') break
      if (verdict === 'damaged' || !wasMoving) {
        dropped++
        table.complete = false
        table.restored = false
      }
      // Brings the next one to this place, if there is one.
      index.remove(slot)
    }
  }
  index.settle()
  const newest = restore(table)
  const unflushed: number[] = []
  for (let slot = 0; slot < index.slots; slot++) {
    const unit = index.unit(slot)
    if (unit !== 0 && (table.state(unit) & entryState.dirty) !== 0) unflushed.push(unit)
  }
  const at = (unit: number) => words[unit * 2 + entryWord.sequence] as number
  unflushed.sort((a, b) => (at(a) - at(b)) | 0)
  for (const unit of unflushed) {
    table.setState(unit, entryState.dirty)
    arena.countDirty(unit, table.units(unit))
    order.append(unit)
  }
  table.dirtyObjects = unflushed.length
  arena.restored()
  regainFree(table)
  return { objects: table.objects, dirty: unflushed.length, dropped, sequence: newest }
}

/** `moving`: the place is the trace of a removal. `damaged`: it was a live entry, and its bytes are wrong. */
function judge(
  table: ObjectTable,
  slot: number,
  unit: number,
  isWhole: IsWhole,
): 'whole' | 'moving' | 'damaged' {
  const { arena, index, words, bytes } = table
  const hash = index.hash(slot)
  if (!arena.holds(unit, 0)) return 'damaged'
  if (words[unit * 2 + entryWord.hash] !== hash) return 'moving'
  const keyLength = table.keyLength(unit)
  const valueLength = table.valueLength(unit)
  if (valueLength < 0 || !arena.holds(unit, entryHeaderBytes + keyLength + valueLength)) return 'damaged'
  const start = unit * 8 + entryHeaderBytes
  const key = latin1Slice(bytes, start, start + keyLength) as Key
  const found = index.find(key, hash)
  if (found !== slot) return found >= 0 && index.unit(found) === unit ? 'moving' : 'damaged'
  const value = Buffer.from(table.memory, start + keyLength, valueLength)
  return isWhole(key, hash >>> 0, value) ? 'whole' : 'damaged'
}

/** Counts all that is alive into the arena; returns the latest sequence. */
function restore(table: ObjectTable): number {
  const { arena, index, words } = table
  let newest = 0
  let isFirst = true
  for (let slot = 0; slot < index.slots; slot++) {
    const unit = index.unit(slot)
    if (unit === 0) continue
    const sequence = words[unit * 2 + entryWord.sequence] as number
    if (isFirst || ((sequence - newest) | 0) > 0) newest = sequence
    isFirst = false
    table.objects++
  }
  for (let slot = 0; slot < index.slots; slot++) {
    const unit = index.unit(slot)
    if (unit === 0) continue
    // Sequences go round after 2^32: ages count back from the newest.
    const age = -((newest - (words[unit * 2 + entryWord.sequence] as number)) >>> 0)
    arena.restore(unit, table.units(unit), age)
  }
  return newest
}
