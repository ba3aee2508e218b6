// The last part of a comparison: keys and signatures of both replicas, page by page in key order, so that
// neither needs more memory than a page. What differs goes to sync-mend. A listing is also what a tree is held
// against: a leaf that is not the sum of what was listed in it is put right.

import { limits } from '../../base/limits.js'
import type { Key } from '../../base/units.js'
import { leafOf, leavesOf } from '../../merkle/tree.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Listed, Listing, ListTold } from '../../protocol/sync.js'
import { hashOf } from '../../ring/ring.js'
import { nextRequest, type Turn } from '../actor.js'
import type { VnodeState } from './state.js'
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
  ask(
    state,
    run,
    { type: 'list-ask', copiesMin: run.copiesMin, leaves: run.leaves, after: run.after, deep },
    turn,
  )
  run.ownRequest = nextRequest(state)
  turn.list({
    asker: state.self,
    request: run.ownRequest,
    copiesMin: run.copiesMin,
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
      note(state, run, left as Key, own, mine++, theirs, -1)
    } else if (left === undefined || right < left) {
      note(state, run, right, own, -1, theirs, other++)
    } else {
      note(state, run, left, own, mine++, theirs, other++)
    }
  }
  run.after = bound ?? ''
  run.stage = 'mending'
  if (bound === undefined) {
    // What was listed is all that is in these leaves: their hashes must be its sum.
    const { partition } = state.self
    const leaves = run.leaves.length === 0 ? undefined : run.leaves
    const { copiesMin, sums, listedSince: since } = run
    run.counts.corrected += turn.correctLeaves({ partition, copiesMin, leaves, sums, since })
  }
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
): void {
  if (state.ring === undefined) return
  const { counts } = run
  const hash = hashOf(state.ring, key)
  const ownHigh = mine < 0 ? 0 : (own.signatures[2 * mine] as number)
  const ownLow = mine < 0 ? 0 : (own.signatures[2 * mine + 1] as number)
  counts.listed++
  if (mine >= 0) {
    const { partitions } = state.ring
    const at =
      leafOf(hash, partitions, leavesOf(partitions)) * limits.copiesMax + (own.copies[mine] as number) - 1
    const sum = run.sums.get(at) ?? { high: 0, low: 0 }
    run.sums.set(at, { high: sum.high ^ ownHigh, low: sum.low ^ ownLow })
  }
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
