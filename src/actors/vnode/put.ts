// The coordinator's part of a write, Dynamo 4.5: make the new version, note it here, send it to the other
// replicas, answer when W have it and DW of them durably.
//
// Invariant: a put that is refused has written nothing anywhere. After the coordinator has noted its own
// copy the put can only end ok or indeterminate. Everything that can be checked is checked before.
// Dynamo counts answers; we count replicas, by set, so a message that comes twice counts once.

import { crc32 } from 'node:zlib'
import { copyBytes, Malformed } from '../../base/bytes.js'
import type { ErrorCode, ErrorDetails } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { NodeId, RequestId } from '../../base/units.js'
import { type Address, vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import { isDecided, type Level, type Put } from '../../protocol/write.js'
import { countBits, noteFailed, noteStored, writeTally, writeVerdict } from '../../quorum/tally.js'
import { merge } from '../../versions/merge.js'
import { codecOf, conflictsOf, withMode } from '../../versions/mode.js'
import type { Sibling, StoredObject } from '../../versions/object.js'
import { decodeObject, encodeObject } from '../../versions/object-codec.js'
import { contextOf, liveSiblings } from '../../versions/read.js'
import { stampMillis } from '../../versions/stamp.js'
import { contextAfter, nextWriteStamp, write } from '../../versions/write.js'
import { type Turn, unreadable } from '../actor.js'
import { isUp, nextRequest, type PendingPut, type VnodeState } from './state.js'

/** How often a vnode that has open puts looks for passed deadlines. */
const sweepMs = 100

const nothing = Buffer.alloc(0)

export function put(state: VnodeState, envelope: Envelope, message: Put, turn: Turn): void {
  const replicas = state.preference.slice(0, message.n)
  if (!replicas.includes(state.self.node)) return forwardPut(state, envelope, replicas, turn)
  const local = whatIsThere(message, turn)
  if (local === unreadable) return refuse(envelope, 'unreadable', {}, turn)
  const refusal = refusalBeforeWrite(state, message, replicas, local, turn)
  if (refusal !== undefined) return refuse(envelope, refusal.code, refusal.details, turn)
  const object = newVersion(state, message, local, turn)
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
  lead(state, envelope, message, replicas, local, object, turn)
}

/** The own copy, and what the gateway has seen at others. */
function whatIsThere(message: Put, turn: Turn): StoredObject | undefined | typeof unreadable {
  const local = turn.get(message.key, message.hash)
  if (local === unreadable || message.seen === undefined) return local
  try {
    const seen = decodeObject(message.seen, message.hash)
    return merge(local, seen, conflictsOf(seen, local))
  } catch (error) {
    if (error instanceof Malformed) return unreadable
    throw error
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
  replicas: readonly NodeId[],
  local: StoredObject | undefined,
  turn: Turn,
): Refusal | undefined {
  let reached = 0
  for (const node of replicas) if (node === state.self.node || isUp(state, node)) reached++
  if (reached < message.w) {
    return { code: 'unavailable', details: { needed: message.w, reached, of: replicas.length } }
  }
  if (turn.overloaded) return { code: 'overloaded', details: { node: state.self.node } }
  if (crc32(message.value, message.hash) !== message.checksum) {
    return { code: 'value-invalid', details: { reason: 'damaged on its way' } }
  }
  for (const entry of message.context?.clock ?? []) {
    if (entry.actor === state.incarnation && entry.counter > state.counter) {
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

/** Makes the version: a dot that was never issued, a stamp later than all that it has seen. */
function newVersion(
  state: VnodeState,
  message: Put,
  local: StoredObject | undefined,
  turn: Turn,
): StoredObject {
  state.lastStamp = nextWriteStamp(local, message.context, state.lastStamp, turn.wall)
  state.counter++
  const live = local === undefined ? [] : liveSiblings(local, turn.wall)
  const touched = message.change === 'touch' ? live[0] : undefined
  const keptExpiry = message.keepExpiry ? (live[0]?.expires ?? 0) : message.expires
  const codec = touched === undefined ? message.encoding : codecOf(touched.encoding)
  const sibling: Sibling = {
    dot: { actor: state.incarnation, counter: state.counter },
    stamp: state.lastStamp,
    expires: message.change === 'delete' ? 0 : keptExpiry,
    deleted: message.change === 'delete',
    encoding: withMode(codec, message.conflicts, message.level === 'memory'),
    value: message.change === 'delete' ? nothing : (touched?.value ?? message.value),
  }
  // A touch is read here and written here: it has seen what is here.
  const context = touched !== undefined && local !== undefined ? contextOf(local) : message.context
  const seconds = Math.floor(stampMillis(state.lastStamp) / 1000)
  return write(local, context, sibling, message.conflicts, seconds)
}

/** Notes the own copy, sends the others theirs, and waits. */
function lead(
  state: VnodeState,
  envelope: Envelope,
  message: Put,
  replicas: readonly NodeId[],
  local: StoredObject | undefined,
  object: StoredObject,
  turn: Turn,
): void {
  const self = state.self
  const request = nextRequest(state)
  const tally = writeTally(replicas.length, message.w, message.dw)
  const hadValue = local !== undefined && liveSiblings(local, turn.wall).length > 0
  const pending: PendingPut = {
    envelope,
    tally,
    replicas,
    generations: replicas.map((node) => state.nodes[node]?.generation ?? 0),
    level: message.level,
    context: contextAfter(object, message.context, { actor: state.incarnation, counter: state.counter }),
    existed: hadValue,
    previous:
      message.returnPrevious && local !== undefined
        ? copyBytes(encodeObject(local, message.hash))
        : undefined,
    answered: false,
  }
  // dw replicas write through, at least one (Dynamo 6.1): the coordinator first, then in ring order.
  let writers = message.level === 'memory' ? 0 : Math.max(1, message.dw) - 1
  // With dw 0 nobody waits for that one: it goes into the log at once and is fsynced with what comes after.
  const own: Level = message.dw === 0 && message.level === 'disk' ? 'os' : message.level
  turn.put(self.partition, message.key, message.hash, object, own)
  const encoded = object.encoded ?? encodeObject(object, message.hash)
  for (let index = 0; index < replicas.length; index++) {
    const node = replicas[index] as NodeId
    if (node === self.node) {
      noteStored(tally, index, message.level === 'memory')
      if (message.level !== 'memory' && message.dw > 0) {
        const done = { type: 'replicated', level: message.level } as const
        const failed = { type: 'replicate-failed', code: 'storage-failed' } as const
        turn.sendDurable(message.level, self, done, failed, request)
      }
    } else if (isUp(state, node)) {
      const level: Level = writers > 0 ? message.level : 'memory'
      if (level !== 'memory') writers--
      const copy = {
        type: 'replicate',
        key: message.key,
        hash: message.hash,
        object: encoded,
        level,
      } as const
      turn.send(vnodeAddress(node, self.partition), copy, request)
    } else {
      noteFailed(tally, index)
    }
  }
  state.puts.set(request, pending)
  settle(state, request, pending, turn)
  if (!state.sweeping && state.puts.size > 0) {
    state.sweeping = true
    turn.after(sweepMs, self, { type: 'put-sweep-due' })
  }
}

/** Answers as soon as the outcome is certain, forgets when nothing more can come. */
export function settle(state: VnodeState, request: RequestId, pending: PendingPut, turn: Turn): void {
  const { tally, envelope } = pending
  const verdict = writeVerdict(tally)
  if (!pending.answered && verdict !== 'waiting') {
    pending.answered = true
    const requester = envelope.from as Address<'gateway'>
    if (verdict === 'ok') {
      const stored = countBits(tally.stored)
      const durable = countBits(tally.durable)
      const { context, level, existed, previous } = pending
      turn.send(
        requester,
        { type: 'put-answered', context, stored, durable, level, existed, previous },
        envelope.request,
      )
    } else {
      const details = {
        needed: tally.w,
        stored: countBits(tally.stored),
        durable: countBits(tally.durable),
        dw: tally.dw,
      }
      turn.send(requester, { type: 'put-failed', code: 'quorum-lost', details }, envelope.request)
    }
  }
  const all = (1 << tally.n) - 1
  const durableWanted = pending.level === 'memory' || countBits(tally.durable) >= tally.dw
  if (pending.answered && (tally.stored | tally.failed) === all && (durableWanted || verdict === 'lost')) {
    state.puts.delete(request)
  }
}

export function putSweepDue(state: VnodeState, turn: Turn): void {
  for (const [request, pending] of state.puts) {
    const { deadline, from, request: asked } = pending.envelope
    if (deadline === 0 || turn.now <= deadline) continue
    if (!pending.answered) {
      const { tally } = pending
      const details = {
        needed: tally.w,
        stored: countBits(tally.stored),
        durable: countBits(tally.durable),
        dw: tally.dw,
      }
      turn.send(from as Address<'gateway'>, { type: 'put-failed', code: 'deadline', details }, asked)
    }
    state.puts.delete(request)
  }
  state.sweeping = state.puts.size > 0
  if (state.sweeping) turn.after(sweepMs, state.self, { type: 'put-sweep-due' })
}
