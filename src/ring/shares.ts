// How many partitions each member gets: its weighted share of Q, rounded down or up (Dynamo 4.2: the number of
// partitions of a node follows its capacity).
//
// Invariants: shares sum to Q; each is within one of Q * weight / sum of weights; a member whose share comes out
// whole gets exactly that. Who is rounded up: first whoever can have one more without spoiling rows, of those
// whoever has it already (it need not move), of those who is rounded down the most, of those the first.

import type { Crew } from './members.js'

/** The least and the most that each member may get. */
export interface Bounds {
  readonly least: Int32Array
  readonly most: Int32Array
}

export function boundsOf(crew: Crew, partitions: number): Bounds {
  const sum = crew.weights.reduce((total, weight) => total + weight, 0)
  const exact = crew.weights.map((weight) => wholeIfClose((partitions * weight) / sum))
  return { least: Int32Array.from(exact, Math.floor), most: Int32Array.from(exact, Math.ceil) }
}

/** 255.99999999999997 is 256 that has been through a division. */
function wholeIfClose(share: number): number {
  const whole = Math.round(share)
  return Math.abs(share - whole) < 1e-9 ? whole : share
}

export function chooseShares(crew: Crew, partitions: number, counts: Int32Array): Int32Array {
  const { least, most } = boundsOf(crew, partitions)
  const shares = Int32Array.from(least)
  const sum = crew.weights.reduce((total, weight) => total + weight, 0)
  const totals = crew.labels.map((label) => totalsOf(label, shares))
  const fitsMax = Math.floor(partitions / crew.span)

  /** What one more partition for the member would spoil: rows of nodes weigh more than rows of labels. */
  const spoils = (member: number): number => {
    let count = 0
    for (const [level, label] of crew.labels.entries()) {
      if (((totals[level] as Int32Array)[label[member] as number] as number) >= fitsMax) count += 8 >> level
    }
    return count
  }
  const rank = (member: number): readonly number[] => [
    spoils(member),
    (counts[member] as number) > (least[member] as number) ? 0 : 1,
    (least[member] as number) - (partitions * (crew.weights[member] as number)) / sum,
    member,
  ]

  for (let left = partitions - sumOf(shares); left > 0; left--) {
    let chosen = -1
    let best: readonly number[] = []
    for (let member = 0; member < crew.count; member++) {
      if ((shares[member] as number) >= (most[member] as number)) continue
      const found = rank(member)
      if (chosen >= 0 && !isBefore(found, best)) continue
      chosen = member
      best = found
    }
    shares[chosen] = (shares[chosen] as number) + 1
    for (const [level, label] of crew.labels.entries()) {
      const total = totals[level] as Int32Array
      total[label[chosen] as number] = (total[label[chosen] as number] as number) + 1
    }
  }
  return shares
}

/** What the members of each label have together. */
export function totalsOf(label: Int32Array, shares: Int32Array): Int32Array {
  const totals = new Int32Array(Math.max(...label) + 1)
  for (const [member, number] of label.entries()) {
    totals[number] = (totals[number] as number) + (shares[member] as number)
  }
  return totals
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return (a[i] as number) < (b[i] as number)
  }
  return false
}

function sumOf(values: Int32Array): number {
  return values.reduce((total, value) => total + value, 0)
}
