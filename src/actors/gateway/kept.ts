// What stand-ins answer a read: what they keep for owners that are away. It is merged with what the others say, but
// it is never a complete answer: a hint is what came while its owner was away, and not what came before. And when
// none of the owners answers and nobody keeps anything, nobody knows whether the key exists.

import { onlyMalformed } from '../../base/bytes.js'
import type { NodeId } from '../../base/units.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Kept } from '../../protocol/hint.js'
import { noteKept, noteReadFailed } from '../../quorum/tally.js'
import { merge } from '../../versions/merge.js'
import { decodeObject } from '../../versions/object-codec.js'
import type { Turn } from '../actor.js'
import { settleGet } from './get-settle.js'
import type { GatewayState, PendingGet, StandIn } from './state.js'

export function kept(state: GatewayState, envelope: Envelope, message: Kept, turn: Turn): void {
  const pending = state.pending.get(envelope.request)
  if (pending === undefined || pending.type !== 'get') return
  const place = pending.replicas.indexOf(message.owner)
  const standIn = pending.standIns.find((each) => each.node === envelope.from.node && each.place === place)
  if (standIn === undefined) return
  standIn.answered = true
  const { hash, conflicts } = pending.envelope.message
  if (message.object !== undefined) {
    try {
      pending.object = merge(pending.object, decodeObject(message.object, hash), conflicts)
      pending.differ = true
      noteKept(pending.tally, place)
      standIn.keeps = true
    } catch (error) {
      onlyMalformed(error)
      standIn.failed = true
    }
  }
  placesAnswered(pending)
  settleGet(state, envelope.request, pending, turn)
}

/** Places of whose stand-ins nobody is waited for any more: they are as incomplete an answer as there is. */
function placesAnswered(pending: PendingGet): void {
  const { tally, standIns, replicas } = pending
  const used = new Set<NodeId>()
  const rest: [number, readonly StandIn[]][] = []
  for (let place = 0; place < replicas.length; place++) {
    const bit = 1 << place
    const mine = standIns.filter((each) => each.place === place)
    const isAway = (tally.away & bit) !== 0
    if (!isAway || mine.length === 0 || mine.some(({ answered }) => !answered)) continue
    tally.incomplete &= ~bit
    tally.stood &= ~bit
    tally.failed &= ~bit
    // A node counts once, whatever it keeps for others.
    const keeper = mine.find(({ node, keeps }) => keeps && !used.has(node))
    if (keeper === undefined) rest.push([place, mine])
    else {
      used.add(keeper.node)
      tally.incomplete |= bit
      tally.stood |= bit
    }
  }
  for (const [place, mine] of rest) {
    // One that cannot say what it keeps may keep the only copy of something. Who asks all replicas must be told;
    // who asks fewer shall have what the others know, whatever has become of a hint.
    const isOpen = tally.r === tally.n && mine.some(({ failed }) => failed)
    const free = isOpen ? undefined : mine.find(({ node }) => !used.has(node))
    if (free === undefined) noteReadFailed(tally, place)
    else {
      used.add(free.node)
      tally.incomplete |= 1 << place
    }
  }
}

/** Which of its questions failed is not said: none of them is waited for any more. */
export function standInFailed(pending: PendingGet, node: NodeId): void {
  for (const standIn of pending.standIns) {
    if (standIn.node !== node || standIn.answered) continue
    standIn.answered = true
    standIn.failed = true
  }
  placesAnswered(pending)
}
