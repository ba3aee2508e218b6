// A link that fails one way, for ever (trust S38). What one hears from a node says nothing about whether
// that node hears one: the probes of a node that suspects us end our suspicion of it, again and again.

import { expect, it } from 'vitest'
import { answerOf, keyLedBy, nodeOf, preference, startLedWorld } from '../sim/helpers.js'

it.each([5, 3])(
  '%s nodes: what 1 sends to 2 is lost: 1 finds out once, and does not stall every two seconds',
  (nodes) => {
    const world = startLedWorld({ seed: 1, nodes })
    let key = ''
    for (let i = 0; key === ''; i++) {
      const candidate = keyLedBy(world, 1, `key-${i}`)
      if (preference(world, candidate).slice(0, 3).includes(2)) key = candidate
    }
    let other = ''
    for (let i = 0; other === ''; i++) {
      const candidate = keyLedBy(world, 2, `key-${i}`)
      if (preference(world, candidate).slice(0, 3).includes(1)) other = candidate
    }
    world.network.cutLink(1, 2)
    let changes = 0
    let last: string | undefined
    let stalled = 0
    const writes = { w: 2, dw: 1, timeoutMs: 5_000, conflicts: 'last-write-wins' } as const
    for (let i = 0; i < 300; i++) {
      // The second writes too; the first is among its replicas.
      world.client.put(other, `o${i}`, { ...writes, coordinator: 2 })
      const begun = world.now()
      const request = world.client.put(key, `v${i}`, { ...writes, w: nodes === 3 ? 2 : 3, coordinator: 1 })
      answerOf(world, request)
      if (world.now() - begun > 200) stalled++
      world.pass(100)
      const seen = nodeOf(world, 1)
        .host?.seen()
        .find(({ node }) => node === 2)?.state
      if (seen !== last) changes++
      last = seen
    }
    expect({ changes, stalled, last }).toMatchObject({ last: 'suspected' })
    expect(changes).toBeLessThanOrEqual(6)
    expect(stalled).toBeLessThanOrEqual(3)
  },
)
