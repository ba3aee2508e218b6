// Mending what a comparison found, key by key, a bounded number on their way at once: what the peer has comes
// here through the one door, and what is here then goes to the peer unless the peer has just that. So one key
// that differs is one transfer, or two when both had written.

import { copyBytes } from '../../base/bytes.js'
import { type Signature, sign } from '../../merkle/signature.js'
import { vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Fetched, FetchFailed } from '../../protocol/read.js'
import type { SyncPush } from '../../protocol/sync.js'
import { looksWhole } from '../../versions/object-codec.js'
import { nextRequest, type Turn, unreadable } from '../actor.js'
import { relayed } from './give.js'
import type { VnodeState } from './state.js'
import { end, itemOf } from './sync-run.js'
import type { SyncItem, SyncRun } from './sync-state.js'

/** Objects that are on their way at once: values can be large. */
const itemsMax = 16

/** The next keys, the next page, or the end. */
export function mendNext(state: VnodeState, run: SyncRun, turn: Turn): void {
  run.askedAt = turn.now
  while (run.items.size < itemsMax && run.queue.length > 0) {
    const item = run.queue.shift() as SyncItem
    const request = nextRequest(state)
    run.items.set(request, item)
    const { key, hash, high, low } = item
    if (item.stage === 'fetching') {
      turn.send(vnodeAddress(run.peer, state.self.partition), { type: 'fetch', key, hash }, request)
    } else {
      turn.send(state.self, { type: 'sync-push', key, hash, high, low }, request)
    }
  }
  if (run.items.size > 0) return
  if (run.after === '') return end(state, run, undefined, turn)
  run.stage = 'listing'
  turn.after(0, state.self, { type: 'sync-due' })
}

export function fetched(state: VnodeState, envelope: Envelope, message: Fetched, turn: Turn): void {
  if (relayed(state, envelope, turn)) return
  const item = itemOf(state, envelope)
  const { run } = state
  if (run === undefined || item?.stage !== 'fetching') return
  const { object } = message
  if (object === undefined) return itemDone(state, run, envelope.request, turn)
  run.counts.pulled++
  run.counts.bytes += object.length
  item.stage = 'storing'
  const { key, hash } = item
  const copy = { type: 'replicate', key, hash, object, level: 'os' } as const
  turn.send(state.self, copy, envelope.request, envelope.deadline)
}

export function fetchFailed(state: VnodeState, envelope: Envelope, message: FetchFailed, turn: Turn): void {
  if (relayed(state, envelope, turn)) return
  const { run } = state
  const item = itemOf(state, envelope)
  if (run === undefined || item === undefined) return
  if (message.code !== 'unreadable') return end(state, run, message.code, turn)
  // The peer's copy is damaged: it gets ours.
  run.counts.unread++
  push(state, item, 0, 0, envelope.request, turn)
}

function push(
  state: VnodeState,
  item: SyncItem,
  high: number,
  low: number,
  request: number,
  turn: Turn,
): void {
  item.stage = 'pushing'
  const { key, hash } = item
  turn.send(state.self, { type: 'sync-push', key, hash, high, low }, request)
}

/** An object of this comparison is stored, here or there; false when the envelope is not one of it. */
export function itemStored(state: VnodeState, envelope: Envelope, turn: Turn): boolean {
  const { run } = state
  const item = itemOf(state, envelope)
  if (run === undefined || item === undefined) return false
  if (item.stage === 'storing') push(state, item, item.high, item.low, envelope.request, turn)
  else itemDone(state, run, envelope.request, turn)
  return true
}

/** It was refused: the comparison fails, and whoever wanted it asks again. */
export function itemRefused(
  state: VnodeState,
  envelope: Envelope,
  code: FetchFailed['code'],
  turn: Turn,
): boolean {
  const { run } = state
  if (run === undefined || itemOf(state, envelope) === undefined) return false
  // A copy that changed on its way, or under the peer's hands: the next comparison sees what is there then.
  // What is too large here will be too large the next time.
  if (code === 'unreadable' || code === 'value-too-large') itemDone(state, run, envelope.request, turn)
  else end(state, run, code, turn)
  return true
}

function itemDone(state: VnodeState, run: SyncRun, request: number, turn: Turn): void {
  run.items.delete(request)
  mendNext(state, run, turn)
}

const own: Signature = { high: 0, low: 0 }

export function syncPush(state: VnodeState, envelope: Envelope, message: SyncPush, turn: Turn): void {
  const { run } = state
  if (run === undefined || itemOf(state, envelope) === undefined) return
  const { key, hash, high, low } = message
  const found = turn.getEncoded(key, hash)
  if (found === undefined || found === unreadable || !looksWhole(found, hash)) {
    return itemDone(state, run, envelope.request, turn)
  }
  sign(found, hash, own)
  if (own.high === high && own.low === low) return itemDone(state, run, envelope.request, turn)
  const object = copyBytes(found)
  run.counts.pushed++
  run.counts.bytes += object.length
  turn.send(
    vnodeAddress(run.peer, state.self.partition),
    { type: 'replicate', key, hash, object, level: 'os' },
    envelope.request,
    turn.travelEnd,
  )
}
