// Who can be spoken to: a kind of actor, on a thread, and for vnodes the partition. Addresses are made
// once and shared, so that sending allocates none.

import { limits } from '../base/limits.js'
import type { NodeId, Partition } from '../base/units.js'

/**
 * vnode: holds one partition on one node. gateway: leads requests, on a node or in a client's thread.
 * supervisor: decides about the lives of nodes. machine: carries that out (threads, or the simulated world).
 * courier: keeps hints on one node, writes for others that are away, and delivers them.
 * mender: has replicas compared, one pair after the other, for ever.
 * reaper: has what is dead forgotten, when it is certain that nothing can bring it back.
 * claimant: brings the ring to where it shall be, one in a cluster.
 * gossip: knows who is a member, and tells the others on other nodes.
 * client: whoever asked; its messages are answers. host: everything on one thread (see runtime/host).
 */
export type Kind =
  | 'vnode'
  | 'gateway'
  | 'supervisor'
  | 'machine'
  | 'client'
  | 'host'
  | 'courier'
  | 'mender'
  | 'gossip'
  | 'claimant'
  | 'reaper'

export interface Address<K extends Kind = Kind> {
  readonly kind: K
  /** Number of the thread: 0 the supervisor's, 1 to nodesMax the nodes, above them attached clients. */
  readonly node: NodeId
  /** Of a vnode; 0 for every other kind. */
  readonly partition: Partition
}

/** The thread that opened the cluster. */
export const supervisorThread: NodeId = 0

/** Threads of one cluster, all kinds. */
export const threadsMax = 1 + limits.nodesMax + limits.clientsMax

const vnodes: Address<'vnode'>[][] = []

export function vnodeAddress(node: NodeId, partition: Partition): Address<'vnode'> {
  let row = vnodes[node]
  if (row === undefined) {
    row = []
    vnodes[node] = row
  }
  const known = row[partition]
  if (known !== undefined) return known
  const address: Address<'vnode'> = { kind: 'vnode', node, partition }
  row[partition] = address
  return address
}

const singles = new Map<Kind, Address[]>()

/** The address of the only actor of this kind on that thread. */
export function singleAddress<K extends Exclude<Kind, 'vnode'>>(kind: K, node: NodeId): Address<K> {
  let row = singles.get(kind)
  if (row === undefined) {
    row = []
    singles.set(kind, row)
  }
  const known = row[node]
  if (known !== undefined) return known as Address<K>
  const address: Address<K> = { kind, node, partition: 0 }
  row[node] = address
  return address
}
