// A plan in the making: who owns each partition, and what it costs to let two partitions change owners. All
// planning after the first draft is such exchanges, so shares never change here.
//
// What is wrong with a plan is counted in clashes: two partitions closer than a row is long whose owners have a
// label in common, once for each row that they spoil. A clash of nodes outweighs all clashes of hosts, and one
// of hosts all of zones. No clash, no violating row.
//
// Left to others: which exchanges to try (mend.ts, even.ts).

import type { Partition } from '../base/units.js'
import type { Crew } from './members.js'

/** A clash of nodes, of hosts, of zones. Two partitions have fewer than 2^12 clashes of a kind. */
const clashWeights = [2 ** 24, 2 ** 12, 1] as const

export class Arrangement {
  readonly crew: Crew
  /** Members. Whoever writes a draft writes here; after that it is exchange alone. */
  readonly owners: Uint16Array
  /** Who has the data: a partition has moved when its owner is another. */
  readonly before: Uint16Array
  /** What a pair of members costs, at one * count + other. */
  readonly #clash: Float64Array

  constructor(crew: Crew, owners: Uint16Array, before: Uint16Array) {
    this.crew = crew
    this.owners = owners
    this.before = before
    const { count, labels } = crew
    this.#clash = new Float64Array(count * count)
    for (const [level, label] of labels.entries()) {
      for (let one = 0; one < count; one++) {
        for (let other = 0; other < count; other++) {
          if (label[one] !== label[other]) continue
          const pair = one * count + other
          this.#clash[pair] = (this.#clash[pair] as number) + (clashWeights[level] as number)
        }
      }
    }
  }

  /** `partitions` to the right of `at` (to the left when negative), over the wrap. */
  step(at: Partition, partitions: number): Partition {
    const { length } = this.owners
    const to = at + partitions
    return to < 0 ? to + length : to >= length ? to - length : to
  }

  /** What it costs that `member` owns `at`, beside all its neighbours but `except`. */
  clashAt(at: Partition, member: number, except: Partition): number {
    const { count, span } = this.crew
    const { owners } = this
    const { length } = owners
    const row = member * count
    let sum = 0
    for (let distance = 1; distance < span; distance++) {
      const left = at - distance < 0 ? at - distance + length : at - distance
      const right = at + distance >= length ? at + distance - length : at + distance
      const leftOwner = owners[left] as number
      const rightOwner = owners[right] as number
      if (left !== except && leftOwner < count)
        sum += (this.#clash[row + leftOwner] as number) * (span - distance)
      if (right !== except && rightOwner < count)
        sum += (this.#clash[row + rightOwner] as number) * (span - distance)
    }
    return sum
  }

  /** By how much the clashes grow when two partitions exchange their owners. */
  clashGrowth(one: Partition, other: Partition): number {
    const a = this.owners[one] as number
    const b = this.owners[other] as number
    return (
      this.clashAt(one, b, other) +
      this.clashAt(other, a, one) -
      this.clashAt(one, a, other) -
      this.clashAt(other, b, one)
    )
  }

  /** By how much the number of moved partitions grows: -2 to 2. */
  moveGrowth(one: Partition, other: Partition): number {
    const a = this.owners[one] as number
    const b = this.owners[other] as number
    const wasOne = this.before[one] as number
    const wasOther = this.before[other] as number
    return (
      (a === wasOne ? 1 : 0) + (b === wasOther ? 1 : 0) - (b === wasOne ? 1 : 0) - (a === wasOther ? 1 : 0)
    )
  }

  exchange(one: Partition, other: Partition): void {
    const owner = this.owners[one] as number
    this.owners[one] = this.owners[other] as number
    this.owners[other] = owner
  }

  hasMoved(at: Partition): boolean {
    return this.owners[at] !== this.before[at]
  }

  moved(): number {
    return this.owners.reduce((count, owner, at) => count + (owner === this.before[at] ? 0 : 1), 0)
  }

  /** Whether its owner clashes with a neighbour. */
  clashes(at: Partition): boolean {
    return this.clashAt(at, this.owners[at] as number, -1) > 0
  }

  /** All partitions that do. */
  clashing(): Partition[] {
    const found: Partition[] = []
    for (let at = 0; at < this.owners.length; at++) {
      if (this.clashes(at)) found.push(at)
    }
    return found
  }
}
