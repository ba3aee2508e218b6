// The waiting part of a write: every one of the first n nodes of the preference list has a place; whoever is
// asked for a copy has it for a place. Mostly that is the place's own node. For one that is down or does not
// keep up, the first healthy node further down the list stands in and keeps a hint (Dynamo 4.6, "the first N
// healthy nodes"), from the beginning or when the node asked drops out while it is waited for.
//
// Places are counted, not answers: a message that comes twice, or the owner's after its stand-in's, counts once.

import { copyBytes } from '../../base/bytes.js'
import type { ErrorCode, ErrorDetails } from '../../base/errors.js'
import type { NodeId, RequestId } from '../../base/units.js'
import { type Address, singleAddress, vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import { Copy, type Level, type Put } from '../../protocol/write.js'
import { countBits, noteAway, noteFailed, noteStored, WriteTally, writeVerdict } from '../../quorum/tally.js'
import type { Dot, StoredObject } from '../../versions/object.js'
import { encodeObject } from '../../versions/object-codec.js'
import { liveSiblings } from '../../versions/read.js'
import { seen } from '../../versions/vector.js'
import { contextAfter } from '../../versions/write.js'
import { generationOf, nextRequest, type Turn } from '../actor.js'
import { passOn } from './give.js'
import { isAmong, isHealthy, isUp, type PendingPut, type VnodeState } from './state.js'

/** How often a vnode that has open puts looks for passed deadlines. */
const sweepMs = 100

export interface NewVersion {
  readonly object: StoredObject
  readonly dot: Dot
  /** What was there before, as far as the coordinator knows. */
  readonly local: StoredObject | undefined
  /** Who has the places, and who may stand in. */
  readonly list: readonly NodeId[]
}

/** Notes the own copy, asks the others for theirs, and waits. */
export function lead(
  state: VnodeState,
  envelope: Envelope,
  message: Put,
  version: NewVersion,
  turn: Turn,
): void {
  const { self } = state
  const { local, object, dot, list } = version
  const request = nextRequest(state)
  const n = Math.min(message.n, list.length)
  const pending: PendingPut = {
    envelope,
    list,
    tally: new WriteTally(n, message.w, message.dw, message.pw),
    asked: [],
    places: [],
    generations: [],
    writers: 0,
    wasNeeded: 0,
    encoded: encodeObject(object, message.hash),
    travelEnd: turn.travelEnd,
    level: message.level,
    context: contextAfter(object, message.context, dot),
    existed: local !== undefined && !isOfSamePut(local, message) && liveSiblings(local, turn.wall).length > 0,
    previous:
      message.returnPrevious && local !== undefined
        ? copyBytes(encodeObject(local, message.hash))
        : undefined,
    answered: false,
  }
  state.puts.set(request, pending)
  // dw replicas write through, at least one (Dynamo 6.1): the coordinator first, then in ring order.
  let writers = message.level === 'memory' ? 0 : Math.max(1, message.dw)
  const ownPlace = list.indexOf(self.node)
  if (ownPlace >= 0 && ownPlace < n) {
    writers--
    noteOwn(state, request, pending, ownPlace, object, turn)
  } else if (isAmong(state.preference, n, self.node)) {
    // Another has taken over from this node and has its place; until all have heard of it, it keeps what it leads.
    turn.put(self.partition, message.key, message.hash, object, 'memory')
  }
  askOthers(state, request, pending, writers, turn)
  settle(state, request, pending, turn)
  if (!state.sweeping && state.puts.size > 0) {
    state.sweeping = true
    turn.after(sweepMs, self, { type: 'put-sweep-due' })
  }
}

/**
 * True when what is here came from the same put before it was led (gateway/direct.ts): that has its stamp for what the
 * writer has seen, and not its dot, as every context has that comes from a reading.
 */
function isOfSamePut(local: StoredObject, { conflicts, context }: Put): boolean {
  const [only] = local.siblings
  if (conflicts !== 'last-write-wins' || context === undefined || only === undefined) return false
  return only.stamp === context.stamp && !seen(context.clock, only.dot)
}

/** Asks for a copy for each place but the own one; the first `durable` of them shall write through. */
function askOthers(
  state: VnodeState,
  request: RequestId,
  pending: PendingPut,
  durable: number,
  turn: Turn,
): void {
  const { list, tally } = pending
  const message = pending.envelope.message as Put
  let writers = durable
  const levelFor = (node: NodeId, owner: NodeId): Level => {
    const counts = message.pw === 0 || node === owner
    return counts && writers-- > 0 ? message.level : 'memory'
  }
  // Those that do not keep up are not relied on when others are there.
  const late: [number, NodeId][] = []
  for (let place = 0; place < tally.n; place++) {
    const owner = list[place] as NodeId
    if (owner === state.self.node) continue
    const node = owner === message.standsInFor ? state.self.node : holderOf(state, pending, owner)
    if (node !== owner) noteAway(tally, place)
    if (node === undefined) {
      noteFailed(tally, place)
      keepHere(state, pending, place, turn)
    } else if (isHealthy(state, node)) {
      ask(state, request, pending, place, node, levelFor(node, owner), turn)
    } else {
      late.push([place, node])
    }
  }
  for (const [place, node] of late) {
    ask(state, request, pending, place, node, levelFor(node, list[place] as NodeId), turn)
  }
}

function noteOwn(
  state: VnodeState,
  request: RequestId,
  pending: PendingPut,
  place: number,
  object: StoredObject,
  turn: Turn,
): void {
  const { self } = state
  const { key, hash, dw, level } = pending.envelope.message as Put
  // With dw 0 nobody waits for that one: it goes into the log at once and is fsynced with what comes after.
  turn.put(self.partition, key, hash, object, dw === 0 && level === 'disk' ? 'os' : level)
  passOn(state, { key, hash, object: pending.encoded, level: dw === 0 ? 'memory' : level }, turn)
  pending.asked.push(self.node)
  pending.places.push(place)
  pending.generations.push(0)
  noteStored(pending.tally, place, level === 'memory')
  if (level === 'memory' || dw === 0) return
  pending.writers |= 1 << place
  const done = { type: 'replicated', level } as const
  const failed = { type: 'replicate-failed', code: 'storage-failed' } as const
  turn.sendDurable(level, self, done, failed, request)
}

/** The owner when it is healthy, else the next that can stand in, else the owner if it lives at all. */
function holderOf(state: VnodeState, pending: PendingPut, owner: NodeId): NodeId | undefined {
  if (isHealthy(state, owner) || (pending.tally.pw > 0 && isUp(state, owner))) return owner
  return nextStandIn(state, pending) ?? (isUp(state, owner) ? owner : undefined)
}

function nextStandIn(state: VnodeState, pending: PendingPut): NodeId | undefined {
  const { list } = pending
  const { standsInFor } = pending.envelope.message as Put
  for (let index = pending.tally.n; index < list.length; index++) {
    const node = list[index] as NodeId
    if (pending.asked.includes(node) || !isHealthy(state, node)) continue
    if (node !== state.self.node || standsInFor === 0) return node
  }
  return undefined
}

function ask(
  state: VnodeState,
  request: RequestId,
  pending: PendingPut,
  place: number,
  node: NodeId,
  level: Level,
  turn: Turn,
  needed = false,
): void {
  const { key, hash } = pending.envelope.message as Put
  const object = pending.encoded
  const owner = pending.list[place] as NodeId
  if (level !== 'memory' && (pending.tally.pw === 0 || node === owner)) pending.writers |= 1 << place
  pending.asked.push(node)
  pending.places.push(place)
  pending.generations.push(generationOf(state, node))
  if (node === owner) {
    const copy = new Copy(key, hash, object, level)
    turn.send(vnodeAddress(node, state.self.partition), copy, request, pending.travelEnd)
  } else {
    const hint = { type: 'keep', owner, key, hash, object, level, needed } as const
    turn.send(singleAddress('courier', node), hint, request, pending.travelEnd)
  }
}

/** Whoever was asked has it. The latest word for a place is what counts; the index is that of `asked`. */
export function noteCopy(pending: PendingPut, index: number, level: Level): void {
  const place = pending.places[index] as number
  const atHome = pending.asked[index] === pending.list[place]
  // Where nobody may stand in, nobody may be durable for another either: a read of the homes would not see it.
  const isDurable = level === pending.level && (pending.tally.pw === 0 || atHome)
  noteStored(pending.tally, place, pending.level === 'memory' || isDurable, atHome)
}

/** Where in `asked` this answer belongs, or -1. A coordinator that stands in has asked its own courier. */
export function askedIndex(pending: PendingPut, envelope: Envelope): number {
  return pending.asked.indexOf(envelope.from.node)
}

/** One that was asked will not answer, or not soon: another takes its place, if there is one. */
export function stepIn(
  state: VnodeState,
  request: RequestId,
  pending: PendingPut,
  index: number,
  isLost: boolean,
  turn: Turn,
): void {
  const { tally } = pending
  const place = pending.places[index] as number
  const bit = 1 << place
  const wantsDurable = pending.level !== 'memory' && tally.dw > countBits(tally.durable)
  const isDone = (tally.stored & bit) !== 0 && (!wantsDurable || (tally.durable & bit) !== 0)
  // Somebody else was asked for this place since.
  const isReplaced = pending.places.lastIndexOf(place) !== index
  const isHome = pending.asked[index] === pending.list[place]
  if (isLost && isHome && (tally.home & bit) === 0) noteAway(tally, place)
  if (isDone || isReplaced) return
  pending.writers &= ~bit
  const node = nextStandIn(state, pending)
  // A write that must be at home still waits for who is only slow.
  if (isHome && node !== undefined && tally.pw === 0) noteAway(tally, place)
  if (node !== undefined)
    ask(state, request, pending, place, node, wantsDurable ? pending.level : 'memory', turn)
  else if (isLost) {
    noteFailed(tally, place)
    keepHere(state, pending, place, turn)
  }
}

/** Nobody can stand in: the coordinator keeps a hint beside its own copy. It counts for nothing, and comes home. */
function keepHere(state: VnodeState, pending: PendingPut, place: number, turn: Turn): void {
  const { key, hash } = pending.envelope.message as Put
  const owner = pending.list[place] as NodeId
  const object = pending.encoded
  const hint = { type: 'keep', owner, key, hash, object, level: 'memory', needed: false } as const
  // What is too old to travel is in the store or was replaced there: a comparison finds it, or what replaced it.
  if (turn.now > pending.travelEnd) {
    return turn.send(singleAddress('mender', state.self.node), { type: 'mend-wanted', owner })
  }
  // Nobody waits for the answer.
  turn.send(singleAddress('courier', state.self.node), hint, nextRequest(state), pending.travelEnd)
}

/** A courier has no room for the hint. It is asked to keep it all the same when the write cannot do without. */
export function hintRefused(
  state: VnodeState,
  request: RequestId,
  pending: PendingPut,
  index: number,
  turn: Turn,
): boolean {
  const { tally } = pending
  const place = pending.places[index] as number
  const hopeful = ((1 << tally.n) - 1) & ~tally.failed & ~(1 << place)
  if (countBits(tally.stored | hopeful) >= tally.w) return false
  // It was told so already: its node has no room at all.
  if (((pending.wasNeeded >>> place) & 1) === 1) return false
  pending.wasNeeded |= 1 << place
  const node = pending.asked[index] as NodeId
  pending.asked[index] = 0
  ask(state, request, pending, place, node, pending.level, turn, true)
  return true
}

/** One that was to write through has dropped out: another that has the copy in memory is asked to. */
function askForMore(state: VnodeState, request: RequestId, pending: PendingPut, turn: Turn): void {
  const { tally, level } = pending
  if (level === 'memory' || tally.dw === 0) return
  const { key, hash } = pending.envelope.message as Put
  for (let index = 0; index < pending.asked.length; index++) {
    if (countBits(pending.writers | tally.durable) >= tally.dw) return
    const place = pending.places[index] as number
    const bit = 1 << place
    const node = pending.asked[index] as NodeId
    const hasIt = (tally.stored & bit) !== 0 && ((tally.durable | pending.writers) & bit) === 0
    if (!hasIt || node === state.self.node || node !== pending.list[place] || !isHealthy(state, node))
      continue
    pending.writers |= bit
    const copy = new Copy(key, hash, pending.encoded, level)
    turn.send(vnodeAddress(node, state.self.partition), copy, request, pending.travelEnd)
  }
}

/** Answers as soon as the outcome is certain, forgets when nothing more can come. */
export function settle(state: VnodeState, request: RequestId, pending: PendingPut, turn: Turn): void {
  const { tally, envelope } = pending
  askForMore(state, request, pending, turn)
  const verdict = writeVerdict(tally)
  if (!pending.answered && verdict !== 'waiting') {
    pending.answered = true
    if (verdict === 'ok') {
      const { context, level, existed, previous } = pending
      const stored = countBits(tally.stored)
      const durable = countBits(tally.durable)
      turn.send(
        envelope.from as Address<'gateway'>,
        { type: 'put-answered', context, stored, durable, level, existed, previous },
        envelope.request,
      )
    } else {
      fail(pending, 'quorum-lost', turn)
    }
  }
  const all = (1 << tally.n) - 1
  const durableWanted = pending.level === 'memory' || countBits(tally.durable) >= tally.dw
  if (pending.answered && (tally.stored | tally.failed) === all && (durableWanted || verdict === 'lost')) {
    state.puts.delete(request)
  }
}

function fail(pending: PendingPut, code: ErrorCode, turn: Turn): void {
  const { tally, envelope } = pending
  const details: ErrorDetails = {
    needed: tally.w,
    stored: countBits(tally.stored),
    durable: countBits(tally.durable),
    dw: tally.dw,
    ...(tally.pw > 0 && { pw: tally.pw, atHome: countBits(tally.home) }),
  }
  turn.send(envelope.from as Address<'gateway'>, { type: 'put-failed', code, details }, envelope.request)
}

export function putSweepDue(state: VnodeState, turn: Turn): void {
  for (const [request, pending] of state.puts) {
    const { deadline } = pending.envelope
    if (deadline === 0 || turn.now <= deadline) continue
    if (!pending.answered) fail(pending, 'deadline', turn)
    state.puts.delete(request)
    // Who lives and has said nothing may never have heard of it.
    const { n, stored, failed } = pending.tally
    for (let place = 0; place < n; place++) {
      if ((((stored | failed) >>> place) & 1) === 0) keepHere(state, pending, place, turn)
    }
  }
  state.sweeping = state.puts.size > 0
  if (state.sweeping) turn.after(sweepMs, state.self, { type: 'put-sweep-due' })
}
