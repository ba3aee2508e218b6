// Who should hold a key, in which order: the preference list (Dynamo 4.3). The owner of the partition, then
// clockwise every other node of the ring, each once: positions of nodes that were seen are skipped. The first
// n are the primaries, the rest the fallbacks of a sloppy quorum (4.6).
//
// Invariants: a list names every node of the ring once and starts with the owner; the list for n is a prefix
// of the list for n + 1; nodes that own nothing come last, in order of their numbers. Lists belong to the ring
// for good: who is up is not asked here.
//
// Made once per ring and kept: a call is a comparison and two array reads.

import type { NodeId, Partition } from '../base/units.js'
import type { Ring } from './ring.js'

type Lists = readonly (readonly NodeId[])[]

/** One place of a preference list that passes from one node to another. */
export interface Transfer {
  readonly partition: Partition
  /** Index in the preference list: what is for more nodes than that has to be there. */
  readonly place: number
  /** What is for more nodes than this passes from the giver to another, or stays there. */
  readonly until: number
  readonly giver: NodeId
  readonly receiver: NodeId
}

/**
 * Who must receive what before the replicas of this partition are those of afterwards. For each n, everybody who drops
 * out of the first n gives to somebody who comes in, and the others stay what they are: a write may have been
 * acknowledged by those who drop out and not be with the others yet, and the quorums of afterwards shall meet it.
 * Givers come before receivers in the list of before, so nobody gives in a circle.
 */
export function transfersOf(ring: Ring, partition: Partition): Transfer[] {
  const { change } = ring
  if (change === undefined || change.moved[partition] === 1) return []
  const before = preferenceList(ring, partition)
  const after = listsAfter(ring)[partition] as readonly NodeId[]
  const transfers: Transfer[] = []
  /** By giver: its transfer for as many copies as were looked at. */
  const pairs = new Map<NodeId, Transfer>()
  for (let place = 0; place < Math.min(change.copies, after.length); place++) {
    const olds = before.slice(0, place + 1)
    const news = after.slice(0, place + 1)
    const gone = olds.filter((node) => !news.includes(node))
    for (const giver of pairs.keys()) if (!gone.includes(giver)) pairs.delete(giver)
    for (const [giver, { receiver }] of pairs) {
      if (olds.includes(receiver) || !news.includes(receiver)) pairs.delete(giver)
    }
    const free = news.filter(
      (node) => !olds.includes(node) && ![...pairs.values()].some(({ receiver }) => receiver === node),
    )
    // One at most has changed.
    const giver = gone.find((node) => !pairs.has(node))
    const receiver = free[0]
    if (giver !== undefined && receiver !== undefined) {
      const transfer = { partition, place, until: place + 1, giver, receiver }
      pairs.set(giver, transfer)
      transfers.push(transfer)
    }
    for (const transfer of pairs.values()) (transfer as { until: number }).until = place + 1
  }
  return transfers
}

/** The preference list of afterwards. */
export function preferenceAfter(ring: Ring, partition: Partition): readonly NodeId[] {
  return ring.change === undefined
    ? preferenceList(ring, partition)
    : (listsAfter(ring)[partition] as readonly NodeId[])
}

/** The partitions of which this node becomes the first by a ring that follows another: it must hear of both rings. */
export function becomesFirst(node: NodeId, before: Ring | undefined, after: Ring): Partition[] {
  const partitions: Partition[] = []
  if (before === undefined) return partitions
  for (let partition = 0; partition < after.partitions; partition++) {
    if (preferenceList(after, partition)[0] === node) partitions.push(partition)
  }
  return partitions.filter((partition) => preferenceList(before, partition)[0] !== node)
}

const afterByChange = new WeakMap<Uint16Array, Lists>()

function listsAfter(ring: Ring): Lists {
  const owners = ring.change?.owners ?? ring.owners
  let lists = afterByChange.get(owners)
  if (lists === undefined) {
    lists = makeLists({ partitions: ring.partitions, nodes: ring.nodes, owners })
    afterByChange.set(owners, lists)
  }
  return lists
}

const listsByRing = new WeakMap<Ring, Lists>()
// The ring of the last call, which is mostly the ring of this one: a WeakMap costs more than the rest.
let recentRing: Ring | undefined
let recentLists: Lists = []

/** All nodes in the order in which they should hold `partition` (0 <= partition < Q). Do not change the array. */
export function preferenceList(ring: Ring, partition: Partition): readonly NodeId[] {
  if (ring !== recentRing) recall(ring)
  return recentLists[partition] as readonly NodeId[]
}

function recall(ring: Ring): void {
  let lists = listsByRing.get(ring)
  if (lists === undefined) {
    const { change } = ring
    lists = makeLists(ring)
    if (change !== undefined) {
      const after = listsAfter(ring)
      lists = lists.map((list, partition) =>
        change.moved[partition] === 1 ? (after[partition] as readonly NodeId[]) : list,
      )
    }
    listsByRing.set(ring, lists)
  }
  recentRing = ring
  recentLists = lists
}

/**
 * Backwards from the last partition: a list is its owner, then the list of the next partition without that
 * owner. Equal lists are one array: a periodic ring has few, and 65,536 arrays of 64 would take 33 MB a thread.
 */
function makeLists(ring: Pick<Ring, 'partitions' | 'nodes' | 'owners'>): Lists {
  const lists = new Array<readonly NodeId[]>(ring.partitions)
  const distinct: (readonly NodeId[])[] = []
  const numberByText = new Map<string, number>()
  // What step was taken before: list number * 2^16 + owner, to the number of the list that follows.
  const steps = new Map<number, number>()

  const intern = (list: readonly NodeId[]): number => {
    const text = String.fromCharCode(...list)
    const known = numberByText.get(text)
    if (known !== undefined) return known
    distinct.push(list)
    numberByText.set(text, distinct.length - 1)
    return distinct.length - 1
  }

  let number = intern(listAtWrap(ring))
  for (let partition = ring.partitions - 1; partition >= 0; partition--) {
    const owner = ring.owners[partition] as NodeId
    const step = number * 0x1_0000 + owner
    let next = steps.get(step)
    if (next === undefined) {
      const after = distinct[number] as readonly NodeId[]
      next = intern([owner, ...after.filter((node) => node !== owner)])
      steps.set(step, next)
    }
    number = next
    lists[partition] = distinct[number] as readonly NodeId[]
  }
  return lists
}

/** What a walk from the wrap (partition 0) meets: owners in order, then the nodes that own nothing. */
function listAtWrap(ring: Pick<Ring, 'nodes' | 'owners'>): readonly NodeId[] {
  const seen = new Set<NodeId>(ring.owners)
  for (const node of ring.nodes) seen.add(node)
  return [...seen]
}
