// A replica's part in a read: what it holds, and whether it may lack something. An unreadable copy is an
// error, never "not found": a reader that took it for absence would lose data with the next write.

import { copyBytes } from '../../base/bytes.js'
import type { Address } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Fetch } from '../../protocol/read.js'
import { encodeObject } from '../../versions/object-codec.js'
import { type Turn, unreadable } from '../actor.js'
import { isOf, relay, successor } from './give.js'
import type { VnodeState } from './state.js'

export function fetch(state: VnodeState, envelope: Envelope, message: Fetch, turn: Turn): void {
  const heir = successor(state)
  if (heir !== undefined && !isOf(heir, envelope)) return relay(state, envelope, heir, turn)
  const requester = envelope.from as Address<'gateway'>
  const object = turn.get(message.key, message.hash)
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
