// The last part of a comparison: keys and signatures of both replicas, page by page in key order, so that
// neither needs more memory than a page. What differs goes to sync-mend. A listing is also what a tree is held
// against: a leaf that is not the sum of what was listed in it is put right.

import { limits } from '../../base/limits.js'
import type { Key } from '../../base/units.js'
import { leafOf } from '../../merkle/tree.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Listed, Listing, ListTold } from '../../protocol/sync.js'
import { hashOf } from '../../ring/ring.js'
import type { Turn } from '../actor.js'
import { nextRequest, type VnodeState } from './state.js'
import { mendNext } from './sync-mend.js'
import { ask, end } from './sync-run.js'
import type { SyncRun } from './sync-state.js'

/** Keys that a report names. */
const keysMax = 20

/** Asks the peer and the own host for the next page. */
export function askPage(state: VnodeState, run: SyncRun, turn: Turn): void {
  const { deep } = run.wanted.sync
  run.own = undefined
  run.theirs = undefined
  ask(state, run, { type: 'list-ask', leaves: run.leaves, after: run.after, deep }, turn)
  run.ownRequest = nextRequest(state)
  turn.list({
    asker: state.self,
    request: run.ownRequest,
    leaves: run.leaves.length === 0 ? undefined : new Set(run.leaves),
    after: run.after,
    limit: limits.walkRowsMax,
    deep,
    begunAt: run.listedSince,
  })
}

export function listTold(state: VnodeState, envelope: Envelope, message: ListTold, turn: Turn): void {
  const { run } = state
  if (run === undefined || run.request !== envelope.request) return
  run.request = 0
  run.counts.messages++
  run.theirs = message
  compare(state, run, turn)
}

export function ownListed(state: VnodeState, envelope: Envelope, message: Listed, turn: Turn): void {
  const { run } = state
  if (run === undefined || run.ownRequest !== envelope.request) return
  run.ownRequest = 0
  if (message.failed) return end(state, run, 'unreadable', turn)
  run.own = message
  compare(state, run, turn)
}

function compare(state: VnodeState, run: SyncRun, turn: Turn): void {
  const { own, theirs } = run
  if (own === undefined || theirs === undefined || state.ring === undefined) return
  // Both pages are whole only up to where the shorter one ends.
  const bound =
    own.next === undefined || (theirs.next !== undefined && theirs.next < own.next) ? theirs.next : own.next
  let mine = 0
  let other = 0
  for (;;) {
    const left = within(own, mine, bound)
    const right = within(theirs, other, bound)
    if (left === undefined && right === undefined) break
    if (right === undefined || (left !== undefined && left < right)) {
      note(state, run, left as Key, own, mine++, theirs, -1, turn)
    } else if (left === undefined || right < left) {
      note(state, run, right, own, -1, theirs, other++, turn)
    } else {
      note(state, run, left, own, mine++, theirs, other++, turn)
    }
  }
  run.after = bound ?? ''
  run.stage = 'mending'
  if (bound === undefined) correctLeaves(state, run, turn)
  mendNext(state, run, turn)
}

function within(listing: Listing, index: number, bound: string | undefined): Key | undefined {
  const key = listing.keys[index]
  return key === undefined || (bound !== undefined && key > bound) ? undefined : key
}

/** Compares one key; -1 is the index in a listing that has it not. */
function note(
  state: VnodeState,
  run: SyncRun,
  key: Key,
  own: Listing,
  mine: number,
  theirs: Listing,
  other: number,
  turn: Turn,
): void {
  if (state.ring === undefined) return
  const { counts } = run
  const hash = hashOf(state.ring, key)
  const ownHigh = mine < 0 ? 0 : (own.signatures[2 * mine] as number)
  const ownLow = mine < 0 ? 0 : (own.signatures[2 * mine + 1] as number)
  counts.listed++
  const leaf = leafOf(hash, state.ring.partitions, turn.tree(state.self.partition).leaves)
  const sum = run.sums.get(leaf) ?? { high: 0, low: 0 }
  run.sums.set(leaf, { high: sum.high ^ ownHigh, low: sum.low ^ ownLow })
  const isDamaged = mine >= 0 && own.damaged.includes(mine)
  const isPeerDamaged = other >= 0 && theirs.damaged.includes(other)
  if (isDamaged || isPeerDamaged) counts.damaged++
  const high = other < 0 || isPeerDamaged ? 0 : (theirs.signatures[2 * other] as number)
  const low = other < 0 || isPeerDamaged ? 0 : (theirs.signatures[2 * other + 1] as number)
  const isSame = high === ownHigh && low === ownLow
  if (isSame && !isDamaged) return
  // Neither has anything that could be read.
  if (isDamaged && high === 0 && low === 0) return
  counts.differing++
  if (run.keys.length < keysMax) run.keys.push(key)
  if (!run.wanted.sync.mends) return
  const pulls = high !== 0 || low !== 0
  run.queue.push({ key, hash, high, low, stage: pulls ? 'fetching' : 'pushing' })
}

/** What was listed is all that is in these leaves: their hashes must be its sum, unless they were written since. */
function correctLeaves(state: VnodeState, run: SyncRun, turn: Turn): void {
  const { partition } = state.self
  const tree = turn.tree(partition)
  if (tree.changedAt >= run.listedSince) return
  const leaves = run.leaves.length > 0 ? run.leaves : Array.from({ length: tree.leaves }, (_, leaf) => leaf)
  const words = tree.toWords()
  for (const leaf of leaves) {
    const { high, low } = run.sums.get(leaf) ?? { high: 0, low: 0 }
    const highDifference = (high ^ (words[2 * leaf] as number)) >>> 0
    const lowDifference = (low ^ (words[2 * leaf + 1] as number)) >>> 0
    if (highDifference === 0 && lowDifference === 0) continue
    run.counts.corrected++
    turn.correctLeaf(partition, leaf, highDifference, lowDifference)
  }
}
