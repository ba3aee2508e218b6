// Which node owns which partition, planned from nothing (Dynamo 6.2, strategy 3: Q equal partitions, Q/S on
// every node). A replica set is `copies` partitions in a row, so a row must not name a node twice.
//
// Invariants: every node owns floor or ceil of Q/S partitions; any `copies` consecutive partitions (cyclic)
// lie on distinct nodes whenever a balanced plan can do that at all, else as many rows as possible do, and
// the others cross the wrap. The proof is in docs/decisions/placement.md. Same input, same plan.
//
// Left to others: moving as little as possible when nodes come and go, and nodes of unequal weight.

import { assert } from '../base/assert.js'
import type { NodeId, Partition } from '../base/units.js'

/**
 * Plans the owner of every partition. `nodes` are distinct; with fewer nodes than `copies`, the plan is made
 * for as many copies as there are nodes.
 *
 * The ring is written as rounds. Nodes with the larger share ("heavy") open every round in the same order;
 * the others ("light") fill the rest of the rounds in turn. With Q = 14, S = 4, two heavy, rounds of 4, 4, 3, 3:
 *
 *     A B c d | A B c d | A B c | A B d
 */
export function placeOwners(partitions: number, nodes: readonly NodeId[], copies: number): Uint16Array {
  assert(partitions >= 1 && nodes.length >= 1 && copies >= 1, 'a plan has partitions, nodes and copies')
  const span = Math.min(copies, nodes.length, partitions)
  const share = Math.floor(partitions / nodes.length)
  const heavy = partitions % nodes.length
  const light = nodes.length - heavy
  const rounds = share + 1

  // Rounds as equal as they can be. Where that makes them shorter than a row, no plan is free of violations,
  // and the fewest come from one short round at the end.
  let roundLength = Math.floor(partitions / rounds)
  let longer = partitions % rounds
  if (roundLength < span) {
    roundLength = span
    longer = 0
  }

  const owners = new Uint16Array(partitions)
  let at: Partition = 0
  let nextLight = 0
  for (let round = 0; at < partitions; round++) {
    const end = Math.min(partitions, at + roundLength + (round < longer ? 1 : 0))
    for (let i = 0; i < heavy; i++) owners[at++] = nodes[i] as NodeId
    while (at < end) {
      owners[at++] = nodes[heavy + nextLight] as NodeId
      nextLight = nextLight + 1 === light ? 0 : nextLight + 1
    }
  }
  return owners
}

/**
 * How many of the Q rows of `copies` consecutive partitions (cyclic) name a node twice. With fewer owners or
 * partitions than `copies`, rows of that length are looked at.
 */
export function violations(owners: Uint16Array, copies: number): number {
  const partitions = owners.length
  const span = Math.min(copies, partitions, new Set(owners).size)
  const lastSeen = new Int32Array(0x1_0000).fill(-1)
  // The latest partition whose node came again at or before the end of the row.
  let repeated = -1
  let count = 0
  for (let at = 0; at < partitions + span - 1; at++) {
    const node = owners[at % partitions] as NodeId
    repeated = Math.max(repeated, lastSeen[node] as number)
    lastSeen[node] = at
    const start = at - span + 1
    if (start >= 0 && repeated >= start) count++
  }
  return count
}
