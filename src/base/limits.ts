// Every limit of the house. A limit that is hit is answered with a typed error that names it; nothing
// grows without one. `Settings` that a user may change say so; the others are fixed.

import type { Millis } from './units.js'

const KiB = 1024
const MiB = 1024 * KiB

export const limits = {
  /** Bytes of a key. Longer keys make every index entry longer. */
  keyBytesMax: 64 * KiB,
  /** Bytes of a value unless configured otherwise (setting `valueBytesMax`). */
  valueBytesMaxDefault: MiB,
  /** The most that `valueBytesMax` can be set to: a value is held in memory up to n + 2 times while it is written. */
  valueBytesMaxCeiling: 64 * MiB,
  /** Siblings of one key. A put beyond is refused; a merge beyond (repair) is stored and counted. */
  siblingsMax: 100,
  /** Bytes of an encoded context. */
  contextBytesMax: 4 * KiB,
  /** Entries of a version vector before the oldest is cut at the next coordinated put (Dynamo 4.4: "say 10"). */
  clockEntriesMax: 10,
  /** Nodes of one cluster. */
  nodesMax: 64,
  /** Bytes of the name of a host or a zone. */
  hostNameBytesMax: 64,
  /** Changes of membership over the life of a cluster. Gossip tells them all at once, so they must fit a message. */
  membershipChangesMax: 4096,
  /** Threads of the application that may be attached at once. */
  clientsMax: 16,
  /** Partitions of one ring. */
  partitionsMax: 65_536,
  /** Copies of a key. */
  copiesMax: 16,
  /** Requests that one client may have open. */
  requestsInFlightMax: 65_536,
  /** Bytes that may wait for a place in one mailbox before requests to it are refused. */
  outboxBytesMax: 8 * MiB,
  /** Bytes of one mailbox: one per pair of threads. Pages are touched only when used. */
  mailboxBytes: 2 * MiB,
  /** Messages that one turn takes in, so that a turn stays short. */
  turnMessagesMax: 1024,
  /** Operations of one RocksDB batch. */
  batchOperationsMax: 4096,
  /** Bytes of one RocksDB batch. */
  batchBytesMax: 4 * MiB,
  /** Bytes of unflushed objects on one node before puts are refused. */
  dirtyBytesMax: 64 * MiB,
  /** Rows that one step of a walk (scan, repair) returns. */
  walkRowsMax: 512,
  /** Bytes that one step of a walk returns, one row at least. */
  walkBytesMax: 512 * KiB,
  /** Bytes of hints that one node keeps for one other; beyond, a write is kept only when its w needs it. */
  hintBytesMax: 256 * MiB,
  /** How long one node goes on taking hints for one that stays away; the same exception. */
  hintAgeMsMax: 10_800_000 as Millis,
  /** Hints that are on their way to one node at once. */
  hintsInFlightMax: 128,
  /** The longest that a copy of an object may be on its way from one store to another: later it is refused. */
  travelMsMax: 60_000 as Millis,
  /** How long what is dead is kept unless configured otherwise (setting `reapAfterMs`). */
  reapAfterMsDefault: 600_000 as Millis,
  /** The most that `reapAfterMs` can be set to. */
  reapAfterMsMax: 31_536_000_000 as Millis,
  /** Dead objects that one node has on their way to be forgotten. */
  reapsMax: 65_536,
  /** The longest that a node is blocked on purpose. */
  stallMsMax: 600_000 as Millis,
  /** Keys of one getMany, entries of one putMany. */
  batchKeysMax: 100_000,
  /** Depth of nested MessagePack values, and of nested arrays in the Redis protocol. */
  nestingMax: 32,
  /** The longest that a request may wait. */
  timeoutMsMax: 3_600_000 as Millis,
  /** Restarts of one node within `restartWindowMs` before it is given up and left down. */
  restartsMax: 10,
  restartWindowMs: 60_000 as Millis,
} as const
