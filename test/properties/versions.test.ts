// Laws of versions (Dynamo 4.4), over states that replicas can come into: they write with fresh, stale or no
// contexts, and hear of each other at random. An oracle that knows only who had read what says what is right.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { randomBelow, seededRandom } from '../../src/base/random.js'
import { merge } from '../../src/versions/merge.js'
import { conflictsOf } from '../../src/versions/mode.js'
import type { ClockEntry, Conflicts, StoredObject } from '../../src/versions/object.js'
import { encodeObject } from '../../src/versions/object-codec.js'
import { contextOf, sameObject } from '../../src/versions/read.js'
import { covers, seen } from '../../src/versions/vector.js'
import { made } from '../versions/arbitrary.js'
import { maximal, Replica, type Seen } from '../versions/replicas.js'

interface Step {
  readonly type: 'put' | 'hear' | 'read'
  readonly replica: number
  readonly other: number
  readonly wall: number
}

const step: fc.Arbitrary<Step> = fc.record({
  type: fc.constantFrom('put', 'put', 'hear', 'hear', 'read'),
  replica: fc.nat(1000),
  other: fc.nat(1000),
  // Wall clocks that are wrong by up to two hours.
  wall: fc.integer({ min: 1_700_000_000_000, max: 1_700_007_200_000 }),
})

const modes: readonly Conflicts[] = ['siblings', 'last-write-wins']

class World {
  readonly replicas: readonly Replica[]
  readonly histories = new Map<string, ReadonlySet<string>>()
  readonly contexts: (Seen | undefined)[] = [undefined]
  /** Every object that any replica has ever held. */
  readonly states: StoredObject[] = []

  private readonly goOn: boolean

  /** With `goOn` writers go on with the contexts that puts answer, too. */
  constructor(count: number, conflicts: Conflicts, goOn = false) {
    this.goOn = goOn
    this.replicas = Array.from({ length: count }, (_, index) => new Replica(index + 1, conflicts))
  }

  /** Answers the replica that changed. */
  run({ type, replica, other, wall }: Step): Replica {
    const { replicas, contexts, histories, states } = this
    const subject = replicas[replica % replicas.length] as Replica
    if (type === 'put') {
      const context = contexts[other % contexts.length]
      const id = `w${histories.size}`
      histories.set(id, context?.ids ?? new Set())
      const after = subject.put(id, context, wall)
      if (this.goOn) contexts.push(after)
    } else if (type === 'hear') {
      subject.hear(replicas[other % replicas.length] as Replica)
    } else {
      contexts.push(subject.read())
    }
    if (subject.object !== undefined) states.push(subject.object)
    return subject
  }

  /** Everybody hears of everybody, in an order of one's own. */
  settle(order: readonly number[]): void {
    for (const at of [...order, ...order]) {
      const subject = this.replicas[at % this.replicas.length] as Replica
      for (const other of this.replicas) subject.hear(other)
    }
  }
}

function world(conflicts: Conflicts, replicasMax: number): fc.Arbitrary<World> {
  return fc
    .tuple(
      fc.integer({ min: 2, max: replicasMax }),
      fc.array(step, { minLength: 4, maxLength: 200, size: 'max' }),
    )
    .map(([count, steps]) => {
      const made = new World(count, conflicts)
      for (const each of steps) made.run(each)
      return made
    })
}

/** Three states of one history. More than ten replicas, so that clocks are cut too. */
function states(conflicts: Conflicts): fc.Arbitrary<readonly [StoredObject, StoredObject, StoredObject]> {
  return fc
    .tuple(world(conflicts, 14), fc.nat(1000), fc.nat(1000), fc.nat(1000))
    .filter(([made]) => made.states.length > 0)
    .map(([made, ...picks]) => {
      const [a, b, c] = picks.map((pick) => made.states[pick % made.states.length] as StoredObject)
      return [a as StoredObject, b as StoredObject, c as StoredObject] as const
    })
}

const bytesOf = (object: StoredObject) =>
  Buffer.from(encodeObject({ clock: object.clock, siblings: object.siblings }, 1)).toString('hex')

function expectSame(a: StoredObject, b: StoredObject): void {
  expect(a.clock).toEqual(b.clock)
  expect(sameObject(a, b)).toBe(true)
  expect(bytesOf(a)).toBe(bytesOf(b))
}

describe.each(modes)('merge is a least upper bound (%s)', (mode) => {
  it('is commutative', () => {
    fc.assert(fc.property(states(mode), ([a, b]) => expectSame(merge(a, b, mode), merge(b, a, mode))))
  })

  it('is associative', () => {
    fc.assert(
      fc.property(states(mode), ([a, b, c]) =>
        expectSame(merge(merge(a, b, mode), c, mode), merge(a, merge(b, c, mode), mode)),
      ),
    )
  })

  it('is idempotent, and says so by identity', () => {
    fc.assert(
      fc.property(states(mode), ([a, b]) => {
        expect(merge(a, a, mode)).toBe(a)
        const both = merge(a, b, mode)
        expect(merge(both, a, mode)).toBe(both)
        expect(merge(both, b, mode)).toBe(both)
        expectSame(merge(a, both, mode), both)
        expect(merge(undefined, a, mode)).toBe(a)
      }),
    )
  })

  it('keeps the invariants of an object', () => {
    fc.assert(
      fc.property(states(mode), ([a, b]) => {
        for (const { clock, siblings } of [a, b, merge(a, b, mode)]) {
          expect(siblings.length).toBeGreaterThan(0)
          const dots = siblings.map(({ dot }) => dot)
          expect(dots).toEqual([...dots].sort((x, y) => x.actor - y.actor || x.counter - y.counter))
          expect(new Set(dots.map(({ actor, counter }) => `${actor}:${counter}`)).size).toBe(dots.length)
          for (const dot of dots) expect(seen(clock, dot)).toBe(true)
          const actors = clock.map(({ actor }) => actor)
          expect(actors).toEqual([...new Set(actors)].sort((x, y) => x - y))
        }
      }),
    )
  })

  it('brings replicas that have heard everything to the same bytes, in whatever order they heard it', () => {
    const order = fc.array(fc.nat(100), { minLength: 20, maxLength: 20 })
    fc.assert(
      fc.property(world(mode, 14), order, (made, extra) => {
        made.settle([...extra, ...made.replicas.keys()])
        const [first, ...others] = made.replicas.map(({ object }) => object)
        for (const other of others) {
          if (first === undefined) expect(other).toBeUndefined()
          else expectSame(other as StoredObject, first)
        }
      }),
    )
  })
})

describe.each(modes)('the laws hold for any objects, even such as no history leads to (%s)', (mode) => {
  // Few events, so that they meet; what an event wrote, and when, is a function of it.
  const dot = fc.record({ actor: fc.integer({ min: 1, max: 4 }), counter: fc.integer({ min: 1, max: 3 }) })
  const stampOf = (actor: number, counter: number) => ((actor * 7 + counter * 5) % 11) * 2_048_000
  const counters = fc
    .tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3))
    .filter((all) => all.some((each) => each > 0))
  const any: fc.Arbitrary<StoredObject> = fc
    .tuple(
      counters,
      fc.uniqueArray(dot, { selector: ({ actor, counter }) => actor * 10 + counter }),
      fc.nat(),
    )
    .map(([all, dots, pick]) => {
      const clock = all.flatMap((counter, index) =>
        counter === 0 ? [] : [{ actor: index + 1, counter, time: stampOf(index + 1, counter) / 2_048_000 }],
      )
      const present = dots.filter((each) => seen(clock, each))
      const { actor, counter } = clock[pick % clock.length] as ClockEntry
      const chosen = present.length > 0 ? present : [{ actor, counter }]
      chosen.sort((a, b) => a.actor - b.actor || a.counter - b.counter)
      const siblings = chosen.map((each) =>
        made(each.actor, each.counter, { stamp: stampOf(each.actor, each.counter) }),
      )
      // With last-write-wins nothing else is ever stored.
      return mode === 'siblings' ? { clock, siblings } : merge(undefined, { clock, siblings }, mode)
    })

  it('commutative, associative, idempotent', () => {
    fc.assert(
      fc.property(any, any, any, (a, b, c) => {
        const both = merge(a, b, mode)
        expectSame(both, merge(b, a, mode))
        expectSame(merge(both, c, mode), merge(a, merge(b, c, mode), mode))
        expect(merge(a, a, mode)).toBe(a)
        expect(merge(both, a, mode)).toBe(both)
        expectSame(merge(a, both, mode), both)
      }),
      { numRuns: 1000 },
    )
  })
})

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
  it('never replaces a value that its writer neither read nor wrote', () => {
    let spared = 0
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 6 }),
        fc.array(step, { minLength: 1, maxLength: 80, size: 'max' }),
        (count, steps) => {
          const made = new World(count, 'siblings', true)
          for (const each of steps) {
            const { ids, values } = snapshot(made.run(each))
            const due = maximal(ids, made.histories)
            expect(values).toEqual(expect.arrayContaining(due))
            spared += values.length - due.length
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
