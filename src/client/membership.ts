// Nodes that come and go (Dynamo 4.8.1, 4.9, 6.2): planned, looked at, committed. Committing a plan issues it through
// one of the nodes, which keeps it and tells the others by gossip. This thread hears of it like everybody, whoever
// issued it, begins the nodes that are new, and lets the claimant move what has to move while everything goes on.
// Who has left is ended when nobody can speak to it as a member any more.
//
// Invariant: one change of the ring at a time; what is heard meanwhile is next.

import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Millis, NodeId } from '../base/units.js'
import type { Change } from '../membership/change.js'
import { nextOwners, ringOf } from '../membership/fold.js'
import { appendChange, emptyHistory, type History, membersOf, mergeHistories } from '../membership/history.js'
import { decodeHistory, encodeHistory } from '../membership/history-codec.js'
import { describePlan } from '../ring/plan-report.js'
import { rebalance } from '../ring/rebalance.js'
import { type Ring, ringFromJson, ringToJson } from '../ring/ring.js'
import { wall } from '../runtime/threads/clock.js'
import type { Machine } from '../runtime/threads/machine.js'
import type { DataDirectory } from '../storage/data-directory.js'
import type { JoinOptions, Plan, PlanOptions } from './api.js'
import { checkNames, checkWhole } from './options.js'

/** In the data directory: the ring, and the history that it was made of. */
const ringFile = 'ring.json'
/** After the last place has passed on, so long nobody speaks to a node that has left. */
const leaveMs: Millis = 10_000

export interface Kept {
  readonly ring: Ring
  /** All that was ever heard, and as much of it as the ring is made of. */
  readonly history: History
  readonly settled: History
}

/** What an earlier process kept; undefined in a directory that is new. */
export function readRing(directory: DataDirectory | undefined): Kept | undefined {
  if (directory === undefined) return undefined
  const { path, identity } = directory
  const found = directory.readJson(ringFile) as Record<string, unknown> | undefined
  if (found === undefined) return undefined
  try {
    const read = (text: unknown) => decodeHistory(Buffer.from(String(text), 'base64'))
    const history = read(found['history'])
    const settled = found['settled'] === undefined ? history : read(found['settled'])
    const ring = ringFromJson(found['ring'])
    const isOurs = (['partitions', 'hash', 'seed'] as const).every(
      (name) => String(ring[name]) === String(identity[name]),
    )
    if (isOurs) return { ring, history, settled }
    throw new RingspunError('data-dir-invalid', `${path} has the ${ringFile} of another cluster`)
  } catch (error) {
    if (error instanceof RingspunError) throw error
    throw new RingspunError('data-dir-invalid', `${path} has a damaged ${ringFile}`, {}, error)
  }
}

export function foundingHistory(nodes: readonly NodeId[]): History {
  const joins = nodes.map((node) => ({ kind: 'join', node, weight: 1, host: '', zone: '' }) as const)
  return appendChange(emptyHistory, issuerOf(nodes), wall(), joins)
}

/** Changes are issued here, in the name of a member: the first. */
function issuerOf(nodes: readonly NodeId[]): NodeId {
  return nodes[0] as NodeId
}

interface Hands {
  readonly machine: Machine
  readonly directory: DataDirectory | undefined
  /** The largest n of any bucket. */
  readonly copies: () => number
  /** Bytes that all nodes hold together, about. */
  readonly bytes: () => number
  readonly begin: (owners: Uint16Array) => void
  /** Asks a node to issue this; resolves when that node would remember it. */
  readonly issue: (changes: readonly Change[]) => Promise<unknown>
  readonly left: (node: NodeId) => void
  readonly log: (level: 'info' | 'warn' | 'error', text: string) => void
}

export class Membership {
  ring: Ring
  history: History
  private settled: History
  private readonly hands: Hands
  private staged: Staged | undefined
  private committing = false
  /** New nodes are begun for what comes next. */
  private preparing = false
  private closed = false
  /** Who waits for what they have issued to be on its way. */
  private waiting: (() => boolean)[] = []
  private readonly leaving = new Set<NodeJS.Timeout>()

  constructor(kept: Kept, hands: Hands) {
    this.ring = kept.ring
    this.history = kept.history
    this.settled = kept.settled
    this.hands = hands
  }

  /** On disk, before anybody hears of it. */
  keep(ring: Ring): void {
    const before = this.ring
    this.ring = ring
    this.write()
    this.tellWaiting()
    if (ring.change !== undefined) return
    setImmediate(() => void this.act())
    this.hands.directory?.setNodes(ring.nodes.length)
    const gone = before.nodes.filter((node) => !ring.nodes.includes(node))
    for (const node of gone) this.end(node)
    this.hands.log('info', `the ring has epoch ${ring.epoch} and nodes ${ring.nodes.join(' ')}`)
  }

  write(): void {
    const text = (history: History) => Buffer.from(encodeHistory(history)).toString('base64')
    const kept = { ring: ringToJson(this.ring), history: text(this.history), settled: text(this.settled) }
    this.hands.directory?.writeJson(ringFile, kept)
  }

  /** Gossip has told this thread more than it knew: it is kept when this returns, and acted by. */
  heard(history: History): void {
    const merged = mergeHistories(this.history, history)
    if (merged === this.history) return
    this.history = merged
    this.write()
    void this.act()
  }

  /** Goes to where the history leads, when nothing else is going on. */
  async act(): Promise<void> {
    if (this.closed || this.preparing || this.ring.change !== undefined) return
    const { history, hands } = this
    const now = { history: this.settled, ring: this.ring }
    const owners = nextOwners(now, history, rebalance, hands.copies())
    if (owners === undefined) {
      this.settled = history
      return this.tellWaiting()
    }
    this.preparing = true
    try {
      for (const node of new Set(owners)) if (!hands.machine.has(node)) await hands.machine.add(node)
    } catch (error) {
      hands.log('error', `a new node could not be begun: ${(error as Error).message}`)
      return
    } finally {
      this.preparing = false
    }
    this.settled = history
    hands.begin(owners)
  }

  private tellWaiting(): void {
    this.waiting = this.waiting.filter((isDone) => !isDone())
  }

  private end(node: NodeId): void {
    const timer = setTimeout(() => {
      this.leaving.delete(timer)
      this.hands.left(node)
    }, leaveMs)
    timer.unref()
    this.leaving.add(timer)
  }

  close(): void {
    this.closed = true
    for (const timer of this.leaving) clearTimeout(timer)
  }

  plan(options: PlanOptions): Plan {
    if (this.ring.change !== undefined || this.committing) {
      throw new RingspunError('membership-invalid', 'the ring is changing: wait until it has settled')
    }
    const changes = this.changesOf(options)
    const history = appendChange(this.history, issuerOf(this.ring.nodes), wall(), changes)
    const target = ringOf(history, { ...this.ring, copies: this.ring.copies }, rebalance, {
      history: this.history,
      ring: this.ring,
    })
    if (target === undefined) throw new RingspunError('membership-invalid', 'nobody would be a member')
    const copies = this.hands.copies()
    const members = membersOf(history)
    if (members.length < copies) {
      const reason = `${members.length} nodes cannot hold ${copies} copies`
      throw new RingspunError('membership-invalid', reason, { nodes: members.length, copies })
    }
    const { ring } = this
    const report = describePlan(ring.owners, target.owners, membersOf(this.history), members, ring.copies)
    const bytes = Math.round((report.replicaMoves * this.hands.bytes()) / (ring.partitions * ring.copies))
    const { violations } = report
    const plan: Plan = {
      changes: changes.map((change) => ({ ...change })),
      moved: report.moved,
      replicaMoves: report.replicaMoves,
      bytes,
      balanceBefore: report.balance.before,
      balanceAfter: report.balance.after,
      violationsBefore: { ...violations.before },
      violationsAfter: { ...violations.after },
      nodes: report.perNode,
    }
    this.staged = { plan, changes, joined: [...new Set(target.owners)] }
    return plan
  }

  private changesOf(options: PlanOptions): Change[] {
    checkNames(options, ['join', 'leave', 'replace', 'weight'], 'plan')
    const changes: Change[] = []
    const taken = new Set(this.ring.nodes)
    const fresh = (): NodeId => {
      let node = 1
      while (taken.has(node)) node++
      if (node > limits.nodesMax) {
        throw new RingspunError('membership-invalid', `a cluster has at most ${limits.nodesMax} nodes`)
      }
      taken.add(node)
      return node
    }
    const joins =
      typeof options.join === 'number'
        ? Array.from({ length: checkWhole('join', options.join, 1, limits.nodesMax) }, () => ({}))
        : (options.join ?? [])
    for (const join of joins) changes.push({ kind: 'join', node: fresh(), ...memberOf(join) })
    for (const node of options.leave ?? []) changes.push({ kind: 'leave', node })
    for (const { node, ...successor } of options.replace ?? []) {
      changes.push({ kind: 'replace', node, successor: fresh(), ...memberOf(successor) })
    }
    for (const { node, weight } of options.weight ?? []) changes.push({ kind: 'weight', node, weight })
    return changes
  }

  /** Resolves when what was issued is on its way, or has changed nothing. */
  private begun(changes: readonly Change[]): Promise<void> {
    const text = JSON.stringify(changes)
    const isSettled = () => this.settled.entries.some((entry) => JSON.stringify(entry.changes) === text)
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        const reason = 'the change is issued, and has not begun yet'
        reject(new RingspunError('deadline', reason, { seconds: begunMsMax / 1000 }))
      }, begunMsMax)
      this.waiting.push(() => {
        if (!isSettled() || this.preparing) return false
        clearTimeout(late)
        resolve()
        return true
      })
      this.tellWaiting()
    })
  }

  async commit(): Promise<Plan> {
    const { staged, hands } = this
    if (staged === undefined) throw new RingspunError('membership-invalid', 'nothing is planned')
    this.staged = undefined
    this.committing = true
    const added = staged.joined.filter((node) => !hands.machine.has(node))
    try {
      for (const node of added) await hands.machine.add(node)
      await hands.issue(staged.changes)
    } catch (error) {
      // Nobody needs them. What was issued all the same begins them again.
      for (const node of added) hands.left(node)
      throw error
    } finally {
      this.committing = false
    }
    await this.begun(staged.changes)
    return staged.plan
  }
}

interface Staged {
  readonly plan: Plan
  readonly changes: readonly Change[]
  readonly joined: readonly NodeId[]
}

/** From the issue of a change to its beginning: new nodes, a round of gossip, and the end of what was going on. */
const begunMsMax: Millis = 60_000

function memberOf(join: JoinOptions): { weight: number; host: string; zone: string } {
  checkNames(join, ['weight', 'host', 'zone'], 'join')
  return { weight: join.weight ?? 1, host: join.host ?? '', zone: join.zone ?? '' }
}
