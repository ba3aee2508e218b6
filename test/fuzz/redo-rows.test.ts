// Whatever the bytes of a row of the redo log: what is read is what was written, or the row is `Malformed` and nothing
// of it was visited.

import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Malformed } from '../../src/base/bytes.js'
import type { Key } from '../../src/base/units.js'
import { RedoLog } from '../../src/runtime/redo.js'
import { readRedo } from '../../src/storage/redo-rows.js'
import { mutated } from './mutations.js'

type Record = readonly [kind: 'object' | 'settled', key: string, hash: number, value: string]

/** Undefined for a row that is Malformed, of which nothing may have been visited. */
function read(row: Uint8Array): Record[] | undefined {
  const records: Record[] = []
  try {
    readRedo(row, {
      object: (key, hash, value) =>
        void records.push(['object', key, hash, Buffer.from(value).toString('latin1')]),
      settled: (key) => void records.push(['settled', key, 0, '']),
    })
  } catch (error) {
    expect(error).toBeInstanceOf(Malformed)
    expect(records).toEqual([])
    return undefined
  }
  return records
}

const bytes = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((each) => Buffer.from(each).toString('latin1'))
const record: fc.Arbitrary<Record> = fc.oneof(
  fc.tuple(fc.constant('object' as const), bytes(60), fc.nat(0xffff_ffff), bytes(300)),
  fc.tuple(fc.constant('settled' as const), bytes(60), fc.constant(0), fc.constant('')),
)
const records = fc.array(record, { minLength: 1, maxLength: 30 })

function rowOf(of: readonly Record[]): Buffer {
  const log = new RedoLog()
  for (const [kind, key, hash, value] of of) {
    if (kind === 'object') log.object(key as Key, hash, Buffer.from(value, 'latin1'))
    else log.deleted(key as Key)
  }
  return Buffer.from(log.take() as Uint8Array)
}

function sealed(body: Uint8Array): Buffer {
  const seal = Buffer.alloc(4)
  seal.writeUInt32LE(crc32(body))
  return Buffer.concat([body, seal])
}

describe('a row of the redo log', () => {
  it('gives back what was written', () => {
    fc.assert(
      fc.property(records, (of) => void expect(read(rowOf(of))).toEqual(of)),
      { numRuns: 300 },
    )
  })

  it('that is spoiled is Malformed', () => {
    const rows = fc.sample(records, { numRuns: 20, seed: 3 }).map(rowOf)
    fc.assert(
      fc.property(mutated(rows), (row) => {
        fc.pre(!rows.some((each) => each.equals(row)))
        // Nothing at all, sealed, is a row without records: the only other one that a cut can make.
        fc.pre(row.some((byte) => byte !== 0))
        expect(read(row)).toBeUndefined()
      }),
      { numRuns: 3_000 },
    )
  })

  it('that is spoiled under a right checksum is records or Malformed, never half of it', () => {
    const bodies = fc
      .sample(records, { numRuns: 20, seed: 4 })
      .map(rowOf)
      .map((row) => row.subarray(0, -4))
    let malformed = 0
    fc.assert(
      fc.property(mutated(bodies), (body) => {
        if (read(sealed(body)) === undefined) malformed++
      }),
      { numRuns: 3_000 },
    )
    expect(malformed).toBeGreaterThan(500)
  })

  it('of noise with a right checksum is records or Malformed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (body) => void read(sealed(body))),
      { numRuns: 3_000 },
    )
  })
})
