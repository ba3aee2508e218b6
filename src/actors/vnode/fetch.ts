// A replica's part in a read: what it holds, and whether it may lack something. An unreadable copy is an
// error, never "not found": a reader that took it for absence would lose data with the next write.

import { copyBytes } from '../../base/bytes.js'
import type { NodeId } from '../../base/units.js'
import type { Address } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Fetch } from '../../protocol/read.js'
import { copiesOf } from '../../versions/mode.js'
import type { StoredObject } from '../../versions/object.js'
import { encodeObject } from '../../versions/object-codec.js'
import { type Turn, unreadable } from '../actor.js'
import { isOf, relay, successor } from './give.js'
import type { VnodeState } from './state.js'

export function fetch(state: VnodeState, envelope: Envelope, message: Fetch, turn: Turn): void {
  const requester = envelope.from as Address<'gateway'>
  const object = turn.get(message.key, message.hash)
  const heir = heirOf(state, object)
  if (heir !== undefined && !isOf(heir, envelope)) return relay(state, envelope, heir, turn)
  if (object === unreadable || turn.rarely('fetch-unreadable')) {
    turn.send(requester, { type: 'fetch-failed', code: 'unreadable' }, envelope.request)
    return
  }
  turn.send(
    requester,
    {
      type: 'fetched',
      object: object === undefined ? undefined : copyBytes(encodeObject(object, message.hash)),
      complete: state.complete,
    },
    envelope.request,
    turn.travelEnd,
  )
}

/** Who has taken over what is here of a key; of what is not here, whoever has taken over anything may know. */
function heirOf(state: VnodeState, object: StoredObject | typeof unreadable | undefined): NodeId | undefined {
  if (state.gifts.length === 0) return undefined
  if (object !== undefined && object !== unreadable) return successor(state, copiesOf(object))
  for (const { until } of state.gifts) {
    const heir = successor(state, until)
    if (heir !== undefined) return heir
  }
  return undefined
}
