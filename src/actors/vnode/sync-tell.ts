// The answering side of a comparison: hashes from the tree of this partition, and keys with their signatures
// from the host, which may have to read them. Whoever asks does the rest.

import { limits } from '../../base/limits.js'
import type { Address } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { ListAsk, Listed, TreeAsk } from '../../protocol/sync.js'
import { nextRequest, type Turn } from '../actor.js'
import type { VnodeState } from './state.js'
import { ownListed } from './sync-list.js'

export function treeAsk(state: VnodeState, envelope: Envelope, message: TreeAsk, turn: Turn): void {
  const { level, parents, copiesMin } = message
  turn.send(
    envelope.from as Address<'vnode'>,
    { type: 'tree-told', level, parents, hashes: hashesOf(state, copiesMin, level, parents, turn) },
    envelope.request,
  )
}

/** The hashes under these nodes, two words each; all zero for a partition that holds nothing. */
export function hashesOf(
  state: VnodeState,
  copiesMin: number,
  level: number,
  parents: readonly number[],
  turn: Turn,
): readonly number[] {
  const tree = turn.tree(state.self.partition, copiesMin)
  const hashes: number[] = []
  for (const parent of parents) {
    for (const word of tree.hashes(level, parent)) hashes.push(word)
  }
  return hashes
}

export function listAsk(state: VnodeState, envelope: Envelope, message: ListAsk, turn: Turn): void {
  const request = nextRequest(state)
  state.lists.set(request, envelope as Envelope<ListAsk>)
  const { leaves, after, deep, copiesMin } = message
  turn.list({
    asker: state.self,
    request,
    copiesMin,
    leaves: leaves.length === 0 ? undefined : new Set(leaves),
    after,
    limit: limits.walkRowsMax,
    deep,
    begunAt: turn.now,
  })
}

/** From the host: for a peer, or for a comparison of one's own. */
export function listed(state: VnodeState, envelope: Envelope, message: Listed, turn: Turn): void {
  const asked = state.lists.get(envelope.request)
  if (asked === undefined) return ownListed(state, envelope, message, turn)
  state.lists.delete(envelope.request)
  const requester = asked.from as Address<'vnode'>
  if (message.failed) return turn.send(requester, { type: 'sync-failed', code: 'unreadable' }, asked.request)
  const { keys, copies, signatures, damaged, next } = message
  turn.send(requester, { type: 'list-told', keys, copies, signatures, damaged, next }, asked.request)
}
