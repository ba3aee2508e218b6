// Takes the clashes out of a draft by exchanges, and brings a clean one closer to what was. Bounded searches: they
// may end before the best plan, never with one that clashes more than what they began with.
//
// Invariants: shares stay; clashes never become more; where no more moves are allowed, the number of moved
// partitions does not grow either. Deterministic: the randomness is handed in, and the bounds count steps.

import { type Random, randomBelow, shuffled } from '../base/random.js'
import type { Partition } from '../base/units.js'
import type { Arrangement } from './arrangement.js'

/** Exchanges that one search looks at: for each partition of a small ring and of a large one. 50 ns each. */
const looksOfSmall = 400
const looksOfLarge = 48
const smallMax = 1024
/** Partners that are looked at for one partition before the best of them is taken. */
const partnersMax = 128
/** Steps for which a partition that was exchanged while searching stays as it is. */
const restSteps = 12

/** What mending may cost: no more moves than the draft has, or any. */
export type Moves = 'no more' | 'any'

/** Whether no clash is left. */
export function mend(draft: Arrangement, moves: Moves, random: Random): boolean {
  const left = descend(draft, moves, random)
  return left === 0 || search(draft, moves, left, random)
}

/** Exchanges that take clashes away, and some that change nothing, until nothing comes of it. How many clash then. */
function descend(draft: Arrangement, moves: Moves, random: Random): number {
  const { length } = draft.owners
  const partners = Math.min(length, partnersMax)
  let looks = looksFor(draft)
  for (let fruitless = 0; fruitless < 3; fruitless++) {
    const clashing = shuffled(draft.clashing(), random)
    for (const at of clashing) {
      if (!draft.clashes(at)) continue
      looks -= partners
      if (looks < 0) break
      const found = bestPartner(
        draft,
        at,
        random,
        (other) => moves === 'any' || draft.moveGrowth(at, other) <= 0,
      )
      if (found === undefined || found.growth > 0) continue
      if (found.growth === 0 && found.moves > 0) continue
      draft.exchange(at, found.partner)
      if (found.growth < 0) fruitless = -1
    }
    if (clashing.length === 0 || looks < 0) break
  }
  return draft.clashing().length
}

/**
 * For the last few clashes: each step exchanges a partition that clashes, for the better or the worse, and lets the
 * two rest for a while so that the next step does not undo it (Glover's tabu search). False leaves the draft as it was.
 */
function search(draft: Arrangement, moves: Moves, clashes: number, random: Random): boolean {
  const { owners, crew } = draft
  const { length } = owners
  if (clashes > 64 + length / 8) return false
  const begun = owners.slice()
  const restUntil = new Int32Array(length)
  const clashing = new Bag(draft.clashing(), length)
  const steps = looksFor(draft) / Math.min(length, partnersMax)
  for (let step = 1; step < steps && clashing.items.length > 0; step++) {
    const at = clashing.items[randomBelow(random, clashing.items.length)] as Partition
    const found = bestPartner(
      draft,
      at,
      random,
      (other) => (restUntil[other] as number) < step && (moves === 'any' || draft.moveGrowth(at, other) <= 0),
    )
    if (found === undefined) continue
    draft.exchange(at, found.partner)
    for (const end of [at, found.partner]) {
      restUntil[end] = step + restSteps
      for (let distance = 1 - crew.span; distance < crew.span; distance++) {
        const near = draft.step(end, distance)
        clashing.set(near, draft.clashes(near))
      }
    }
  }
  if (clashing.items.length === 0) return true
  owners.set(begun)
  return false
}

/** A set of partitions of which one can be drawn. */
class Bag {
  readonly items: Partition[]
  readonly #slots: Int32Array

  constructor(items: readonly Partition[], partitions: number) {
    this.items = [...items]
    this.#slots = new Int32Array(partitions).fill(-1)
    for (const [slot, item] of items.entries()) this.#slots[item] = slot
  }

  set(item: Partition, isIn: boolean): void {
    const slot = this.#slots[item] as number
    if (isIn === slot >= 0) return
    if (isIn) {
      this.#slots[item] = this.items.push(item) - 1
      return
    }
    const last = this.items.pop() as Partition
    this.#slots[item] = -1
    if (last === item) return
    this.items[slot] = last
    this.#slots[last] = slot
  }
}

/** Fewer when rows are long, because each takes longer then. */
function looksFor({ crew, owners }: Arrangement): number {
  const looks = Math.min(owners.length * looksOfSmall, smallMax * looksOfSmall + owners.length * looksOfLarge)
  return (looks * 3) / Math.max(3, crew.span)
}

interface Found {
  readonly partner: Partition
  readonly growth: number
  readonly moves: number
}

/** Of some partners, the one that takes away most clashes (or adds fewest), then most moves. */
function bestPartner(
  draft: Arrangement,
  at: Partition,
  random: Random,
  isAllowed: (other: Partition) => boolean,
): Found | undefined {
  const { owners } = draft
  const { length } = owners
  const first = randomBelow(random, length)
  let partner = -1
  let growth = Number.POSITIVE_INFINITY
  let moves = 0
  for (let i = 0; i < Math.min(length, partnersMax); i++) {
    const other = first + i < length ? first + i : first + i - length
    if (owners[other] === owners[at] || !isAllowed(other)) continue
    const clashes = draft.clashGrowth(at, other)
    if (clashes > growth) continue
    const moved = draft.moveGrowth(at, other)
    if (clashes === growth && moved >= moves) continue
    partner = other
    growth = clashes
    moves = moved
  }
  return partner < 0 ? undefined : { partner, growth, moves }
}

/** Exchanges that leave fewer partitions moved and no more clashes, until there is none. */
export function pull(draft: Arrangement, random: Random): void {
  const { owners, before } = draft
  let looks = looksFor(draft)
  for (let found = true; found; ) {
    found = false
    const away = awayOf(draft)
    for (let at = 0; at < owners.length; at++) {
      if (!draft.hasMoved(at)) continue
      // Only the owner that was there brings this partition home; of its partitions, those that are not its own.
      const others = away.get(before[at] as number) ?? []
      const first = others.length === 0 ? 0 : randomBelow(random, others.length)
      for (let i = 0; i < Math.min(others.length, partnersMax); i++) {
        const other = others[(first + i) % others.length] as Partition
        if (owners[other] !== before[at] || --looks < 0) continue
        if (draft.moveGrowth(at, other) >= 0 || draft.clashGrowth(at, other) > 0) continue
        draft.exchange(at, other)
        found = true
        break
      }
    }
  }
}

/** The partitions that have moved, by whom they went to. */
function awayOf(draft: Arrangement): Map<number, Partition[]> {
  const away = new Map<number, Partition[]>()
  for (const [at, owner] of draft.owners.entries()) {
    if (!draft.hasMoved(at)) continue
    const list = away.get(owner)
    if (list === undefined) away.set(owner, [at])
    else list.push(at)
  }
  return away
}
