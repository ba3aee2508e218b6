// Names for the numbers that travel through the whole house. Plain numbers at run time; the alias says
// the unit, so that a signature reads without a comment. Where two kinds of text or number must never be
// mixed up, the type is branded instead (Key).

declare const brand: unique symbol
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** Milliseconds since the epoch of the host's clock, or a span of them. */
export type Millis = number

/** A node of the cluster, from 1. Client threads have numbers too, above `nodesMax`. */
export type NodeId = number

/** Index of a partition, 0 <= partition < Q. */
export type Partition = number

/** One life of a node: drawn at random at every start, persisted before the first write of that life. 1 <= x < 2^53. */
export type Incarnation = number

/** Number of a request, unique per requester while it is open. 0 <= id < 2^32. */
export type RequestId = number

/**
 * Where an object lives: `bucket + NUL + key`, one character per byte (codes 0 to 255, "binary string").
 * A string because JavaScript's maps and comparisons are made for them; bytes so that any key is legal.
 */
export type Key = Brand<string, 'Key'>
