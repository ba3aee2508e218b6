// The one door into the store: put, repair, a hint coming home, handoff and bulk load all end in `replicate`,
// which merges what comes with what is here. Idempotent, so every sender may send again.

import { Malformed } from '../../base/bytes.js'
import type { Address } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Level, Replicate, Replicated, ReplicateFailed } from '../../protocol/write.js'
import { noteFailed, noteStored } from '../../quorum/tally.js'
import { merge } from '../../versions/merge.js'
import { conflictsOf, isVolatile } from '../../versions/mode.js'
import type { StoredObject } from '../../versions/object.js'
import { decodeObject, isVolatileEncoded, looksWhole, newerOf } from '../../versions/object-codec.js'
import { type Turn, unreadable } from '../actor.js'
import { settle } from './put.js'
import { rowStored } from './repair.js'
import type { VnodeState } from './state.js'

export function replicate(state: VnodeState, envelope: Envelope, message: Replicate, turn: Turn): void {
  const sender = envelope.from as Address<'vnode'>
  const tooLarge = message.object.length > turn.objectBytesMax
  if (tooLarge || turn.overloaded) {
    const code = tooLarge ? 'value-too-large' : 'overloaded'
    turn.send(sender, { type: 'replicate-failed', code }, envelope.request)
    return
  }
  if (replaceLatest(state, envelope, message, turn)) return
  let incoming: StoredObject
  try {
    incoming = decodeObject(message.object, message.hash)
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    turn.send(sender, { type: 'replicate-failed', code: 'unreadable' }, envelope.request)
    return
  }
  const found = turn.get(message.key, message.hash)
  // An unreadable copy is replaced by the good one that came: what it may have held besides is with the
  // other replicas, and the clock that came has not seen it, so repair brings it back.
  const local = found === unreadable ? undefined : found
  const merged = merge(local, incoming, conflictsOf(incoming, local))
  const level = isVolatile(incoming) ? 'memory' : message.level
  if (merged !== local) turn.put(state.self.partition, message.key, message.hash, merged, level)
  else if (level !== 'memory') turn.persist(state.self.partition, message.key, message.hash, level)
  acknowledge(envelope, level, turn)
}

/** The common case without decoding: one last-write-wins value comes for another, or for none, and is newer. */
function replaceLatest(state: VnodeState, envelope: Envelope, message: Replicate, turn: Turn): boolean {
  const volatile = isVolatileEncoded(message.object)
  if (volatile === undefined) return false
  const local = turn.getEncoded(message.key, message.hash)
  if (local === unreadable) return false
  if (local !== undefined && newerOf(message.object, local) !== message.object) return false
  if (!looksWhole(message.object, message.hash)) return false
  const level = volatile ? 'memory' : message.level
  turn.putEncoded(state.self.partition, message.key, message.hash, message.object, level, volatile)
  acknowledge(envelope, level, turn)
  return true
}

function acknowledge(envelope: Envelope, level: Level, turn: Turn): void {
  turn.sendDurable(
    level,
    envelope.from as Address<'vnode'>,
    { type: 'replicated', level },
    { type: 'replicate-failed', code: 'storage-failed' },
    envelope.request,
  )
}

/** A replica has it: perhaps enough have, perhaps a page of repair is stored. */
export function replicated(state: VnodeState, envelope: Envelope, message: Replicated, turn: Turn): void {
  if (state.repair !== undefined && envelope.request === state.repair.request) {
    rowStored(state, turn)
    return
  }
  const pending = state.puts.get(envelope.request)
  if (pending === undefined) return
  const index = pending.replicas.indexOf(envelope.from.node)
  if (index < 0) return
  noteStored(pending.tally, index, pending.level === 'memory' || message.level === pending.level)
  settle(state, envelope.request, pending, turn)
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
  const pending = state.puts.get(envelope.request)
  if (pending === undefined) return
  const index = pending.replicas.indexOf(envelope.from.node)
  if (index < 0) return
  noteFailed(pending.tally, index)
  settle(state, envelope.request, pending, turn)
}
