// For whoever runs the cluster: replicas compared and mended now, and what is kept for nodes that are away.
// Comparisons are requests like any other; what a node keeps it is asked by its control.

import type { TransferState } from '../actors/claimant/state.js'
import { RingspunError } from '../base/errors.js'
import type { Millis, NodeId } from '../base/units.js'
import { type AuditAnswered, addReports, nothingDone } from '../protocol/sync.js'
import { preferenceList } from '../ring/preference.js'
import type { Ring } from '../ring/ring.js'
import { now } from '../runtime/threads/clock.js'
import type { Machine } from '../runtime/threads/machine.js'
import type {
  Admin,
  ChangeReport,
  Comparison,
  HintReport,
  Plan,
  PlanOptions,
  RequestOptions,
  RingReport,
} from './api.js'
import type { ClusterCore } from './core.js'
import { splitKey } from './keys.js'
import type { Membership } from './membership.js'
import { checkNames, checkNode, requestNames, timeoutOf } from './options.js'
import { primaryPartitions } from './status.js'

/** Partitions that are compared at once: it is work for the background. */
const atOnce = 4
const comparisonMsDefault: Millis = 600_000
const controlMsMax: Millis = 10_000

type HowDeep = RequestOptions & { readonly deep?: boolean }

export class LocalAdmin implements Admin {
  private readonly machine: Machine
  private readonly core: ClusterCore
  private readonly ringNow: () => Ring
  private readonly membership: Membership
  private readonly transferStates: () => readonly TransferState[]
  /** The largest n of any bucket. */
  private readonly copies: () => number
  private readonly paused = new Set<NodeId>()

  constructor(
    machine: Machine,
    core: ClusterCore,
    membership: Membership,
    copies: () => number,
    transferStates: () => readonly TransferState[],
  ) {
    this.membership = membership
    this.transferStates = transferStates
    this.machine = machine
    this.core = core
    this.ringNow = () => membership.ring
    this.copies = copies
  }

  ring(): RingReport {
    const { epoch, partitions, copies, hash, nodes, owners } = this.ringNow()
    const replicas = primaryPartitions(this.ringNow(), copies)
    return {
      epoch,
      partitions,
      copies,
      hash,
      nodes: nodes.map((node) => ({
        node,
        owned: owners.reduce((sum, owner) => sum + (owner === node ? 1 : 0), 0),
        replicas: replicas.get(node) ?? 0,
      })),
      history: this.membership.history.entries.map(({ at, issuer, changes }) => ({
        at,
        issuer,
        changes: changes.map((change) => ({ ...change })),
      })),
      preferences: Array.from({ length: partitions }, (_, partition) =>
        preferenceList(this.ringNow(), partition),
      ),
    }
  }

  plan(options: PlanOptions): Plan {
    return this.membership.plan(options)
  }

  commit(): Promise<Plan> {
    return this.membership.commit()
  }

  transfers(): ChangeReport {
    const { change, partitions } = this.ringNow()
    const all = this.transferStates()
    const at = now()
    const bytes = all.reduce((sum, each) => sum + each.bytes, 0)
    const begun = Math.min(at, ...all.filter(({ begunAt }) => begunAt > 0).map(({ begunAt }) => begunAt))
    const isDone = ({ stage }: TransferState) => stage === 'done'
    const done = all.filter(isDone).length
    const spentMs = at - begun
    const left = all.length - done
    return {
      isChanging: change !== undefined,
      partitions,
      moved: change === undefined ? partitions : change.moved.reduce((sum, each) => sum + each, 0),
      bytes,
      bytesPerSecond: spentMs > 0 ? Math.round((bytes * 1000) / spentMs) : 0,
      etaMs: done > 0 ? Math.round((spentMs * left) / done) : undefined,
      transfers: all.map(({ transfer, stage, objects, bytes: size, tries, reason }) => ({
        ...transfer,
        stage,
        objects,
        bytes: size,
        tries,
        reason: stage === 'waiting' ? reason : '',
      })),
    }
  }

  repair(options: HowDeep = {}): Promise<Comparison> {
    return this.compare('repair', options, true, options.deep ?? false)
  }

  verify(options: HowDeep = {}): Promise<Comparison> {
    return this.compare('verify', options, false, options.deep ?? true)
  }

  private async compare(what: string, options: HowDeep, mends: boolean, deep: boolean): Promise<Comparison> {
    checkNames(options, [...requestNames, 'deep'], what)
    if (typeof deep !== 'boolean') throw new RingspunError('option-invalid', 'deep must be true or false')
    const begun = now()
    const until = begun + (options.timeout === undefined ? comparisonMsDefault : timeoutOf(options))
    let sum = nothingDone
    let missing = 0
    let next = 0
    const { partitions, requests } = this.core
    const worker = async () => {
      while (next < partitions) {
        const partition = next++
        const message = { type: 'audit', partition, n: this.copies(), mends, deep } as const
        const left = Math.max(1, until - now())
        try {
          const answer = (await requests.send(message, left, options.signal)) as AuditAnswered
          sum = addReports(sum, answer.report)
          if (answer.missing.length > 0) missing++
        } catch (error) {
          // The node that compared is gone: its partition was not compared, and the others are.
          if (!(error instanceof RingspunError) || error.code !== 'unavailable') throw error
          missing++
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, partitions) }, worker))
    const { listed, differing, damaged, pulled, pushed, bytes, messages } = sum
    return {
      equal: missing === 0 && differing === 0 && damaged === 0,
      partitions,
      missing,
      listed,
      differing,
      damaged,
      mended: pulled + pushed,
      bytes,
      messages,
      ms: Math.round(now() - begun),
      keys: [...new Set(sum.keys)].map(splitKey),
    }
  }

  private get nodes(): readonly NodeId[] {
    return this.ringNow().nodes
  }

  async hints(): Promise<readonly HintReport[]> {
    const all = await Promise.all(this.nodes.map((keeper) => this.hintsOf(keeper)))
    return all.flat().filter(({ count, paused }) => count > 0 || paused)
  }

  /** Of a node that is down nothing is known until it is back. */
  private async hintsOf(keeper: NodeId): Promise<HintReport[]> {
    try {
      const kept = await this.machine.control(keeper)?.call((control) => control.hints(), controlMsMax)
      return (kept ?? []).map((each) => ({ keeper, ...each }))
    } catch {
      return []
    }
  }

  async pauseHints(owner: NodeId): Promise<void> {
    this.paused.add(this.check(owner))
    await this.tellAll(owner, 'pause')
  }

  async resumeHints(owner: NodeId): Promise<void> {
    this.paused.delete(this.check(owner))
    await this.tellAll(owner, 'resume')
  }

  async dropHints(owner: NodeId): Promise<void> {
    await this.tellAll(this.check(owner), 'drop')
  }

  /** A node that begins a new life is told what it must hold back. */
  begun(node: NodeId): void {
    for (const owner of this.paused) void this.tell(node, owner, 'pause')
  }

  private async tellAll(owner: NodeId, what: 'pause' | 'resume' | 'drop'): Promise<void> {
    await Promise.all(this.nodes.map((keeper) => this.tell(keeper, owner, what)))
  }

  private async tell(keeper: NodeId, owner: NodeId, what: 'pause' | 'resume' | 'drop'): Promise<void> {
    try {
      await this.machine.control(keeper)?.call((control) => control.operateHints(owner, what), controlMsMax)
    } catch {
      // It is down: what it keeps it will be told of when it is back, or it is asked again to drop.
    }
  }

  private check(node: NodeId): NodeId {
    return checkNode('node', node, this.nodes)
  }
}
