// A ring of so many partitions that their trees are small ones, of one level.

import { expect, it } from 'vitest'
import type { AuditAnswered } from '../../src/protocol/sync.js'
import {
  answerOf,
  mustPut,
  partitionOfKey,
  sendAway,
  settle,
  startWorld,
  valuesAtEach,
} from '../sim/helpers.js'
import { expectTrueTrees } from '../sim/trees.js'

it.each(['md5', 'halfsip'] as const)(
  'replicas of 1,040 partitions are compared and mended (hash %s)',
  (hash) => {
    const world = startWorld({ seed: 1, nodes: 4, partitions: 1_040, hash })
    const keys = Array.from({ length: 40 }, (_, index) => `k${index}`)
    for (const key of keys) mustPut(world, key, 'old', { w: 3, conflicts: 'last-write-wins' })
    world.pass(3_000)
    sendAway(world, [2, 3])
    for (const key of keys) mustPut(world, key, 'new', { w: 1, dw: 1, conflicts: 'last-write-wins' })
    world.crash('power')
    world.start()
    settle(world, 5_000)
    const audit = (key: string) =>
      answerOf(
        world,
        world.client.audit(partitionOfKey(world, key), { mends: true, deep: false }),
      ) as AuditAnswered
    for (const key of keys) audit(key)
    settle(world)
    for (const key of keys) {
      expect(valuesAtEach(world, key), key).toEqual([['new'], ['new'], ['new']])
      expect(audit(key).report, key).toMatchObject({ differing: 0 })
    }
    expectTrueTrees(world)
  },
)
