// A page of a listing: the same page from R replicas of a partition, merged row by row. Replicas may end
// their pages at different keys; what lies beyond the earliest end is left for the next page.

import { onlyMalformed } from '../../base/bytes.js'
import type { Key, RequestId } from '../../base/units.js'
import { type Address, vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Scan, Walked } from '../../protocol/walk.js'
import { countBits, noteRead, noteReadFailed, readTally, readVerdict } from '../../quorum/tally.js'
import { preferenceList } from '../../ring/preference.js'
import { hashOf, type Ring } from '../../ring/ring.js'
import { merge } from '../../versions/merge.js'
import type { StoredObject } from '../../versions/object.js'
import { decodeObject } from '../../versions/object-codec.js'
import { generationOf, nextRequest, type Turn } from '../actor.js'
import { fail, open } from './open.js'
import { type GatewayState, isUp, type PendingScan } from './state.js'

export function scan(state: GatewayState, envelope: Envelope<Scan>, turn: Turn): void {
  const { message } = envelope
  const { ring } = state
  if (ring === undefined) {
    const client = envelope.from as Address<'client'>
    turn.send(client, { type: 'scan-failed', code: 'unavailable', details: {} }, envelope.request)
    return
  }
  const replicas = preferenceList(ring, message.partition).slice(0, message.n)
  const pending: PendingScan = {
    type: 'scan',
    envelope,
    tally: readTally(replicas.length, message.r),
    replicas,
    generations: replicas.map((node) => generationOf(state, node)),
    pages: [],
  }
  const request = nextRequest(state)
  const { prefix, after, limit, begunAt } = message
  const question = { type: 'walk', prefix, after, limit, begunAt, since: 0 } as const
  for (let index = 0; index < replicas.length; index++) {
    const node = replicas[index] as number
    if (isUp(state, node))
      turn.send(vnodeAddress(node, message.partition), question, request, envelope.deadline)
    else noteReadFailed(pending.tally, index)
  }
  open(state, request, pending, turn)
  settleScan(state, request, pending, turn)
}

export function walked(state: GatewayState, envelope: Envelope, message: Walked, turn: Turn): void {
  const pending = state.pending.get(envelope.request)
  if (pending === undefined || pending.type !== 'scan') return
  const index = pending.replicas.indexOf(envelope.from.node)
  if (index < 0) return
  pending.pages.push(message)
  noteRead(pending.tally, index, message.complete)
  settleScan(state, envelope.request, pending, turn)
}

export function walkFailed(state: GatewayState, envelope: Envelope, turn: Turn): void {
  const pending = state.pending.get(envelope.request)
  if (pending === undefined || pending.type !== 'scan') return
  const index = pending.replicas.indexOf(envelope.from.node)
  if (index < 0) return
  noteReadFailed(pending.tally, index)
  settleScan(state, envelope.request, pending, turn)
}

export function settleScan(state: GatewayState, request: RequestId, pending: PendingScan, turn: Turn): void {
  const verdict = readVerdict(pending.tally)
  if (verdict === 'waiting' || state.ring === undefined) return
  state.pending.delete(request)
  const { envelope, tally } = pending
  if (verdict === 'lost') {
    const reached = tally.n - countBits((tally.incomplete | tally.failed) & ~tally.complete)
    const details = { needed: tally.r, reached, of: pending.replicas.length }
    return fail(pending, 'unavailable', details, turn)
  }
  const { rows, next } = mergePages(state.ring, pending.pages, envelope.message)
  turn.send(envelope.from as Address<'client'>, { type: 'scan-answered', rows, next }, envelope.request)
}

interface MergedPage {
  readonly rows: readonly { readonly key: Key; readonly object: StoredObject }[]
  readonly next: string | undefined
}

function mergePages(ring: Ring, pages: readonly Walked[], message: Scan): MergedPage {
  let bound: string | undefined
  for (const page of pages) {
    if (page.next !== undefined && (bound === undefined || page.next < bound)) bound = page.next
  }
  const merged = new Map<Key, StoredObject>()
  for (const page of pages) {
    for (const row of page.rows) {
      if (bound !== undefined && row.key > bound) break
      try {
        const object = decodeObject(row.object, hashOf(ring, row.key))
        merged.set(row.key, merge(merged.get(row.key), object, message.conflicts))
      } catch (error) {
        // A damaged row of one replica is left out: the others have theirs.
        onlyMalformed(error)
      }
    }
  }
  const rows = [...merged].map(([key, object]) => ({ key, object }))
  return { rows, next: bound }
}
