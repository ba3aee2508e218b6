// Where rows lie: partitions one after the other, buckets side by side within each, so that either is one walk.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Key } from '../../src/base/units.js'
import {
  bucketBounds,
  isObjectRow,
  keyOfRow,
  namedRow,
  partitionBounds,
  partitionOfRow,
} from '../../src/storage/layout.js'
import { metaRow } from '../../src/storage/meta.js'
import { objectRow, type RowKey } from '../../src/storage/store.js'

const partitions = fc.oneof(fc.constantFrom(0, 1, 255, 256, 0xfffe, 0xffff), fc.nat(0xffff))
const buckets = fc.constantFrom('a', 'ab', 'a.b', 'a-b', 'b', 'Z', 'a:')
const bytes = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  minLength: 1,
})
const keys = fc.tuple(buckets, bytes).map(([bucket, key]) => `${bucket}\0${key}` as Key)

function isWithin(
  row: RowKey,
  { after, before }: { readonly after: RowKey; readonly before: RowKey },
): boolean {
  return after < row && row < before
}

describe('the row of an object', () => {
  it('gives back its partition and key', () => {
    fc.assert(
      fc.property(partitions, keys, (partition, key) => {
        const row = objectRow(partition, key)
        expect(isObjectRow(row)).toBe(true)
        expect(partitionOfRow(row)).toBe(partition)
        expect(keyOfRow(row)).toBe(key)
      }),
    )
  })

  it('lies within its partition and bucket, and within no other', () => {
    fc.assert(
      fc.property(partitions, keys, partitions, buckets, (partition, key, otherPartition, otherBucket) => {
        const row = objectRow(partition, key)
        expect(isWithin(row, partitionBounds(otherPartition))).toBe(partition === otherPartition)
        const sameBucket = partition === otherPartition && key.startsWith(`${otherBucket}\0`)
        expect(isWithin(row, bucketBounds(otherPartition, otherBucket))).toBe(sameBucket)
      }),
    )
  })
})

describe('what a node knows of itself', () => {
  it('sorts before every object and is none', () => {
    for (const row of [metaRow, namedRow('anything')]) {
      expect(isObjectRow(row)).toBe(false)
      expect(row < partitionBounds(0).after).toBe(true)
    }
  })
})
