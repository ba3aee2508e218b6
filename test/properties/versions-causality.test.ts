// Versions against an oracle that knows only who had read what when writing (Dynamo 4.4): no false concurrency, no
// false dominance. And what follows: no sibling explosion, why dots must never be issued twice, what a bucket
// that changes its mode keeps.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { randomBelow, seededRandom } from '../../src/base/random.js'
import { merge } from '../../src/versions/merge.js'
import { conflictsOf } from '../../src/versions/mode.js'
import type { Conflicts, StoredObject } from '../../src/versions/object.js'
import { contextOf } from '../../src/versions/read.js'
import { covers } from '../../src/versions/vector.js'
import { maximal, Replica, type Seen } from '../versions/replicas.js'
import { step, World, world } from '../versions/worlds.js'

describe('causal histories', () => {
  it('siblings are exactly the writes that no known write had seen: none more, none less', () => {
    let concurrent = 0
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 6 }),
        fc.array(step, { minLength: 1, maxLength: 80, size: 'max' }),
        (count, steps) => {
          const made = new World(count, 'siblings')
          for (const each of steps) {
            const { ids, values } = snapshot(made.run(each))
            expect(values).toEqual(maximal(ids, made.histories))
            concurrent = Math.max(concurrent, values.length)
          }
        },
      ),
      { numRuns: 400 },
    )
    expect(concurrent, 'the runs were no test without concurrent writers').toBeGreaterThan(3)
  })

  it('one clock covers another exactly when its holder has heard of all that the other has', () => {
    fc.assert(
      fc.property(world('siblings', 6), (made) => {
        for (const a of made.replicas) {
          for (const b of made.replicas) {
            const heard = [...b.ids].every((id) => a.ids.has(id))
            expect(covers(a.object?.clock ?? [], b.object?.clock ?? [])).toBe(heard)
          }
        }
      }),
    )
  })

  it('clocks that are cut cost false siblings at worst: what must be there is there', () => {
    let falseSiblings = 0
    for (let seed = 1; seed <= 40; seed++) {
      const random = seededRandom(seed)
      const replicas = Array.from({ length: 16 }, (_, index) => new Replica(index + 1))
      const histories = new Map<string, ReadonlySet<string>>()
      for (let i = 0; i < 300; i++) {
        const subject = replicas[randomBelow(random, 16)] as Replica
        if (random() < 0.5) {
          subject.hear(replicas[randomBelow(random, 16)] as Replica)
        } else {
          const context = random() < 0.95 ? subject.read() : undefined
          histories.set(`w${i}`, context?.ids ?? new Set())
          subject.put(`w${i}`, context, 1_700_000_000_000 + i * 1000)
        }
        const values = subject.values()
        const due = maximal(subject.ids, histories)
        expect(values, `seed ${seed}`).toEqual(expect.arrayContaining(due))
        falseSiblings += values.length - due.length
      }
    }
    expect(falseSiblings, 'no clock was cut where it mattered').toBeGreaterThan(0)
  })

  it('the last write wins over all that it has seen, whatever the wall clocks say', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 6 }),
        fc.array(step, { maxLength: 80, size: 'max' }),
        (count, steps) => {
          const made = new World(count, 'last-write-wins')
          for (const each of steps) {
            const { ids, values } = snapshot(made.run(each))
            if (ids.size === 0) continue
            expect(values).toHaveLength(1)
            expect(maximal(ids, made.histories)).toContain(values[0])
          }
        },
      ),
    )
  })
})

function snapshot(replica: Replica): { readonly ids: ReadonlySet<string>; readonly values: string[] } {
  return { ids: replica.ids, values: replica.values() }
}

describe('the context that a put answers', () => {
  it('never removes a value that no write was made in the knowledge of', () => {
    let spared = 0
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 6 }),
        fc.array(step, { minLength: 1, maxLength: 80, size: 'max' }),
        (count, steps) => {
          const made = new World(count, 'siblings', true)
          for (const each of steps) {
            const { ids, values } = snapshot(made.run(each))
            // Not replaced by anybody, anywhere. A replica that has not heard of what replaced a value may
            // be told early that it is gone; then the replacement is still on its way.
            const standing = maximal(new Set(made.histories.keys()), made.histories)
            expect(values).toEqual(expect.arrayContaining(standing.filter((id) => ids.has(id))))
            spared += values.length > maximal(ids, made.histories).length ? 1 : 0
          }
          made.settle([...made.replicas.keys()])
          const standing = maximal(new Set(made.histories.keys()), made.histories)
          for (const replica of made.replicas) {
            expect(replica.values()).toEqual(expect.arrayContaining(standing))
          }
        },
      ),
      { numRuns: 300 },
    )
    expect(spared, 'no put met an unread event of its own coordinator').toBeGreaterThan(0)
  })

  it('is enough to go on with: a writer alone never meets itself', () => {
    const random = seededRandom(3)
    const replicas = [new Replica(1), new Replica(2), new Replica(3)]
    let context: Seen | undefined
    for (let i = 0; i < 200; i++) {
      const coordinator = replicas[randomBelow(random, 3)] as Replica
      context = coordinator.put(`w${i}`, context)
      expect(coordinator.values()).toEqual([`w${i}`])
    }
  })
})

describe('sibling explosion', () => {
  it('two interleaved writers have two siblings at most, for 10,000 rounds through three coordinators', () => {
    const random = seededRandom(7)
    const replicas = [new Replica(1), new Replica(2), new Replica(3)]
    const contexts: (Seen | undefined)[] = [undefined, undefined]
    let most = 0
    for (let round = 0; round < 10_000; round++) {
      const writer = round % 2
      const coordinator = replicas[randomBelow(random, 3)] as Replica
      // What the writer had read, before the other wrote.
      coordinator.put(`${writer}-${round}`, contexts[writer])
      // The ids are for the oracle, who is not asked here.
      contexts[writer] = { context: contextOf(coordinator.object as StoredObject), ids: new Set() }
      coordinator.ids.clear()
      const hearer = replicas[randomBelow(random, 3)] as Replica
      hearer.hear(replicas[randomBelow(random, 3)] as Replica)
      for (const { object } of replicas) most = Math.max(most, object?.siblings.length ?? 0)
    }
    expect(most).toBe(2)
    expect(replicas[0]?.object?.clock).toHaveLength(3)
  })
})

describe('why every life of a node is an actor of its own', () => {
  const values = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 2 })

  it('a dot that is issued twice loses a write, without a trace', () => {
    fc.assert(
      fc.property(values, ([before, after]) => {
        const [node, other] = [new Replica(1), new Replica(2)]
        node.put(before as string)
        other.hear(node)
        // The node loses its memory, and with it its counter: it counts from 1 again, under the same name.
        const reborn = new Replica(1)
        reborn.put(after as string)
        other.hear(reborn)
        expect(other.values()).toEqual([before])
        reborn.hear(other)
        // Nothing will ever mend it: each believes that both have the same write.
        expect(reborn.values()).toEqual([after])
      }),
    )
  })

  it('a counter that fell behind loses the write even where it was made', () => {
    const [node, other] = [new Replica(1), new Replica(2)]
    for (let i = 1; i <= 5; i++) node.put(`v${i}`, node.read())
    other.hear(node)
    const reborn = new Replica(1)
    reborn.put('v6', other.read())
    reborn.put('v7', other.read())
    reborn.hear(other)
    expect(reborn.values()).not.toContain('v7')
  })

  it('under a new name both survive', () => {
    fc.assert(
      fc.property(values, ([before, after]) => {
        const [node, other] = [new Replica(1), new Replica(2)]
        node.put(before as string)
        other.hear(node)
        const reborn = new Replica(3)
        reborn.put(after as string)
        other.hear(reborn)
        expect(other.values()).toEqual([before, after].sort())
      }),
    )
  })
})

describe('a bucket that changes its mode', () => {
  /** A replica of a node: it merges in the mode of what meets. */
  function tell(from: Replica, to: Replica): void {
    if (from.object === undefined) return
    to.object = merge(to.object, from.object, conflictsOf(from.object, to.object))
  }

  function run(before: Conflicts, after: Conflicts, seed: number): { written: string[]; found: string[][] } {
    const random = seededRandom(seed)
    const olds = Array.from({ length: 3 }, (_, index) => new Replica(index + 11, before))
    for (let i = 0; i < 4; i++) (olds[randomBelow(random, 3)] as Replica).put(`old${i}`, undefined, 1000 + i)
    // Actors of later lives may be smaller: they are drawn at random.
    const news = olds.map((old, index) => {
      const reborn = new Replica(random() < 0.5 ? index + 1 : index + 21, after)
      reborn.object = old.object
      return reborn
    })
    const written: string[] = []
    for (let i = 0; i < 30; i++) {
      const replica = news[randomBelow(random, 3)] as Replica
      if (i < 4) {
        replica.put(`new${i}`, undefined, 2000 + i)
        written.push(`new${i}`)
      }
      // Copies of old writes are still on their way.
      tell([...news, ...olds][randomBelow(random, 6)] as Replica, replica)
    }
    for (let i = 0; i < 3; i++) for (const from of [...olds, ...news]) for (const to of news) tell(from, to)
    return { written, found: news.map((replica) => replica.values()) }
  }

  it('to siblings: every value written since is kept on every replica', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const { written, found } = run('last-write-wins', 'siblings', seed)
      for (const values of found) {
        expect(values, `seed ${seed}`).toEqual(found[0])
        expect(values, `seed ${seed}`).toEqual(expect.arrayContaining(written))
      }
    }
  })

  it('to last-write-wins: the last value alone is left on every replica', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const { found } = run('siblings', 'last-write-wins', seed)
      for (const values of found) expect(values, `seed ${seed}`).toEqual(['new3'])
    }
  })
})
