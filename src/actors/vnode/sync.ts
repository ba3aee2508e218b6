// Comparing one's partition with a peer's, Dynamo 4.7: the roots first, then what is under nodes that differ,
// down to leaves; and because a write that is on its way makes replicas differ for a moment, a second look a
// little later. What still differs is listed key by key (sync-list) and mended (sync-mend).
//
// One comparison at a time; others wait. Every question has a time by which it is given up, and a peer that
// dies ends the comparison: whoever wanted it hears so and may ask again.

import type { Millis, NodeId } from '../../base/units.js'
import { depthOf, differing, fanOut, leavesOf } from '../../merkle/tree.js'
import type { Envelope } from '../../protocol/envelope.js'
import { nothingDone, type Sync, type SyncFailed, type TreeTold } from '../../protocol/sync.js'
import { generationOf, type Turn } from '../actor.js'
import { isUp, type VnodeState } from './state.js'
import { askPage } from './sync-list.js'
import { answer, answerMs, armAlarm, ask, end } from './sync-run.js'
import type { SyncRun, SyncWanted } from './sync-state.js'
import { hashesOf } from './sync-tell.js'

/** A write is with all replicas, or known not to be, well before this. */
const settleMs: Millis = 200
/** Comparisons that wait; more are refused. */
const waitingMax = 64

export function sync(state: VnodeState, envelope: Envelope, message: Sync, turn: Turn): void {
  const wanted = { sync: message, requester: envelope.from, request: envelope.request }
  if (state.run === undefined) return begin(state, wanted, turn)
  if (state.syncsWaiting.length < waitingMax) state.syncsWaiting.push(wanted)
  else answer(wanted, nothingDone, 'overloaded', turn)
}

function begin(state: VnodeState, wanted: SyncWanted, turn: Turn): void {
  const { peer, deep } = wanted.sync
  if (!isUp(state, peer)) return answer(wanted, nothingDone, 'unavailable', turn)
  const run: SyncRun = {
    wanted,
    generation: generationOf(state, peer),
    request: 0,
    askedAt: turn.now,
    alarmAt: 0,
    stage: deep ? 'listing' : 'trees',
    settleDue: 0,
    copiesMin: wanted.sync.copiesMin === 0 ? placesOf(state, peer) : wanted.sync.copiesMin,
    parents: [],
    first: undefined,
    leaves: [],
    after: '',
    ownRequest: 0,
    own: undefined,
    theirs: undefined,
    listedSince: turn.now,
    sums: new Map(),
    queue: [],
    items: new Map(),
    counts: { ...nothingDone },
    keys: [],
    peer,
  }
  state.run = run
  if (deep) askPage(state, run, turn)
  else askHashes(state, run, 0, [0], turn)
}

/** An object that shall be on so many nodes is shared by both. */
function placesOf(state: VnodeState, peer: NodeId): number {
  return Math.max(state.preference.indexOf(state.self.node), state.preference.indexOf(peer)) + 1
}

function askHashes(
  state: VnodeState,
  run: SyncRun,
  level: number,
  parents: readonly number[],
  turn: Turn,
): void {
  ask(state, run, { type: 'tree-ask', copiesMin: run.copiesMin, level, parents }, turn)
}

export function treeTold(state: VnodeState, envelope: Envelope, message: TreeTold, turn: Turn): void {
  const { run } = state
  if (run === undefined || run.request !== envelope.request) return
  run.request = 0
  run.counts.messages++
  const { level, parents } = message
  const mine = hashesOf(state, run.copiesMin, level, parents, turn)
  const found: number[] = []
  const width = level === 0 ? 2 : 2 * fanOut
  parents.forEach((parent, index) => {
    const from = index * width
    const theirs = Uint32Array.from(message.hashes.slice(from, from + width))
    found.push(
      ...differing(Uint32Array.from(mine.slice(from, from + width)), theirs, level === 0 ? 0 : parent),
    )
  })
  if (found.length === 0) return end(state, run, undefined, turn)
  if (level < depthOf(leavesOf(state.ring?.partitions ?? 1)))
    return askHashes(state, run, level + 1, found, turn)
  if (run.stage === 'trees') {
    run.stage = 'settling'
    run.first = { mine, theirs: message.hashes }
    run.parents = parents
    run.settleDue = turn.now + settleMs
    turn.after(settleMs, state.self, { type: 'sync-due' })
    return
  }
  const { first } = run
  const leaves =
    run.wanted.sync.isRoutine && first !== undefined
      ? atRest(found, parents, first, mine, message.hashes)
      : found
  if (leaves.length === 0) return end(state, run, undefined, turn)
  run.stage = 'listing'
  run.leaves = leaves
  run.listedSince = turn.now
  askPage(state, run, turn)
}

/** Of the leaves that differ, those that nobody has written meanwhile. The others come again in the next round. */
function atRest(
  leaves: readonly number[],
  parents: readonly number[],
  first: NonNullable<SyncRun['first']>,
  mine: readonly number[],
  theirs: readonly number[],
): number[] {
  return leaves.filter((leaf) => {
    const at = 2 * (parents.indexOf(Math.floor(leaf / fanOut)) * fanOut + (leaf % fanOut))
    const isSame = (before: readonly number[], now: readonly number[]) =>
      before[at] === now[at] && before[at + 1] === now[at + 1]
    return isSame(first.mine, mine) && isSame(first.theirs, theirs)
  })
}

export function syncDue(state: VnodeState, turn: Turn): void {
  const { run } = state
  if (run === undefined) {
    const next = state.syncsWaiting.shift()
    if (next !== undefined) begin(state, next, turn)
    return
  }
  if (run.stage === 'listing' && run.request === 0 && run.ownRequest === 0) return askPage(state, run, turn)
  if (run.stage === 'settling' && turn.now >= run.settleDue) {
    run.stage = 'looking-again'
    askHashes(state, run, depthOf(leavesOf(state.ring?.partitions ?? 1)), run.parents, turn)
  } else if (turn.now >= run.askedAt + answerMs) {
    end(state, run, 'deadline', turn)
  } else if (turn.now >= run.alarmAt) {
    armAlarm(state, run, turn)
  }
}

export function syncFailed(state: VnodeState, envelope: Envelope, message: SyncFailed, turn: Turn): void {
  const { run } = state
  if (run !== undefined && run.request === envelope.request) end(state, run, message.code, turn)
}

/** The peer may be gone: then this comparison has no end of its own. */
export function syncPeersChanged(state: VnodeState, turn: Turn): void {
  const { run } = state
  if (run === undefined) return
  const isSame = state.nodes[run.peer]?.generation === run.generation
  if (!isUp(state, run.peer) || !isSame) end(state, run, 'unavailable', turn)
}
