// checkMerge finds the law that a merge function of a user breaks, and shows the values that break it.

import { describe, expect, it } from 'vitest'
import { RingspunError } from '../../src/base/errors.js'
import { checkMerge, type Merge } from '../../src/versions/merge-function.js'

function broken<T>(merge: Merge<T>, samples: readonly T[]): RingspunError {
  try {
    checkMerge(merge, samples)
  } catch (error) {
    if (error instanceof RingspunError) return error
    throw error
  }
  throw new Error('nothing was found')
}

describe('good merge functions pass', () => {
  it('the cart of the paper: the union of what either has', () => {
    const union = (a: string[], b: string[]) => [...new Set([...a, ...b])].sort()
    expect(() => checkMerge(union, [[], ['milk'], ['bread', 'milk'], ['eggs']])).not.toThrow()
  })

  it('the larger number, a map of larger numbers, the later by time', () => {
    expect(() => checkMerge(Math.max, [3, 1, 2, 0, -5])).not.toThrow()
    const later = (a: { at: number }, b: { at: number }) => (a.at >= b.at ? a : b)
    expect(() => checkMerge(later, [{ at: 1 }, { at: 2 }, { at: 3 }])).not.toThrow()
  })

  it('with an equality of their own: a union whose order does not matter', () => {
    const union = (a: string[], b: string[]) => [...new Set([...a, ...b])]
    const equal = (a: string[], b: string[]) => a.length === b.length && a.every((each) => b.includes(each))
    expect(() => checkMerge(union, [['x'], ['y']], { equal })).not.toThrow()
    expect(broken(union, [['x'], ['y']]).details['law']).toBe('commutative')
  })

  it('no samples, no complaint', () => {
    expect(() => checkMerge(Math.max, [])).not.toThrow()
  })
})

describe('bad merge functions are found out', () => {
  it.each<[string, Merge<number>, readonly number[], string]>([
    ['the left one', (a) => a, [1, 2], 'commutative'],
    ['the sum', (a, b) => a + b, [1], 'idempotent'],
    ['the middle', (a, b) => (a + b) / 2, [0, 4, 8], 'associative'],
    [
      'stone, scissors, paper',
      (a, b) => (a === b ? a : [1, 2, 0][a] === b ? a : b),
      [0, 1, 2],
      'associative',
    ],
  ])('%s', (_name, merge, samples, law) => {
    const error = broken(merge, samples)
    expect(error.code).toBe('merge-invalid')
    expect(error.details['law']).toBe(law)
    expect(error.message).toContain(`not ${law}`)
  })

  it('the error shows the samples', () => {
    expect(broken((a: string[]) => a, [['milk'], ['bread']]).message).toContain('["milk"], ["bread"]')
  })

  it('samples that are no JSON are shown all the same', () => {
    expect(broken((a: bigint) => a, [1n, 2n]).message).toContain('on 1, 2')
    const loop: { self?: unknown; name: string } = { name: 'loop' }
    loop.self = loop
    expect(broken((a: typeof loop) => a, [loop, { name: 'other' }]).code).toBe('merge-invalid')
  })

  it('what the function itself throws is its own', () => {
    const failing = () => {
      throw new TypeError('mine')
    }
    expect(() => checkMerge(failing, [1])).toThrow(TypeError)
  })
})
