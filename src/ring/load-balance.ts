// How evenly a partitioning spreads load (Dynamo 6.2, figure 8): "load balancing efficiency is the ratio of the
// average number of requests served by each node to the maximum number of requests served by the hottest node".
// Either by what nodes hold, as if every hash were asked equally often, or by requests for keys that are handed in.
//
// Invariant: every range, and every request, counts once for each of its first `copies` nodes.
// Left to others: where the keys come from; what routing makes of the lists (gateway).

import type { NodeId } from '../base/units.js'
import type { Partitioning } from './strategies.js'

/** Load of every node, in units of one ring (ownership) or in requests. */
export type Loads = ReadonlyMap<NodeId, number>

/** What each node holds: 1 is the whole ring, so all sum to `copies`. */
export function ownership(partitioning: Partitioning, copies: number): Loads {
  const loads = noLoad(partitioning.nodes)
  for (let range = 0; range < partitioning.ranges; range++) {
    const share = partitioning.share(range)
    for (const node of partitioning.preferenceList(range).slice(0, copies)) add(loads, node, share)
  }
  return loads
}

/** What each node serves of `requests` requests, each for the key with the next hash (0 <= hash < 2^32). */
export function requestLoads(
  partitioning: Partitioning,
  copies: number,
  requests: number,
  nextHash: () => number,
): Loads {
  const loads = noLoad(partitioning.nodes)
  const replicas = new Map<number, readonly NodeId[]>()
  for (let i = 0; i < requests; i++) {
    const range = partitioning.rangeOf(nextHash())
    let nodes = replicas.get(range)
    if (nodes === undefined) {
      nodes = partitioning.preferenceList(range).slice(0, copies)
      replicas.set(range, nodes)
    }
    for (const node of nodes) add(loads, node, 1)
  }
  return loads
}

/** Mean over max: 1 is perfect, 1 / S is all on one node. */
export function efficiency(loads: Loads): number {
  return meanOf(loads) / Math.max(...loads.values())
}

/** Share of the nodes whose load is 15 percent or more off the mean (figure 6: "out of balance"). */
export function outOfBalance(loads: Loads): number {
  const mean = meanOf(loads)
  const off = [...loads.values()].filter((load) => Math.abs(load - mean) >= 0.15 * mean)
  return off.length / loads.size
}

/**
 * What each survivor takes over when `dead` dies: for the ranges that it held, the first node after the first
 * `copies` holds its copy now (4.6).
 */
export function takeover(partitioning: Partitioning, copies: number, dead: NodeId): Loads {
  const extra = noLoad(partitioning.nodes.filter((node) => node !== dead))
  for (let range = 0; range < partitioning.ranges; range++) {
    const list = partitioning.preferenceList(range)
    const heir = list[copies]
    if (heir !== undefined && list.indexOf(dead) < copies) add(extra, heir, partitioning.share(range))
  }
  return extra
}

/** The same for the first place: who coordinates what `dead` was the first node for. */
export function succession(partitioning: Partitioning, dead: NodeId): Loads {
  const extra = noLoad(partitioning.nodes.filter((node) => node !== dead))
  for (let range = 0; range < partitioning.ranges; range++) {
    const [first, second] = partitioning.preferenceList(range)
    if (first === dead && second !== undefined) add(extra, second, partitioning.share(range))
  }
  return extra
}

function noLoad(nodes: readonly NodeId[]): Map<NodeId, number> {
  return new Map(nodes.map((node) => [node, 0]))
}

function add(loads: Map<NodeId, number>, node: NodeId, load: number): void {
  loads.set(node, (loads.get(node) ?? 0) + load)
}

function meanOf(loads: Loads): number {
  let sum = 0
  for (const load of loads.values()) sum += load
  return sum / loads.size
}
