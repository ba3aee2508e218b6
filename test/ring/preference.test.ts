// Dynamo 4.3: the preference list on rings small enough to see.

import { describe, expect, test } from 'vitest'
import { preferenceList } from '../../src/ring/preference.js'
import { createRing, type Ring, ringFromJson } from '../../src/ring/ring.js'

function ringOf(owners: readonly number[], nodes: readonly number[], epoch = 1): Ring {
  return ringFromJson({
    epoch,
    partitions: owners.length,
    copies: 1,
    hash: 'md5',
    seed: [0, 0],
    nodes,
    owners,
  })
}

describe('the preference list', () => {
  test('goes clockwise from the owner, over the wrap, and skips what it has seen', () => {
    const ring = ringOf([1, 2, 1, 3, 2], [1, 2, 3])
    expect(preferenceList(ring, 0)).toEqual([1, 2, 3])
    expect(preferenceList(ring, 1)).toEqual([2, 1, 3])
    expect(preferenceList(ring, 2)).toEqual([1, 3, 2])
    expect(preferenceList(ring, 3)).toEqual([3, 2, 1])
    expect(preferenceList(ring, 4)).toEqual([2, 1, 3])
  })

  test('ends with the nodes that own nothing, in order', () => {
    const ring = ringOf([3, 3, 5], [1, 2, 3, 4, 5])
    expect(preferenceList(ring, 0)).toEqual([3, 5, 1, 2, 4])
    expect(preferenceList(ring, 2)).toEqual([5, 3, 1, 2, 4])
  })

  test('256 partitions on 3 nodes: three distinct replicas also where the owners repeat at the wrap', () => {
    const ring = createRing({
      epoch: 1,
      partitions: 256,
      copies: 3,
      hash: 'md5',
      seed: [0, 0],
      nodes: [1, 2, 3],
    })
    expect([ring.owners[254], ring.owners[255], ring.owners[0], ring.owners[1]]).toEqual([3, 1, 1, 2])
    expect(preferenceList(ring, 254)).toEqual([3, 1, 2])
    expect(preferenceList(ring, 255)).toEqual([1, 2, 3])
  })

  test('is made once: a second call gives the same array, also after another ring was asked', () => {
    const one = ringOf([1, 2, 3], [1, 2, 3])
    const other = ringOf([3, 2, 1], [1, 2, 3], 2)
    const list = preferenceList(one, 1)
    expect(preferenceList(other, 1)).toEqual([2, 1, 3])
    expect(preferenceList(one, 1)).toBe(list)
    expect(list).toEqual([2, 3, 1])
  })

  test('equal lists are one array, so that a large ring stays small', () => {
    const nodes = Array.from({ length: 64 }, (_, i) => i + 1)
    const ring = createRing({
      epoch: 1,
      partitions: 65_536,
      copies: 3,
      hash: 'md5',
      seed: [0, 0],
      nodes,
    })
    const arrays = new Set(Array.from({ length: 65_536 }, (_, partition) => preferenceList(ring, partition)))
    // Of 65,536 lists, those of one block of 64 rounds, and no other.
    expect(arrays.size).toBeLessThanOrEqual(4096)
  })
})
