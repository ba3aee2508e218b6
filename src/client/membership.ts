// Nodes that come and go (Dynamo 4.8.1, 4.9, 6.2): planned, looked at, committed. The plan is made of the history of
// membership and of who owns what; committing it issues the change, begins new nodes, and lets the claimant move
// what has to move while everything goes on. Who has left is ended when nobody can speak to it as a member any more.

import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Millis, NodeId } from '../base/units.js'
import type { Change } from '../membership/change.js'
import { ringOf } from '../membership/fold.js'
import { appendChange, emptyHistory, type History, membersOf } from '../membership/history.js'
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
  readonly history: History
}

/** What an earlier process kept; undefined in a directory that is new. */
export function readRing(directory: DataDirectory | undefined): Kept | undefined {
  const found = directory?.readJson(ringFile) as { ring?: unknown; history?: unknown } | undefined
  if (found === undefined) return undefined
  try {
    const history = decodeHistory(Buffer.from(String(found.history), 'base64'))
    return { ring: ringFromJson(found.ring), history }
  } catch (error) {
    if (error instanceof RingspunError) throw error
    throw new RingspunError('data-dir-invalid', `${directory?.path} has a damaged ${ringFile}`, {}, error)
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
  readonly left: (node: NodeId) => void
  readonly log: (level: 'info' | 'warn' | 'error', text: string) => void
}

export class Membership {
  ring: Ring
  private history: History
  private readonly hands: Hands
  private staged: { readonly plan: Plan; readonly history: History; readonly owners: Uint16Array } | undefined
  private committing = false
  /** Somebody waits for the next ring. */
  private kept: () => void = () => {}
  private readonly leaving = new Set<NodeJS.Timeout>()

  constructor(kept: Kept, hands: Hands) {
    this.ring = kept.ring
    this.history = kept.history
    this.hands = hands
  }

  /** On disk, before anybody hears of it. */
  keep(ring: Ring): void {
    const before = this.ring
    this.ring = ring
    this.write()
    this.kept()
    if (ring.change !== undefined) return
    this.hands.directory?.setNodes(ring.nodes.length)
    const gone = before.nodes.filter((node) => !ring.nodes.includes(node))
    for (const node of gone) this.end(node)
    this.hands.log('info', `the ring has epoch ${ring.epoch} and nodes ${ring.nodes.join(' ')}`)
  }

  write(): void {
    const history = Buffer.from(encodeHistory(this.history)).toString('base64')
    this.hands.directory?.writeJson(ringFile, { ring: ringToJson(this.ring), history })
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
    this.staged = { plan, history, owners: target.owners }
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

  /** Resolves when the ring is on its way, or was there already. */
  private begun(owners: Uint16Array): Promise<void> {
    return new Promise((resolve) => {
      this.kept = resolve
      this.hands.begin(owners)
    })
  }

  async commit(): Promise<Plan> {
    const { staged } = this
    if (staged === undefined) throw new RingspunError('membership-invalid', 'nothing is planned')
    this.staged = undefined
    this.committing = true
    try {
      const nodes = new Set(staged.owners)
      for (const node of nodes) if (!this.ring.nodes.includes(node)) await this.hands.machine.add(node)
      this.history = staged.history
      this.write()
      await this.begun(staged.owners)
      return staged.plan
    } finally {
      this.committing = false
    }
  }
}

function memberOf(join: JoinOptions): { weight: number; host: string; zone: string } {
  checkNames(join, ['weight', 'host', 'zone'], 'join')
  return { weight: join.weight ?? 1, host: join.host ?? '', zone: join.zone ?? '' }
}
