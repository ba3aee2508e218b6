// A page of a listing: the same page from R replicas of a partition, merged row by row. Replicas may end
// their pages at different keys; what lies beyond the earliest end is left for the next page.
//
// A damaged row is a copy that cannot be read, never an absent key: the page of that replica ends before it, and
// where it would begin with it that replica has failed. So each row was read whole by R, or the page is refused.

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
import { type GatewayState, isUp, type PendingScan, type ReadPage, type ReadRow } from './state.js'

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
  const page = state.ring && readablePage(state.ring, message)
  if (page === undefined) {
    noteReadFailed(pending.tally, index)
  } else {
    pending.pages.push(page)
    noteRead(pending.tally, index, message.complete)
  }
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
  const { rows, next } = mergePages(pending.pages, envelope.message)
  turn.send(envelope.from as Address<'client'>, { type: 'scan-answered', rows, next }, envelope.request)
}

/** What can be read of a page, up to its first damaged row; undefined when that is nothing. */
function readablePage(ring: Ring, { rows, next }: Walked): ReadPage | undefined {
  const read: ReadRow[] = []
  for (const { key, object } of rows) {
    try {
      read.push({ key, object: decodeObject(object, hashOf(ring, key)) })
    } catch (error) {
      onlyMalformed(error)
      const last = read.at(-1)
      return last && { rows: read, next: last.key }
    }
  }
  return { rows: read, next }
}

function mergePages(pages: readonly ReadPage[], message: Scan): ReadPage {
  let bound: string | undefined
  for (const { next } of pages) {
    if (next !== undefined && (bound === undefined || next < bound)) bound = next
  }
  const merged = new Map<Key, StoredObject>()
  for (const page of pages) {
    for (const { key, object } of page.rows) {
      if (bound !== undefined && key > bound) break
      merged.set(key, merge(merged.get(key), object, message.conflicts))
    }
  }
  const rows = [...merged].map(([key, object]) => ({ key, object }))
  return { rows, next: bound }
}
