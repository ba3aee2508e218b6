// The history of membership: every change that was ever issued, by whom and when (Dynamo 4.8.1: "the membership
// changes form a history because nodes can be removed and added back multiple times"). A set of entries that is
// merged by union, so that nodes which exchange what they have end with the same, in whatever order and however
// often they do. Who is a member is what the entries make when they are done one after the other.
//
// Invariants: entries are sorted by (at, issuer, serial) and distinct. An entry is what it says: should an issuer
// that forgot its past use a serial again, there are two entries, and all agree which is the earlier. A change that
// was issued in the knowledge of another comes after it, whatever the clocks say.
//
// Left to others: the ring of it (fold.ts), its bytes (history-codec.ts), telling it (actors/gossip).

import { createHash } from 'node:crypto'
import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Millis, NodeId } from '../base/units.js'
import type { Member } from '../ring/member.js'
import { type Change, type Entry, mistakeIn } from './change.js'
import { applyPlan, type Roster } from './roster.js'

/** A value that nobody changes. */
export interface History {
  readonly entries: readonly Entry[]
}

export const emptyHistory: History = Object.freeze({ entries: Object.freeze([]) })

/** The order of entries: below 0 when `a` comes first, 0 only for the same entry. */
export function compareEntries(a: Entry, b: Entry): number {
  if (a === b) return 0
  const order = a.at - b.at || a.issuer - b.issuer || a.serial - b.serial
  if (order !== 0) return order
  const [left, right] = [textOf(a), textOf(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

/** The entry as one text that is different for every other entry. */
function textOf({ at, issuer, serial, changes }: Entry): string {
  return JSON.stringify([at, issuer, serial, changes.map(fieldsOf)])
}

/** In an order of our own: that of an object's fields is the maker's. */
function fieldsOf(change: Change): readonly (string | number)[] {
  switch (change.kind) {
    case 'join':
      return ['join', change.node, change.weight, change.host, change.zone]
    case 'leave':
      return ['leave', change.node]
    case 'replace':
      return ['replace', change.node, change.successor, change.weight, change.host, change.zone]
    case 'weight':
      return ['weight', change.node, change.weight]
  }
}

/** What either knows: commutative, associative, idempotent. `a` itself when `b` adds nothing to it. */
export function mergeHistories(a: History, b: History): History {
  if (a === b) return a
  const entries: Entry[] = []
  let next = 0
  for (const entry of b.entries) {
    let order = -1
    while (next < a.entries.length) {
      const own = a.entries[next] as Entry
      order = compareEntries(own, entry)
      if (order > 0) break
      entries.push(own)
      next++
      if (order === 0) break
    }
    if (order !== 0) entries.push(entry)
  }
  while (next < a.entries.length) entries.push(a.entries[next++] as Entry)
  return entries.length === a.entries.length ? a : { entries }
}

const digests = new WeakMap<History, string>()

/** 128 bits of SHA-256 as hexadecimal digits: the same for the same entries, and only for them. */
export function digestOf(history: History): string {
  let digest = digests.get(history)
  if (digest === undefined) {
    const hash = createHash('sha256')
    for (const entry of history.entries) hash.update(`${textOf(entry)}\n`)
    digest = hash.digest('hex').slice(0, 32)
    digests.set(history, digest)
  }
  return digest
}

/** Who is in after all entries, by number. */
export function membersOf(history: History): Member[] {
  const members = [...rosterOf(history).values()]
  return members.sort((a, b) => a.node - b.node)
}

function rosterOf(history: History): Roster {
  const roster: Roster = new Map()
  for (const { changes } of history.entries) applyPlan(roster, changes)
  return roster
}

/**
 * The history with one plan more, issued now by `issuer`. Throws `membership-invalid` when the plan is no plan, or
 * when not all of it can be done to the members of this history: nothing is issued then.
 */
export function appendChange(
  history: History,
  issuer: NodeId,
  wall: Millis,
  changes: readonly Change[],
): History {
  const mistake = mistakeIn(changes)
  if (mistake !== undefined) throw refusal(mistake)
  let count = changes.length
  for (const entry of history.entries) count += entry.changes.length
  if (count > limits.membershipChangesMax) {
    throw refusal('the history of membership is full', { limit: limits.membershipChangesMax })
  }
  applyPlan(rosterOf(history), changes, ({ node }, reason) => {
    throw refusal(reason, { node })
  })
  const last = history.entries.at(-1)
  const at = Math.max(Math.floor(wall), (last?.at ?? -1) + 1)
  if (!Number.isSafeInteger(at)) throw refusal('the wall clock is out of range')
  let serial = 1
  for (const entry of history.entries)
    if (entry.issuer === issuer) serial = Math.max(serial, entry.serial + 1)
  return { entries: [...history.entries, { at, issuer, serial, changes: [...changes] }] }
}

function refusal(reason: string, details: { readonly node?: NodeId; readonly limit?: number } = {}) {
  return new RingspunError('membership-invalid', reason, details)
}
