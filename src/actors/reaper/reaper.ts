// The actor that forgets what is dead: tombstones and expired values (protocol/reap.ts says in which steps). One a
// node, for the partitions of which this node is the first replica. Deleting a tombstone after some time, as others
// do, brings values back whenever a replica was away for longer; so time alone is never a reason here.
//
// Invariants: a dead object goes only when all its replicas hold just that, durably, and no other node, no hint
// and no message holds an older version; whatever changes among the nodes meanwhile, it begins again from the start.

import { unreachable } from '../../base/assert.js'
import type { Key, Millis } from '../../base/units.js'
import type { Address } from '../../protocol/address.js'
import type { Envelope, ReaperMessage } from '../../protocol/envelope.js'
import type { Actor, Turn } from '../actor.js'
import { look, rowsRead } from './look.js'
import { askHints, hintsTold, reapQuiet } from './quiet.js'
import { everybody, forgetAll, isThere, type ReaperState } from './state.js'
import { reapTold } from './vote.js'

/** Pause between two pages, and the least between two looks at what is under way. */
const lookMs = 50
/** A wall clock that moved by more than this against the other one was set: what has expired is in doubt. */
const jumpMs = 10_000

export const reaperActor: Actor<ReaperState, ReaperMessage> = {
  start(self: Address): ReaperState {
    return {
      self: self as Address<'reaper'>,
      ring: undefined,
      nodes: [],
      lives: '',
      changedAt: 0,
      lastRequest: 0,
      candidates: new Map(),
      keys: new Set(),
      hints: undefined,
      hintsDue: 0,
      partitions: [],
      page: undefined,
      after: '',
      isMortalSeen: true,
      mortalsSeen: -1,
      roundDue: 0,
      offset: undefined,
      frozenUntil: 0,
      isArmed: false,
      reaped: 0,
    }
  },

  reads(): Key | undefined {
    return undefined
  },

  receive(state: ReaperState, envelope: Envelope<ReaperMessage>, turn: Turn): void {
    const message = envelope.message
    switch (message.type) {
      case 'reap-due':
        return reapDue(state, turn)
      case 'rows-read':
        return rowsRead(state, envelope, message, turn)
      case 'reap-told':
        return reapTold(state, envelope, message, turn)
      case 'hints-told':
        return hintsTold(state, envelope, message, turn)
      case 'nodes-changed': {
        const nodes = []
        for (const view of message.nodes) nodes[view.node] = view
        state.nodes = nodes
        const lives = message.nodes
          .map((view) => `${view.node}:${view.generation}:${isThere(view)}`)
          .join(' ')
        if (lives !== state.lives) changed(state, turn)
        state.lives = lives
        return arm(state, turn)
      }
      case 'ring-changed':
        state.ring = message.ring
        state.partitions = []
        changed(state, turn)
        return arm(state, turn)
    }
    return unreachable(message)
  },
}

function changed(state: ReaperState, turn: Turn): void {
  forgetAll(state)
  state.changedAt = turn.now
}

function arm(state: ReaperState, turn: Turn): void {
  if (state.isArmed || turn.reapAfterMs === 0) return
  state.isArmed = true
  turn.after(pauseMs(state, turn), state.self, { type: 'reap-due' })
}

/** Until there is something to be done: a page to be asked for, a candidate whose waiting is over, a new round. */
function pauseMs(state: ReaperState, turn: Turn): number {
  const { candidates, hintsDue } = state
  const quietAt = quietFrom(state, turn)
  if (turn.now < quietAt) return Math.max(lookMs, quietAt - turn.now)
  if (state.page !== undefined || state.partitions.length > 0) return lookMs
  let due = state.roundDue
  for (const { stage, since } of candidates.values()) {
    const over = since + turn.travelMsMax
    due = Math.min(due, stage === 'held' ? Math.max(over, hintsDue) : over)
  }
  return Math.max(lookMs, due - turn.now)
}

/** Who has just gone or come may still have had something on its way. */
function quietFrom({ changedAt, frozenUntil }: ReaperState, turn: Turn): Millis {
  return Math.max(changedAt + turn.travelMsMax, frozenUntil)
}

function reapDue(state: ReaperState, turn: Turn): void {
  state.isArmed = false
  if (isClockSet(state, turn)) {
    forgetAll(state)
    state.frozenUntil = turn.now + turn.reapAfterMs
  }
  const nodes = everybody(state)
  // Whoever is missing comes back by a change of the nodes or of the ring, and that arms it again.
  if (nodes === undefined) return
  if (turn.now >= quietFrom(state, turn)) {
    reapQuiet(state, nodes, turn)
    askHints(state, nodes, turn)
    if (!turn.overloaded) look(state, turn)
  }
  arm(state, turn)
}

function isClockSet(state: ReaperState, turn: Turn): boolean {
  const offset = turn.wall - turn.now
  const before = state.offset ?? offset
  state.offset = offset
  return Math.abs(offset - before) > jumpMs
}
