// Holds the trees of a simulated cluster against what they stand for: every key that the disk and the memory
// of a node hold, signed anew.

import { expect } from 'vitest'
import type { Key } from '../../src/base/units.js'
import { isHintKey } from '../../src/protocol/hint.js'
import type { AuditAnswered, SyncReport } from '../../src/protocol/sync.js'
import { addReports, nothingDone } from '../../src/protocol/sync.js'
import { hashOf } from '../../src/ring/ring.js'
import { Trees } from '../../src/runtime/trees.js'
import type { SimNode } from '../../src/sim/node.js'
import type { World } from '../../src/sim/world.js'
import { keyOfRow } from '../../src/storage/layout.js'
import type { Row } from '../../src/storage/store.js'
import { answerOf } from './helpers.js'

/** Compares all replicas of all partitions. */
export function audit(world: World, how: { readonly mends: boolean; readonly deep: boolean }): SyncReport {
  let sum = nothingDone
  for (let partition = 0; partition < world.ring.partitions; partition++) {
    const answer = answerOf(world, world.client.audit(partition, how)) as AuditAnswered
    expect(answer).toMatchObject({ type: 'audit-answered', missing: [] })
    sum = addReports(sum, answer.report)
  }
  return sum
}

/** The trees of every node, live and stored, are what its objects make them. */
export function expectTrueTrees(world: World): void {
  // A batch that is under way is in the trees already, and not yet on disk.
  const isCommitting = (node: SimNode) => node.host?.journal?.['committing'] === true
  for (const node of world.nodes.values()) {
    world.runUntil(() => !isCommitting(node), 1_000)
    expectTrueTreesOf(world, node)
  }
}

function expectTrueTreesOf(world: World, node: SimNode): void {
  const { partitions } = world.ring
  const trees = node.storage?.trees as Trees
  const live = new Trees(partitions)
  const stored = new Trees(partitions)
  const objects = new Map<Key, Uint8Array>()
  for (const { row, value } of rowsOf(world, node)) {
    const key = keyOfRow(row)
    objects.set(key, value)
    stored.restoreRow(hashOf(world.ring, key), value)
  }
  const memory = node.storage?.memory as unknown as {
    walk(at: number, places: number, visit: (key: Key, hash: number, value: Uint8Array) => void): number
  }
  memory.walk(0, 1 << 30, (key, _hash, value) => {
    if (!isHintKey(key)) objects.set(key, Uint8Array.from(value))
  })
  for (const [key, value] of objects) live.restoreRow(hashOf(world.ring, key), value)
  for (let partition = 0; partition < partitions; partition++) {
    const name = `node ${node.node} partition ${partition} seed ${world.seed}`
    expect(trees.tree(partition, 1).toWords(), `live tree of ${name}`).toEqual(
      live.tree(partition, 1).toWords(),
    )
    // What is doubted is read again at the next start.
    if ((trees['unsound'] as Set<number>).has(partition)) continue
    const kept = trees.storedTrees()
    const expected = stored.storedTrees()
    for (const slot of new Set([...kept.keys(), ...expected.keys()])) {
      if (slot % 0x1_0000 !== partition) continue
      const words = (of: typeof kept) => of.get(slot)?.toWords() ?? new Uint32Array(2 * trees.leaves)
      expect(words(kept), `stored tree of ${name}`).toEqual(words(expected))
    }
  }
}

function rowsOf(world: World, node: SimNode): readonly Row[] {
  let rows: readonly Row[] | undefined
  node.disk.walk('o', 'p', 1_000_000, (_error, found) => {
    rows = found
  })
  world.runUntil(() => rows !== undefined)
  return rows as readonly Row[]
}
