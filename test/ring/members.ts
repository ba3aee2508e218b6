// Members for tests of planning, and slow and obvious ways to look at a plan.

import type { Member } from '../../src/ring/member.js'

export const nodesOf = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

/** Members that differ in nothing but what is given for them. */
export function membersOf(
  nodes: readonly number[],
  details: (node: number) => Partial<Member> = () => ({}),
): Member[] {
  return nodes.map((node) => ({ node, weight: 1, host: '', zone: '', ...details(node) }))
}

export function countOf(owners: Uint16Array, node: number): number {
  return owners.reduce((count, owner) => count + (owner === node ? 1 : 0), 0)
}

export function movedBetween(before: Uint16Array, after: Uint16Array): number[] {
  return [...before.keys()].filter((at) => before[at] !== after[at])
}

/** The first `copies` distinct nodes from a partition on. */
export function replicasOf(owners: Uint16Array, partition: number, copies: number): number[] {
  const found: number[] = []
  for (let i = 0; i < owners.length && found.length < copies; i++) {
    const owner = owners[(partition + i) % owners.length] as number
    if (!found.includes(owner)) found.push(owner)
  }
  return found
}

/** Rows of `span` partitions that name a label twice. */
export function rowsTwice(owners: Uint16Array, span: number, labelOf: (node: number) => unknown): number {
  let count = 0
  for (let start = 0; start < owners.length; start++) {
    const labels = new Set<unknown>()
    for (let i = 0; i < span; i++) labels.add(labelOf(owners[(start + i) % owners.length] as number))
    if (labels.size < span) count++
  }
  return count
}

/** The fewest rows that a balanced plan of equal nodes can spoil: docs/decisions/placement.md proves it. */
export function fewestRows(partitions: number, nodeCount: number, copies: number): number {
  const span = Math.min(copies, nodeCount, partitions)
  const share = Math.floor(partitions / nodeCount)
  if (partitions % nodeCount === 0 || (share + 1) * span <= partitions) return 0
  return span - 1 - share * (nodeCount - span)
}
