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
    lists = makeLists(ring)
    listsByRing.set(ring, lists)
  }
  recentRing = ring
  recentLists = lists
}

/**
 * Backwards from the last partition: a list is its owner, then the list of the next partition without that
 * owner. Equal lists are one array: a periodic ring has few, and 65,536 arrays of 64 would take 33 MB a thread.
 */
function makeLists(ring: Ring): Lists {
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
function listAtWrap(ring: Ring): readonly NodeId[] {
  const seen = new Set<NodeId>(ring.owners)
  for (const node of ring.nodes) seen.add(node)
  return [...seen]
}
