// The ring that a history of membership makes: its entries done one after the other, each a new plan of owners.
// Whoever has the same history has the same ring, owner for owner, without asking anybody: nobody claims a
// partition, and nobody decides for others. An entry that arrives late gives another ring, to all alike.
//
// The epoch counts the entries, so it grows with every change that a node hears of. Two nodes that have not yet
// heard of each other's changes may have different rings of one epoch; histories with one digest never do.
//
// Left to others: which partitions move to whom (`rebalance`), and moving what is stored.

import type { NodeId } from '../base/units.js'
import type { Member } from '../ring/member.js'
import { placeOwners } from '../ring/placement.js'
import { type Ring, type RingOptions, ringFromJson } from '../ring/ring.js'
import { compareEntries, type History, membersOf } from './history.js'
import { applyPlan, type Roster } from './roster.js'

/** What of a ring does not change with its members: the same on every node of a cluster. */
export type RingBase = Pick<RingOptions, 'partitions' | 'copies' | 'hash' | 'seed'>

/**
 * New owners for these members (sorted by number), moving as little as possible. `before` may name nodes that are
 * no members any more; it is not to be written to. Deterministic: the same on every node.
 */
export type Rebalance = (before: Uint16Array, members: readonly Member[], copies: number) => Uint16Array

/** A ring that was made before, with the history that it was made of. */
export interface Folded {
  readonly history: History
  readonly ring: Ring | undefined
}

/**
 * The ring of this history, undefined while nobody is a member. With fewer members than `base.copies` it is placed
 * for as many copies as there are members. When `earlier` is a beginning of the history, only the rest is done.
 */
export function ringOf(
  history: History,
  base: RingBase,
  rebalance: Rebalance,
  earlier?: Folded,
): Ring | undefined {
  const { entries } = history
  const roster: Roster = new Map()
  const known = earlier !== undefined && begins(history, earlier.history) ? earlier : undefined
  const done = known?.history.entries.length ?? 0
  let owners = known?.ring?.owners
  for (let i = 0; i < entries.length; i++) {
    const { successors, isReshaped } = applyPlan(roster, entries[i]?.changes ?? [])
    if (i < done) continue
    if (owners === undefined) {
      if (roster.size === 0) continue
      const nodes = sorted(roster).map(({ node }) => node)
      owners = placeOwners(base.partitions, nodes, base.copies)
    }
    owners = renamed(owners, successors)
    if (isReshaped) owners = rebalance(owners, sorted(roster), Math.min(base.copies, roster.size))
  }
  if (owners === undefined) return undefined
  return ringFromJson({
    epoch: entries.length + 1,
    partitions: base.partitions,
    copies: Math.min(base.copies, roster.size),
    hash: base.hash,
    seed: base.seed,
    nodes: sorted(roster).map(({ node }) => node),
    owners: Array.from(owners),
  })
}

/**
 * Where a cluster that has one claimant goes from the ring that it has: the owners that the rest of the history makes
 * of those of now. An entry that arrived late (it is older than one that is done already) is done last, instead of
 * folding everything anew, which would move more than it has to. Undefined when nothing moves.
 */
export function nextOwners(
  now: { readonly history: History; readonly ring: Ring },
  history: History,
  rebalance: Rebalance,
  copies: number,
): Uint16Array | undefined {
  const { ring } = now
  const members = membersOf(history)
  if (members.length === 0) return undefined
  let owners = ring.owners
  if (begins(history, now.history)) {
    owners = ringOf(history, { ...ring, copies }, rebalance, now)?.owners ?? owners
  } else {
    const known = new Set(now.history.entries.map(nameOf))
    const members_ = new Set(members.map(({ node }) => node))
    const successors = new Map<NodeId, NodeId>()
    for (const entry of history.entries) {
      if (known.has(nameOf(entry))) continue
      for (const change of entry.changes) {
        const isNews = change.kind === 'replace' && !ring.nodes.includes(change.successor)
        if (isNews && members_.has(change.successor)) successors.set(change.node, change.successor)
      }
    }
    owners = rebalance(renamed(owners, successors), members, Math.min(copies, members.length))
  }
  return owners.every((owner, partition) => owner === ring.owners[partition]) ? undefined : owners
}

function nameOf(entry: History['entries'][number]): string {
  return JSON.stringify(entry)
}

function begins(history: History, beginning: History): boolean {
  const { entries } = beginning
  return entries.every((entry, i) => {
    const other = history.entries[i]
    return other !== undefined && compareEntries(entry, other) === 0
  })
}

function sorted(roster: Roster): Member[] {
  return [...roster.values()].sort((a, b) => a.node - b.node)
}

function renamed(owners: Uint16Array, successors: ReadonlyMap<NodeId, NodeId>): Uint16Array {
  if (successors.size === 0) return owners
  return owners.map((owner) => successors.get(owner) ?? owner)
}
