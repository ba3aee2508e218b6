// The walk of one put and one get, Dynamo 4.5 and 6.4: led by the client itself or by a gateway on any node,
// always coordinated by a node of the key's preference list.

import { describe, expect, it } from 'vitest'
import type { Put } from '../../src/protocol/write.js'
import { textsOf } from '../../src/sim/client.js'
import {
  askVnode,
  get,
  keyLedBy,
  mustGet,
  mustPut,
  preference,
  startLedWorld,
  startWorld,
  values,
  valuesAtEach,
} from '../sim/helpers.js'

describe('client-driven', () => {
  it('a put reaches all n replicas, a get reads it, and the walk is the one of the paper', () => {
    const world = startWorld({ seed: 1, nodes: 5 })
    const key = keyLedBy(world, 2)
    const begun = world.transcript.lines.length
    mustPut(world, key, 'milk', { w: 3, dw: 1, level: 'disk' })
    const walk = world.transcript.lines.slice(begun).map((line) => line.replace(/^\S+ /, ''))
    expect(walk[0]).toMatch(/^gateway 0 -> vnode 2\/\d+ #\d+ put test\/key-\d+ value w=3 dw=1$/)
    const [, second, third] = preference(world, key)
    expect(walk.filter((line) => line.includes(' replicate '))).toHaveLength(2)
    for (const node of [second, third]) {
      expect(walk.some((line) => line.startsWith('vnode 2/') && line.includes(`-> vnode ${node}/`))).toBe(
        true,
      )
    }
    expect(walk.at(-1)).toMatch(/^gateway 0 -> client 0 #\d+ put-answered w=3 dw=1 disk$/)
    expect(valuesAtEach(world, key)).toEqual([['milk'], ['milk'], ['milk']])
    expect(values(world, key)).toEqual(['milk'])
  })

  it('a key that nobody wrote is absent, and a deleted one is absent with a context', () => {
    const world = startWorld({ seed: 2, nodes: 3 })
    expect(mustGet(world, 'nothing').object).toBeUndefined()
    const { context } = mustPut(world, 'k', 'v')
    mustPut(world, 'k', '', { change: 'delete', context })
    const { object } = mustGet(world, 'k', { r: 3 })
    expect(textsOf(object)).toEqual([])
    expect(object?.clock).toHaveLength(1)
    // The tombstone is a version: a write that has seen it replaces it, and leaves one value.
    mustPut(world, 'k', 'again', { context: { clock: object?.clock ?? [], stamp: 0 }, w: 3 })
    expect(mustGet(world, 'k', { r: 3 }).object?.siblings).toHaveLength(1)
  })

  it('a read asks the coordinator of the write before it no more than any other replica', () => {
    const world = startWorld({ seed: 3, nodes: 3 })
    mustPut(world, 'k', 'v', { w: 3 })
    const { fastest } = mustGet(world, 'k', { r: 3 })
    expect(preference(world, 'k').slice(0, 3)).toContain(fastest)
  })
})

describe('server-driven', () => {
  it.each([1, 2, 3, 4, 5])('the gateway of node %i leads puts and gets of any key', (via) => {
    const world = startWorld({ seed: 4, nodes: 5 })
    for (let i = 0; i < 10; i++) {
      mustPut(world, `k${i}`, `v${i}`, { w: 2, dw: 1, via })
      expect(values(world, `k${i}`, { via, r: 2 })).toEqual([`v${i}`])
      expect(values(world, `k${i}`, { r: 3 })).toEqual([`v${i}`])
    }
    const led = world.transcript.lines.filter((line) => line.includes(`client 0 -> gateway ${via} `))
    expect(led).toHaveLength(20)
  })

  it('a put that is sent to a node outside the preference list is coordinated by a member, one hop away', () => {
    const world = startWorld({ seed: 5, nodes: 5 })
    const key = keyLedBy(world, 3)
    const [first, , , outsider] = preference(world, key) as [number, number, number, number]
    const message = world.client.put(key, 'first', { w: 3 }).message as Put
    world.pass(50)
    const begun = world.transcript.lines.length
    const answer = askVnode(world, outsider, key, { ...message, context: undefined })
    expect(answer).toMatchObject({ type: 'put-answered', stored: expect.any(Number) })
    const puts = world.transcript.lines.slice(begun).filter((line) => / put test/.test(line))
    expect(puts).toHaveLength(2)
    expect(puts[0]).toContain(`-> vnode ${outsider}/`)
    expect(puts[1]).toContain(`-> vnode ${first}/`)
    world.pass(50)
    expect(valuesAtEach(world, key)).toEqual([
      ['first', 'first'],
      ['first', 'first'],
      ['first', 'first'],
    ])
  })
})

describe('the coordinator', () => {
  it('is whoever answered the preceding read first, when the client says so', () => {
    const world = startLedWorld({ seed: 6, nodes: 5 })
    const key = keyLedBy(world, 1)
    mustPut(world, key, 'one', { w: 3 })
    for (const node of preference(world, key).slice(0, 3)) {
      const begun = world.transcript.lines.length
      mustPut(world, key, `by ${node}`, { coordinator: node, conflicts: 'last-write-wins' })
      const line = world.transcript.lines.slice(begun).find((each) => / put test/.test(each))
      expect(line).toContain(`-> vnode ${node}/`)
    }
  })

  it('is the first of the list when the hint is of no replica, and always for a put with a condition', () => {
    const world = startLedWorld({ seed: 7, nodes: 5 })
    const key = keyLedBy(world, 4)
    const [, second, , , fifth] = preference(world, key) as [number, number, number, number, number]
    const coordinatorOf = (options: object) => {
      const begun = world.transcript.lines.length
      mustPut(world, key, 'v', options)
      const line = world.transcript.lines.slice(begun).find((each) => / put test/.test(each))
      return /-> vnode (\d+)/.exec(line ?? '')?.[1]
    }
    expect(coordinatorOf({ coordinator: fifth })).toBe('4')
    expect(coordinatorOf({ coordinator: second })).toBe(`${second}`)
    expect(coordinatorOf({ coordinator: second, condition: 'present' })).toBe('4')
  })
})

describe('a damaged request', () => {
  it('with a value that changed on its way is refused and leaves no trace', () => {
    const world = startWorld({ seed: 8, nodes: 3 })
    const request = world.client.put('k', 'sent')
    const message = request.message as Put
    world.pass(50)
    const damaged = { ...message, value: Buffer.from('lost') }
    const [first] = preference(world, 'k') as [number]
    expect(askVnode(world, first, 'k', damaged)).toMatchObject({ type: 'put-failed', code: 'value-invalid' })
    expect(get(world, 'k', { r: 3 })).toMatchObject({
      object: { siblings: [{ value: Buffer.from('sent') }] },
    })
  })

  it('with a context that names a write which was never made is refused', () => {
    const world = startWorld({ seed: 9, nodes: 3 })
    const { context } = mustPut(world, 'k', 'v')
    const [entry] = context.clock
    const forged = { clock: [{ ...entry, counter: (entry?.counter ?? 0) + 1000 }], stamp: context.stamp }
    const answer = world.client.put('k', 'w', { context: forged as typeof context })
    world.pass(100)
    expect(answer.answer).toMatchObject({ type: 'put-failed', code: 'context-invalid' })
    expect(values(world, 'k', { r: 3 })).toEqual(['v'])
  })
})

describe('a stamp', () => {
  it('is a whole number, in every life of its vnode, although the wall clock is none', () => {
    const world = startWorld({ seed: 10, nodes: 3 })
    for (let i = 0; i < 6; i++) {
      world.wallOffset += 0.37
      mustPut(world, `k${i}`, 'v', { w: 3 })
      const stamps = mustGet(world, `k${i}`, { r: 3 }).object?.siblings.map(({ stamp }) => stamp) ?? []
      expect(stamps).toHaveLength(1)
      for (const stamp of stamps) expect(Number.isSafeInteger(stamp)).toBe(true)
      world.kill(1 + (i % 3))
      world.pass(100)
    }
  })
})
