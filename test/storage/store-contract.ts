// What every store keeps, whatever is behind it: run with memory, RocksDB and a faulty store without faults.
// `open` gives an empty store; the suite closes it.

import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { RowKey, Store, Write } from '../../src/storage/store.js'
import {
  close,
  commit,
  deleteRange,
  put,
  read,
  readTexts,
  remove,
  rowsOf,
  text,
  walk,
  walkTexts,
} from './store-calls.js'

export function storeContract(name: string, open: () => Promise<Store>): void {
  describe(`${name} keeps the contract of stores`, () => {
    let store: Store
    beforeAll(async () => {
      store = await open()
    })
    beforeEach(() => deleteRange(store, '', '\xff\xff'))
    afterAll(() => close(store))

    itCommits(() => store)
    itWalks(() => store)
    itAnswers(() => store)
    itCloses(open)
  })
}

function itCommits(current: () => Store): void {
  it('reads what was committed, at both levels, in the order that was asked for', async () => {
    const store = current()
    await commit(store, [put('a', 'first'), put('b', '')], 'os')
    await commit(store, [put('c', '\0\x7f\x80\xff')], 'disk')
    expect(await readTexts(store, 'c', 'missing', 'a', 'b', 'a')).toEqual([
      '\0\x7f\x80\xff',
      undefined,
      'first',
      '',
      'first',
    ])
    expect(await read(store, [])).toEqual([])
  })

  it('applies the writes of one commit in their order', async () => {
    const store = current()
    await commit(store, [put('x', '1'), remove('x'), put('x', '2'), put('y', '1'), remove('y')])
    expect(await readTexts(store, 'x', 'y')).toEqual(['2', undefined])
  })

  it('deletes what is there and what is not', async () => {
    const store = current()
    await commit(store, [put('x', '1')])
    await commit(store, [remove('x'), remove('never')])
    expect(await rowsOf(store)).toEqual([])
  })

  it('takes a commit of 4,096 writes whole, and one of none', async () => {
    const store = current()
    const writes: Write[] = []
    for (let i = 0; i < 4096; i++) writes.push(put(`k${String(i).padStart(4, '0')}`, String(i)))
    await commit(store, writes, 'disk')
    await commit(store, [], 'os')
    await commit(store, [], 'disk')
    const rows = await read(
      store,
      writes.map(({ row }) => row),
    )
    expect(rows.map(text)).toEqual(writes.map((_, i) => String(i)))
    expect(await rowsOf(store)).toHaveLength(4096)
  })

  it('keeps its own copy: the buffers of a commit may be used again when it is done', async () => {
    const store = current()
    const buffer = Buffer.from('before')
    await commit(store, [{ row: 'x', value: buffer }])
    buffer.fill('*')
    expect(await readTexts(store, 'x')).toEqual(['before'])
  })

  it('takes bytes that lie in shared memory, or in the middle of a larger buffer', async () => {
    const store = current()
    const shared = new Uint8Array(new SharedArrayBuffer(8)).fill(0x61)
    await commit(store, [
      { row: 'shared', value: shared.subarray(2, 5) },
      { row: 'view', value: Buffer.from('0123456789').subarray(3, 6) },
    ])
    expect(await readTexts(store, 'shared', 'view')).toEqual(['aaa', '345'])
  })
}

function itWalks(current: () => Store): void {
  const all = ['\0', 'a', 'a\0', 'a\0b', 'ab', 'b', '\x7f', '\x80', '\xff']

  it('walks in the order of bytes, without the two ends', async () => {
    const store = current()
    await commit(
      store,
      [...all].reverse().map((row) => put(row, `=${row}`)),
    )
    expect(await rowsOf(store)).toEqual(all)
    expect(await walkTexts(store, 'a', 'b', 10)).toEqual([
      ['a\0', '=a\0'],
      ['a\0b', '=a\0b'],
      ['ab', '=ab'],
    ])
    expect(await walk(store, 'b', 'a', 10)).toEqual([])
    expect(await walk(store, 'ab', 'b', 10)).toEqual([])
  })

  it('stops at the limit and goes on from where it stopped', async () => {
    const store = current()
    await commit(
      store,
      all.map((row) => put(row, '')),
    )
    const seen: RowKey[] = []
    for (let after = ''; ; ) {
      const page = await walk(store, after, '\xff\xff', 2)
      seen.push(...page.map(({ row }) => row))
      if (page.length < 2) break
      after = page.at(-1)?.row as RowKey
    }
    expect(seen).toEqual(all)
  })

  it('walks more rows than any inner page holds', async () => {
    const store = current()
    const writes = Array.from({ length: 1500 }, (_, i) => put(`k${String(i).padStart(4, '0')}`, `${i}`))
    await commit(store, writes)
    for (const limit of [1, 511, 512, 513, 1024, 1500, 9999]) {
      const rows = await walk(store, 'k', 'l', limit)
      expect(rows.map(({ row }) => row)).toEqual(writes.slice(0, limit).map(({ row }) => row))
    }
  })

  it('deletes a range with its first row and without its last', async () => {
    const store = current()
    await commit(
      store,
      ['a', 'b', 'c', 'd'].map((row) => put(row, '')),
    )
    await deleteRange(store, 'b', 'd')
    expect(await rowsOf(store)).toEqual(['a', 'd'])
    await commit(store, [put('c', 'again')])
    expect(await readTexts(store, 'b', 'c')).toEqual([undefined, 'again'])
  })
}

function itAnswers(current: () => Store): void {
  it('applies commits in the order of the calls, without waiting in between, and answers in that order', async () => {
    const store = current()
    const answered: number[] = []
    const all: Promise<void>[] = []
    for (let i = 0; i < 200; i++) {
      all.push(
        commit(store, [put('x', `${i}`)], i % 7 === 0 ? 'disk' : 'os').then(() => void answered.push(i)),
      )
    }
    all.push(deleteRange(store, 'w', 'y'), commit(store, [put('y', 'last')]))
    await Promise.all(all)
    expect(answered).toEqual(Array.from({ length: 200 }, (_, i) => i))
    expect(await readTexts(store, 'x', 'y')).toEqual([undefined, 'last'])
  })

  it('agrees with a map, whatever is done to it', async () => {
    const row = fc.string({ unit: fc.constantFrom('a', 'b', '\0', '\xff'), minLength: 1, maxLength: 3 })
    const write = fc.record({ row, value: fc.option(fc.uint8Array({ maxLength: 5 }), { nil: undefined }) })
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ writes: fc.array(write, { maxLength: 8 }) }) },
      { weight: 1, arbitrary: fc.record({ from: row, to: row }) },
    )
    const steps = fc.array(step, { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(
        steps,
        row,
        row,
        fc.integer({ min: 1, max: 9 }),
        async (done, after, before, limit) => {
          const store = current()
          const model = new Map<RowKey, Uint8Array>()
          await deleteRange(store, '', '\xff\xff\xff\xff')
          for (const taken of done) await take(store, model, taken)
          const rows = [...model.keys()].filter((key) => key > after && key < before).sort(byBytes)
          const expected = rows.slice(0, limit).map((key) => [key, text(model.get(key))])
          expect(await walkTexts(store, after, before, limit)).toEqual(expected)
          expect(await readTexts(store, after, before)).toEqual(
            [after, before].map((key) => text(model.get(key))),
          )
        },
      ),
      { numRuns: 60 },
    )
  })
}

type Step = { readonly writes: readonly Write[] } | { readonly from: RowKey; readonly to: RowKey }

async function take(store: Store, model: Map<RowKey, Uint8Array>, step: Step): Promise<void> {
  if ('writes' in step) {
    for (const { row, value } of step.writes) {
      if (value === undefined) model.delete(row)
      else model.set(row, value)
    }
    return commit(store, step.writes)
  }
  if (step.from > step.to) return
  for (const row of model.keys()) if (row >= step.from && row < step.to) model.delete(row)
  return deleteRange(store, step.from, step.to)
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function itCloses(open: () => Promise<Store>): void {
  it('finishes what is under way when it is closed, and refuses what comes later', async () => {
    const store = await open()
    const writing = [
      commit(store, [put('x', '1')], 'disk'),
      commit(store, [put('x', '2')], 'os'),
      commit(store, [put('x', '3')], 'disk'),
    ]
    const reading = [read(store, ['x']), walk(store, '', 'z', 10)]
    const closing = close(store)
    const tooLate = [commit(store, [put('y', '')]), read(store, ['x']), walk(store, '', 'z', 1)]
    tooLate.push(deleteRange(store, 'a', 'b'), close(store))
    for (const refused of tooLate) await expect(refused).rejects.toMatchObject({ code: 'closed' })
    await Promise.all([...writing, ...reading, closing])
    await expect(read(store, ['x'])).rejects.toMatchObject({ code: 'closed' })
  })
}
