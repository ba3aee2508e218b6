// Faults on purpose: for tests, and for applications that want to see themselves survive. Real ones: threads are
// terminated and blocked, directories are emptied, messages are lost.

import { limits } from '../base/limits.js'
import type { Millis, NodeId } from '../base/units.js'
import { supervisorThread } from '../protocol/address.js'
import type { Links } from '../runtime/threads/links.js'
import type { Machine } from '../runtime/threads/machine.js'
import type { Faults } from './api.js'
import { checkNode, checkWhole } from './options.js'

export class LocalFaults implements Faults {
  private readonly machine: Machine
  private readonly links: Links
  private readonly nodesNow: () => readonly NodeId[]

  constructor(machine: Machine, links: Links, nodes: () => readonly NodeId[]) {
    this.machine = machine
    this.links = links
    this.nodesNow = nodes
  }

  kill(node: NodeId): void {
    this.machine.kill(this.check('node', node))
  }

  async stall(node: NodeId, ms: Millis): Promise<void> {
    const wanted = checkWhole('ms', ms, 1, limits.stallMsMax)
    const control = this.machine.control(this.check('node', node))
    await control?.call((remote) => remote.stall(wanted), wanted + 10_000)
  }

  async wipe(node: NodeId): Promise<void> {
    await this.machine.wipe(this.check('node', node))
  }

  isolate(node: NodeId, from?: NodeId): void {
    this.check('node', node)
    if (from !== undefined) return this.links.cut(node, this.check('from', from))
    for (const other of [supervisorThread, ...this.nodes]) if (other !== node) this.links.cut(node, other)
  }

  heal(): void {
    this.links.heal()
  }

  private get nodes(): readonly NodeId[] {
    return this.nodesNow()
  }

  private check(name: string, node: NodeId): NodeId {
    return checkNode(name, node, this.nodes)
  }
}
