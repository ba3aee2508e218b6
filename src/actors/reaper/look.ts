// Looking for what is dead: page by page through the partitions of which this node is the first replica, with a
// pause between two pages so that the foreground does not feel it. When a whole round has met nothing that is or
// will be dead, the next waits until such a thing is written.

import { onlyMalformed } from '../../base/bytes.js'
import { limits } from '../../base/limits.js'
import type { Millis, Partition } from '../../base/units.js'
import { type Signature, sign } from '../../merkle/signature.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { RowsRead } from '../../protocol/walk.js'
import { preferenceList } from '../../ring/preference.js'
import { hashOf, type Ring } from '../../ring/ring.js'
import { copiesOf, isVolatile } from '../../versions/mode.js'
import type { StoredObject } from '../../versions/object.js'
import { decodeObject, isMortal } from '../../versions/object-codec.js'
import { contextOf } from '../../versions/read.js'
import { stampMillis } from '../../versions/stamp.js'
import { nextRequest, type Turn } from '../actor.js'
import type { ReaperState } from './state.js'
import { askAll } from './vote.js'

/** A page that has not come by then is lost. */
const answerMs: Millis = 10_000
/** Between two rounds, when there is something to be found. */
const roundMsMax: Millis = 60_000

/** Asks for the next page, when it is time for one. */
export function look(state: ReaperState, turn: Turn): void {
  const { ring, page } = state
  if (ring === undefined || (page !== undefined && turn.now < page.askedAt + answerMs)) return
  state.page = undefined
  if (state.candidates.size + limits.walkRowsMax > limits.reapsMax) return
  if (state.partitions.length === 0 && !beginRound(state, ring, turn)) return
  const partition = state.partitions[0] as Partition
  state.page = { request: nextRequest(state), partition, askedAt: turn.now }
  turn.walk({
    asker: state.self,
    partition,
    owner: 0,
    request: state.page.request,
    prefix: '',
    after: state.after,
    limit: limits.walkRowsMax,
    begunAt: turn.now,
    since: 0,
  })
}

function beginRound(state: ReaperState, ring: Ring, turn: Turn): boolean {
  if (turn.now < state.roundDue) return false
  state.roundDue = turn.now + Math.min(turn.reapAfterMs, roundMsMax)
  if (!state.isMortalSeen && state.mortalsSeen === turn.mortals) return false
  state.isMortalSeen = false
  state.mortalsSeen = turn.mortals
  state.after = ''
  for (let partition = 0; partition < ring.partitions; partition++) {
    if (preferenceList(ring, partition)[0] === state.self.node) state.partitions.push(partition)
  }
  return state.partitions.length > 0
}

export function rowsRead(state: ReaperState, envelope: Envelope, message: RowsRead, turn: Turn): void {
  const { page, ring } = state
  if (page === undefined || page.request !== envelope.request) return
  state.page = undefined
  if (ring === undefined || message.failed || state.partitions[0] !== page.partition) return
  for (const { key, object } of message.rows) {
    if (!isMortal(object)) continue
    state.isMortalSeen = true
    if (state.keys.has(key)) continue
    const hash = hashOf(ring, key)
    const dead = deadObject(object, hash, turn)
    if (dead === undefined) continue
    const signature: Signature = { high: 0, low: 0 }
    sign(object, hash, signature)
    const { stamp } = contextOf(dead)
    const copies = copiesOf(dead)
    askAll(state, { partition: page.partition, key, hash, ...signature, stamp, copies }, turn)
  }
  if (message.next === undefined) {
    state.partitions.shift()
    state.after = ''
  } else state.after = message.next
}

/** The object, when it has been dead for long enough. What is kept in memory only goes by itself. */
function deadObject(bytes: Uint8Array, hash: number, turn: Turn): StoredObject | undefined {
  let object: StoredObject
  try {
    object = decodeObject(bytes, hash)
  } catch (error) {
    onlyMalformed(error)
    return undefined
  }
  if (isVolatile(object)) return undefined
  for (const { deleted, expires, stamp } of object.siblings) {
    if (!deleted && expires === 0) return undefined
    const diedAt = deleted ? stampMillis(stamp) : expires
    if (turn.wall < diedAt + turn.reapAfterMs) return undefined
  }
  return object
}
