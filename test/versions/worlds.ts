// Replicas that write, read and hear of each other at random, for the properties of versions.

import fc from 'fast-check'
import type { Conflicts, StoredObject } from '../../src/versions/object.js'
import { Replica, type Seen } from './replicas.js'

export interface Step {
  readonly type: 'put' | 'hear' | 'read'
  readonly replica: number
  readonly other: number
  readonly wall: number
}

export const step: fc.Arbitrary<Step> = fc.record({
  type: fc.constantFrom('put', 'put', 'hear', 'hear', 'read'),
  replica: fc.nat(1000),
  other: fc.nat(1000),
  // Wall clocks that are wrong by up to two hours.
  wall: fc.integer({ min: 1_700_000_000_000, max: 1_700_007_200_000 }),
})

export class World {
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

export function world(conflicts: Conflicts, replicasMax: number): fc.Arbitrary<World> {
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
