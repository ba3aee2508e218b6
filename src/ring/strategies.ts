// The three ways of Dynamo 6.2 to cut the ring and to hand out the pieces, behind one interface, to be compared.
// A cluster runs the third (ring.ts); the first two are here to be measured.
//
//     1  T random tokens a node; a range ends at a token           |--a-|-b-|------c-----|a|--b--|
//     2  Q equal partitions, T random tokens a node                |  a  |  c  |  c  |  a  |  b  |
//        that only place: first tokens from a partition's end          ^b    ^    ^c ^a      ^b
//     3  Q equal partitions, Q/S a node                            |  a  |  b  |  c  |  a  |  b  |
//
// Invariants: ranges cover the hashes 0 to 2^32 - 1 once; a preference list names every node once.
// Randomness is handed in. Left to others: what a figure means (load-balance.ts).

import { assert } from '../base/assert.js'
import type { Random } from '../base/random.js'
import type { NodeId } from '../base/units.js'
import { placeOwners } from './placement.js'

export type Strategy = 1 | 2 | 3

export interface Partitioning {
  readonly name: Strategy
  readonly nodes: readonly NodeId[]
  /** Pieces of the ring, at least 1. */
  readonly ranges: number
  /** The range of a hash, 0 <= hash < 2^32. */
  rangeOf(hash: number): number
  /** Size of a range as a share of the ring; all sum to 1. */
  share(range: number): number
  /** All nodes in preference order, each once. Made anew by every call. */
  preferenceList(range: number): readonly NodeId[]
  /** Bytes of the membership metadata that every node must hold: 4 for a token, 2 for a node. */
  readonly metadataBytes: number
}

export interface PartitioningOptions {
  readonly nodes: readonly NodeId[]
  readonly copies: number
  /** T, tokens of each node; strategies 1 and 2. */
  readonly tokens?: number
  /** Q, partitions; strategies 2 and 3. */
  readonly partitions?: number
  /** Draws the tokens; not used by strategy 3. */
  readonly random: Random
}

const hashes = 0x1_0000_0000
const tokenBytes = 4
const nodeBytes = 2

export function partitioning(strategy: Strategy, options: PartitioningOptions): Partitioning {
  const { nodes, copies, tokens = 0, partitions = 0, random } = options
  assert(nodes.length >= 1, 'a ring has nodes')
  assert(strategy === 3 || tokens >= 1, 'random placement has tokens')
  assert(strategy === 1 || partitions >= 1, 'equal ranges have a number')
  switch (strategy) {
    case 1:
      return byTokens(nodes, drawTokens(nodes, tokens, random))
    case 2:
      return placedByTokens(nodes, partitions, drawTokens(nodes, tokens, random))
    case 3:
      return byOwners(nodes, placeOwners(partitions, nodes, copies))
  }
}

/** Strategy 3 with any owners, as a change of members leaves them. */
export function byOwners(nodes: readonly NodeId[], owners: Uint16Array): Partitioning {
  return {
    ...equalRanges(owners.length),
    name: 3,
    nodes,
    preferenceList: (range) => walk(owners, range, nodes),
    metadataBytes: owners.length * nodeBytes,
  }
}

/** Strategy 1: the range of a token is what lies before it, back to the token before, the token itself included. */
function byTokens(nodes: readonly NodeId[], tokens: Tokens): Partitioning {
  const { positions, owners } = tokens
  const ranges = positions.length
  return {
    name: 1,
    nodes,
    ranges,
    rangeOf: (hash) => firstToken(tokens, hash),
    share: (range) => {
      const before =
        range === 0 ? (positions[ranges - 1] as number) - hashes : (positions[range - 1] as number)
      return ((positions[range] as number) - before) / hashes
    },
    preferenceList: (range) => walk(owners, range, nodes),
    metadataBytes: ranges * (tokenBytes + nodeBytes),
  }
}

/** Strategy 2: "the first N unique nodes that are encountered from the end of the partition". */
function placedByTokens(nodes: readonly NodeId[], partitions: number, tokens: Tokens): Partitioning {
  return {
    ...equalRanges(partitions),
    name: 2,
    nodes,
    preferenceList: (range) => {
      const end = Math.ceil(((range + 1) * hashes) / partitions)
      return walk(tokens.owners, firstToken(tokens, end), nodes)
    },
    metadataBytes: tokens.owners.length * (tokenBytes + nodeBytes),
  }
}

/** As partitionOf of ring.ts has them. */
function equalRanges(partitions: number): Pick<Partitioning, 'ranges' | 'rangeOf' | 'share'> {
  return {
    ranges: partitions,
    rangeOf: (hash) => Math.floor((hash * partitions) / hashes),
    share: () => 1 / partitions,
  }
}

/** Positions in ascending order, all different, 0 <= position < 2^32; the node of each. */
interface Tokens {
  readonly positions: Float64Array
  readonly owners: Uint16Array
}

function drawTokens(nodes: readonly NodeId[], each: number, random: Random): Tokens {
  const taken = new Set<number>()
  const drawn: { readonly position: number; readonly node: NodeId }[] = []
  for (const node of nodes) {
    for (let i = 0; i < each; i++) {
      let position = Math.floor(random() * hashes)
      while (taken.has(position)) position = Math.floor(random() * hashes)
      taken.add(position)
      drawn.push({ position, node })
    }
  }
  drawn.sort((a, b) => a.position - b.position)
  return {
    positions: Float64Array.from(drawn, ({ position }) => position),
    owners: Uint16Array.from(drawn, ({ node }) => node),
  }
}

/** The first token at `position` or after it, clockwise: over the wrap it is token 0. */
function firstToken({ positions }: Tokens, position: number): number {
  let low = 0
  let high = positions.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((positions[middle] as number) < position) low = middle + 1
    else high = middle
  }
  return low === positions.length ? 0 : low
}

/** Clockwise from a place, each node once; nodes that own nothing come last (as in preference.ts). */
function walk(owners: Uint16Array, from: number, nodes: readonly NodeId[]): readonly NodeId[] {
  const seen = new Set<NodeId>()
  for (let step = 0; step < owners.length && seen.size < nodes.length; step++) {
    const at = from + step
    seen.add(owners[at < owners.length ? at : at - owners.length] as NodeId)
  }
  for (const node of nodes) seen.add(node)
  return [...seen]
}
