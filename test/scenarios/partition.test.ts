// Dynamo 1 and 4.4: the cart. The nodes fall apart into two halves that do not hear each other; customers go on
// adding on both sides, and every addition that was acknowledged is in the cart when the halves meet again.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import { textsOf } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import type { Context } from '../../src/versions/object.js'
import { contextOf } from '../../src/versions/read.js'
import { get, mustGet, mustPut, put, separate, settle, startWorld, valuesAtEach } from '../sim/helpers.js'

const left: readonly NodeId[] = [1, 2]
const right: readonly NodeId[] = [3, 4, 5]

function split(world: World): void {
  for (const a of left) for (const b of right) separate(world, a, b)
}

function itemsOf(texts: readonly string[]): Set<string> {
  return new Set(texts.flatMap((text) => text.split(' ')))
}

/**
 * Reads the cart through a node, adds an item, and writes it back. True when that was acknowledged. A cart that
 * cannot be read, because none of its nodes is on this side, is added to without having been seen.
 */
function add(world: World, via: NodeId, key: string, item: string): boolean {
  const read = get(world, key, { r: 1, via, timeoutMs: 300 })
  const object = read.type === 'get-answered' ? read.object : undefined
  const items = itemsOf(textsOf(object))
  const context = object && contextOf(object)
  const cart = [...items, item].sort().join(' ')
  const written = put(world, key, cart, { w: 2, via, timeoutMs: 2_000, ...(context && { context }) })
  return written.type === 'put-answered'
}

describe('a cart while the nodes are apart', () => {
  it('takes additions on both sides, and has them all when they meet again (20 seeds)', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = startWorld({ seed, nodes: 5 })
      const keys = ['ann', 'bob', 'cy']
      for (const key of keys) mustPut(world, key, 'start', { w: 3 })
      split(world)
      // Each side finds out by not being answered.
      for (const via of [...left, ...right]) {
        for (let i = 0; i < 20; i++) world.client.get(`some ${i}`, { r: 3, via })
      }
      world.pass(6_000)
      const added = new Map<string, string[]>(keys.map((key) => [key, []]))
      let refused = 0
      for (let i = 0; i < 12; i++) {
        for (const key of keys) {
          for (const via of [1, 3]) {
            const item = `${via}-${i}`
            if (add(world, via, key, item)) added.get(key)?.push(item)
            else refused++
          }
        }
      }
      expect(refused, `seed ${seed}`).toBe(0)
      world.network.healAll()
      settle(world, 20_000)
      for (const key of keys) {
        const { object } = mustGet(world, key, { r: 3, pr: 3 })
        const items = itemsOf(textsOf(object))
        for (const item of added.get(key) ?? [])
          expect(items.has(item), `${item} of ${key}, seed ${seed}`).toBe(true)
        // One side's later cart has replaced its earlier ones: a value for each side, and what was lost on the way.
        expect(object?.siblings.length).toBeLessThanOrEqual(8)
        const [first, second, third] = valuesAtEach(world, key)
        expect(second).toEqual(first)
        expect(third).toEqual(first)
      }
    }
  })
})

it('two writers that interleave for 10,000 rounds never leave more than two siblings', () => {
  const world = startWorld({ seed: 99, nodes: 3 })
  const contexts: (Context | undefined)[] = [undefined, undefined]
  let most = 0
  for (let round = 0; round < 10_000; round++) {
    const writer = round % 2
    const context = contexts[writer]
    mustPut(world, 'k', `${writer} ${round}`, { w: 2, ...(context && { context }) })
    const { object } = mustGet(world, 'k', { r: 2 })
    most = Math.max(most, object?.siblings.length ?? 0)
    // Each writes what it read before the other wrote.
    contexts[writer] = object && contextOf(object)
  }
  expect(most).toBe(2)
}, 60_000)
