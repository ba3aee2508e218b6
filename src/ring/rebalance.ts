// New owners when nodes come, go, are replaced or get another weight (Dynamo 6.2, strategy 3; 4.9), so that as
// little as possible moves. What is wanted, in this order: every member has its weighted share of Q within one;
// as few rows of `copies` partitions as possible name a node twice (then a host, then a zone); as few partitions
// as possible change owner; what a dead node holds would go to all others.
//
// Invariants: same input, same plan, in whatever order the members are named; never more moves than the plan
// from nothing under the names that move least, when both spoil as many rows.
//
// Left to others: agreeing on the plan, and moving the data.

import { assert } from '../base/assert.js'
import { type Random, seededRandom } from '../base/random.js'
import type { NodeId } from '../base/units.js'
import { Arrangement } from './arrangement.js'
import { even } from './even.js'
import { planFromNothing } from './from-nothing.js'
import type { Member } from './member.js'
import { type Crew, countsOf, crewOf, isPlain, membersOf, nobody, spoiltRows } from './members.js'
import { mend, pull } from './mend.js'
import { placeOwners } from './placement.js'
import { assign } from './renaming.js'
import { boundsOf, chooseShares } from './shares.js'
import { transfer } from './transfer.js'

/** New owner of every partition. `before` may name nodes that are no members, 0 for none. */
export function rebalance(before: Uint16Array, members: readonly Member[], copies: number): Uint16Array {
  const crew = crewOf(members, copies, before.length)
  const was = membersOf(before, crew)
  const random = seededRandom(before.length, crew.count)
  const owners = was.every((owner) => owner === nobody)
    ? begin(crew, was, copies, random)
    : change(crew, was, copies, random)
  return owners.map((member) => crew.nodes[member] as NodeId)
}

/** Every partition of `leaver` goes to `successor` and nothing else moves. */
export function substitute(before: Uint16Array, leaver: NodeId, successor: NodeId): Uint16Array {
  return before.map((node) => (node === leaver ? successor : node))
}

/** The plan from nothing: whatever kind of label it is made to keep apart, the one that spoils fewest rows. */
function begin(crew: Crew, was: Uint16Array, copies: number, random: Random): Uint16Array {
  const { length } = was
  if (isPlain(crew)) return placeOwners(length, [...crew.nodes.keys()], copies)
  const shares = chooseShares(crew, length, countsOf(was, crew))
  const drafts: Arrangement[] = []
  // The coarsest first: what keeps zones apart keeps apart what is in them.
  for (const groups of crew.labels.toReversed()) {
    const draft = new Arrangement(crew, planFromNothing(groups, shares, length, crew.span), was)
    drafts.push(draft)
    if (mend(draft, 'any', random)) break
  }
  const best = bestOf(drafts)
  const evened = new Arrangement(crew, best.owners.slice(), was)
  even(evened, [...was.keys()], random)
  return bestOf([evened, best]).owners
}

function change(crew: Crew, was: Uint16Array, copies: number, random: Random): Uint16Array {
  const least = new Arrangement(crew, transfer(crew, was, boundsOf(crew, was.length), random), was)
  if (mend(least, 'no more', random)) {
    even(least, movedOf(least), random)
    return least.owners
  }
  // Nothing clean moves so little. Either more moves, or a plan from nothing and as much of it undone as can be;
  // undoing may spoil more rows with the same clashes, so the plan itself is a candidate too.
  const more = new Arrangement(crew, least.owners.slice(), was)
  mend(more, 'any', random)
  pull(more, random)
  const fresh = new Arrangement(crew, renamed(begin(crew, was, copies, random), was, crew), was)
  const closer = new Arrangement(crew, fresh.owners.slice(), was)
  pull(closer, random)
  const best = bestOf([least, more, closer, fresh])
  const evened = new Arrangement(crew, best.owners.slice(), was)
  even(evened, movedOf(evened), random)
  return bestOf([evened, best]).owners
}

function movedOf(draft: Arrangement): number[] {
  return [...draft.owners.keys()].filter((at) => draft.hasMoved(at))
}

/** Members that differ in nothing may take each other's places. */
function renamed(plan: Uint16Array, was: Uint16Array, crew: Crew): Uint16Array {
  if (!isPlain(crew)) return plan
  const gains = Array.from({ length: crew.count }, () => new Array<number>(crew.count).fill(0))
  for (let at = 0; at < plan.length; at++) {
    const owner = was[at] as number
    if (owner === nobody) continue
    const row = gains[plan[at] as number] as number[]
    row[owner] = (row[owner] as number) + 1
  }
  const names = assign(gains)
  return plan.map((member) => names[member] as number)
}

/** Fewest rows that name a node twice, then a host, then a zone; then fewest moves; then the first. */
function bestOf(drafts: readonly Arrangement[]): Arrangement {
  const ranked = drafts.map((draft) => ({
    draft,
    rank: [...spoiltRows(draft.crew, draft.owners), draft.moved()],
  }))
  ranked.sort((a, b) => {
    const at = a.rank.findIndex((value, i) => value !== b.rank[i])
    return at < 0 ? 0 : (a.rank[at] as number) - (b.rank[at] as number)
  })
  const best = ranked[0]
  assert(best !== undefined, 'there is a plan')
  return best.draft
}
