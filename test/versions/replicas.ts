// Replicas of one key for the tests: each coordinates writes as its own actor and merges what it is told. It
// keeps the rule that dots depend on: a replica holds all of its own earlier writes of the key, and its counter
// only grows. Beside the versions, an oracle: every write has an id and the set of ids that its writer had seen.

import { merge } from '../../src/versions/merge.js'
import { withMode } from '../../src/versions/mode.js'
import type { Conflicts, Context, Sibling, StoredObject } from '../../src/versions/object.js'
import { contextOf } from '../../src/versions/read.js'
import { contextAfter, nextWriteStamp, write } from '../../src/versions/write.js'

/** What a reader took home: the context, and for the oracle the ids that it covers. */
export interface Seen {
  readonly context: Context
  readonly ids: ReadonlySet<string>
}

export class Replica {
  object: StoredObject | undefined
  /** Ids of all writes that this replica has heard of, superseded ones too. */
  readonly ids = new Set<string>()
  readonly actor: number
  private readonly conflicts: Conflicts
  private counter = 0
  private lastStamp = 0

  constructor(actor: number, conflicts: Conflicts = 'siblings') {
    this.actor = actor
    this.conflicts = conflicts
  }

  /** Coordinates a put of `id` and answers what its writer has seen then; `wall` may be as wrong as it likes. */
  put(id: string, seen?: Seen, wall = 1_700_000_000_000): Seen {
    this.lastStamp = nextWriteStamp(this.object, seen?.context, this.lastStamp, wall)
    const sibling: Sibling = {
      dot: { actor: this.actor, counter: ++this.counter },
      stamp: this.lastStamp,
      expires: 0,
      deleted: false,
      encoding: withMode(0, this.conflicts, false, 3),
      value: Buffer.from(id),
    }
    this.object = write(this.object, seen?.context, sibling, this.conflicts, Math.floor(wall / 1000))
    for (const each of seen?.ids ?? []) this.ids.add(each)
    this.ids.add(id)
    const context = contextAfter(this.object, seen?.context, sibling.dot)
    return { context, ids: new Set([...(seen?.ids ?? []), id]) }
  }

  hear(other: Replica): void {
    if (other.object === undefined) return
    this.object = merge(this.object, other.object, this.conflicts)
    for (const id of other.ids) this.ids.add(id)
  }

  read(): Seen | undefined {
    return this.object && { context: contextOf(this.object), ids: new Set(this.ids) }
  }

  values(): string[] {
    return valuesOf(this.object)
  }
}

export function valuesOf(object: StoredObject | undefined): string[] {
  return (object?.siblings ?? []).map(({ value }) => Buffer.from(value).toString()).sort()
}

/** Of the ids that are known, those that no other known write had seen: what causality says must be there. */
export function maximal(
  ids: ReadonlySet<string>,
  histories: ReadonlyMap<string, ReadonlySet<string>>,
): string[] {
  const superseded = new Set<string>()
  for (const id of ids) for (const before of histories.get(id) ?? []) superseded.add(before)
  return [...ids].filter((id) => !superseded.has(id)).sort()
}
