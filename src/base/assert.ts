// Assertions that stay on in production: a broken invariant stops the node (crash-only) instead of
// spreading. The message says which invariant, in words that stand alone in a log.

/** Throws when `condition` is false. For invariants of our own code, never for input from outside. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${invariant}`)
}

/** Makes a forgotten case of a discriminated union a compile error, and a run-time one at the edges. */
export function unreachable(value: never): never {
  throw new Error(`invariant broken: unexpected case ${JSON.stringify(value)}`)
}
