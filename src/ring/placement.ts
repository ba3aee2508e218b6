// Which node owns which partition, planned from nothing (Dynamo 6.2, strategy 3: Q equal partitions, Q/S on
// every node). A replica set is `copies` partitions in a row, so a row must not name a node twice.
//
// Invariants: every node owns floor or ceil of Q/S partitions; any `copies` consecutive partitions (cyclic)
// lie on distinct nodes whenever a balanced plan can do that at all, else as many rows as possible do, and
// the others cross the wrap. The proof is in docs/decisions/placement.md. Same input, same plan.
//
// Left to others: the order of nodes within a round (spread.ts), moving as little as possible when nodes come
// and go, and nodes of unequal weight (rebalance.ts).

import { assert } from '../base/assert.js'
import type { NodeId, Partition } from '../base/units.js'
import { type Rounds, spreadRounds } from './spread.js'

/**
 * Rounds of a block that a large ring repeats. Enough to spread failures, few enough that the preference lists
 * of 65,536 partitions on 64 nodes, of which equal ones are one array, take 6 MB a thread and not 33.
 */
const blockRounds = 64

/**
 * Plans the owner of every partition. `nodes` are distinct; with fewer nodes than `copies`, the plan is made
 * for as many copies as there are nodes.
 */
export function placeOwners(partitions: number, nodes: readonly NodeId[], copies: number): Uint16Array {
  assert(partitions >= 1 && nodes.length >= 1 && copies >= 1, 'a plan has partitions, nodes and copies')
  const span = Math.min(copies, nodes.length, partitions)
  const share = Math.floor(partitions / nodes.length)
  // All rings of these nodes open with the same places, so one may follow another where it would follow itself.
  const repeats = nodes.length > span ? Math.max(0, Math.floor(share / blockRounds) - 1) : 0
  const blockLength = blockRounds * nodes.length
  const owners = new Uint16Array(partitions)
  if (repeats > 0) {
    const block = placeRing(blockLength, nodes.length, span)
    for (let i = 0; i < repeats; i++) owners.set(block, i * blockLength)
  }
  owners.set(placeRing(partitions - repeats * blockLength, nodes.length, span), repeats * blockLength)
  return owners.map((node) => nodes[node] as NodeId)
}

/** A ring of the nodes 0 to nodeCount - 1: its rounds, spread out where there is a choice. */
function placeRing(partitions: number, nodeCount: number, span: number): Uint16Array {
  const rounds = writeRounds(partitions, nodeCount, span)
  if (nodeCount <= span || violations(rounds.owners, span) > 0) return rounds.owners
  return spreadRounds(rounds, span) ?? rounds.owners
}

/**
 * The ring as rounds. Nodes with the larger share ("heavy") open every round in the same order; the others
 * ("light") fill the rest of the rounds in turn. With Q = 14, S = 4, two heavy, rounds of 4, 4, 3, 3:
 *
 *     A B c d | A B c d | A B c | A B d
 */
export function writeRounds(partitions: number, nodeCount: number, span: number): Rounds {
  const share = Math.floor(partitions / nodeCount)
  const heavy = partitions % nodeCount
  const light = nodeCount - heavy
  const rounds = share + 1

  // Rounds as equal as they can be. Where that makes them shorter than a row, no plan is free of violations,
  // and the fewest come from one short round at the end.
  let roundLength = Math.floor(partitions / rounds)
  let longer = partitions % rounds
  if (roundLength < span) {
    roundLength = span
    longer = 0
  }
  if (heavy === 0) {
    roundLength = nodeCount
    longer = 0
  }

  const owners = new Uint16Array(partitions)
  const starts: Partition[] = []
  let at: Partition = 0
  let nextLight = 0
  for (let round = 0; at < partitions; round++) {
    starts.push(at)
    const end = Math.min(partitions, at + roundLength + (round < longer ? 1 : 0))
    for (let node = 0; node < heavy; node++) owners[at++] = node
    while (at < end) {
      owners[at++] = heavy + nextLight
      nextLight = nextLight + 1 === light ? 0 : nextLight + 1
    }
  }
  starts.push(partitions)
  return { nodeCount, owners, starts }
}

/**
 * How many of the Q rows of `copies` consecutive partitions (cyclic) name a node twice. With fewer owners or
 * partitions than `copies`, rows of that length are looked at.
 */
export function violations(owners: Uint16Array, copies: number): number {
  return rowsNamingTwice(owners, Math.min(copies, owners.length, new Set(owners).size))
}

/** The same for rows of `span` labels of any kind: whole numbers below 2^16; one below 0 is none. */
export function rowsNamingTwice(labels: Uint16Array | Int32Array, span: number): number {
  const { length } = labels
  const lastSeen = new Int32Array(0x1_0000).fill(-1)
  // The latest place whose label came again at or before the end of the row.
  let repeated = -1
  let count = 0
  for (let at = 0; at < length + span - 1; at++) {
    const label = labels[at % length] as number
    if (label >= 0) {
      repeated = Math.max(repeated, lastSeen[label] as number)
      lastSeen[label] = at
    }
    const start = at - span + 1
    if (start >= 0 && repeated >= start) count++
  }
  return count
}
