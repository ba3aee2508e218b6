// Where rows lie in a store: meta rows first, then all objects of partition 0, of partition 1, ...; within a
// partition by bucket and key. So one partition is one range, and so is one bucket within it: what is handed
// over, rebuilt, listed or dropped as one is stored side by side.
//
//     'm' name                                    what a node knows of itself
//     'h' owner (1 byte) partition key            a hint: what is kept for another node, apart from one's own
//     'o' partition (2 bytes, big-endian) key     an object; key is bucket, NUL, key
//     'r' sequence (7 bytes)                      what one batch wrote, until it is in the rows above (redo-rows)
//     't' ...                                     the trees of the objects (tree-rows)
//
// Bounds are for Store.walk, which leaves out both ends: no row equals them, because no key is empty.

import type { Key, NodeId, Partition } from '../base/units.js'
import { hintKey } from '../protocol/hint.js'
import { objectRow, type RowKey } from './store.js'

export interface Bounds {
  readonly after: RowKey
  readonly before: RowKey
}

/** Characters of an object's row before its key. */
const keyAt = 3

/** The row of what a node knows of itself under `name`. Sorts before every object. */
export function namedRow(name: string): RowKey {
  return `m${name}`
}

export function isObjectRow(row: RowKey): boolean {
  return row.length > keyAt && row.charCodeAt(0) === 0x6f
}

export function partitionOfRow(row: RowKey): Partition {
  return (row.charCodeAt(1) << 8) | row.charCodeAt(2)
}

export function keyOfRow(row: RowKey): Key {
  return row.slice(keyAt) as Key
}

/** All objects of one partition. */
export function partitionBounds(partition: Partition): Bounds {
  return { after: objectRow(partition, '' as Key), before: endOfPartition(partition) }
}

/** The objects of one bucket within one partition. */
export function bucketBounds(partition: Partition, bucket: string): Bounds {
  return {
    after: objectRow(partition, `${bucket}\0` as Key),
    before: objectRow(partition, `${bucket}\x01` as Key),
  }
}

/** The first row after the partition; after the last one, the letter that follows 'o'. */
function endOfPartition(partition: Partition): RowKey {
  return partition === 0xffff ? 'p' : objectRow(partition + 1, '' as Key)
}

/** Characters of a hint's row before the key that it is of. */
const hintKeyAt = 4

/** All hints for one node. */
export function hintBounds(owner: NodeId): Bounds {
  return { after: `h${String.fromCharCode(owner)}`, before: `h${String.fromCharCode(owner + 1)}` }
}

/** The key of the hint in this row, as memory knows it. */
export function hintKeyOfRow(row: RowKey): Key {
  return hintKey(row.charCodeAt(1), row.slice(hintKeyAt) as Key)
}
