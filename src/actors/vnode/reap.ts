// A vnode's part in forgetting what is dead: to say what it holds, for certain, and to forget it when told.
// What it says is said when it is durable: a tombstone that a power cut would take, or a deletion that it would
// undo, is not there.

import { type Signature, sign } from '../../merkle/signature.js'
import type { Address } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Reap, ReapAsk, ReapTold } from '../../protocol/reap.js'
import { looksWhole } from '../../versions/object-codec.js'
import { type Turn, unreadable } from '../actor.js'
import type { VnodeState } from './state.js'

const own: Signature = { high: 0, low: 0 }

export function reapAsk(state: VnodeState, envelope: Envelope, message: ReapAsk, turn: Turn): void {
  const { key, hash, stamp } = message
  // What is written after it must win against it, also where it is still there.
  state.lastStamp = Math.max(state.lastStamp, stamp)
  const reaper = envelope.from as Address<'reaper'>
  const other: ReapTold = { type: 'reap-told', verdict: 'other' }
  const found = turn.getEncoded(key, hash)
  const isSame = found !== undefined && found !== unreadable && isThat(found, message)
  if (!isCertain(state, message.epoch) || (found !== undefined && !isSame)) {
    return turn.send(reaper, other, envelope.request)
  }
  if (isSame) turn.persist('disk')
  const told: ReapTold = { type: 'reap-told', verdict: isSame ? 'held' : 'absent' }
  turn.sendDurable('disk', reaper, told, other, envelope.request)
}

/** Nothing of this partition is on its way to here or from here, and this node knows all that it should hold. */
function isCertain(state: VnodeState, epoch: number): boolean {
  const { ring, repair, receiving, gifts, clearing, complete } = state
  if (ring === undefined || ring.epoch !== epoch || ring.change !== undefined) return false
  if (repair !== undefined || receiving !== undefined || gifts.length > 0 || clearing !== 0) return false
  return complete || !state.preference.slice(0, ring.copies).includes(state.self.node)
}

function isThat(found: Uint8Array, { hash, high, low }: Reap | ReapAsk): boolean {
  sign(found, hash, own)
  return own.high === high && own.low === low && looksWhole(found, hash)
}

/** Whoever wrote it again meanwhile keeps it. */
export function reap(state: VnodeState, message: Reap, turn: Turn): void {
  const { key, hash } = message
  const found = turn.getEncoded(key, hash)
  if (found === undefined || found === unreadable || !isThat(found, message)) return
  turn.delete(state.self.partition, key, hash)
}
