// A bucket's own merge function, and the laws that it must keep. Replicas and readers merge in any order and
// any number of times; a function that is not commutative, associative and idempotent gives each of them
// another answer, for ever. Dynamo 4.4 leaves the merge of siblings ("semantic reconciliation") to the
// application; this helps it to get that right.

import { isDeepStrictEqual } from 'node:util'
import { RingspunError } from '../base/errors.js'

/** Makes one value of two concurrent ones. */
export type Merge<T> = (a: T, b: T) => T

/**
 * Checks a merge function on samples and throws `merge-invalid`, naming the law and the samples that break it.
 * Put it into a test of your application, with values as varied as yours.
 *
 * @param equal How values are compared; deep equality unless given.
 * @example
 * const union = (a: string[], b: string[]) => [...new Set([...a, ...b])].sort()
 * checkMerge(union, [[], ['milk'], ['bread', 'milk']])
 */
export function checkMerge<T>(
  merge: Merge<T>,
  samples: readonly T[],
  options: { readonly equal?: (a: T, b: T) => boolean } = {},
): void {
  const equal = options.equal ?? isDeepStrictEqual
  const demand = (law: string, left: T, right: T, of: readonly T[]) => {
    if (equal(left, right)) return
    const shown = of.map(textOf).join(', ')
    throw new RingspunError('merge-invalid', `the merge function is not ${law} on ${shown}`, { law })
  }
  for (const a of samples) {
    demand('idempotent', merge(a, a), a, [a])
    for (const b of samples) {
      demand('commutative', merge(a, b), merge(b, a), [a, b])
      demand('idempotent', merge(merge(a, b), b), merge(a, b), [a, b])
      for (const c of samples) demand('associative', merge(merge(a, b), c), merge(a, merge(b, c)), [a, b, c])
    }
  }
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}
