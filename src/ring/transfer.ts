// A first draft of a change that moves as little as can be: whoever has too much, or is gone, gives partitions
// away; whoever has too little gets them; nobody else is touched (Dynamo 6.2, strategy 3: a node that leaves
// disperses its partitions over the others, one that joins "steals" from all).
//
// Invariants: the shares come out as asked for; the number of partitions that move is the least that gives them.
// When all that happens is that nodes leave and a draft without clashes exists, it is found: it is a matching of
// partitions with members, and the way to it are alternating paths.
//
// Left to others: clashes that remain (mend.ts), evenness (even.ts).

import { type Random, randomBelow, shuffled } from '../base/random.js'
import type { Partition } from '../base/units.js'
import { Arrangement } from './arrangement.js'
import { type Crew, countsOf, nobody } from './members.js'
import { type Bounds, chooseShares } from './shares.js'

/** Owners after the change. `before` holds members, or nobody for partitions of nodes that are gone. */
export function transfer(crew: Crew, before: Uint16Array, bounds: Bounds, random: Random): Uint16Array {
  const counts = countsOf(before, crew)
  const orphans = shuffled(partitionsOf(before, nobody), random)
  const only = counts.every((count, member) => count <= (bounds.most[member] as number))
  if (only && orphans.length > 0) {
    const matching = new Matching(crew, before)
    const room = (limit: Int32Array) =>
      limit.map((most, member) => Math.max(0, most - (counts[member] as number)))
    // Up to what each must have, then up to what it may have: what is matched once stays matched.
    matching.fill(orphans, room(bounds.least))
    if (matching.fill(orphans, room(bounds.most)) && matching.reaches(room(bounds.least))) {
      return matching.owners
    }
  }
  const shares = chooseShares(crew, before.length, counts)
  const need = shares.map((share, member) => Math.max(0, share - (counts[member] as number)))
  const matching = new Matching(crew, before)
  matching.fill(orphans, need)
  const owners = matching.owners
  const rest = countsOf(owners, crew)
  const surplus = rest.map((count, member) => count - (shares[member] as number))
  handOver(new Arrangement(crew, owners, before), surplus, random)
  return owners
}

/** Partitions without an owner, given to members that clash with no neighbour. */
class Matching {
  readonly owners: Uint16Array
  readonly #given: Partition[][]
  readonly #allowed = new Map<Partition, readonly number[]>()
  readonly #draft: Arrangement

  constructor(crew: Crew, before: Uint16Array) {
    this.owners = before.slice()
    this.#given = Array.from({ length: crew.count }, () => [])
    this.#draft = new Arrangement(crew, before.slice(), before)
  }

  /** Gives every orphan that can be given, with at most `most` to each member; whether that was all. */
  fill(orphans: readonly Partition[], most: Int32Array): boolean {
    let all = true
    // Members that a search in vain went through: no later one gets anywhere there.
    let full = new Set<number>()
    for (const orphan of orphans) {
      if (this.owners[orphan] !== nobody) continue
      const tried = new Set(full)
      if (this.#give(orphan, most, tried)) continue
      full = tried
      all = false
    }
    return all
  }

  reaches(least: Int32Array): boolean {
    return this.#given.every((given, member) => given.length >= (least[member] as number))
  }

  #give(orphan: Partition, most: Int32Array, tried: Set<number>): boolean {
    const members = this.#membersFor(orphan)
    for (const member of members) {
      const given = this.#given[member] as Partition[]
      if (given.length >= (most[member] as number)) continue
      given.push(orphan)
      this.owners[orphan] = member
      return true
    }
    for (const member of members) {
      if (tried.has(member)) continue
      tried.add(member)
      const given = this.#given[member] as Partition[]
      for (let i = 0; i < given.length; i++) {
        if (!this.#give(given[i] as Partition, most, tried)) continue
        given[i] = orphan
        this.owners[orphan] = member
        return true
      }
    }
    return false
  }

  #membersFor(orphan: Partition): readonly number[] {
    let members = this.#allowed.get(orphan)
    if (members === undefined) {
      members = [...this.#given.keys()].filter((member) => this.#draft.clashAt(orphan, member, -1) === 0)
      this.#allowed.set(orphan, members)
    }
    return members
  }
}

/** Takes from whoever has a surplus (and from nobody) and gives to whoever has a deficit, where it clashes least. */
function handOver(draft: Arrangement, surplus: Int32Array, random: Random): void {
  const { owners } = draft
  const offered = shuffled([...owners.keys()], random).filter((at) => {
    const owner = owners[at] as number
    return owner === nobody || (surplus[owner] as number) > 0
  })
  const takers = [...surplus.keys()].filter((member) => (surplus[member] as number) < 0)
  // First only where nothing clashes, then wherever it clashes least.
  for (const bearable of [0, Number.POSITIVE_INFINITY]) {
    for (const at of offered) {
      const owner = owners[at] as number
      if (takers.includes(owner) || draft.hasMoved(at)) continue
      if (owner !== nobody && (surplus[owner] as number) <= 0) continue
      let chosen = -1
      let least = Number.POSITIVE_INFINITY
      const first = randomBelow(random, takers.length)
      for (let i = 0; i < takers.length; i++) {
        const taker = takers[(first + i) % takers.length] as number
        if ((surplus[taker] as number) >= 0) continue
        const clash = draft.clashAt(at, taker, -1)
        if (clash > bearable || clash >= least) continue
        least = clash
        chosen = taker
      }
      if (chosen < 0) continue
      owners[at] = chosen
      surplus[chosen] = (surplus[chosen] as number) + 1
      if (owner !== nobody) surplus[owner] = (surplus[owner] as number) - 1
    }
  }
}

function partitionsOf(owners: Uint16Array, owner: number): Partition[] {
  const found: Partition[] = []
  for (let at = 0; at < owners.length; at++) if (owners[at] === owner) found.push(at)
  return found
}
