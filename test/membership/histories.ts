// Any history of membership, and a plain way to share partitions out: what the tests of membership are made from.

import fc from 'fast-check'
import type { Change, Entry } from '../../src/membership/change.js'
import type { RingBase } from '../../src/membership/fold.js'
import { appendChange, compareEntries, emptyHistory, type History } from '../../src/membership/history.js'
import type { Member } from '../../src/ring/member.js'

/** Few nodes, so that changes meet. */
const node = fc.integer({ min: 1, max: 6 })
const weight = fc.oneof(
  fc.constantFrom(0.001, 1, 2, 1_000),
  fc.double({ min: 0.001, max: 1_000, noNaN: true }),
)
const name = fc.oneof(fc.constantFrom('', 'a', 'b'), fc.stringMatching(/^[\x21-\x7e]{0,64}$/))
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('join'), node, weight, host: name, zone: name }),
  fc.record({ kind: fc.constant('leave'), node }),
  fc.record({ kind: fc.constant('replace'), node, successor: node, weight, host: name, zone: name }),
  fc.record({ kind: fc.constant('weight'), node, weight }),
)

/** Keeps of each plan what names every node once. */
export const plan: fc.Arbitrary<readonly Change[]> = fc
  .array(change, { minLength: 1, maxLength: 4 })
  .map((changes) => {
    const named = new Set<number>()
    return changes.filter((each) => {
      const nodes = each.kind === 'replace' ? [each.node, each.successor] : [each.node]
      if (new Set(nodes).size < nodes.length || nodes.some((one) => named.has(one))) return false
      for (const one of nodes) named.add(one)
      return true
    })
  })
  .filter((changes) => changes.length > 0)

/** Times, issuers and serials that coincide, also for entries that say different things. */
export const anyEntry: fc.Arbitrary<Entry> = fc.record({
  at: fc.oneof(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })),
  issuer: fc.integer({ min: 1, max: 3 }),
  serial: fc.integer({ min: 1, max: 3 }),
  changes: plan,
})

/** The slow and obvious way: sorted, and what is there twice is there once. */
export function historyOf(entries: readonly Entry[]): History {
  const sorted = [...entries].sort(compareEntries)
  return {
    entries: sorted.filter((entry, i) => i === 0 || compareEntries(sorted[i - 1] as Entry, entry) !== 0),
  }
}

export const generatedHistory: fc.Arbitrary<History> = fc
  .array(anyEntry, { maxLength: 8 })
  .map((entries) => historyOf(entries))

export const base: RingBase = { partitions: 16, copies: 3, hash: 'halfsip', seed: [1, 2] }

/** Takes from who has too much, gives to who has too little, from the first partition to the last. */
export function plainRebalance(
  before: Uint16Array,
  members: readonly Member[],
  _copies: number,
): Uint16Array {
  const total = members.reduce((sum, member) => sum + member.weight, 0)
  const room = new Map<number, number>()
  let left = before.length
  for (const member of members) {
    const share = Math.floor((before.length * member.weight) / total)
    room.set(member.node, share)
    left -= share
  }
  for (const member of members) {
    if (left === 0) break
    room.set(member.node, (room.get(member.node) as number) + 1)
    left--
  }
  const after = new Uint16Array(before.length)
  for (let i = 0; i < before.length; i++) {
    const owner = before[i] as number
    const free = room.get(owner) ?? 0
    if (free === 0) continue
    after[i] = owner
    room.set(owner, free - 1)
  }
  for (let i = 0; i < before.length; i++) {
    if (after[i] !== 0) continue
    const [taker, free] = [...room].find(([, each]) => each > 0) as [number, number]
    after[i] = taker
    room.set(taker, free - 1)
  }
  return after
}

export function joining(node: number, weight = 1, host = '', zone = ''): Change {
  return { kind: 'join', node, weight, host, zone }
}

export function leaving(node: number): Change {
  return { kind: 'leave', node }
}

/** The history of a cluster that was founded with these nodes. */
export function founded(nodes: readonly number[], at = 1_000): History {
  return appendChange(
    emptyHistory,
    nodes[0] as number,
    at,
    nodes.map((each) => joining(each)),
  )
}
