// What a status table says on threads: which lives of nodes are over.

import type { NodeId } from '../base/units.js'
import type { StatusTable } from '../runtime/status-table.js'

interface Life {
  readonly generation: number
  readonly alive: boolean
}

export function livesOf(nodes: ReadonlyMap<NodeId, Life>): Pick<StatusTable, 'isFenced' | 'fences'> {
  return {
    isFenced: (node, generation) => {
      const life = nodes.get(node)
      return life === undefined || !life.alive || life.generation !== generation
    },
    // Each death and each life moves it.
    fences: () => {
      let moves = 0
      for (const { generation, alive } of nodes.values()) moves += 2 * generation + (alive ? 0 : 1)
      return moves
    },
  }
}
