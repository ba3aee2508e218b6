// What is stored under a key: a causal clock and the values that no other value supersedes (siblings).
// Dynamo 4.4, with dots (Preguiça, Baquero et al., "Dotted Version Vectors"): each sibling carries the one
// write event that made it, so two interleaved writers never have more than two siblings.
//
// Invariants: siblings is not empty; siblings are sorted by (actor, counter) of their dot and dots differ;
// every sibling's dot is seen by the clock; the clock is sorted by actor. An object is immutable.

import type { Incarnation, Millis } from '../base/units.js'

/** One write event, never issued twice: the life of the vnode that issued it, and its count in that life. */
export interface Dot {
  readonly actor: Incarnation
  /** From 1. */
  readonly counter: number
}

/** All events of `actor` up to `counter`; `time` (seconds since the epoch) says which entry is oldest when a clock is cut. */
export interface ClockEntry {
  readonly actor: Incarnation
  readonly counter: number
  readonly time: number
}

/** Sorted by actor, each actor once. */
export type VersionVector = readonly ClockEntry[]

/** A hybrid logical time: milliseconds * 2048 + count, below 2^53. Grows with every write that has seen it. */
export type Stamp = number

export interface Sibling {
  readonly dot: Dot
  readonly stamp: Stamp
  /** When the value ceases to be, or 0 for never. Part of the version, so that repair cannot revive it. */
  readonly expires: Millis
  /** A tombstone: the delete is a version like any other. Its value is empty. */
  readonly deleted: boolean
  /** How the client encoded the value (see client/codec). 0 to 255. Opaque here. */
  readonly encoding: number
  readonly value: Uint8Array
}

export interface StoredObject {
  readonly clock: VersionVector
  readonly siblings: readonly Sibling[]
  /** The encoded form, when it is at hand (decoded from it, or encoded before): saves encoding it again. */
  encoded?: Uint8Array
}

/** What a bucket does with concurrent values: keep them all, or keep the one with the latest stamp. */
export type Conflicts = 'siblings' | 'last-write-wins'

/**
 * What a reader has seen: given back with a put or delete, it replaces exactly that.
 * `stamp` is the latest stamp seen, so that a later write has a later one wherever it is coordinated.
 */
export interface Context {
  readonly clock: VersionVector
  readonly stamp: Stamp
}
