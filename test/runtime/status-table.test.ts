// What threads know of each other without asking.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { threadsMax } from '../../src/protocol/address.js'
import { createStatusTable, StatusTable, type ThreadState } from '../../src/runtime/status-table.js'

function table(): StatusTable {
  return new StatusTable(createStatusTable())
}

describe('lives', () => {
  test('nobody is alive in the beginning', () => {
    const status = table()
    for (let thread = 0; thread < threadsMax; thread++) {
      expect(status.state(thread)).toBe('none')
      expect(status.generation(thread)).toBe(0)
      expect(status.isAlive(thread, 0)).toBe(false)
    }
  })

  test('a life is alive until it is fenced, and its successor after it', () => {
    const status = table()
    const first = status.begin(3)
    expect(status.isAlive(3, first)).toBe(true)
    status.fence(3, first)
    expect(status.isAlive(3, first)).toBe(false)
    expect(status.generation(3)).toBe(first)
    const second = status.begin(3)
    expect(second).toBe(first + 1)
    expect(status.isAlive(3, second)).toBe(true)
    expect(status.isAlive(3, first)).toBe(false)
  })

  test('a life that was never fenced is over when the next begins', () => {
    const status = table()
    const first = status.begin(1)
    status.begin(1)
    expect(status.isAlive(1, first)).toBe(false)
  })

  test('a late fence for an old life does not reach the new one, nor move the fence back', () => {
    const status = table()
    const first = status.begin(1)
    const second = status.begin(1)
    status.fence(1, first)
    expect(status.isAlive(1, second)).toBe(true)
    status.fence(1, second)
    status.fence(1, first)
    expect(status.isAlive(1, second)).toBe(false)
  })

  test('any sequence of beginnings and fences: only the last life can be alive, and only unfenced', () => {
    const step = fc.oneof(fc.constant('begin' as const), fc.nat(8))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const status = table()
        let last = 0
        let fenced = 0
        for (const next of steps) {
          if (next === 'begin') expect(status.begin(5)).toBe(++last)
          else {
            status.fence(5, next)
            fenced = Math.max(fenced, next)
          }
          for (let life = 0; life <= last + 1; life++) {
            expect(status.isAlive(5, life)).toBe(life === last && life > fenced)
          }
        }
      }),
    )
  })
})

describe('what a thread tells', () => {
  test.each<ThreadState>(['none', 'starting', 'up', 'slow', 'draining', 'dead', 'failed'])(
    'the state %s is seen through another view',
    (state) => {
      const memory = createStatusTable()
      new StatusTable(memory).setState(2, state)
      expect(new StatusTable(memory).state(2)).toBe(state)
    },
  )

  test('a heartbeat has a time and a number', () => {
    const status = table()
    status.beat(4, 1_700_000_000_123)
    status.beat(4, 1_700_000_000_173)
    expect(status.lastBeat(4)).toBe(1_700_000_000_173)
    expect(status.counter(4, 'beats')).toBe(2)
  })

  test('completeness is said and unsaid', () => {
    const status = table()
    expect(status.isComplete(1)).toBe(false)
    status.setComplete(1, true)
    expect(status.isComplete(1)).toBe(true)
    status.setComplete(1, false)
    expect(status.isComplete(1)).toBe(false)
  })

  test('no field of a thread lies in another field, or in another thread', () => {
    const names = [
      ...(['incarnation', 'ringEpoch', 'beat', 'beats', 'loopDelayMs', 'queued', 'turns'] as const),
      ...(['puts', 'gets', 'replications', 'commits', 'fsyncs', 'sequence'] as const),
      ...(['objects', 'bufferBytes', 'dirtyBytes', 'heapBytes'] as const),
    ]
    const status = table()
    for (let thread = 0; thread < threadsMax; thread++) {
      for (let life = 0; life <= thread; life++) status.begin(thread)
      status.fence(thread, thread)
      status.setState(thread, thread % 2 === 0 ? 'up' : 'slow')
      status.setComplete(thread, thread % 3 === 0)
      names.forEach((name, i) => {
        status.setCounter(thread, name, 2 ** 52 + thread * 100 + i)
      })
    }
    for (let thread = 0; thread < threadsMax; thread++) {
      expect(status.isAlive(thread, thread + 1)).toBe(true)
      expect(status.state(thread)).toBe(thread % 2 === 0 ? 'up' : 'slow')
      expect(status.isComplete(thread)).toBe(thread % 3 === 0)
      expect(names.map((name) => status.counter(thread, name))).toEqual(
        names.map((_, i) => 2 ** 52 + thread * 100 + i),
      )
    }
  })

  test('sequences are those that were reported, by thread', () => {
    const status = table()
    status.setCounter(2, 'sequence', 17)
    status.setCounter(threadsMax - 1, 'sequence', 2 ** 40)
    const sequences = status.sequences()
    expect(sequences[2]).toBe(17)
    expect(sequences[threadsMax - 1]).toBe(2 ** 40)
    expect(sequences.filter((sequence) => sequence !== undefined)).toHaveLength(2)
  })
})
