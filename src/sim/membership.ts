// The claimant's part in membership, in the simulated world: what client/membership.ts is on threads. It hears by
// gossip what somebody has issued somewhere, begins the nodes that are new, and has the ring changed, one change at
// a time.

import { gossipDefaults } from '../actors/gossip/state.js'
import type { Millis, NodeId } from '../base/units.js'
import { nextOwners } from '../membership/fold.js'
import { appendChange, emptyHistory, type History, mergeHistories } from '../membership/history.js'
import { supervisorThread } from '../protocol/address.js'
import { rebalance } from '../ring/rebalance.js'
import { type Ring, ringFromJson, ringToJson } from '../ring/ring.js'
import type { HostPorts } from '../runtime/ports.js'

interface MembersWorld {
  readonly ring: Ring
  readonly copies: number
  readonly gossipEveryMs: Millis
  readonly nodes: ReadonlyMap<NodeId, unknown>
  wall(): Millis
  begin(node: NodeId): void
  change(owners: Uint16Array): void
  schedule(delay: Millis, run: () => void): void
}

/** From the wish for a node to asking it for anything. */
const beginMs: Millis = 20

export class SimMembership {
  history: History
  /** ring.json, as it lies in the directory of the cluster. */
  ringFile = ''
  private settled: History
  private readonly founding: History
  private readonly world: MembersWorld
  private readonly seeds: readonly NodeId[]

  constructor(world: MembersWorld, nodes: readonly NodeId[]) {
    this.world = world
    this.keepRing(world.ring)
    this.seeds = nodes.slice(0, 3)
    const joins = nodes.map((node) => ({ kind: 'join', node, weight: 1, host: '', zone: '' }) as const)
    this.founding = appendChange(emptyHistory, nodes[0] as NodeId, world.wall(), joins)
    this.history = this.founding
    this.settled = this.founding
  }

  /** What a thread of the world begins with. */
  gossip(thread: NodeId, kept: History = emptyHistory): Pick<HostPorts, 'gossip' | 'membershipHeard'> {
    const everyMs = this.world.gossipEveryMs
    const history = mergeHistories(this.founding, kept)
    if (thread !== supervisorThread) {
      return {
        gossip: { ...gossipDefaults, everyMs, history, seeds: this.seeds, observers: [supervisorThread] },
      }
    }
    const gossip = { ...gossipDefaults, everyMs, history, seeds: [], fanout: 0 }
    return { gossip, membershipHeard: (heard) => this.heard(heard) }
  }

  /** Writes ring.json. */
  keepRing(ring: Ring): void {
    this.ringFile = JSON.stringify(ringToJson(ring))
  }

  /** What a process that begins reads there. */
  readRing(): Ring {
    return ringFromJson(JSON.parse(this.ringFile))
  }

  private heard(history: History): void {
    this.history = mergeHistories(this.history, history)
    this.world.schedule(0, () => this.act())
  }

  /** Goes to where the history leads, when nothing else is going on. */
  act(): void {
    const { world, history, settled } = this
    if (world.gossipEveryMs === 0 || world.ring.change !== undefined || history === settled) return
    const owners = nextOwners({ history: settled, ring: world.ring }, history, rebalance, world.copies)
    if (owners === undefined) {
      this.settled = history
      return
    }
    const fresh = [...new Set(owners)].filter((node) => !world.nodes.has(node))
    if (fresh.length > 0) {
      for (const node of fresh) world.begin(node)
      return world.schedule(beginMs, () => this.act())
    }
    this.settled = history
    world.change(owners)
  }
}
