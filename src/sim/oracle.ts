// What clients have written and what each write had seen, kept outside the cluster: an independent causal history.
// Every value is written once, and its writer remembers which values its context had seen. From that alone follows
// what a read may answer and what must be there in the end, whatever the cluster believes about clocks and dots
// (Dynamo 4.4; the promises are those of docs/decisions/simulation.md).

import type { Millis } from '../base/units.js'
import type { Level } from '../protocol/write.js'
import type { StoredObject } from '../versions/object.js'
import type { Damage } from './nemesis.js'

export type Fate = 'open' | 'ok' | 'refused' | 'unknown'

export interface SimWritten {
  readonly id: string
  readonly key: string
  readonly isDelete: boolean
  /** It was to be written only where nothing was. */
  readonly isFirst: boolean
  /** All writes that this one replaces for sure, and itself. */
  readonly history: ReadonlySet<string>
  /** All that it may replace: with a tombstone, whatever that had seen. */
  readonly covered: ReadonlySet<string>
  readonly w: number
  readonly dw: number
  readonly level: Level
  readonly isStrict: boolean
  readonly expires: Millis
  readonly at: Millis
  answeredAt: Millis
  fate: Fate
}

/** What a read found of a key. */
export interface Found {
  readonly key: string
  /** Of the values, dead by their time or not. */
  readonly ids: readonly string[]
  /** There is a tombstone, or nothing at all. */
  readonly isDead: boolean
}

export class Oracle {
  readonly writes = new Map<string, SimWritten>()
  readonly keys = new Set<string>()
  /** The latest instant that the wall clock has ever shown. */
  wallMax: Millis = 0
  private readonly byKey = new Map<string, SimWritten[]>()
  private readonly damages: readonly Damage[]
  /** Whether what is dead is forgotten in the end. */
  private readonly forgets: boolean
  private last = 0

  constructor(damages: readonly Damage[], forgets: boolean) {
    this.damages = damages
    this.forgets = forgets
  }

  nextId(): string {
    return `v${++this.last}`
  }

  begin(write: SimWritten): void {
    this.writes.set(write.id, write)
    this.keys.add(write.key)
    const same = this.byKey.get(write.key)
    if (same === undefined) this.byKey.set(write.key, [write])
    else same.push(write)
  }

  writesOf(key: string): readonly SimWritten[] {
    return this.byKey.get(key) ?? []
  }

  /** Whether a write that was acknowledged must still be there, after all that was damaged since it began. */
  survives(write: SimWritten): boolean {
    if (write.fate !== 'ok') return false
    let wipes = 0
    for (const { at, kind } of this.damages) {
      if (at < write.at) continue
      if (kind === 'wipe') wipes++
      else if (write.dw === 0) return false
      else if (kind === 'power' && write.level !== 'disk') return false
    }
    return wipes < write.w
  }

  /** What was found, and all that it has seen for sure. */
  historyOf(found: Found): Set<string> {
    const history = new Set<string>()
    for (const id of found.ids) for (const each of this.writes.get(id)?.history ?? []) history.add(each)
    return history
  }

  /**
   * All that it may have seen. Of a tombstone nobody can tell whose it is: it counts for every delete. And what is
   * dead may have been forgotten, before the key was written again by somebody who had seen nothing.
   */
  coveredBy(found: Found): Set<string> {
    const covered = new Set<string>()
    for (const id of found.ids) for (const each of this.writes.get(id)?.covered ?? []) covered.add(each)
    if (!found.isDead && !this.forgets) return covered
    for (const write of this.writesOf(found.key)) {
      if (this.mayBeDead(write)) for (const each of write.covered) covered.add(each)
    }
    return covered
  }

  /** What is not there may be this. */
  mayBeDead(write: SimWritten): boolean {
    if (write.fate === 'refused') return false
    return write.isDelete || (write.expires !== 0 && write.expires <= this.wallMax)
  }

  /** What a bucket keeps of concurrent values. */
  static isLatest(key: string): boolean {
    return key.startsWith('l.')
  }
}

/** The identity of a written value is its first word; the rest is the application's. */
export function idOf(value: Uint8Array): string {
  const text = Buffer.from(value.buffer, value.byteOffset, Math.min(value.length, 40)).toString('latin1')
  const end = text.search(/[ ]/)
  return end < 0 ? text : text.slice(0, end)
}

export function foundOf(key: string, object: StoredObject | undefined): Found {
  const ids: string[] = []
  let isDead = object === undefined
  for (const sibling of object?.siblings ?? []) {
    if (sibling.deleted) isDead = true
    else ids.push(idOf(sibling.value))
  }
  return { key, ids, isDead }
}
