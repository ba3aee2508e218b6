// A plan from nothing for members of unequal weight, or with hosts and zones (Dynamo 4.2, 4.6). Members that
// differ in nothing are placed by placement.ts.
//
// Invariants: the shares are those that are given. Groups of the chosen kind (zones, hosts, or single members) are
// apart, so that no row names one twice, if span times the share of the largest is at most Q; then so is whatever
// lies within them. Why the rounds below do that is in docs/decisions/placement.md.
//
// Left to others: which kind to choose, and what is wrong beyond that (rebalance.ts); who stands near whom (even.ts).

import { totalsOf } from './shares.js'

/** Owners (members) with these shares; `groups` has the number of each member's group. */
export function planFromNothing(
  groups: Int32Array,
  shares: Int32Array,
  partitions: number,
  span: number,
): Uint16Array {
  return fillGroups(groupSequence(totalsOf(groups, shares), partitions, span), groups, shares)
}

/**
 * The group of each partition. As many rounds as the largest group has partitions, as equal as can be; if they would
 * be shorter than a row, rounds of a row and a short one at the end. Groups, the largest first, take one place a
 * round: down the first places of all rounds, then down the second places.
 */
function groupSequence(totals: Int32Array, partitions: number, span: number): Int32Array {
  const order = [...totals.keys()].sort((a, b) => (totals[b] as number) - (totals[a] as number) || a - b)
  const largest = Math.max(...totals)
  const fits = largest * span <= partitions
  const length = fits ? Math.floor(partitions / largest) : span
  const rounds = fits ? largest : Math.floor(partitions / span)
  const rest = partitions - rounds * length
  // What is left makes rounds longer, or is a round of its own.
  const startOf = (round: number) => round * length + (fits ? Math.min(round, rest) : 0)
  const cellsOf = (column: number) => {
    if (fits) return column < length ? rounds : rest
    return column < rest ? rounds + 1 : rounds
  }
  const sequence = new Int32Array(partitions)
  let next = 0
  let left = 0
  for (let column = 0; column < (fits ? length + 1 : length); column++) {
    for (let round = 0; round < cellsOf(column); round++) {
      while (left === 0) left = totals[order[next++] as number] as number
      sequence[startOf(round) + column] = order[next - 1] as number
      left--
    }
  }
  return sequence
}

/** Within a group, whoever is furthest behind its share. */
function fillGroups(sequence: Int32Array, groups: Int32Array, shares: Int32Array): Uint16Array {
  const totals = totalsOf(groups, shares)
  const placed = new Int32Array(totals.length)
  const given = new Int32Array(shares.length)
  return Uint16Array.from(sequence, (group) => {
    placed[group] = (placed[group] as number) + 1
    const part = (placed[group] as number) / (totals[group] as number)
    let chosen = -1
    let furthest = Number.NEGATIVE_INFINITY
    for (let member = 0; member < shares.length; member++) {
      const share = shares[member] as number
      if (groups[member] !== group || given[member] === share) continue
      const behind = part * share - (given[member] as number)
      if (behind <= furthest) continue
      furthest = behind
      chosen = member
    }
    given[chosen] = (given[chosen] as number) + 1
    return chosen
  })
}
