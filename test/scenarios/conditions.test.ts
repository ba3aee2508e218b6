// Puts with a condition (NX, XX), touch, expiry and tombstones. A key's conditional puts go to one node, the
// first of its list that is up, so while no node fails exactly one of two racing NX puts wins. Expiry and
// deletion are part of the version: no crash and no repair brings back what has expired or was deleted.

import { describe, expect, it } from 'vitest'
import type { Put } from '../../src/protocol/write.js'
import type { SimRequest, SimWrite } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import { contextOf, liveSiblings } from '../../src/versions/read.js'
import {
  answerOf,
  copyAt,
  expectNoTrace,
  keyLedBy,
  mustGet,
  mustPut,
  nodeOf,
  preference,
  put,
  setNetwork,
  settle,
  startLedWorld,
  startWorld,
  takeDown,
  values,
} from '../sim/helpers.js'

function liveTexts(world: World, key: string, r = 3): string[] {
  const { object } = mustGet(world, key, { r })
  return object === undefined ? [] : liveSiblings(object, world.wall()).map(({ value }) => `${value}`)
}

describe('absent (NX) and present (XX)', () => {
  it('of two racing NX puts exactly one wins, led from wherever (60 seeds)', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const world = startWorld({ seed, nodes: 4 })
      setNetwork(world, { reordering: true, delayMsMax: 2 })
      const options: SimWrite = { condition: 'absent', w: 2, conflicts: 'last-write-wins' }
      const requests: SimRequest[] = []
      for (let i = 0; i < 2 + (seed % 4); i++) {
        const via = (seed + i) % 5
        const coordinator = 1 + (i % 4)
        requests.push(world.client.put('k', `v${i}`, { ...options, coordinator, ...(via > 0 && { via }) }))
      }
      const answers = requests.map((request) => answerOf(world, request))
      const won = answers.flatMap((answer, i) => (answer.type === 'put-answered' ? [`v${i}`] : []))
      expect(won, `seed ${seed}`).toHaveLength(1)
      for (const answer of answers) {
        if (answer.type === 'put-answered') continue
        expect(answer).toMatchObject({
          type: 'put-failed',
          code: 'condition-failed',
          details: { exists: true },
        })
      }
      expect(values(world, 'k', { r: 3, conflicts: 'last-write-wins' })).toEqual(won)
    }
  })

  it('XX of a key that is not there is refused and leaves no trace; NX after a delete wins', () => {
    const world = startWorld({ seed: 70, nodes: 3 })
    expect(put(world, 'k', 'v', { condition: 'present', w: 3 })).toMatchObject({
      code: 'condition-failed',
      details: { exists: false },
    })
    expectNoTrace(world, 'k')
    const { context } = mustPut(world, 'k', 'v', { condition: 'absent', w: 3 })
    expect(put(world, 'k', 'w', { condition: 'absent' })).toMatchObject({ code: 'condition-failed' })
    mustPut(world, 'k', 'w', { condition: 'present', context, w: 3 })
    expect(values(world, 'k', { r: 3 })).toEqual(['w'])
    const seen = contextOf(mustGet(world, 'k').object ?? { clock: [], siblings: [] })
    mustPut(world, 'k', '', { change: 'delete', context: seen, w: 3 })
    expect(put(world, 'k', 'x', { condition: 'present' })).toMatchObject({ code: 'condition-failed' })
    mustPut(world, 'k', 'again', { condition: 'absent', w: 3 })
    expect(values(world, 'k', { r: 3 })).toEqual(['again'])
  })
})

describe('a decision by a node that lags', () => {
  // Node 1 leads the key's decisions and hears nothing of what the others store.
  function worldWithALag(seed: number): { readonly world: World; readonly key: string } {
    const world = startLedWorld({ seed, nodes: 3 })
    const key = keyLedBy(world, 1)
    for (const other of [2, 3]) world.network.cutLink(other, 1)
    mustPut(world, key, 'v', { w: 2, coordinator: 2, conflicts: 'last-write-wins' })
    expect(copyAt(world, 1, key)).toBeUndefined()
    world.network.healAll()
    return { world, key }
  }
  const latest = { conflicts: 'last-write-wins', w: 2 } as const

  it('NX sees what was acknowledged before', () => {
    const { world, key } = worldWithALag(76)
    expect(put(world, key, 'other', { ...latest, condition: 'absent' })).toMatchObject({
      code: 'condition-failed',
      details: { exists: true },
    })
    expect(values(world, key, { r: 3 })).toEqual(['v'])
  })

  it('XX and touch work on what was acknowledged before, and leave one version', () => {
    const { world, key } = worldWithALag(77)
    const expires = world.wall() + 60_000
    mustPut(world, key, '', { ...latest, change: 'touch', expires })
    settle(world)
    expect(copyAt(world, 1, key)?.siblings).toMatchObject([{ expires, value: Buffer.from('v') }])
    mustPut(world, key, 'w', { ...latest, condition: 'present' })
    expect(values(world, key, { r: 3 })).toEqual(['w'])
  })

  it('one that still cannot hear the others refuses nothing that it could do alone', () => {
    const world = startWorld({ seed: 78, nodes: 3 })
    takeDown(world, [2, 3])
    mustPut(world, 'k', 'v', { condition: 'absent', w: 1 })
    expect(put(world, 'k', 'w', { condition: 'absent', w: 1 })).toMatchObject({ code: 'condition-failed' })
    expect(values(world, 'k', { r: 1 })).toEqual(['v'])
  })
})

describe('touch', () => {
  it('keeps the value and changes when it expires', () => {
    const world = startWorld({ seed: 71, nodes: 3 })
    const at = world.wall() + 10_000
    mustPut(world, 'k', 'v', { w: 3, expires: at })
    mustPut(world, 'k', '', { change: 'touch', expires: at + 5_000, w: 3 })
    const { object } = mustGet(world, 'k', { r: 3 })
    expect(object?.siblings).toHaveLength(1)
    expect(object?.siblings[0]).toMatchObject({ expires: at + 5_000, value: Buffer.from('v') })
    mustPut(world, 'k', '', { change: 'touch', expires: 0, w: 3 })
    expect(mustGet(world, 'k', { r: 3 }).object?.siblings[0]?.expires).toBe(0)
  })

  it('of nothing, and of siblings, is refused', () => {
    const world = startWorld({ seed: 72, nodes: 3 })
    expect(put(world, 'k', '', { change: 'touch', expires: 1 })).toMatchObject({ code: 'condition-failed' })
    expectNoTrace(world, 'k')
    mustPut(world, 'k', 'a', { w: 3 })
    mustPut(world, 'k', 'b', { w: 3 })
    expect(put(world, 'k', '', { change: 'touch', expires: 1 })).toMatchObject({
      code: 'too-many-siblings',
      details: { siblings: 2, limit: 1 },
    })
    expect(values(world, 'k', { r: 3 })).toEqual(['a', 'b'])
  })

  it('a put that keeps the expiry takes the one that is there', () => {
    const world = startWorld({ seed: 73, nodes: 3 })
    const expires = world.wall() + 10_000
    const { context } = mustPut(world, 'k', 'v', { w: 3, expires })
    // A world of the same seed makes the message, which has the same hash there.
    const twin = startWorld({ seed: 73, nodes: 3 })
    const message = twin.client.put('k', 'w', { w: 3, context }).message as Put
    answerOf(world, world.client['send']({ ...message, keepExpiry: true }))
    expect(mustGet(world, 'k', { r: 3 }).object?.siblings).toMatchObject([
      { expires, value: Buffer.from('w') },
    ])
  })
})

describe('expiry', () => {
  it('is by the wall clock, also when that jumps, and an expired key is absent for a condition', () => {
    const world = startWorld({ seed: 74, nodes: 3 })
    const expires = world.wall() + 3_600_000
    mustPut(world, 'k', 'v', { w: 3, expires })
    expect(liveTexts(world, 'k')).toEqual(['v'])
    expect(put(world, 'k', 'w', { condition: 'absent' })).toMatchObject({ code: 'condition-failed' })
    world.wallOffset += 3_600_000 + 1_000
    expect(liveTexts(world, 'k')).toEqual([])
    expect(put(world, 'k', 'w', { condition: 'present' })).toMatchObject({ code: 'condition-failed' })
    const answer = mustPut(world, 'k', 'w', { condition: 'absent', w: 3 })
    expect(answer.existed).toBe(false)
    expect(liveTexts(world, 'k')).toEqual(['w'])
  })

  it.each(['process', 'power'] as const)(
    'what has expired stays expired after a %s crash and a repair',
    (kind) => {
      const world = startWorld({ seed: 75, nodes: 3 })
      const expires = world.wall() + 50
      mustPut(world, 'k', 'v', { w: 3, dw: 3, level: 'disk', expires })
      world.pass(100)
      world.crash(kind)
      world.start()
      settle(world)
      expect(liveTexts(world, 'k')).toEqual([])
      // A replica that lost all gets the version from the others, expiry and all.
      takeDown(world, [1])
      nodeOf(world, 1).wipe()
      world.start()
      settle(world)
      for (const node of preference(world, 'k')) {
        expect(copyAt(world, node, 'k')?.siblings).toMatchObject([{ expires }])
      }
      expect(liveTexts(world, 'k')).toEqual([])
    },
  )

  it('a clock that goes back does not make a later write older', () => {
    const world = startWorld({ seed: 76, nodes: 3 })
    const lww: SimWrite = { conflicts: 'last-write-wins', w: 3 }
    for (let i = 0; i < 10; i++) {
      mustPut(world, 'k', `v${i}`, { ...lww, coordinator: 1 })
      world.wallOffset -= 600_000
    }
    expect(values(world, 'k', { r: 3, conflicts: 'last-write-wins' })).toEqual(['v9'])
    world.kill(1)
    settle(world)
    mustPut(world, 'k', 'after', { ...lww, coordinator: 1 })
    expect(values(world, 'k', { r: 3, conflicts: 'last-write-wins' })).toEqual(['after'])
  })
})

describe('a tombstone', () => {
  it('is a version: it deletes what it has seen and nothing else', () => {
    const world = startWorld({ seed: 77, nodes: 3 })
    mustPut(world, 'k', 'a', { w: 3 })
    const context = contextOf(mustGet(world, 'k', { r: 3 }).object ?? { clock: [], siblings: [] })
    mustPut(world, 'k', 'b', { w: 3, coordinator: 2 })
    mustPut(world, 'k', '', { change: 'delete', context, w: 3 })
    expect(liveTexts(world, 'k')).toEqual(['b'])
  })

  it.each(['process', 'power'] as const)(
    'survives a %s crash, and no replica brings the value back',
    (kind) => {
      for (let seed = 1; seed <= 20; seed++) {
        const world = startWorld({ seed: 200 + seed, nodes: 3 })
        const key = keyLedBy(world, 1)
        const { context } = mustPut(world, key, 'v', { w: 3, dw: 3 })
        // One replica misses the delete.
        world.network.cutLink(1, 3)
        mustPut(world, key, '', { change: 'delete', context, w: 2, dw: 1, level: 'disk' })
        world.network.healAll()
        world.crash(kind)
        world.start()
        settle(world)
        expect(liveTexts(world, key), `seed ${seed}`).toEqual([])
        for (const node of [1, 2, 3]) {
          expect(copyAt(world, node, key)?.siblings, `seed ${seed}, node ${node}`).toMatchObject([
            { deleted: true },
          ])
        }
      }
    },
  )
})
