// The high-water file: what a node had acknowledged, kept beside its store.

import { closeSync, openSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openHighWater } from '../../src/storage/high-water.js'
import { type Place, temporaryPlace } from './store-calls.js'

let place: Place
let path: string
beforeEach(() => {
  place = temporaryPlace()
  path = join(place.path, 'high-water')
})
afterEach(() => place.remove())

const incarnation = 2 ** 53 - 1

function note(...sequences: number[]): void {
  const file = openHighWater(path)
  for (const sequence of sequences) file.note(incarnation, sequence)
  file.sync()
  file.close()
}

function last(): number | undefined {
  const file = openHighWater(path)
  file.close()
  return file.last?.sequence
}

/** Overwrites bytes of the file, as a torn write or a rotten sector would. */
function damage(position: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+')
  writeSync(file, bytes, 0, bytes.length, position)
  closeSync(file)
}

describe('a high-water file', () => {
  it('that is new knows nothing', () => {
    expect(last()).toBeUndefined()
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('gives back the last note, with its incarnation, in the next life', () => {
    note(1, 2, 3)
    const file = openHighWater(path)
    file.close()
    expect(file.last).toEqual({ incarnation, sequence: 3 })
  })

  it('does not need to be closed or synced: a note is there when the call returns', () => {
    const file = openHighWater(path)
    file.note(incarnation, 41)
    file.note(incarnation, 42)
    expect(last()).toBe(42)
    file.close()
  })

  it('never overwrites its last note, not even with the first of a new life', () => {
    note(1)
    for (let sequence = 2; sequence < 8; sequence++) {
      note(sequence)
      const bytes = readFileSync(path)
      expect([bytes.readDoubleLE(8), bytes.readDoubleLE(4096 + 8)]).toContain(sequence - 1)
      expect(last()).toBe(sequence)
    }
  })

  it.each([
    ['in its incarnation', 3],
    ['in its sequence', 12],
    ['in its checksum', 17],
  ])('falls back on the note before when the newest is torn %s', (_where, at) => {
    note(1, 2)
    damage(4096 + at, Uint8Array.of(0xa5))
    expect(last()).toBe(1)
    note(3)
    expect(last()).toBe(3)
  })

  it.each([
    ['garbage', () => writeFileSync(path, Buffer.alloc(8192, 0x5a))],
    ['zeros', () => writeFileSync(path, Buffer.alloc(8192))],
    ['nothing', () => writeFileSync(path, '')],
    ['half a slot', () => truncateSync(path, 10)],
    ['both slots torn', () => [8, 4096 + 8].map((at) => damage(at, Uint8Array.of(0xff, 0xff)))],
  ])('that holds %s knows nothing, and can be used again', (_what, ruin) => {
    note(1, 2)
    ruin()
    expect(last()).toBeUndefined()
    note(9)
    expect(last()).toBe(9)
  })

  it('that cannot be opened says so', () => {
    expect(() => openHighWater(join(place.path, 'missing', 'file'))).toThrow(
      expect.objectContaining({ code: 'storage-unavailable' }),
    )
  })
})
