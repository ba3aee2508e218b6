// The tally against a slow and obvious one that keeps sets and thinks every possible future through.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  countBits,
  noteFailed,
  noteRead,
  noteReadFailed,
  noteStored,
  type ReadVerdict,
  readTally,
  readVerdict,
  WriteTally,
  type WriteVerdict,
  writeVerdict,
} from '../../src/quorum/tally.js'

interface Note {
  readonly type: 'good' | 'half' | 'failed'
  readonly index: number
}

const quorum = fc
  .integer({ min: 1, max: 16 })
  .chain((n) => fc.record({ n: fc.constant(n), r: fc.integer({ min: 1, max: n }) }))
const notes = fc.array(
  fc.record({ type: fc.constantFrom('good', 'half', 'failed'), index: fc.nat(15) }) as fc.Arbitrary<Note>,
  { maxLength: 40, size: 'max' },
)

const indexes = (n: number) => Array.from({ length: n }, (_, index) => index)

class WriteModel {
  readonly stored = new Set<number>()
  readonly durable = new Set<number>()
  readonly failed = new Set<number>()

  note({ type, index }: Note): void {
    if (type === 'failed') this.failed.add(index)
    else this.stored.add(index)
    if (type === 'good') this.durable.add(index)
  }

  verdict(n: number, w: number, dw: number): WriteVerdict {
    if (this.stored.size >= w && this.durable.size >= dw) return 'ok'
    // The best future: everybody who has not failed stores it durably.
    const hopeful = indexes(n).filter((index) => !this.failed.has(index))
    const reached = new Set([...this.stored, ...hopeful]).size >= w
    return reached && new Set([...this.durable, ...hopeful]).size >= dw ? 'waiting' : 'lost'
  }
}

class ReadModel {
  readonly complete = new Set<number>()
  readonly incomplete = new Set<number>()
  readonly failed = new Set<number>()

  note({ type, index }: Note): void {
    if (type === 'failed') this.failed.add(index)
    else if (type === 'good') this.complete.add(index)
    else this.incomplete.add(index)
  }

  verdict(n: number, r: number): ReadVerdict {
    const answered = new Set([...this.complete, ...this.incomplete])
    if (this.complete.size >= r || answered.size === n) return 'enough'
    // The best future: everybody from whom nothing was heard answers, and lacks nothing.
    const open = indexes(n).filter((index) => !answered.has(index) && !this.failed.has(index))
    if (open.length === 0) return 'lost'
    return this.complete.size + open.length >= r || answered.size + open.length === n ? 'waiting' : 'lost'
  }
}

describe('writes', () => {
  it('agree with the model after every note, for every n, w and dw', () => {
    const met = new Set<WriteVerdict>()
    fc.assert(
      fc.property(quorum, fc.nat(16), notes, ({ n, r: w }, level, all) => {
        const dw = level % (w + 1)
        const [tally, model] = [new WriteTally(n, w, dw), new WriteModel()]
        for (const note of all.filter(({ index }) => index < n)) {
          model.note(note)
          if (note.type === 'failed') noteFailed(tally, note.index)
          else noteStored(tally, note.index, note.type === 'good')
          expect(countBits(tally.stored)).toBe(model.stored.size)
          expect(countBits(tally.durable)).toBe(model.durable.size)
          met.add(writeVerdict(tally))
          expect(writeVerdict(tally)).toBe(model.verdict(n, w, dw))
        }
      }),
    )
    expect([...met].sort()).toEqual(['lost', 'ok', 'waiting'])
  })

  it('once ok, stay ok, whatever else is told', () => {
    fc.assert(
      fc.property(quorum, notes, ({ n, r: w }, all) => {
        const tally = new WriteTally(n, w, Math.min(1, w))
        let wasOk = false
        for (const { type, index } of all.filter((note) => note.index < n)) {
          if (type === 'failed') noteFailed(tally, index)
          else noteStored(tally, index, type === 'good')
          const verdict = writeVerdict(tally)
          if (wasOk) expect(verdict).toBe('ok')
          wasOk = verdict === 'ok'
        }
      }),
    )
  })

  it('wait for the level too: w have stored it, nobody durably yet', () => {
    const tally = new WriteTally(3, 2, 1)
    noteStored(tally, 0, false)
    noteStored(tally, 1, false)
    expect(writeVerdict(tally)).toBe('waiting')
    noteStored(tally, 0, true)
    expect(writeVerdict(tally)).toBe('ok')
  })

  it('a replica that stored and then failed counts as stored, and will not become durable', () => {
    const tally = new WriteTally(2, 1, 1)
    noteStored(tally, 0, false)
    noteFailed(tally, 0)
    expect(writeVerdict(tally)).toBe('waiting')
    noteFailed(tally, 1)
    expect(writeVerdict(tally)).toBe('lost')
  })

  it('a message that comes twice, or a hundred times, counts once', () => {
    const tally = new WriteTally(3, 2, 0)
    for (let i = 0; i < 100; i++) noteStored(tally, 2, true)
    expect(writeVerdict(tally)).toBe('waiting')
    for (let i = 0; i < 100; i++) noteFailed(tally, 1)
    expect(writeVerdict(tally)).toBe('waiting')
    noteFailed(tally, 0)
    expect(writeVerdict(tally)).toBe('lost')
  })

  it('with w and dw of 0 nothing is waited for', () => {
    expect(writeVerdict(new WriteTally(3, 0, 0))).toBe('ok')
  })
})

describe('reads', () => {
  it('agree with the model after every note, for every n and r', () => {
    const met = new Set<ReadVerdict>()
    fc.assert(
      fc.property(quorum, notes, ({ n, r }, all) => {
        const [tally, model] = [readTally(n, r), new ReadModel()]
        for (const note of all.filter(({ index }) => index < n)) {
          model.note(note)
          if (note.type === 'failed') noteReadFailed(tally, note.index)
          else noteRead(tally, note.index, note.type === 'good')
          met.add(readVerdict(tally))
          expect(readVerdict(tally)).toBe(model.verdict(n, r))
        }
      }),
    )
    expect([...met].sort()).toEqual(['enough', 'lost', 'waiting'])
  })

  it('a replica that is catching up does not count toward r', () => {
    const tally = readTally(3, 2)
    noteRead(tally, 0, true)
    noteRead(tally, 1, false)
    expect(readVerdict(tally)).toBe('waiting')
    noteRead(tally, 2, true)
    expect(readVerdict(tally)).toBe('enough')
  })

  it('unless all n have answered: nobody can know more than all together', () => {
    const tally = readTally(3, 2)
    for (const index of [0, 1, 2]) {
      expect(readVerdict(tally)).toBe('waiting')
      noteRead(tally, index, false)
    }
    expect(readVerdict(tally)).toBe('enough')
  })

  it('is lost when too few are left that lack nothing, and one will never answer', () => {
    const tally = readTally(3, 2)
    noteRead(tally, 0, false)
    noteReadFailed(tally, 1)
    expect(readVerdict(tally)).toBe('lost')
  })

  it('a replica that answers again when it has caught up counts then', () => {
    const tally = readTally(2, 1)
    noteRead(tally, 0, false)
    noteRead(tally, 0, true)
    expect(readVerdict(tally)).toBe('enough')
  })
})

describe('countBits', () => {
  it('counts the bits of any 32-bit number', () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer(), fc.integer({ min: 0, max: 0xffff_ffff })), (mask) => {
        expect(countBits(mask)).toBe([...(mask >>> 0).toString(2)].filter((bit) => bit === '1').length)
      }),
    )
    for (const [mask, bits] of [
      [0, 0],
      [0xffff, 16],
      [-1, 32],
      [0x8000_0000, 1],
    ] as const) {
      expect(countBits(mask)).toBe(bits)
    }
  })
})
