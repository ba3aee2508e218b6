// Evens out who stands near whom, so that what a dead node held goes to all others (Dynamo 4.2), for plans that
// are not made of rounds (spread.ts does those): exchanges of two partitions, taken when the ordered pairs of
// members that are one to `span` places apart become more even, in proportion to their shares.
//
// Invariants: shares stay; neither clashes nor moved partitions become more. Deterministic: the randomness is
// handed in, the tries are counted.

import { type Random, randomBelow } from '../base/random.js'
import type { Partition } from '../base/units.js'
import type { Arrangement } from './arrangement.js'
import { countsOf } from './members.js'

/** Exchanges that are tried for each partition that may change, and at most. 0.2 to 0.5 microseconds each. */
const triesEach = 200
const triesMax = 400_000

/** `free` are the partitions that may change owners: those that move anyway, or all when there was nothing before. */
export function even(draft: Arrangement, free: readonly Partition[], random: Random): void {
  const { crew, owners, before } = draft
  if (crew.count <= crew.span || owners.length <= 2 * crew.span || free.length === 0) return
  const meetings = new Meetings(draft)
  const partners = partnersOf(draft, free)
  for (let tries = Math.min(triesMax, free.length * triesEach); tries > 0; tries--) {
    const slot = randomBelow(random, free.length)
    const one = free[slot] as Partition
    // With another that moves, or with one that was the same node's: neither makes one more partition move.
    const same = partners.get(before[one] as number) ?? free
    const list = (tries & 1) === 0 ? free : same
    const other = list[randomBelow(random, list.length)] as Partition
    if (owners[one] === owners[other]) continue
    const moves = draft.moveGrowth(one, other)
    if (moves > 0 || draft.clashGrowth(one, other) > 0) continue
    if (meetings.exchange(one, other) > 0 && moves === 0) meetings.exchange(one, other)
  }
}

/** Partitions by their owner before, for owners that have given some of theirs away. */
function partnersOf(draft: Arrangement, free: readonly Partition[]): Map<number, Partition[]> {
  const partners = new Map<number, Partition[]>()
  for (const at of free) partners.set(draft.before[at] as number, [])
  for (let at = 0; at < draft.owners.length; at++) partners.get(draft.before[at] as number)?.push(at)
  return partners
}

/** How often each member stands 1 to span places before each other, and what that costs. */
class Meetings {
  readonly #draft: Arrangement
  /** Ordered pairs, at first * count + second; the second array counts neighbours only: who coordinates next. */
  readonly #near: Int32Array
  readonly #next: Int32Array
  /** Pairs of large shares may meet more often. */
  readonly #scale: Float64Array

  constructor(draft: Arrangement) {
    this.#draft = draft
    const { crew, owners } = draft
    const { count, span } = crew
    this.#near = new Int32Array(count * count)
    this.#next = new Int32Array(count * count)
    this.#scale = new Float64Array(count * count)
    const shares = countsOf(owners, crew)
    const mean = owners.length / count
    for (let pair = 0; pair < this.#scale.length; pair++) {
      const first = shares[Math.floor(pair / count)] as number
      const second = shares[pair % count] as number
      this.#scale[pair] = mean ** 2 / Math.max(1, first * second)
    }
    // A node cannot take over from itself: that it comes again after span places is as bad as many meetings.
    if (count > span + 1) {
      const dear = 2 + Math.ceil((2 * mean * span) / count)
      for (let member = 0; member < count; member++) this.#near[member * count + member] = dear
    }
    for (let at = 0; at < owners.length; at++) {
      for (let distance = 1; distance <= span; distance++) {
        const pair = (owners[at] as number) * count + (owners[draft.step(at, distance)] as number)
        this.#near[pair] = (this.#near[pair] as number) + 1
        if (distance === 1) this.#next[pair] = (this.#next[pair] as number) + 1
      }
    }
  }

  /** Exchanges two owners; by how much the cost grew. Doing it again undoes it. */
  exchange(one: Partition, other: Partition): number {
    const { owners } = this.#draft
    const a = owners[one] as number
    const b = owners[other] as number
    let growth = this.#count(one, -1)
    owners[one] = b
    growth += this.#count(one, 1) + this.#count(other, -1)
    owners[other] = a
    return growth + this.#count(other, 1)
  }

  /** Adds or removes the meetings of one partition. */
  #count(at: Partition, sign: 1 | -1): number {
    const { crew, owners } = this.#draft
    const { count, span } = crew
    const { length } = owners
    const owner = owners[at] as number
    let growth = 0
    for (let distance = 1; distance <= span; distance++) {
      const left = at - distance < 0 ? at - distance + length : at - distance
      const right = at + distance >= length ? at + distance - length : at + distance
      const before = (owners[left] as number) * count + owner
      const after = owner * count + (owners[right] as number)
      growth += this.#add(this.#near, before, sign) + this.#add(this.#near, after, sign)
      if (distance === 1) growth += this.#add(this.#next, before, sign) + this.#add(this.#next, after, sign)
    }
    return growth
  }

  /** The cost of a pair is the square of its meetings. */
  #add(meetings: Int32Array, pair: number, sign: 1 | -1): number {
    const was = meetings[pair] as number
    meetings[pair] = was + sign
    return (2 * was * sign + 1) * (this.#scale[pair] as number)
  }
}
