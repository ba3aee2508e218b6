// One plan done to the members of the moment. The same for the node that issues it, which refuses what cannot be
// done, and for all that fold the history, where a change that was sensible when it was issued may be senseless
// beside another that was issued elsewhere at the same time: there it is passed over, by everybody alike.
//
// Invariant: once there is a member there is always one.

import type { NodeId } from '../base/units.js'
import type { Member } from '../ring/member.js'
import type { Change } from './change.js'

export type Roster = Map<NodeId, Member>

export interface Outcome {
  /** Who took whose place in the ring. */
  readonly successors: ReadonlyMap<NodeId, NodeId>
  /** Whether partitions must move beyond that: somebody came, went, or shall hold more or less. */
  readonly isReshaped: boolean
}

/**
 * Changes `roster` by all of the plan that can be done; the rest is told to `object` and passed over. Who leaves
 * does so last: a plan that brings in another may let the only member go, in whichever order it says so.
 */
export function applyPlan(
  roster: Roster,
  plan: readonly Change[],
  object: (change: Change, reason: string) => void = () => {},
): Outcome {
  const successors = new Map<NodeId, NodeId>()
  let isReshaped = false
  const apply = (change: Change) => {
    const reason = objection(roster, change)
    if (reason !== undefined) return object(change, reason)
    if (reshapes(roster, change)) isReshaped = true
    if (change.kind === 'replace') successors.set(change.node, change.successor)
    enter(roster, change)
  }
  for (const change of plan) if (change.kind !== 'leave') apply(change)
  for (const change of plan) if (change.kind === 'leave') apply(change)
  return { successors, isReshaped }
}

/** Why this cannot be done to these members; undefined when it can. */
function objection(roster: Roster, change: Change): string | undefined {
  const member = roster.get(change.node)
  switch (change.kind) {
    case 'join':
      return member === undefined ? undefined : `node ${change.node} is a member already`
    case 'leave':
      if (member === undefined) return `node ${change.node} is not a member`
      return roster.size > 1 ? undefined : `node ${change.node} is the last member`
    case 'replace':
      if (member === undefined) return `node ${change.node} is not a member`
      return roster.has(change.successor) ? `node ${change.successor} is a member already` : undefined
    case 'weight':
      if (member === undefined) return `node ${change.node} is not a member`
      return member.weight === change.weight ? `node ${change.node} has this weight already` : undefined
  }
}

function reshapes(roster: Roster, change: Change): boolean {
  if (change.kind !== 'replace') return true
  const member = roster.get(change.node)
  return member?.weight !== change.weight || member.zone !== change.zone
}

function enter(roster: Roster, change: Change): void {
  const { node } = change
  switch (change.kind) {
    case 'join':
      roster.set(node, { node, weight: change.weight, host: change.host, zone: change.zone })
      return
    case 'leave':
      roster.delete(node)
      return
    case 'replace': {
      const { successor, weight, host, zone } = change
      roster.delete(node)
      roster.set(successor, { node: successor, weight, host, zone })
      return
    }
    case 'weight':
      roster.set(node, { ...(roster.get(node) as Member), weight: change.weight })
  }
}
