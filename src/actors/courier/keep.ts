// Keeping: a write for a node that is away, merged with what is kept for it already, through the one door.

import { limits } from '../../base/limits.js'
import type { Address } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import { type FetchKept, hintKey, type Keep } from '../../protocol/hint.js'
import { partitionOf } from '../../ring/ring.js'
import { type Turn, unreadable } from '../actor.js'
import { storeCopy } from '../vnode/replica.js'
import { look } from './deliver.js'
import { type CourierState, lost, owedTo } from './state.js'

export function keep(state: CourierState, envelope: Envelope, message: Keep, turn: Turn): void {
  const { ring } = state
  const { owner, key, hash, object } = message
  const known = state.owners.get(owner)
  const isFull = (known?.bytes ?? 0) + object.length > limits.hintBytesMax || turn.rarely('hint-refused')
  const isOld = known !== undefined && known.count > 0 && turn.now - known.since > limits.hintAgeMsMax
  if (ring === undefined || ((isFull || isOld) && !message.needed)) {
    state.refused++
    lost(state, owner, turn)
    turn.send(
      envelope.from as Address<'vnode'>,
      { type: 'replicate-failed', code: 'overloaded' },
      envelope.request,
    )
    return
  }
  const hint = hintKey(owner, key)
  const before = turn.getEncoded(hint, hash)
  if (before === unreadable) {
    // What is kept may be the only copy of something: it is not to be replaced because it could not be read once.
    const failed = { type: 'replicate-failed', code: 'unreadable' } as const
    return turn.send(envelope.from as Address<'vnode'>, failed, envelope.request)
  }
  const bytesBefore = before === undefined ? -key.length : before.length
  if (storeCopy(partitionOf(ring, hash), hint, envelope, message, turn) === 'refused') return
  const owed = owedTo(state, owner, turn.now)
  if (owed.count === 0) owed.since = turn.now
  if (before === undefined) owed.count++
  owed.bytes += object.length - bytesBefore
  owed.keptSince++
  owed.round?.touched.add(hint)
  const sent = state.sentByHint.get(hint)
  if (sent !== undefined) sent.isStale = true
  look(state, turn)
}

/** What is kept of a key: the answer of a stand-in. Nothing kept proves nothing about the key. */
export function fetchKept(_state: CourierState, envelope: Envelope, message: FetchKept, turn: Turn): void {
  const requester = envelope.from as Address<'gateway'>
  const found = turn.getEncoded(hintKey(message.owner, message.key), message.hash)
  if (found === unreadable) {
    turn.send(requester, { type: 'fetch-failed', code: 'unreadable' }, envelope.request)
    return
  }
  const object = found === undefined ? undefined : Uint8Array.from(found)
  turn.send(requester, { type: 'kept', owner: message.owner, object }, envelope.request, turn.travelEnd)
}

/** Whether anything is kept for anybody. Hints that were deleted and would come back with a power cut are kept. */
export function hintsAsk(state: CourierState, envelope: Envelope, turn: Turn): void {
  const reaper = envelope.from as Address<'reaper'>
  const none = state.ring !== undefined && state.owners.size === 0 && state.drops.size === 0
  const some = { type: 'hints-told', none: false } as const
  if (!none) return turn.send(reaper, some, envelope.request)
  turn.sendDurable('disk', reaper, { type: 'hints-told', none: true }, some, envelope.request)
}
