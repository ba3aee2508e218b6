// What a batch logs, and what is read of it again: records in their order, rows in the order of their batches, and
// nothing at all of a row that is damaged.

import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { Malformed, Writer } from '../../src/base/bytes.js'
import type { Key } from '../../src/base/units.js'
import { RedoLog } from '../../src/runtime/redo.js'
import { readRedo, redoBounds, redoRow } from '../../src/storage/redo-rows.js'
import { key } from './hand-driven.js'

function recordsOf(row: Uint8Array): string[] {
  const records: string[] = []
  readRedo(row, {
    object: (of, hash, value) => void records.push(`${of}|${hash}|${Buffer.from(value)}`),
    settled: (of) => void records.push(of),
  })
  return records
}

describe('what happened since the last batch', () => {
  it('is read again as it happened', () => {
    const log = new RedoLog()
    expect(log.take()).toBeUndefined()
    expect(log.object(key('a'), 0xffff_ffff, Buffer.from('one'))).toBe(true)
    log.deleted(key('b'))
    log.object(key('a'), 7, Buffer.from(''))
    log.row(key('c'))
    expect(recordsOf(log.take() as Uint8Array)).toEqual([
      `${key('a')}|4294967295|one`,
      key('b'),
      `${key('a')}|7|`,
      key('c'),
    ])
    expect(log.bytes).toBe(0)
    expect(log.take()).toBeUndefined()
  })

  it('of a large object only that its row says what it is', () => {
    const log = new RedoLog()
    expect(log.object(key('a'), 1, new Uint8Array(16 * 1024))).toBe(true)
    expect(log.object(key('a'), 1, new Uint8Array(16 * 1024 + 1))).toBe(false)
    expect(recordsOf(log.take() as Uint8Array).at(-1)).toBe(key('a'))
  })

  it('keys are any bytes, of any length', () => {
    const log = new RedoLog()
    const keys = ['\0\xff\x01', 'k'.repeat(65_536)] as Key[]
    for (const each of keys) log.deleted(each)
    expect(recordsOf(log.take() as Uint8Array)).toEqual(keys)
  })

  it('stays as it is while the next is gathered, and the one after that', () => {
    const log = new RedoLog()
    log.object(key('a'), 1, Buffer.from('first'))
    const first = log.take() as Uint8Array
    const copy = Buffer.from(first)
    log.object(key('b'), 2, Buffer.from('second, which is longer than the first'))
    expect(first).toEqual(copy)
    const second = log.take() as Uint8Array
    expect(first).toEqual(copy)
    expect(recordsOf(second)).toEqual([`${key('b')}|2|second, which is longer than the first`])
  })
})

describe('rows of the log', () => {
  it('lie in the order of their batches, between its bounds', () => {
    const sequences = [0, 1, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 48, Number.MAX_SAFE_INTEGER]
    const rows = sequences.map(redoRow)
    expect([...rows].sort((a, b) => (a < b ? -1 : 1))).toEqual(rows)
    for (const row of rows) expect(row > redoBounds.after && row < redoBounds.before).toBe(true)
  })

  it('with an unknown record are refused before any of it is visited', () => {
    const writer = new Writer()
    for (const kind of [2, 9]) {
      writer.u8(kind)
      writer.varint(1)
      writer.latin1('k')
    }
    writer.u32(crc32(writer.bytes.subarray(0, writer.length)))
    const seen: string[] = []
    const read = () =>
      readRedo(writer.copy(), { object: (of) => void seen.push(of), settled: (of) => void seen.push(of) })
    expect(read).toThrow(Malformed)
    expect(seen).toEqual([])
  })
})
