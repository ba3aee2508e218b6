// Carries out the faults of a plan, each at its instant, ends each when its time is over, and in the end all of
// them; and notes what was damaged for good, which says what may be missing afterwards.

import { randomBelow, seededRandom } from '../base/random.js'
import type { Millis, NodeId } from '../base/units.js'
import { singleAddress, supervisorThread } from '../protocol/address.js'
import { rebalance } from '../ring/rebalance.js'
import { type DiskFaults, FaultyDisk, noDiskFaults } from './disk.js'
import { threadNetwork } from './network.js'
import type { SimNode } from './node.js'
import type { FaultKind, SimFault, SimPlan } from './plan.js'
import type { World } from './world.js'

/** Something was lost for good. */
export interface Damage {
  readonly at: Millis
  readonly kind: 'process' | 'power' | 'wipe'
}

/** Not so late that anybody is suspected: reads and writes must still meet. */
const lateMsMax: Millis = 4_000
const lateEveryMs: Millis = 250
const lateness: ReadonlySet<FaultKind> = new Set(['ring', 'tail', 'clog', 'reordering', 'slow-disk', 'audit'])

export class Nemesis {
  readonly damages: Damage[] = []
  readonly counts = new Map<FaultKind, number>()
  /** True when the wall clock has not been touched. */
  clockIsTrue = true
  ringIsFixed = true
  private readonly world: World
  private readonly plan: SimPlan
  private readonly disks = new Map<NodeId, DiskFaults>()
  private readonly held: [NodeId, NodeId][] = []
  isOver = false
  /** Told when the whole process has died, with whoever asked. */
  processDied: () => void = () => {}
  /** Told when a node has lost what it had. */
  nodeLost: () => void = () => {}

  constructor(world: World, plan: SimPlan) {
    this.world = world
    this.plan = plan
    for (const fault of plan.faults) world.schedule(fault.at, () => this.begin(fault))
  }

  /** Puts the faults of a node's disk before it. */
  static diskOf(
    nemesis: () => Nemesis | undefined,
    world: () => World,
    { seed, commitMsMax }: SimPlan,
  ): (node: NodeId, store: FaultyDisk['inner']) => FaultyDisk {
    let lives = 0
    return (node, store) => {
      const random = seededRandom(seed, 30_000 + ++lives)
      const faults = nemesis()?.faultsOf(node) ?? noDiskFaults()
      const life = world().nodes.get(node)
      const generation = life?.generation
      return new FaultyDisk(store, faults, {
        random,
        now: () => world().now(),
        schedule: (delay, run) => world().schedule(delay, run),
        isOver: () => life?.alive !== true || life.generation !== generation,
        commitMsMax,
      })
    }
  }

  faultsOf(node: NodeId): DiskFaults {
    let faults = this.disks.get(node)
    if (faults === undefined) {
      faults = noDiskFaults()
      this.disks.set(node, faults)
    }
    return faults
  }

  /** True until the first fault: nodes come and go, nothing fails. */
  get isCalm(): boolean {
    const changes = this.counts.has('ring') ? 1 : 0
    return this.counts.size === changes && this.plan.rare === 0
  }

  /** True until anything worse happens than that messages and disks are late: everybody lives and hears everything. */
  get isOnlyLate(): boolean {
    return [...this.counts.keys()].every((kind) => lateness.has(kind))
  }

  private begin(fault: SimFault): void {
    if (this.isOver) return
    const { world } = this
    this.counts.set(fault.kind, (this.counts.get(fault.kind) ?? 0) + 1)
    world.note(`fault ${fault.index}: ${fault.kind} of node ${fault.node}, ${fault.ms.toFixed(0)} ms`)
    const node = world.nodes.get(fault.node) as SimNode
    if (this.onNetwork(fault) || this.onDisk(fault)) return
    switch (fault.kind) {
      case 'kill':
        if (node.alive) world.kill(fault.node)
        return
      case 'away':
        return this.away(node, fault.ms)
      case 'process':
      case 'power':
        this.damages.push({ at: world.now(), kind: fault.kind })
        world.crashAndRestart(fault.kind, fault.amount)
        return this.processDied()
      case 'wipe':
        return this.wipe(node, fault)
      case 'restore':
        return this.restore(node, fault)
      case 'pause':
        return world.pause(fault.node, fault.ms)
      case 'jam':
        return world.jam(fault.node, fault.ms)
      case 'clock':
        this.clockIsTrue = false
        world.wallOffset += (fault.amount - 0.5) * 120_000
        return
      case 'drift':
        return this.drift((fault.amount - 0.5) * 0.001)
      case 'ring':
        return this.changeRing(fault)
      case 'audit':
        return this.audit(fault)
      case 'hold-hints':
        return this.holdHints(fault)
      default:
    }
  }

  private later(ms: Millis, end: () => void): void {
    this.world.schedule(ms, () => {
      if (!this.isOver) end()
    })
  }

  private onNetwork(fault: SimFault): boolean {
    const { network } = this.world
    const { node, other, ms, amount } = fault
    const set = (change: Partial<typeof network.options>, back: Partial<typeof network.options>) => {
      network.options = { ...network.options, ...change }
      this.later(ms, () => {
        network.options = { ...network.options, ...back }
      })
      return true
    }
    switch (fault.kind) {
      case 'loss':
        return set({ loss: 0.3 * amount }, { loss: 0 })
      case 'duplication':
        return set({ duplication: 0.5 * amount }, { duplication: 0 })
      case 'reordering':
        return set(
          { reordering: true, delayMsMax: this.plan.delayMsMax + 20 * amount },
          { reordering: false, delayMsMax: this.plan.delayMsMax },
        )
      case 'tail':
        return set({ tail: 0.2 * amount, tailMsMax: 5_000 }, { tail: 0 })
      case 'damage':
        return set({ damage: 0.2 * amount }, { damage: 0 })
      case 'clog':
        network.clog(node, other, Math.min(ms, 2_000))
        return true
      case 'cut':
        return this.cut([[node, other]], ms)
      case 'isolate':
        return this.cut(this.between([node]), ms)
      case 'split':
        return this.cut(this.between(this.side(fault)), ms)
      default:
        return false
    }
  }

  /** Some of the nodes, and the clients or not: one side of a partition. */
  private side(fault: SimFault): NodeId[] {
    const random = seededRandom(this.plan.seed, 40_000 + fault.index)
    return [0, ...this.world.nodes.keys()].filter(() => random() < 0.5)
  }

  /** All links, both ways, between these and the others. */
  private between(side: readonly NodeId[]): [NodeId, NodeId][] {
    const links: [NodeId, NodeId][] = []
    for (const a of side) {
      for (const b of [0, ...this.world.nodes.keys()]) if (!side.includes(b)) links.push([a, b], [b, a])
    }
    return links
  }

  private cut(links: readonly (readonly [NodeId, NodeId])[], ms: Millis): boolean {
    const { network } = this.world
    for (const [from, to] of links) network.cutLink(from, to)
    this.later(ms, () => {
      for (const [from, to] of links) network.mendLink(from, to)
    })
    return true
  }

  private onDisk(fault: SimFault): boolean {
    const faults = this.faultsOf(fault.node)
    const until = this.world.now() + fault.ms
    switch (fault.kind) {
      case 'slow-disk':
        faults.slowUntil = until
        faults.slowMs = 300 * fault.amount
        return true
      case 'stalled-disk':
        faults.stalledUntil = Math.min(until, this.world.now() + 5_000)
        return true
      case 'failing-disk':
        faults.failingUntil = until
        return true
      case 'full-disk':
        faults.fullUntil = until
        return true
      case 'rot':
        faults.rottenUntil = until
        return true
      default:
        return false
    }
  }

  /** Its thread ends, and nobody begins it again for so long. */
  private away(node: SimNode, ms: Millis): void {
    if (!node.alive) return
    const { world } = this
    const { generation } = node
    node.die()
    world.threads.resume(node.node)
    world.tellSupervisor({ type: 'node-exited', node: node.node, generation, reason: 'away', failure: false })
    this.later(ms, () => world.spawn(node.node))
  }

  /**
   * All that one node has is gone, or its log is damaged, once in a run: more than that may be more than N copies bear.
   * Where what is dead is forgotten, a log without its middle may bring back what nobody else remembers.
   */
  private wipe(node: SimNode, { amount }: SimFault): void {
    if (this.damages.length > 0) return
    const { world } = this
    const { generation } = node
    this.damages.push({ at: world.now(), kind: 'wipe' })
    if (amount < 0.5 && this.plan.reapAfterMs === 0) node.damageLog(2 * amount)
    else node.wipe()
    world.threads.resume(node.node)
    world.tellSupervisor({ type: 'node-exited', node: node.node, generation, reason: 'wiped', failure: true })
    this.nodeLost()
  }

  /**
   * A copy of a node's disk takes its place a little later: what came meanwhile is gone there. Not so much later that
   * something dead was forgotten meanwhile: what a backup brings back then, nobody can tell from what is new.
   */
  private restore(node: SimNode, { ms, amount }: SimFault): void {
    if (this.damages.length > 0) return
    const { world, plan } = this
    const backup = node.disk.copy()
    const most = plan.reapAfterMs > 0 ? plan.reapAfterMs / 2 : ms
    this.later(Math.min(ms, most), () => {
      if (this.damages.length > 0) return
      const { generation } = node
      this.damages.push({ at: world.now(), kind: 'wipe' })
      node.restore(backup, amount < 0.5)
      world.threads.resume(node.node)
      const gone = {
        type: 'node-exited',
        node: node.node,
        generation,
        reason: 'restored',
        failure: true,
      } as const
      world.tellSupervisor(gone)
      this.nodeLost()
    })
  }

  private drift(rate: number): void {
    this.clockIsTrue = false
    const { world } = this
    // The clock does not jump when its rate changes.
    world.wallOffset += world.now() * (world.wallDrift - rate)
    world.wallDrift = rate
  }

  /** Nodes leave and come back; a new one in the place of another. */
  private changeRing(fault: SimFault): void {
    const { world } = this
    if (world.ring.change !== undefined) return
    this.ringIsFixed = false
    const here = [...world.nodes.keys()]
    const members = new Set(world.ring.nodes)
    if (members.has(fault.node) && members.size > this.plan.copies && fault.amount < 0.7)
      members.delete(fault.node)
    if (fault.amount > 0.4) members.add(fault.other === 0 ? fault.node : fault.other)
    if (fault.amount > 0.9 && here.length < 8) {
      const fresh = Math.max(...here) + 1
      world.begin(fresh)
      members.add(fresh)
    }
    const next = [...members].sort((a, b) => a - b).map((node) => ({ node, weight: 1, host: '', zone: '' }))
    world.change(rebalance(world.ring.owners, next, world.copies))
    this.tellLate(fault)
  }

  /** While places pass some hear of it later than others. */
  private tellLate({ index, amount }: SimFault): void {
    const { world, plan } = this
    if (amount % 0.1 < 0.04) return
    const random = seededRandom(plan.seed, 40_000 + index)
    for (let at = 0; at < lateMsMax; at += lateEveryMs) {
      const node = 1 + randomBelow(random, plan.nodes)
      const ms = random() * 200
      this.later(at, () => world.network.clog(supervisorThread, node, ms))
    }
  }

  private audit({ node, other, amount }: SimFault): void {
    const partition = (node * 7 + other) % this.plan.partitions
    this.world.client.audit(partition, { mends: amount < 0.5, deep: amount > 0.3 })
  }

  private holdHints({ node, other, ms }: SimFault): void {
    this.pauseHints(node, other, true)
    this.held.push([node, other])
    this.later(ms, () => this.pauseHints(node, other, false))
  }

  /** As an operator asks: what this node keeps for the other is not delivered, or is again. */
  private pauseHints(node: NodeId, owner: NodeId, paused: boolean): void {
    const to = singleAddress('courier', node)
    const from = singleAddress('machine', supervisorThread)
    const message = { type: 'pause-hints', owner, paused } as const
    this.world.client.sendTo({ to, from, request: 0, deadline: 0, message })
  }

  /** Ends everything that is still going on, and begins every node that is down. */
  heal(): void {
    this.isOver = true
    const { world } = this
    world.note('all faults are over')
    world.network.healAll()
    const { losesRings, gathers } = world.network.options
    world.network.options = { ...threadNetwork, losesRings, gathers, delayMsMax: this.plan.delayMsMax }
    for (const [node, owner] of this.held) this.pauseHints(node, owner, false)
    for (const faults of this.disks.values()) Object.assign(faults, noDiskFaults())
    for (const node of world.nodes.values()) if (!node.alive) world.spawn(node.node)
  }
}
