// What a plan of owners means, for people to look at before they commit it (Dynamo 6.2: the cost of strategy 3
// is that "changing the node membership requires coordination"): what moves, how even it gets, what it spoils.
//
// Left to others: making the plan (rebalance.ts), and how a report is shown.

import { assert } from '../base/assert.js'
import type { NodeId } from '../base/units.js'
import type { Member } from './member.js'
import { crewOf, type LabelKind, membersOf, spoiltRows } from './members.js'

export interface NodeChange {
  readonly node: NodeId
  /** Partitions that it owns, before and after. */
  readonly before: number
  readonly after: number
  /** Partitions that come to it, and that leave it. */
  readonly gained: number
  readonly lost: number
}

/** Rows of `copies` partitions in a row that name one twice; hosts and zones only when there are enough of them. */
export type SpoiltRows = Readonly<Record<LabelKind, number>>

interface BeforeAfter<T> {
  readonly before: T
  readonly after: T
}

export interface PlanReport {
  /** Partitions whose owner differs. */
  readonly moved: number
  /** Every node of either plan, in order. */
  readonly perNode: readonly NodeChange[]
  /** Mean over max of partitions by weight: 1 is as even as can be, 0 is that nobody owns anything. */
  readonly balance: BeforeAfter<number>
  readonly violations: BeforeAfter<SpoiltRows>
  /** Pairs of partition and node where the node is newly among the first `copies` of the preference list. */
  readonly replicaMoves: number
}

export function describePlan(
  before: Uint16Array,
  after: Uint16Array,
  membersBefore: readonly Member[],
  membersAfter: readonly Member[],
  copies: number,
): PlanReport {
  assert(before.length === after.length, 'both plans have the same partitions')
  return {
    moved: before.reduce((sum, node, at) => sum + (node === after[at] ? 0 : 1), 0),
    perNode: changesOf(before, after, [...membersBefore, ...membersAfter]),
    balance: { before: balanceOf(before, membersBefore), after: balanceOf(after, membersAfter) },
    violations: {
      before: violationsOf(before, membersBefore, copies),
      after: violationsOf(after, membersAfter, copies),
    },
    replicaMoves: replicaMoves(before, after, membersBefore, membersAfter, copies),
  }
}

function changesOf(before: Uint16Array, after: Uint16Array, members: readonly Member[]): NodeChange[] {
  const nodes = new Set<NodeId>(members.map(({ node }) => node))
  for (const owners of [before, after]) for (const node of owners) if (node !== 0) nodes.add(node)
  const zero = () => new Map<NodeId, number>([...nodes].map((node) => [node, 0]))
  const [had, has, gained, lost] = [zero(), zero(), zero(), zero()]
  const count = (counts: Map<NodeId, number>, node: NodeId) => counts.set(node, (counts.get(node) ?? 0) + 1)
  for (let at = 0; at < before.length; at++) {
    const [from, to] = [before[at] as NodeId, after[at] as NodeId]
    count(had, from)
    count(has, to)
    if (from === to) continue
    count(lost, from)
    count(gained, to)
  }
  return [...nodes]
    .sort((a, b) => a - b)
    .map((node) => ({
      node,
      before: had.get(node) as number,
      after: has.get(node) as number,
      gained: gained.get(node) as number,
      lost: lost.get(node) as number,
    }))
}

function balanceOf(owners: Uint16Array, members: readonly Member[]): number {
  const loads = members.map(({ node, weight }) => owners.filter((owner) => owner === node).length / weight)
  const most = Math.max(0, ...loads)
  return most === 0 ? 0 : loads.reduce((sum, load) => sum + load, 0) / loads.length / most
}

function violationsOf(owners: Uint16Array, members: readonly Member[], copies: number): SpoiltRows {
  const rows: Record<LabelKind, number> = { nodes: 0, hosts: 0, zones: 0 }
  if (members.length === 0) return rows
  const crew = crewOf(members, copies, owners.length)
  const found = spoiltRows(crew, membersOf(owners, crew))
  for (const [level, kind] of crew.kinds.entries()) rows[kind] = found[level] as number
  return rows
}

function replicaMoves(
  before: Uint16Array,
  after: Uint16Array,
  membersBefore: readonly Member[],
  membersAfter: readonly Member[],
  copies: number,
): number {
  const had = replicasOf(before, membersBefore, copies)
  let moves = 0
  for (const [at, nodes] of replicasOf(after, membersAfter, copies).entries()) {
    const kept = had[at] as readonly NodeId[]
    for (const node of nodes) if (!kept.includes(node)) moves++
  }
  return moves
}

/** The first `copies` of every preference list (preference.ts), from the last partition to the first. */
function replicasOf(owners: Uint16Array, members: readonly Member[], copies: number): (readonly NodeId[])[] {
  const met = new Set<NodeId>(owners)
  if (met.size > 1 || !met.has(0)) {
    for (const node of members.map((member) => member.node).sort((a, b) => a - b)) met.add(node)
  }
  met.delete(0)
  let list: readonly NodeId[] = [...met].slice(0, copies)
  const lists = new Array<readonly NodeId[]>(owners.length)
  for (let at = owners.length - 1; at >= 0; at--) {
    const owner = owners[at] as NodeId
    if (owner !== 0 && list[0] !== owner) {
      list = [owner, ...list.filter((node) => node !== owner)].slice(0, copies)
    }
    lists[at] = list
  }
  return lists
}
