// The order of the nodes, varied from round to round, so that what a dead node served goes to all others and
// not to those that always follow it (Dynamo 4.2: "the load handled by this node is evenly dispersed across
// the remaining available nodes"). Who takes over from a node are the nodes one to `copies` places behind it:
// every ordered pair of nodes should meet there equally often.
//
// Invariants: a round keeps its nodes and its place, so shares do not change; the first round keeps its order,
// so that rings can be strung together; any `copies` partitions in a row (cyclic) stay on distinct nodes, or
// there is no answer. Deterministic: the randomness, for ties, is seeded.
//
// Left to others: what the rounds are (placement.ts), and rings that are not made of rounds (arrangement.ts).

import { type Random, seededRandom } from '../base/random.js'

/** Owners as numbers 0 to nodeCount - 1; a round runs from one start to the next, the last start is the end. */
export interface Rounds {
  readonly nodeCount: number
  readonly owners: Uint16Array
  readonly starts: readonly number[]
}

/** Orders that are tried at most. */
const attemptsMax = 8
/** Steps (places times candidates times distances) after which what was found will do; 20 ns each. */
const stepsMax = 500_000
/** What a pair costs grows with the k-th meeting like k^(power - 1): low powers are fairest, high ones give way least. */
const powers = [2, 3, 2, 4] as const

/** The same rounds in orders that spread failures best, of those tried; undefined when none of them is clean. */
export function spreadRounds(rounds: Rounds, copies: number): Uint16Array | undefined {
  let best: Uint16Array | undefined
  let bestScore = Number.POSITIVE_INFINITY
  let steps = 0
  for (let attempt = 0; attempt < attemptsMax && (steps < stepsMax || best === undefined); attempt++) {
    const order = new Order(rounds, copies, powers[attempt % powers.length] as number, seededRandom(attempt))
    steps += rounds.owners.length * rounds.nodeCount * copies
    if (!order.run()) continue
    const score = order.score()
    if (score >= bestScore) continue
    bestScore = score
    best = order.owners
    if (order.isFair()) break
  }
  return best
}

/** One attempt: place by place, of the nodes of the round that are left, the one that met its neighbours least. */
class Order {
  readonly owners: Uint16Array
  readonly #rounds: Rounds
  readonly #copies: number
  readonly #power: number
  readonly #random: Random
  /** How often node x stands 1 to copies places before node y, at x * nodeCount + y; and how often just before. */
  readonly #near: Int32Array
  readonly #next: Int32Array
  readonly #lastAt: Int32Array
  /** What the k-th meeting costs. */
  readonly #prices: Float64Array

  constructor(rounds: Rounds, copies: number, power: number, random: Random) {
    const { nodeCount, owners } = rounds
    this.owners = new Uint16Array(owners.length)
    this.#rounds = rounds
    this.#copies = copies
    this.#power = power
    this.#random = random
    this.#near = new Int32Array(nodeCount * nodeCount)
    this.#next = new Int32Array(nodeCount * nodeCount)
    this.#lastAt = new Int32Array(nodeCount).fill(-owners.length)
    this.#prices = Float64Array.from({ length: owners.length * copies + 1 }, (_, k) => this.#price(k))
  }

  #price(meetings: number): number {
    return (meetings + 1) ** this.#power - meetings ** this.#power
  }

  /** False when the ring cannot be closed: then the order is of no use. */
  run(): boolean {
    const { owners, starts } = this.#rounds
    const firstEnd = starts[1] as number
    for (let at = 0; at < firstEnd; at++) this.#place(at, owners[at] as number)
    for (let round = 1; round + 1 < starts.length; round++) {
      const end = starts[round + 1] as number
      const left = Array.from(owners.subarray(starts[round], end))
      for (let at = starts[round] as number; at < end; at++) {
        const chosen = this.#cheapest(at, left)
        if (chosen < 0) return false
        this.#place(at, left[chosen] as number)
        left[chosen] = left[left.length - 1] as number
        left.pop()
      }
    }
    for (let at = owners.length; at < owners.length + this.#copies; at++) {
      this.#count(at, this.owners[at - owners.length] as number)
    }
    return true
  }

  #cheapest(at: number, left: readonly number[]): number {
    let chosen = -1
    let least = Number.POSITIVE_INFINITY
    for (let i = 0; i < left.length; i++) {
      const price = this.#priceOf(at, left[i] as number) + this.#random()
      if (price >= least) continue
      least = price
      chosen = i
    }
    return chosen
  }

  #priceOf(at: number, node: number): number {
    const { nodeCount, owners } = this.#rounds
    const gap = at - (this.#lastAt[node] as number)
    if (gap < this.#copies) return Number.POSITIVE_INFINITY
    let price = gap === this.#copies ? this.#priceOfGap(at) : 0
    for (let distance = 1; distance <= this.#copies; distance++) {
      const pair = (this.owners[at - distance] as number) * nodeCount + node
      price += this.#prices[this.#near[pair] as number] as number
      if (distance === 1) price += this.#prices[this.#next[pair] as number] as number
      const wrapped = at + distance - owners.length
      if (wrapped < 0) continue
      const after = this.owners[wrapped] as number
      if (after !== node) price += this.#prices[this.#near[node * nodeCount + after] as number] as number
      else if (distance < this.#copies) return Number.POSITIVE_INFINITY
    }
    return price
  }

  /**
   * For a node that comes again after `copies` places: what it leaves when it dies it cannot take over itself,
   * so the walk goes on and loads the node after it. With one node more than copies somebody always does.
   */
  #priceOfGap(at: number): number {
    const { nodeCount } = this.#rounds
    if (nodeCount === this.#copies + 1) return 0
    return this.#price(2 + Math.ceil((2 * at * this.#copies) / nodeCount ** 2))
  }

  #place(at: number, node: number): void {
    this.owners[at] = node
    this.#lastAt[node] = at
    this.#count(at, node)
  }

  #count(at: number, node: number): void {
    const { nodeCount, owners } = this.#rounds
    for (let distance = 1; distance <= this.#copies && distance <= at; distance++) {
      if (at - distance >= owners.length) continue
      const pair = (this.owners[at - distance] as number) * nodeCount + node
      this.#near[pair] = (this.#near[pair] as number) + 1
      if (distance === 1) this.#next[pair] = (this.#next[pair] as number) + 1
    }
  }

  /** The most that one node takes over from another, and the most that it coordinates then; less is better. */
  score(): number {
    return this.#most(this.#near) * this.#rounds.owners.length + this.#most(this.#next)
  }

  /** Whether no pair meets much more often than all would in a perfect order. */
  isFair(): boolean {
    const { nodeCount, owners } = this.#rounds
    const mean = owners.length / (nodeCount * (nodeCount - 1))
    const fair = (most: number, even: number) => most <= Math.max(Math.ceil(even), 1.1 * even)
    return fair(this.#most(this.#near), mean * this.#copies) && fair(this.#most(this.#next), mean)
  }

  /** Of all pairs of different nodes. */
  #most(meetings: Int32Array): number {
    const { nodeCount } = this.#rounds
    let most = 0
    for (let pair = 0; pair < meetings.length; pair++) {
      if (pair % (nodeCount + 1) !== 0) most = Math.max(most, meetings[pair] as number)
    }
    return most
  }
}
