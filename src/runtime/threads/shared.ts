// The shared memory of a cluster: who may write to whom, the status table, the bells, the objects of each
// node. Made once by the thread that opens the cluster; outlives every thread but that one.

import { limits } from '../../base/limits.js'
import type { NodeId } from '../../base/units.js'
import type { Ring } from '../../ring/ring.js'
import { createObjectBuffer } from '../../storage/object-buffer-layout.js'
import { createMailbox } from '../mailbox.js'
import { createServingTable, ServingTable } from '../serving-table.js'
import { createStatusTable } from '../status-table.js'
import { createBells } from './doorbell.js'
import { createLinks } from './links.js'

export interface SharedState {
  readonly status: SharedArrayBuffer
  /** One word per thread. */
  readonly bells: SharedArrayBuffer
  /** From each thread (outer) to each other (inner), where both exist. */
  readonly mailboxes: (SharedArrayBuffer | undefined)[][]
  /** Objects of each node, by node number. */
  readonly memories: (SharedArrayBuffer | undefined)[]
  /** What may be read of each node without asking it, and of how many partitions. */
  readonly serving: SharedArrayBuffer
  readonly partitions: number
  /** Links that are cut on purpose. */
  readonly links: SharedArrayBuffer
}

export function createSharedState(ring: Ring, memoryBytes: number): SharedState {
  const { nodes, partitions } = ring
  const shared: SharedState = {
    status: createStatusTable(),
    bells: createBells(),
    mailboxes: [[]],
    memories: [],
    serving: createServingTable(partitions),
    partitions,
    links: createLinks(),
  }
  for (const node of nodes) addNode(shared, node, memoryBytes)
  const serving = new ServingTable(shared.serving, partitions)
  serving.setEpoch(ring.epoch)
  // Of an earlier process they may keep hints.
  serving.doubt(nodes)
  return shared
}

/** Mailboxes from and to every thread that has any, and memory for objects. Threads that run must be told. */
export function addNode(shared: SharedState, node: NodeId, memoryBytes: number): void {
  const { mailboxes, memories } = shared
  const row: (SharedArrayBuffer | undefined)[] = []
  for (let other = 0; other < mailboxes.length; other++) {
    const back = mailboxes[other]
    if (back === undefined || other === node) continue
    row[other] = createMailbox(limits.mailboxBytes)
    back[node] = createMailbox(limits.mailboxBytes)
  }
  mailboxes[node] = row
  memories[node] = createObjectBuffer(memoryBytes)
}

/** Mailboxes from and to every node, for a thread of the application; those of who had its number before are good. */
export function addClient(shared: SharedState, thread: NodeId): void {
  const { mailboxes, memories } = shared
  mailboxes[thread] ??= []
  const row = mailboxes[thread]
  for (let node = 0; node < memories.length; node++) {
    if (memories[node] === undefined || row[node] !== undefined) continue
    row[node] = createMailbox(limits.mailboxBytes)
    const back = mailboxes[node] as (SharedArrayBuffer | undefined)[]
    back[thread] = createMailbox(limits.mailboxBytes)
  }
}

/** The mailboxes between two threads: to the other, and from it. */
export interface Wire {
  readonly other: NodeId
  readonly out: SharedArrayBuffer
  readonly into: SharedArrayBuffer
}

export function wireBetween(shared: SharedState, thread: NodeId, other: NodeId): Wire | undefined {
  const out = shared.mailboxes[thread]?.[other]
  const into = shared.mailboxes[other]?.[thread]
  return out === undefined || into === undefined ? undefined : { other, out, into }
}
