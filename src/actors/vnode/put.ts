// The coordinator's part of a write, Dynamo 4.5: decide whether it may be, and make the new version. Noting it,
// sending it to the others and waiting for W of them is in lead.ts.
//
// Invariant: a put that is refused has written nothing anywhere. After the coordinator has noted its own
// copy the put can only end ok or indeterminate. Everything that can be checked is checked before.
// Dynamo counts answers; we count replicas, by set, so a message that comes twice counts once.

import { onlyMalformed } from '../../base/bytes.js'
import { crc32 } from '../../base/crc.js'
import type { ErrorCode, ErrorDetails } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { NodeId } from '../../base/units.js'
import { type Address, vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import { hintKey } from '../../protocol/hint.js'
import { isDecided, type Put } from '../../protocol/write.js'
import { preferenceAfter } from '../../ring/preference.js'
import { merge } from '../../versions/merge.js'
import { codecOf, conflictsOf, withMode } from '../../versions/mode.js'
import type { Dot, Sibling, StoredObject } from '../../versions/object.js'
import { decodeObject, encodeObject } from '../../versions/object-codec.js'
import { contextOf, liveSiblings } from '../../versions/read.js'
import { stampSeconds } from '../../versions/stamp.js'
import { nextWriteStamp, write } from '../../versions/write.js'
import { type Turn, unreadable } from '../actor.js'
import { decides } from './decide.js'
import { successor } from './give.js'
import { lead } from './lead.js'
import { actorAfter, isAmong, isHealthy, isUp, type VnodeState } from './state.js'

const nothing = Buffer.alloc(0)

export function put(state: VnodeState, envelope: Envelope, message: Put, turn: Turn): void {
  if (message.standsInFor === 0 && isDecided(message) && !decides(state, envelope, message, turn)) return
  const list = listFor(state, message)
  const replicas = list.slice(0, message.n)
  const isPrimary =
    replicas.includes(state.self.node) || isAmong(state.preference, message.n, state.self.node)
  if (!isPrimary && message.standsInFor === 0) return forwardPut(state, envelope, replicas, turn)
  // Whoever sent it has another ring, by which this node is none of the first n.
  if (isPrimary && message.standsInFor !== 0) {
    return turn.forward({ ...envelope, message: { ...message, standsInFor: 0 } }, state.self)
  }
  // What the gateway has seen may be gone everywhere by now.
  if (message.seen !== undefined && turn.now > message.seenUntil) return refuse(envelope, 'expired', {}, turn)
  const local = whatIsThere(message, isPrimary, turn)
  if (local === unreadable) return refuse(envelope, 'unreadable', {}, turn)
  const refusal = refusalBeforeWrite(state, message, list, local, turn)
  if (refusal !== undefined) return refuse(envelope, refusal.code, refusal.details, turn)
  const dot = isPrimary ? nextDot(state, message, local) : nextDotOfStandIn(state, message, local)
  const object = newVersion(state, message, local, dot, turn)
  if (object.siblings.length > Math.max(limits.siblingsMax, local?.siblings.length ?? 0)) {
    return refuse(
      envelope,
      'too-many-siblings',
      { siblings: object.siblings.length, limit: limits.siblingsMax },
      turn,
    )
  }
  const bytes = encodeObject(object, message.hash).length
  if (bytes > turn.objectBytesMax) {
    return refuse(envelope, 'value-too-large', { bytes, limit: turn.objectBytesMax }, turn)
  }
  lead(state, envelope, message, { local, object, dot, list }, turn)
}

/**
 * Who has a place in a write that is led here: as the ring says. While it changes, who has taken over from this node
 * has its place; and whoever is asked although it has none yet was asked by one who has heard that all have moved.
 */
function listFor(state: VnodeState, { n, standsInFor }: Put): readonly NodeId[] {
  const { ring, preference, gifts, self } = state
  if (ring?.change !== undefined && standsInFor === 0 && !isAmong(preference, n, self.node)) {
    const after = preferenceAfter(ring, self.partition)
    if (isAmong(after, n, self.node)) return after
  }
  const heir = gifts.length === 0 ? undefined : successor(state, n)
  return heir === undefined ? preference : preference.map((node) => (node === self.node ? heir : node))
}

/** The own copy, or the hint that this node keeps when it stands in; and what the gateway has seen at others. */
function whatIsThere(
  message: Put,
  isPrimary: boolean,
  turn: Turn,
): StoredObject | undefined | typeof unreadable {
  const key = isPrimary ? message.key : hintKey(message.standsInFor, message.key)
  const local = turn.get(key, message.hash)
  if (local === unreadable || message.seen === undefined) return local
  try {
    const seen = decodeObject(message.seen, message.hash)
    return merge(local, seen, conflictsOf(seen, local))
  } catch (error) {
    onlyMalformed(error)
    return unreadable
  }
}

/** A client with an old ring, or none: Dynamo 4.5 forwards to the first of the top N. */
function forwardPut(state: VnodeState, envelope: Envelope, replicas: readonly NodeId[], turn: Turn): void {
  const first = replicas.find((node) => isUp(state, node))
  if (first === undefined) return refuse(envelope, 'unavailable', { needed: 1, reached: 0 }, turn)
  turn.forward(envelope, vnodeAddress(first, state.self.partition))
}

function refuse(envelope: Envelope, code: ErrorCode, details: ErrorDetails, turn: Turn): void {
  turn.send(envelope.from as Address<'gateway'>, { type: 'put-failed', code, details }, envelope.request)
}

interface Refusal {
  readonly code: ErrorCode
  readonly details: ErrorDetails
}

function refusalBeforeWrite(
  state: VnodeState,
  message: Put,
  list: readonly NodeId[],
  local: StoredObject | undefined,
  turn: Turn,
): Refusal | undefined {
  const replicas = list.slice(0, message.n)
  let atHome = 0
  for (const node of replicas) if (node === state.self.node || isUp(state, node)) atHome++
  let reached = atHome
  for (let index = replicas.length; index < list.length && reached < replicas.length; index++) {
    if (isHealthy(state, list[index] as NodeId)) reached++
  }
  if (reached < message.w) {
    return { code: 'unavailable', details: { needed: message.w, reached, of: replicas.length } }
  }
  const isHomeDurable = message.pw > 0 && message.level !== 'memory'
  if (atHome < message.pw || (isHomeDurable && atHome < message.dw)) {
    return {
      code: 'unavailable',
      details: { needed: message.w, pw: message.pw, atHome, of: replicas.length },
    }
  }
  if (turn.overloaded || turn.rarely('put-overloaded'))
    return { code: 'overloaded', details: { node: state.self.node } }
  if (crc32(message.value, message.hash) !== message.checksum) {
    return { code: 'value-invalid', details: { reason: 'damaged on its way' } }
  }
  for (const entry of message.context?.clock ?? []) {
    if (entry.actor === state.actor && entry.counter > state.counter) {
      return { code: 'context-invalid', details: { reason: 'names a write that was never made' } }
    }
  }
  return conditionRefusal(state, message, local, turn)
}

function conditionRefusal(
  state: VnodeState,
  message: Put,
  local: StoredObject | undefined,
  turn: Turn,
): Refusal | undefined {
  if (!isDecided(message)) return undefined
  // A decision on what is here needs all of it to be here.
  if (!state.complete) return { code: 'recovering', details: { node: state.self.node } }
  const live = local === undefined ? [] : liveSiblings(local, turn.wall)
  if (message.condition === 'absent' && live.length > 0)
    return { code: 'condition-failed', details: { exists: true } }
  const mustExist = message.condition === 'present' || message.change === 'touch'
  if (mustExist && live.length === 0) return { code: 'condition-failed', details: { exists: false } }
  if (message.change === 'touch' && live.length > 1) {
    return { code: 'too-many-siblings', details: { siblings: live.length, limit: 1 } }
  }
  return undefined
}

/** A dot that was never issued. */
function nextDot(state: VnodeState, message: Put, local: StoredObject | undefined): Dot {
  // A copy that is kept in memory only may have been let go: then what it counted is not here.
  if (local === undefined && message.level === 'memory') return newActor(state)
  state.counter++
  return { actor: state.actor, counter: state.counter }
}

/**
 * The same for one that stands in. A clock entry stands for all events of its actor up to a counter, so who goes on
 * counting must hold all that it has counted before. What a stand-in led is in its hint, until that is delivered and
 * gone: it goes on counting as long as the hint has its last write, and is a new actor when not.
 */
function nextDotOfStandIn(state: VnodeState, message: Put, local: StoredObject | undefined): Dot {
  const hint = hintKey(message.standsInFor, message.key)
  const last = state.standIns.get(hint)
  const holdsLast = local?.clock.some(
    ({ actor, counter }) => actor === last?.actor && counter === last.counter,
  )
  if (state.standIns.size > standInsMax) state.standIns.clear()
  const dot =
    last !== undefined && holdsLast ? { actor: last.actor, counter: last.counter + 1 } : newActor(state)
  state.standIns.set(hint, dot)
  return dot
}

/** Hints of which the last dot is remembered; one that is forgotten costs an entry of its clock. */
const standInsMax = 10_000

function newActor(state: VnodeState): Dot {
  return { actor: actorAfter(state), counter: 1 }
}

/** Makes the version, with a stamp later than all that it has seen. */
function newVersion(
  state: VnodeState,
  message: Put,
  local: StoredObject | undefined,
  dot: Dot,
  turn: Turn,
): StoredObject {
  state.lastStamp = nextWriteStamp(local, message.context, state.lastStamp, turn.wall)
  const live = local === undefined ? [] : liveSiblings(local, turn.wall)
  const touched = message.change === 'touch' ? live[0] : undefined
  const keptExpiry = message.keepExpiry ? (live[0]?.expires ?? 0) : message.expires
  const codec = touched === undefined ? message.encoding : codecOf(touched.encoding)
  const sibling: Sibling = {
    dot,
    stamp: state.lastStamp,
    expires: message.change === 'delete' ? 0 : keptExpiry,
    deleted: message.change === 'delete',
    encoding: withMode(codec, message.conflicts, message.level === 'memory', message.n),
    value: message.change === 'delete' ? nothing : (touched?.value ?? message.value),
  }
  // A touch is read here and written here: it has seen what is here.
  const context = touched !== undefined && local !== undefined ? contextOf(local) : message.context
  return write(local, context, sibling, message.conflicts, stampSeconds(state.lastStamp))
}
