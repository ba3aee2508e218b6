// A node whose heap is full dies of it, alone: its thread has a limit of its own. Every request that was under way is
// answered, the supervisor begins it again, the new life takes over the objects (they are not in the heap), and
// nothing that was acknowledged is lost, not even with w 1 and nothing durable.

import { expect, test } from 'vitest'
import { openCluster, temporary, until } from './cluster-helpers.js'
import { Load } from './kill-load.js'

/** A collector that gets little of a busy machine takes a minute and more to find that a heap is full. */
const fullMsMax = 150_000

const expected = new Set([
  'coordinator-lost',
  'quorum-lost',
  'unavailable',
  'deadline',
  'overloaded',
  'recovering',
])

test.each(['in a directory', 'in memory only'])(
  '%s: a node runs out of memory under load',
  async (where) => {
    const lines: string[] = []
    const cluster = await openCluster({
      ...(where === 'in a directory' ? { dir: temporary() } : {}),
      dw: 0,
      log: (_level, text) => lines.push(text),
    })
    const load = new Load(cluster, 1)
    await load.more(500)
    const life = () => cluster.status().nodes[1]
    const before = life()?.generation ?? 0
    await cluster.machine.control(2)?.call((control) => control.exhaust(), 10_000)
    await until(
      'node 2 has a new life',
      () => (life()?.generation ?? 0) > before && ['up', 'slow'].includes(life()?.state ?? ''),
      fullMsMax,
    )
    await load.more(500)
    await load.stop()
    expect([...load.errors.keys()].filter((code) => !expected.has(code))).toEqual([])
    await until('all nodes are whole', () => cluster.status().nodes.every(({ complete }) => complete))
    await load.expectNothingLost()
    expect(lines.filter((line) => /node 2 ended: .*memory/i.test(line))).toHaveLength(1)
  },
  fullMsMax + 90_000,
)
