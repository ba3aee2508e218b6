// Bugs that are planted one at a time into a copy of the built code, by replacing a piece of its text that occurs
// just once: production code has no seams for them. Each names the checks of which one should find it. Many were real
// bugs of this house, or of Riak, Cassandra and others. A piece that is not there any more fails the test by name.

import type { CheckName } from '../../src/sim/check-name.js'
import type { PlanOptions } from '../../src/sim/plan.js'

export interface PlantedBug {
  readonly name: string
  /** Of the built code. */
  readonly file: string
  readonly from: string
  readonly to: string
  readonly found: readonly CheckName[]
  /** What it takes happens too seldom in the mix: the seeds are of these kinds of faults, or so many copies. */
  readonly focus?: Pick<PlanOptions, 'kinds' | 'copies' | 'nodes' | 'style'>
  /** The hunt begins here, and comes to the seeds before when it has found nothing: near where it is found late. */
  readonly near?: number
}

export const lost: readonly CheckName[] = ['an acknowledged write is lost', 'a read missed what it must see']
export const differ: readonly CheckName[] = ['replicas differ', ...lost]
export const back: readonly CheckName[] = [
  'a value that was replaced is back',
  'siblings of which one replaces the other',
  ...lost,
]
const dots: readonly CheckName[] = ['a dot names two writes', 'a value stands twice', ...lost]

export const plantedBugs: readonly PlantedBug[] = [
  // -- versions -------------------------------------------------------------------------------------------
  {
    name: 'a merge forgets what only the stored object has',
    file: 'versions/merge.js',
    from: '|| !seen(incoming.clock, sibling.dot))\n            siblings.push',
    to: '|| false)\n            siblings.push',
    found: differ,
  },
  {
    name: 'a merge keeps what the other has replaced',
    file: 'versions/merge.js',
    from: 'if (hasDot(incoming.siblings, sibling.dot) || !seen(incoming.clock, sibling.dot))',
    to: 'if (true)',
    found: [...back, 'replicas differ', 'a value stands twice'],
  },
  {
    name: 'a merge takes in what has been replaced here',
    file: 'versions/merge.js',
    from: 'hasDot(local.siblings, sibling.dot) || seen(local.clock, sibling.dot)',
    to: 'hasDot(local.siblings, sibling.dot)',
    found: [...back, 'replicas differ', 'a value stands twice'],
  },
  {
    name: 'concurrent values are merged by the wall clock',
    file: 'versions/mode.js',
    from: "(latest.encoding & lastWriteWinsBit) === 0 ? 'siblings' : 'last-write-wins'",
    to: "'last-write-wins'",
    found: lost,
  },
  {
    name: 'of last-write-wins values the first wins',
    file: 'versions/merge.js',
    from: 'return a.stamp > b.stamp;',
    to: 'return a.stamp < b.stamp;',
    found: [...differ],
  },
  {
    name: 'a context replaces nothing',
    file: 'versions/write.js',
    from: 'context === undefined || !seen(context.clock, present.dot)',
    to: 'true',
    found: [...back, 'replicas differ'],
  },
  {
    name: 'a write replaces what its writer has not seen',
    file: 'versions/write.js',
    from: 'context === undefined || !seen(context.clock, present.dot)',
    to: 'false',
    found: lost,
  },
  {
    name: 'the context after a write covers siblings that were never read',
    file: 'versions/write.js',
    from: 'return { clock: overreaches ? before : after, stamp };',
    to: 'return { clock: object.clock, stamp };',
    found: lost,
  },
  {
    name: 'the clock of a write forgets what the stored object had seen',
    file: 'versions/write.js',
    from: 'join(local?.clock ?? [], context?.clock ?? [])',
    to: 'context?.clock ?? []',
    found: [...back, 'replicas differ'],
  },
  {
    name: 'a stamp does not pass what was seen',
    file: 'versions/write.js',
    from: 'return nextStamp(latest, wall);',
    to: 'return nextStamp(0, wall);',
    found: lost,
  },
  {
    name: 'clocks are cut to one entry',
    file: 'versions/write.js',
    from: 'const most = limits.clockEntriesMax;',
    to: 'const most = 1;',
    found: [...back, 'replicas differ'],
  },
  {
    name: 'a join of clocks takes the lesser',
    file: 'versions/vector.js',
    from: 'joined.push(order >= 0 ? left : right);',
    to: 'joined.push(order >= 0 ? right : left);',
    found: [...back, 'replicas differ', 'an invariant is broken', 'a dot names two writes'],
  },
  {
    name: 'a tombstone is no version: a merge drops it',
    file: 'versions/merge.js',
    from: 'for (const sibling of incoming.siblings) {\n        if (hasDot',
    to: 'for (const sibling of incoming.siblings) {\n        if (sibling.deleted && local.siblings.length > 0) continue;\n        if (hasDot',
    found: differ,
  },
  // -- dots and incarnations ------------------------------------------------------------------------------
  {
    name: 'a new life goes on with the incarnation of the last',
    file: 'sim/node.js',
    from: 'const random = seededRandom(seed, node * 10_000 + life);',
    to: 'const random = seededRandom(seed, node * 10_000);',
    found: dots,
  },
  {
    name: 'a coordinator does not count its writes',
    file: 'actors/vnode/put.js',
    from: 'state.counter++;\n    return { actor: state.actor, counter: state.counter };',
    to: 'return { actor: state.actor, counter: state.counter + 1 };',
    found: dots,
  },
  {
    name: 'a stand-in goes on counting without its hint',
    file: 'actors/vnode/put.js',
    from: 'const dot = last !== undefined && holdsLast ?',
    to: 'const dot = last !== undefined ?',
    found: dots,
    near: 48,
  },
  {
    name: 'all stand-ins of a partition count as one actor',
    file: 'actors/vnode/put.js',
    from: 'return { actor: actorAfter(state), counter: 1 };',
    to: 'return { actor: state.actor, counter: 1 };',
    found: dots,
  },
  // -- writes ---------------------------------------------------------------------------------------------
  {
    name: 'acknowledged before it is durable',
    file: 'runtime/turn.js',
    from: "if (level === 'memory' || this.journal === undefined)",
    to: 'if (true)',
    found: lost,
    near: 48,
  },
  {
    name: 'written without fsync',
    file: 'runtime/journal.js',
    from: 'store.commit(writes, level, (error)',
    to: "store.commit(writes, 'os', (error)",
    found: lost,
  },
  {
    name: 'any copy counts as a durable one',
    file: 'actors/vnode/lead.js',
    from: "noteStored(pending.tally, place, pending.level === 'memory' || isDurable, atHome);",
    to: 'noteStored(pending.tally, place, true, atHome);',
    found: lost,
    near: 48,
  },
  {
    name: 'one copy too few is enough',
    file: 'quorum/tally.js',
    from: 'if (countBits(stored) >= w &&',
    to: 'if (countBits(stored) >= w - 1 &&',
    found: lost,
  },
  {
    name: 'durable copies are not counted',
    file: 'quorum/tally.js',
    from: '&& countBits(durable) >= dw && countBits(home) >= pw)',
    to: '&& countBits(home) >= pw)',
    found: lost,
    near: 48,
  },
  {
    name: 'a stand-in counts as a copy at home',
    file: 'actors/vnode/lead.js',
    from: 'const atHome = pending.asked[index] === pending.list[place];',
    to: 'const atHome = true;',
    found: lost,
  },
  {
    name: 'a put is refused after it was written',
    file: 'actors/vnode/put.js',
    from: '    lead(state, envelope, message, { local, object, dot, list }, turn);',
    to: "    lead(state, envelope, message, { local, object, dot, list }, turn);\n    if (turn.random() < 0.02) refuse(envelope, 'overloaded', {}, turn);",
    found: ['a refused write is seen', 'a value stands twice', 'a value that was replaced is back', ...lost],
  },
  {
    name: 'a write that may have happened is tried again elsewhere',
    file: 'actors/gateway/put-led.js',
    from: "(dead || message.code === 'unreadable'",
    to: "(dead || message.code === 'quorum-lost' || message.code === 'unreadable'",
    found: ['a value stands twice', 'a refused write is seen', ...back],
  },
  {
    name: 'a copy that comes replaces what is stored',
    file: 'actors/vnode/replica.js',
    from: 'const merged = merge(local, incoming, conflictsOf(incoming, local));',
    to: 'const merged = incoming;',
    found: differ,
  },
  {
    name: 'the coordinator counts its own copy as durable before it is',
    file: 'actors/vnode/lead.js',
    from: "noteStored(pending.tally, place, level === 'memory');",
    to: 'noteStored(pending.tally, place, true);',
    found: lost,
    near: 55,
  },
  {
    name: 'an older last-write-wins copy is stored',
    file: 'actors/vnode/replica.js',
    from: 'if (local !== undefined && !replaces(copy.object, local))',
    to: 'if (false)',
    found: differ,
  },
  {
    name: 'the expiry of a write is dropped',
    file: 'actors/vnode/put.js',
    from: "expires: message.change === 'delete' ? 0 : keptExpiry,",
    to: 'expires: 0,',
    found: ['a value from nowhere'],
  },
  {
    name: 'a delete is a value like any other',
    file: 'actors/vnode/put.js',
    from: "deleted: message.change === 'delete',",
    to: 'deleted: false,',
    found: ['a value from nowhere'],
  },
  {
    name: 'requests have no end',
    file: 'actors/gateway/sweep.js',
    from: 'if (deadline === 0 || turn.now < deadline)',
    to: 'if (true)',
    found: ['a request was answered late or never'],
  },
]
