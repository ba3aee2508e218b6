// Deletes that stay deleted (Dynamo says nothing of it; Riak and Cassandra learnt it the hard way). A tombstone is
// forgotten when all its replicas hold it and nothing else can bring back what it stands against: no replica that
// is away, no hint, no message on its way. Never because time has passed alone.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import { sign } from '../../src/merkle/signature.js'
import { singleAddress, vnodeAddress } from '../../src/protocol/address.js'
import { hashOf } from '../../src/ring/ring.js'
import { internalKey, textsOf } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import { encodeObject } from '../../src/versions/object-codec.js'
import {
  copyAt,
  diskAt,
  drainHints,
  expectNoTrace,
  hintsOf,
  keyLedBy,
  mustGet,
  mustPut,
  nodeOf,
  partitionOfKey,
  preference,
  sendAway,
  separate,
  settle,
  startWorld,
  values,
} from '../sim/helpers.js'

const hour = 3_600_000
const latest = { conflicts: 'last-write-wins' } as const

/** What is dead is kept for two seconds at least, and a copy travels for as long at most. */
function reapingWorld(seed: number, nodes = 5): World {
  return startWorld({ seed, nodes, reapAfterMs: 2_000, mendEveryMs: 2_000 })
}

function reaped(world: World): number {
  return [...world.nodes.values()].reduce((sum, { host }) => sum + (host?.reaped ?? 0), 0)
}

/** Deletes what the context has seen. */
function remove(world: World, key: string, w = 2): void {
  const read = mustGet(world, key, latest)
  const clock = read.object?.clock ?? []
  const stamp = Math.max(0, ...(read.object?.siblings ?? []).map((each) => each.stamp))
  mustPut(world, key, '', { ...latest, change: 'delete', context: { clock, stamp }, w })
}

function isTombstone(world: World, node: NodeId, key: string): boolean {
  return copyAt(world, node, key)?.siblings.every(({ deleted }) => deleted) === true
}

/** What forgetting by time alone would do: every node drops it, whatever others hold. */
function forgetByTime(world: World, key: string): void {
  const internal = internalKey(key)
  const hash = hashOf(world.ring, internal)
  for (const { node, host } of world.nodes.values()) {
    const copy = host === undefined ? undefined : copyAt(world, node, key)
    if (copy === undefined) continue
    const signature = { high: 0, low: 0 }
    sign(encodeObject(copy, hash), hash, signature)
    const to = vnodeAddress(node, partitionOfKey(world, key))
    const message = { type: 'reap', key: internal, hash, ...signature } as const
    nodeOf(world, node).host?.receive({ to, from: to, request: 0, deadline: 0, message })
    world.wake(nodeOf(world, node))
  }
  world.pass(100)
}

function pauseHints(world: World, holder: NodeId, owner: NodeId, paused: boolean): void {
  const to = singleAddress('courier', holder)
  const message = { type: 'pause-hints', owner, paused } as const
  nodeOf(world, holder).host?.receive({ to, from: to, request: 0, deadline: 0, message })
  world.wake(nodeOf(world, holder))
  world.pass(1)
}

describe('a deleted object', () => {
  it('is forgotten by every node, in memory and on disk, and a value that is written later stays', () => {
    const world = reapingWorld(1)
    mustPut(world, 'a', 'old', { ...latest, w: 3 })
    mustPut(world, 'b', 'kept', { ...latest, w: 3 })
    remove(world, 'a')
    expect(preference(world, 'a').filter((node) => isTombstone(world, node, 'a'))).toHaveLength(3)
    world.pass(60_000)
    expectNoTrace(world, 'a')
    expect(reaped(world)).toBe(1)
    expect(values(world, 'b', latest)).toEqual(['kept'])
    mustPut(world, 'a', 'new', { ...latest, w: 3 })
    world.pass(hour)
    expect(values(world, 'a', { ...latest, r: 3 })).toEqual(['new'])
  })

  it('with siblings: the same, and a sibling that the delete had not seen keeps all of it', () => {
    const world = reapingWorld(2)
    const first = mustPut(world, 'a', 'seen', { w: 3 })
    mustPut(world, 'b', 'seen', { w: 3 })
    mustPut(world, 'b', 'unseen', { w: 3 })
    const b = mustGet(world, 'b').object?.siblings.find(
      ({ value }) => Buffer.from(value).toString() === 'seen',
    )
    const seen = { clock: [{ ...(b?.dot ?? { actor: 1, counter: 1 }), time: 0 }], stamp: b?.stamp ?? 0 }
    mustPut(world, 'a', '', { change: 'delete', context: first.context, w: 3 })
    mustPut(world, 'b', '', { change: 'delete', context: seen, w: 3 })
    world.pass(60_000)
    expectNoTrace(world, 'a')
    expect(values(world, 'b', { r: 3 })).toEqual(['unseen'])
  })

  it('is kept for as long as it was asked for, and for ever when nobody asked', () => {
    const world = startWorld({ seed: 3, nodes: 4, reapAfterMs: hour })
    mustPut(world, 'a', 'old', { ...latest, w: 3 })
    remove(world, 'a', 3)
    world.pass(hour - 60_000)
    expect(isTombstone(world, preference(world, 'a')[0] as NodeId, 'a')).toBe(true)
    world.pass(hour)
    expectNoTrace(world, 'a')

    const forEver = startWorld({ seed: 3, nodes: 4 })
    mustPut(forEver, 'a', 'old', { ...latest, w: 3 })
    remove(forEver, 'a', 3)
    forEver.pass(hour)
    expect(isTombstone(forEver, preference(forEver, 'a')[0] as NodeId, 'a')).toBe(true)
  })

  it('that a bucket keeps on fewer nodes is forgotten when those hold it', () => {
    const world = reapingWorld(4)
    mustPut(world, 'a', 'old', { ...latest, n: 2, w: 2 })
    mustPut(world, 'a', '', { ...latest, change: 'delete', n: 2, w: 2 })
    world.pass(60_000)
    expectNoTrace(world, 'a')
    expect(reaped(world)).toBe(1)
  })
})

describe('an expired object', () => {
  it('is forgotten like a deleted one, and not before', () => {
    const world = reapingWorld(5)
    mustPut(world, 'a', 'for a minute', { ...latest, w: 3, expires: world.wall() + 60_000 })
    world.pass(50_000)
    expect(values(world, 'a', latest)).toEqual(['for a minute'])
    world.pass(60_000)
    expectNoTrace(world, 'a')
  })

  it('that only a clock which was set wrong has called expired is there again when the clock is right', () => {
    const world = startWorld({ seed: 6, nodes: 4, reapAfterMs: 60_000 })
    mustPut(world, 'a', 'for an hour', { ...latest, w: 3, expires: world.wall() + hour })
    world.pass(130_000)
    world.wallOffset += 24 * hour
    world.pass(50_000)
    world.wallOffset -= 24 * hour
    world.pass(300_000)
    expect(values(world, 'a', { ...latest, r: 3 })).toEqual(['for an hour'])
  })
})

describe('a tombstone is not forgotten', () => {
  it('while one of its replicas is away, however long; and that one comes back with the old value', () => {
    const world = reapingWorld(7)
    const [first, second, third] = preference(world, 'a') as [NodeId, NodeId, NodeId]
    mustPut(world, 'a', 'old', { ...latest, w: 3 })
    world.pass(3_000)
    sendAway(world, [third])
    remove(world, 'a')
    world.pass(hour)
    for (const node of [first, second]) expect(isTombstone(world, node, 'a'), `node ${node}`).toBe(true)
    expect(textsOf(diskAt(world, third, 'a'))).toEqual(['old'])
    world.start()
    drainHints(world)
    expect(values(world, 'a', latest)).toEqual([])
    world.pass(60_000)
    expectNoTrace(world, 'a')
  })

  it('by the nodes that see each other, while a replica is cut off from them', () => {
    const world = reapingWorld(8)
    const [first, second, third] = preference(world, 'a') as [NodeId, NodeId, NodeId]
    mustPut(world, 'a', 'old', { ...latest, w: 3 })
    for (const node of [0, 1, 2, 3, 4, 5]) if (node !== third) separate(world, node, third)
    remove(world, 'a')
    world.pass(hour)
    for (const node of [first, second]) expect(isTombstone(world, node, 'a'), `node ${node}`).toBe(true)
    world.network.healAll()
    world.pass(120_000)
    expectNoTrace(world, 'a')
  })

  it('while anybody keeps a hint, which may be older: forgetting by time would bring the value back', () => {
    const story = (byTime: boolean) => {
      const world = reapingWorld(9)
      const key = keyLedBy(world, 1)
      const [, , third, fourth] = preference(world, key) as [NodeId, NodeId, NodeId, NodeId]
      sendAway(world, [third])
      // The stand-in's hint is of the old value, and an operator holds it back.
      mustPut(world, key, 'zombie', { ...latest, w: 3 })
      pauseHints(world, fourth, third, true)
      world.start()
      world.pass(5_000)
      remove(world, key)
      world.pass(hour)
      expect(hintsOf(world)).toEqual({ [`${fourth}->${third}`]: 1 })
      expect(isTombstone(world, third, key)).toBe(true)
      if (byTime) forgetByTime(world, key)
      pauseHints(world, fourth, third, false)
      drainHints(world)
      world.pass(60_000)
      return { world, key }
    }
    const { world, key } = story(false)
    expectNoTrace(world, key)
    const other = story(true)
    expect(values(other.world, other.key, { ...latest, r: 3 })).toEqual(['zombie'])
  })

  it('in a hint: a new value that was written before the hint comes home survives it', () => {
    const world = reapingWorld(10)
    const key = keyLedBy(world, 2)
    const [, , third, fourth] = preference(world, key) as [NodeId, NodeId, NodeId, NodeId]
    mustPut(world, key, 'old', { ...latest, w: 3 })
    sendAway(world, [third])
    remove(world, key, 3)
    pauseHints(world, fourth, third, true)
    world.start()
    world.pass(hour)
    mustPut(world, key, 'new', { ...latest, w: 3 })
    pauseHints(world, fourth, third, false)
    drainHints(world)
    world.pass(60_000)
    expect(values(world, key, { ...latest, r: 3 })).toEqual(['new'])
  })
})

describe('what comes late', () => {
  it('a copy of the old value that was on its way all the time is refused', () => {
    const world = reapingWorld(11)
    const [first] = preference(world, 'a') as [NodeId]
    mustPut(world, 'a', 'old', { ...latest, w: 3 })
    const internal = internalKey('a')
    const hash = hashOf(world.ring, internal)
    const object = encodeObject(copyAt(world, first, 'a') as never, hash)
    const to = vnodeAddress(first, partitionOfKey(world, 'a'))
    const message = { type: 'replicate', key: internal, hash, object, level: 'memory' } as const
    const late = { to, from: to, request: 0, deadline: world.now() + 2_000, message }
    remove(world, 'a', 3)
    world.pass(60_000)
    expectNoTrace(world, 'a')
    nodeOf(world, first).host?.receive(late)
    world.wake(nodeOf(world, first))
    world.pass(10)
    expectNoTrace(world, 'a')
  })

  it('an earlier stamp does not lose against a tombstone that one node has forgotten and another not yet', () => {
    const world = reapingWorld(12)
    const [first, second] = preference(world, 'a') as [NodeId, NodeId]
    world.wallOffset += 5_000
    mustPut(world, 'a', 'old', { ...latest, w: 3 })
    remove(world, 'a', 3)
    world.wallOffset -= 5_000
    world.pass(120_000)
    expectNoTrace(world, 'a')
    mustPut(world, 'a', 'new', { ...latest, w: 3, coordinator: second })
    settle(world)
    expect(textsOf(copyAt(world, first, 'a'))).toEqual(['new'])
  })
})
