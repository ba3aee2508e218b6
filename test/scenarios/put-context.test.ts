// The context that a put answers: with it a writer replaces what it has seen, and nothing that it has not.

import { describe, expect, test } from 'vitest'
import { textsOf } from '../../src/sim/client.js'
import { World } from '../../src/sim/world.js'
import type { Context } from '../../src/versions/object.js'

const settle = (world: World, request: ReturnType<World['client']['put']>) => {
  expect(world.runUntil(() => request.answer !== undefined)).toBe(true)
  return request.answer
}

function put(world: World, value: string, context?: Context): Context {
  const answer = settle(world, world.client.put('k', value, { w: 3, ...(context && { context }) }))
  if (answer?.type !== 'put-answered') throw new Error(`the put was answered ${answer?.type}`)
  return answer.context
}

function valuesNow(world: World): string[] {
  const answer = settle(world, world.client.get('k', { r: 3 }))
  return answer?.type === 'get-answered' ? textsOf(answer.object) : []
}

describe('the context of a put', () => {
  test('a writer goes on with it, write after write, and never meets itself', () => {
    const world = new World({ seed: 1, nodes: 3 }).start()
    let context = put(world, 'one')
    for (const value of ['two', 'three', 'four']) context = put(world, value, context)
    expect(valuesNow(world)).toEqual(['four'])
  })

  test('a sibling that the writer has not read outlives the write', () => {
    const world = new World({ seed: 2, nodes: 3 }).start()
    put(world, 'alice')
    const context = put(world, 'bob')
    put(world, 'bob again', context)
    expect(valuesNow(world)).toContain('alice')
    expect(valuesNow(world)).toContain('bob again')
  })

  test('a writer that has read them all replaces them all, and goes on from there', () => {
    const world = new World({ seed: 3, nodes: 3 }).start()
    put(world, 'alice')
    put(world, 'bob')
    const read = settle(world, world.client.get('k', { r: 3 }))
    if (read?.type !== 'get-answered' || read.object === undefined) throw new Error('the key is there')
    const merged = put(world, 'both', { clock: read.object.clock, stamp: 0 })
    expect(valuesNow(world)).toEqual(['both'])
    put(world, 'and more', merged)
    expect(valuesNow(world)).toEqual(['and more'])
  })
})
