// An application's own data in the simulated world: its merge function and its settings are tried against faults,
// and it says itself whether what is there in the end is what it has been promised (Dynamo 4.4: the application
// "is aware of the data schema and can decide on the conflict resolution method").

import type { Random } from '../base/random.js'
import type { StoredObject } from '../versions/object.js'
import { liveSiblings } from '../versions/read.js'
import type { SimOperation } from './plan.js'
import type { Sessions } from './sessions.js'

/** Values and changes must survive JSON. */
export interface Application<Value = unknown, Change = unknown> {
  /** One value of several that were written beside each other. */
  merge(values: readonly Value[]): Value
  /** Something that a client wants, drawn from `random` (numbers in [0, 1)); `index` is another each time. */
  draw(random: Random, index: number): Change
  /** The value after that; `undefined` when there was none. */
  apply(value: Value | undefined, change: Change): Value
  /**
   * What is wrong with the value of a key in the end, in words, or undefined when all is well. `acknowledged` must be
   * in it; `perhaps` were neither acknowledged nor refused, and may be.
   */
  check(
    value: Value | undefined,
    acknowledged: readonly Change[],
    perhaps: readonly Change[],
  ): string | undefined
}

interface Changed {
  readonly key: string
  readonly change: unknown
  readonly id: string
}

/** Reads, merges, changes and writes for an application, and asks it in the end. */
export class Applying {
  private readonly application: Application
  private readonly changes: Changed[] = []

  constructor(application: Application) {
    this.application = application
  }

  act(sessions: Sessions, operation: SimOperation, random: Random): void {
    const { application } = this
    sessions.read(operation, operation.key, (object, seen) => {
      const change = application.draw(random, operation.index)
      const value = application.apply(this.valueOf(object, sessions), change)
      const write = sessions.write(operation, operation.key, { body: JSON.stringify(value), seen })
      this.changes.push({ key: operation.key, change, id: write.id })
    })
  }

  private valueOf(object: StoredObject | undefined, sessions: Sessions): unknown {
    if (object === undefined) return undefined
    const values = liveSiblings(object, sessions.world.wall()).map(({ value }) => bodyOf(value))
    return values.length < 2 ? values[0] : this.application.merge(values)
  }

  /** What the application says of a key, when all is over. */
  judge(sessions: Sessions, key: string, object: StoredObject | undefined): string | undefined {
    const { oracle } = sessions
    const acknowledged: unknown[] = []
    const perhaps: unknown[] = []
    for (const each of this.changes) {
      const write = oracle.writes.get(each.id)
      if (each.key !== key || write === undefined || write.fate === 'refused') continue
      if (oracle.survives(write)) acknowledged.push(each.change)
      else perhaps.push(each.change)
    }
    return this.application.check(this.valueOf(object, sessions), acknowledged, perhaps)
  }
}

/** What follows the identity: the padding is no part of it. */
function bodyOf(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes).toString()
  return JSON.parse(text.slice(text.indexOf(' ') + 1, text.lastIndexOf(' ')))
}
