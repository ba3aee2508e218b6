// A thread that has just begun knows no ring yet. Whoever asks it then is told so, at once, and asks again.

import { describe, expect, it } from 'vitest'
import { World } from '../../src/sim/world.js'
import { answerOf, mustPut, values } from '../sim/helpers.js'

describe('a gateway that has not heard of the ring', () => {
  it('refuses everything as unavailable, and serves when it has', () => {
    const world = new World({ seed: 1, nodes: 3, knowsRing: false })
    const { client } = world
    const asked = [
      client.put('k', 'v'),
      client.put('k', 'v', { condition: 'absent' }),
      client.put('k', 'v', { returnPrevious: true, conflicts: 'last-write-wins' }),
      client.get('k'),
      client.get('k', { via: 'turn' }),
      client.scan({ partition: 0, prefix: '', after: '', limit: 1, begunAt: 0, conflicts: 'siblings', r: 1 }),
      client.audit(0, { mends: true, deep: false }),
      client.audit(99, { mends: true, deep: false }),
    ]
    for (const request of asked) {
      expect(answerOf(world, request), request.message.type).toMatchObject({ code: 'unavailable' })
    }
    // It hears of nodes that are up before it hears of the ring.
    world.start()
    expect(answerOf(world, client.get('k'))).toMatchObject({ code: 'unavailable' })
    world.tellRing()
    world.pass(5)
    mustPut(world, 'k', 'v')
    expect(values(world, 'k')).toEqual(['v'])
    expect(answerOf(world, client.audit(99, { mends: true, deep: false }))).toMatchObject({
      type: 'audit-failed',
    })
  })
})
