// Types of writer-values.mjs, for the tests that read back what it made: keys and values of numbered puts.

export function keyOf(round: number, number: number): string
export function makeValue(round: number, number: number): string
