// The actor that holds one partition on one node: state and one exhaustive switch, nothing else. Each verb
// has its own file; the handler is named after its message.

import { unreachable } from '../../base/assert.js'
import { NumberMap } from '../../base/number-map.js'
import type { Key } from '../../base/units.js'
import type { Address } from '../../protocol/address.js'
import type { Envelope, HandoffMessage, VnodeMessage } from '../../protocol/envelope.js'
import { hintKey } from '../../protocol/hint.js'
import type { Actor, Turn } from '../actor.js'
import { cede, cedeDue, ceded } from './decide.js'
import { nobodyElse } from './decide-state.js'
import { fetch } from './fetch.js'
import { give, relayDue, release, take } from './give.js'
import { giveBack } from './give-back.js'
import { putSweepDue } from './lead.js'
import { put } from './put.js'
import { reap, reapAsk } from './reap.js'
import { giving, receive, receiveDue, taken, takeRefused } from './receive.js'
import { repairDue, synced, walked, walkFailed } from './repair.js'
import { replicate, replicated, replicateFailed } from './replica.js'
import type { VnodeState } from './state.js'
import { sync, syncDue, syncFailed, treeTold } from './sync.js'
import { listTold } from './sync-list.js'
import { fetched, fetchFailed, syncPush } from './sync-mend.js'
import { listAsk, listed, treeAsk } from './sync-tell.js'
import { nodesChanged, ringChanged } from './view.js'
import { rowsRead, walk } from './walk.js'

export const vnodeActor: Actor<VnodeState, VnodeMessage> = {
  start(self: Address, turn: Turn): VnodeState {
    return {
      self: self as Address<'vnode'>,
      actor: turn.incarnation,
      counter: 0,
      // Stamps are whole numbers; a floor that a wall clock gave need not be one.
      lastStamp: Math.ceil(turn.stampFloor),
      ring: undefined,
      preference: [],
      nodes: [],
      complete: turn.catchUp === undefined,
      repair: undefined,
      lastRequest: 0,
      puts: new NumberMap(),
      walks: new Map(),
      lists: new Map(),
      run: undefined,
      syncsWaiting: [],
      receiving: undefined,
      hasReceived: false,
      gifts: [],
      passed: new Map(),
      relayed: new Map(),
      givingBack: undefined,
      clearing: 0,
      standIns: new Map(),
      deciding: nobodyElse(),
      sweeping: false,
    }
  },

  reads(message: VnodeMessage): Key | undefined {
    switch (message.type) {
      case 'put':
        return message.standsInFor === 0 ? message.key : hintKey(message.standsInFor, message.key)
      case 'replicate':
      case 'fetch':
      case 'sync-push':
      case 'reap-ask':
      case 'reap':
        return message.key
      default:
        return undefined
    }
  },

  receive(state: VnodeState, envelope: Envelope<VnodeMessage>, turn: Turn): void {
    const message = envelope.message
    switch (message.type) {
      case 'put':
        return put(state, envelope, message, turn)
      case 'replicate':
        return replicate(state, envelope, message, turn)
      case 'replicated':
        return replicated(state, envelope, message, turn)
      case 'replicate-failed':
        return replicateFailed(state, envelope, message, turn)
      case 'put-sweep-due':
        return putSweepDue(state, turn)
      case 'fetch':
        return fetch(state, envelope, message, turn)
      case 'walk':
        return walk(state, envelope, message, turn)
      case 'rows-read':
        return rowsRead(state, envelope, message, turn)
      case 'walked':
        return walked(state, envelope, message, turn)
      case 'walk-failed':
        return walkFailed(state, envelope, turn)
      case 'repair-due':
        return repairDue(state, turn)
      case 'sync':
        return sync(state, envelope, message, turn)
      case 'synced':
        return synced(state, message, turn)
      case 'sync-due':
        return syncDue(state, turn)
      case 'sync-failed':
        return syncFailed(state, envelope, message, turn)
      case 'sync-push':
        return syncPush(state, envelope, message, turn)
      case 'tree-ask':
        return treeAsk(state, envelope, message, turn)
      case 'tree-told':
        return treeTold(state, envelope, message, turn)
      case 'list-ask':
        return listAsk(state, envelope, message, turn)
      case 'list-told':
        return listTold(state, envelope, message, turn)
      case 'listed':
        return listed(state, envelope, message, turn)
      case 'fetched':
        return fetched(state, envelope, message, turn)
      case 'fetch-failed':
        return fetchFailed(state, envelope, message, turn)
      case 'give-back':
        return giveBack(state, turn)
      case 'reap-ask':
        return reapAsk(state, envelope, message, turn)
      case 'reap':
        return reap(state, message, turn)
      case 'nodes-changed':
        return nodesChanged(state, message, turn)
      case 'ring-changed':
        return ringChanged(state, message, turn)
      default:
        return handOver(state, envelope, message, turn)
    }
  },
}

/** What is said when a place of a preference list passes to another node. */
function handOver(state: VnodeState, envelope: Envelope, message: HandoffMessage, turn: Turn): void {
  switch (message.type) {
    case 'receive':
      return receive(state, envelope, message, turn)
    case 'receive-due':
      return receiveDue(state, turn)
    case 'giving':
      return giving(state, envelope, turn)
    case 'taken':
      return taken(state, envelope, turn)
    case 'take-refused':
      return takeRefused(state, envelope, turn)
    case 'give':
      return give(state, envelope, message, turn)
    case 'take':
      return take(state, envelope, turn)
    case 'relay-due':
      return relayDue(state, turn)
    case 'release':
      return release(state, message, turn)
    case 'cede':
      return cede(state, envelope, message, turn)
    case 'ceded':
      return ceded(state, envelope, turn)
    case 'cede-due':
      return cedeDue(state, turn)
  }
  return unreachable(message)
}
