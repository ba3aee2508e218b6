// The one door into the store: put, repair, a hint coming home, handoff and bulk load all end in `replicate`,
// which merges what comes with what is here. Idempotent, so every sender may send again.

import { assert } from '../../base/assert.js'
import { onlyMalformed } from '../../base/bytes.js'
import type { ErrorCode } from '../../base/errors.js'
import type { Key, Partition } from '../../base/units.js'
import type { Address } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import { replicatedMessage } from '../../protocol/replicated.js'
import type { Level, Replicate, Replicated, ReplicateFailed } from '../../protocol/write.js'
import { later, latestOf, merge } from '../../versions/merge.js'
import { conflictsOf, isVolatile } from '../../versions/mode.js'
import type { StoredObject } from '../../versions/object.js'
import {
  decodeObject,
  encodeObject,
  isLive,
  isVolatileEncoded,
  looksWhole,
  modeOf,
  replaces,
} from '../../versions/object-codec.js'
import { liveSiblings } from '../../versions/read.js'
import { type Turn, unreadable } from '../actor.js'
import { isOf, passedOn, passOn, relay, relayed, successor } from './give.js'
import { gaveBack } from './give-back.js'
import { askedIndex, hintRefused, noteCopy, settle, stepIn } from './lead.js'
import { rowStored } from './repair.js'
import { actorAfter, isAmong, type VnodeState } from './state.js'
import { itemRefused, itemStored } from './sync-mend.js'

export function replicate(state: VnodeState, envelope: Envelope, message: Replicate, turn: Turn): void {
  // Such a put comes by the ring of its sender, and nobody has looked at how large it is.
  if (isDirect(envelope)) {
    const code = isSettled(state, message)
      ? message.object.length > turn.objectBytesMax && 'value-too-large'
      : 'unavailable'
    if (code !== false) {
      refuse(envelope, code, turn)
      return
    }
  }
  const heir = state.gifts.length === 0 ? undefined : successor(state, modeOf(message.object).copies)
  if (heir !== undefined && !isOf(heir, envelope)) {
    // The one who has taken over is asked before anything is answered; and this node stores it all the same.
    relay(state, envelope, heir, turn)
    const own = { ...envelope, from: state.self, request: 0 }
    storeCopy(state.self.partition, message.key, own, message, turn)
    return
  }
  const outcome = storeCopy(state.self.partition, message.key, envelope, message, turn)
  if (outcome !== 'refused') passOn(state, message, turn)
  if (outcome === 'replaced') state.actor = actorAfter(state)
}

/** Of a put that no coordinator leads. A gateway mends stale copies too, and waits for no answer then. */
function isDirect({ from, request }: Envelope): boolean {
  return from.kind === 'gateway' && request !== 0
}

/** This node is one of the replicas of the object, and the ring is not about to say otherwise. */
function isSettled({ ring, gifts, preference, self }: VnodeState, { object }: Replicate): boolean {
  return (
    ring?.change === undefined && gifts.length === 0 && isAmong(preference, modeOf(object).copies, self.node)
  )
}

/** A copy that comes: of an object, or of one that is kept for another node (a hint, which has its own key). */
interface Copy {
  readonly hash: number
  readonly object: Uint8Array
  readonly level: Level
}

/**
 * Merges the copy with what is stored under `key` and answers. 'replaced': what was there could not be read, and what
 * this node had counted in it is lost to it.
 */
export function storeCopy(
  partition: Partition,
  key: Key,
  envelope: Envelope,
  copy: Copy,
  turn: Turn,
): 'stored' | 'replaced' | 'refused' {
  assert(envelope.deadline !== 0, 'a copy does not travel for ever')
  if (turn.now > envelope.deadline) return refuse(envelope, 'expired', turn)
  const bytesMax = Math.max(turn.objectBytesMax, turn.mergedBytesMax)
  const tooLarge = copy.object.length > bytesMax
  const isFull = turn.overloaded || turn.rarely('copy-overloaded')
  if (tooLarge || isFull) return refuse(envelope, tooLarge ? 'value-too-large' : 'overloaded', turn)
  if (replaceLatest(partition, key, envelope, copy, turn)) return 'stored'
  let incoming: StoredObject
  try {
    incoming = decodeObject(copy.object, copy.hash)
  } catch (error) {
    onlyMalformed(error)
    return refuse(envelope, 'unreadable', turn)
  }
  const found = turn.get(key, copy.hash)
  // An unreadable copy is replaced by the good one that came: what it may have held besides is with the
  // other replicas, and the clock that came has not seen it, so repair brings it back.
  const local = found === unreadable ? undefined : found
  const merged = merge(local, incoming, conflictsOf(incoming, local))
  if (merged !== local && encodeObject(merged, copy.hash).length > bytesMax) {
    return refuse(envelope, 'value-too-large', turn)
  }
  const level = isVolatile(incoming) ? 'memory' : copy.level
  if (merged !== local) turn.put(partition, key, copy.hash, merged, level)
  else if (level !== 'memory') turn.persist(level)
  // Only who leads without holding a copy must be told what was there.
  const isAsked = isDirect(envelope)
  const existed = isAsked && local !== undefined && liveSiblings(local, turn.wall).length > 0
  const overtaken = isAsked && merged !== incoming && isLater(merged, incoming)
  acknowledge(envelope, level, existed, overtaken, turn)
  return found === unreadable ? 'replaced' : 'stored'
}

function refuse(envelope: Envelope, code: ErrorCode, turn: Turn): 'refused' {
  turn.send(envelope.from as Address<'vnode'>, { type: 'replicate-failed', code }, envelope.request)
  return 'refused'
}

/** The common case without decoding: one last-write-wins value comes for another, or for none, and is newer. */
function replaceLatest(partition: Partition, key: Key, envelope: Envelope, copy: Copy, turn: Turn): boolean {
  const volatile = isVolatileEncoded(copy.object)
  if (volatile === undefined) return false
  const local = turn.locate(key, copy.hash)
  if (local === unreadable) return false
  if (local !== undefined && !replaces(copy.object, local)) return false
  if (!looksWhole(copy.object, copy.hash)) return false
  const level = volatile ? 'memory' : copy.level
  const existed = isDirect(envelope) && local !== undefined && isLive(local, turn.wall)
  turn.putEncoded(partition, key, copy.hash, copy.object, level, volatile)
  acknowledge(envelope, level, existed, false, turn)
  return true
}

function isLater(a: StoredObject, b: StoredObject): boolean {
  return later(latestOf(a), latestOf(b))
}

const notStored: ReplicateFailed = { type: 'replicate-failed', code: 'storage-failed' }

/** `existed`: a live value was there before. `overtaken`: what was there is later, and stays. */
function acknowledge(
  envelope: Envelope,
  level: Level,
  existed: boolean,
  overtaken: boolean,
  turn: Turn,
): void {
  const { from, request } = envelope
  const message = replicatedMessage(level, existed, overtaken)
  turn.sendDurable(level, from as Address<'vnode'>, message, notStored, request)
}

/** A replica has it: perhaps enough have, perhaps a page of repair is stored. */
export function replicated(state: VnodeState, envelope: Envelope, message: Replicated, turn: Turn): void {
  // Mostly of a put; a number is given to one question of this vnode only.
  const pending = state.puts.get(envelope.request)
  if (pending !== undefined) {
    const index = askedIndex(pending, envelope)
    if (index < 0) return
    noteCopy(pending, index, message.level)
    settle(state, envelope.request, pending, turn)
    return
  }
  if (state.repair !== undefined && envelope.request === state.repair.request) {
    rowStored(state, turn)
    return
  }
  if (itemStored(state, envelope, turn) || gaveBack(state, envelope, true, turn)) return
  if (!passedOn(state, envelope.request, true, turn)) relayed(state, envelope, turn)
}

export function replicateFailed(
  state: VnodeState,
  envelope: Envelope,
  message: ReplicateFailed,
  turn: Turn,
): void {
  if (state.repair !== undefined && envelope.request === state.repair.request) {
    rowStored(state, turn, message.code)
    return
  }
  if (itemRefused(state, envelope, message.code, turn) || gaveBack(state, envelope, false, turn)) return
  if (passedOn(state, envelope.request, false, turn) || relayed(state, envelope, turn)) return
  const pending = state.puts.get(envelope.request)
  if (pending === undefined) return
  const index = askedIndex(pending, envelope)
  if (index < 0) return
  const hasNoRoom = message.code === 'overloaded' && envelope.from.kind === 'courier'
  if (!hasNoRoom || !hintRefused(state, envelope.request, pending, index, turn)) {
    stepIn(state, envelope.request, pending, index, true, turn)
  }
  settle(state, envelope.request, pending, turn)
}
