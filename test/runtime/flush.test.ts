// When rows are written, by size and by time, and which part of the log is superfluous then: only what was logged
// before the flush began.

import { beforeEach, describe, expect, it } from 'vitest'
import type { Key } from '../../src/base/units.js'
import { Flush } from '../../src/runtime/flush.js'
import { ObjectBuffer } from '../../src/storage/object-buffer.js'
import { createObjectBuffer } from '../../src/storage/object-buffer-layout.js'

let memory: ObjectBuffer

function dirty(name: string, bytes = 10): void {
  expect(memory.put(name as Key, name.length, new Uint8Array(bytes), 'dirty')).toBe(true)
}

/** All rows of this flush are written. */
function write(flush: Flush): void {
  while (flush.left > 0) {
    const tokens: [Key, number, number][] = []
    flush.took(
      memory.nextDirty(
        flush.left,
        1 << 20,
        (key, hash, _value, token) => void tokens.push([key, hash, token]),
      ),
    )
    for (const [key, hash, token] of tokens) memory.markClean(key, hash, token)
  }
}

beforeEach(() => {
  memory = new ObjectBuffer(createObjectBuffer(1024 * 1024))
})

describe('begins', () => {
  it('when the oldest has waited for its time, and then there is nothing due', () => {
    const flush = new Flush(memory, 1_000)
    expect(flush.nextDue()).toBe(Number.POSITIVE_INFINITY)
    dirty('a')
    const due = flush.nextDue()
    flush.begin(due - 1, 5)
    expect(flush.left).toBe(0)
    flush.begin(due, 5)
    expect(flush.left).toBe(1)
    write(flush)
    expect(flush.endsHere).toBe(true)
    flush.ended(due + 1)
    expect(flush.flushedTo).toBe(due)
    expect(flush.endsHere).toBe(false)
    expect(flush.nextDue()).toBe(Number.POSITIVE_INFINITY)
  })

  it('when an eighth of memory is unflushed', () => {
    const flush = new Flush(memory, 1_000)
    for (let i = 0; i < 11; i++) dirty('x'.repeat(i + 1), 10_000)
    expect(memory.dirtyBytes).toBeLessThan(memory.capacityBytes / 8)
    flush.begin(1_001, 5)
    expect(flush.left).toBe(0)
    for (let i = 11; i < 14; i++) dirty('x'.repeat(i + 1), 10_000)
    flush.begin(1_001, 5)
    expect(flush.left).toBe(14)
  })

  it('when much is logged, though it is of one object', () => {
    const flush = new Flush(memory, 1_000)
    dirty('a')
    flush.noteLogged(64 * 1024 * 1024 - 1)
    flush.begin(1_001, 5)
    expect(flush.left).toBe(0)
    flush.noteLogged(1)
    flush.begin(1_001, 5)
    expect(flush.left).toBe(1)
    write(flush)
    flush.ended(1_002)
    dirty('a')
    flush.begin(1_003, 6)
    expect(flush.left).toBe(0)
  })

  it('at once with what came over from another life', () => {
    dirty('a')
    const flush = new Flush(memory, 1_000)
    expect(flush.flushedTo).toBe(0)
    flush.begin(1_000, 5)
    expect(flush.left).toBe(1)
  })

  it('twice within one instant: each ends', () => {
    const flush = new Flush(memory, 1_000)
    for (const name of ['a', 'bb']) {
      dirty(name)
      flush.hurry()
      flush.begin(1_000, 5)
      write(flush)
      expect(flush.endsHere).toBe(true)
      flush.ended(1_000)
    }
    expect(memory.dirtyObjects).toBe(0)
  })

  it('not while another is going on', () => {
    const flush = new Flush(memory, 1_000)
    dirty('a')
    flush.hurry()
    flush.begin(1_000, 5)
    flush.took(1)
    // Its last row is under way.
    dirty('bb')
    expect(flush.begin(2_000, 6)).toBe(false)
    expect(flush.superfluous(undefined)).toEqual({ from: 0, to: 5 })
  })
})

describe('of the log is superfluous', () => {
  it('what was logged before the flush began, each batch once', () => {
    const flush = new Flush(memory, 1_000)
    dirty('a')
    flush.begin(20_000, 5)
    write(flush)
    flush.ended(20_001)
    expect(flush.superfluous(undefined)).toEqual({ from: 0, to: 5 })
    expect(flush.superfluous(undefined)).toBeUndefined()
    dirty('a')
    flush.begin(40_000, 9)
    write(flush)
    flush.ended(40_001)
    expect(flush.superfluous(undefined)).toEqual({ from: 6, to: 9 })
  })

  it('all of it when nothing is unflushed; a later flush does not go back', () => {
    const flush = new Flush(memory, 1_000)
    dirty('a')
    flush.begin(20_000, 5)
    write(flush)
    flush.ended(20_001)
    expect(flush.superfluous(8)).toEqual({ from: 0, to: 8 })
    expect(flush.superfluous(undefined)).toBeUndefined()
    expect(flush.superfluous(9)).toEqual({ from: 9, to: 9 })
  })
})

describe('a barrier', () => {
  it('hurries, and is told when what came before it has rows', () => {
    const flush = new Flush(memory, 1_000)
    const told: string[] = []
    flush.barrier(999, () => told.push('before'))
    expect(told).toEqual(['before'])
    dirty('a')
    flush.barrier(1_500, () => told.push('during'))
    flush.barrier(3_000, () => told.push('later'))
    expect(flush.nextDue()).toBe(0)
    flush.begin(2_000, 5)
    write(flush)
    flush.ended(2_001)
    expect(told).toEqual(['before', 'during'])
    dirty('bb')
    expect(flush.nextDue()).toBe(0)
    flush.begin(3_000, 5)
    write(flush)
    flush.ended(3_001)
    expect(told).toEqual(['before', 'during', 'later'])
  })
})
