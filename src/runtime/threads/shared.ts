// The shared memory of a cluster: who may write to whom, the status table, the bells, the objects of each
// node. Made once by the thread that opens the cluster; outlives every thread but that one.

import { limits } from '../../base/limits.js'
import type { NodeId } from '../../base/units.js'
import { createObjectBuffer } from '../../storage/object-buffer-layout.js'
import { createMailbox } from '../mailbox.js'
import { createStatusTable } from '../status-table.js'
import { createBells } from './doorbell.js'
import { createLinks } from './links.js'

export interface SharedState {
  readonly status: SharedArrayBuffer
  /** One word per thread. */
  readonly bells: SharedArrayBuffer
  /** From each thread (outer) to each other (inner), where both exist. */
  readonly mailboxes: readonly (readonly (SharedArrayBuffer | undefined)[])[]
  /** Objects of each node, by node number. */
  readonly memories: (SharedArrayBuffer | undefined)[]
  /** Links that are cut on purpose. */
  readonly links: SharedArrayBuffer
}

export function createSharedState(nodes: number, memoryBytes: number): SharedState {
  const mailboxes: SharedArrayBuffer[][] = []
  for (let from = 0; from <= nodes; from++) {
    const row: SharedArrayBuffer[] = []
    for (let to = 0; to <= nodes; to++) if (to !== from) row[to] = createMailbox(limits.mailboxBytes)
    mailboxes[from] = row
  }
  const memories: SharedArrayBuffer[] = []
  for (let node: NodeId = 1; node <= nodes; node++) memories[node] = createObjectBuffer(memoryBytes)
  return {
    status: createStatusTable(),
    bells: createBells(),
    mailboxes,
    memories,
    links: createLinks(),
  }
}
