// Hands for scenarios in the simulated world: ask and wait, look into each replica directly (past every
// quorum), and look at what the disks hold. Nothing here decides what is right; the tests do.

import { expect } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import { singleAddress, supervisorThread, vnodeAddress } from '../../src/protocol/address.js'
import type { ClientMessage, Envelope, Message } from '../../src/protocol/envelope.js'
import type { Fetched, FetchFailed, GetAnswered } from '../../src/protocol/read.js'
import type { PutAnswered, PutFailed } from '../../src/protocol/write.js'
import { preferenceList } from '../../src/ring/preference.js'
import { hashOf, partitionOf } from '../../src/ring/ring.js'
import { internalKey, type SimRead, type SimRequest, type SimWrite, textsOf } from '../../src/sim/client.js'
import type { NetworkOptions } from '../../src/sim/network.js'
import type { SimNode } from '../../src/sim/node.js'
import { World } from '../../src/sim/world.js'
import type { WorldOptions } from '../../src/sim/world-options.js'
import { absent } from '../../src/storage/object-buffer-reader.js'
import { objectRow } from '../../src/storage/store.js'
import { merge } from '../../src/versions/merge.js'
import type { StoredObject } from '../../src/versions/object.js'
import { decodeObject } from '../../src/versions/object-codec.js'

/** A world that is up, with small memories: scenarios make hundreds. */
export function startWorld(options: WorldOptions): World {
  return new World({ memoryBytes: 1024 * 1024, ...options }).start()
}

/** A world in which a coordinator leads every put, those too that would go to all replicas at once. */
export function startLedWorld(options: WorldOptions): World {
  return startWorld({
    ...options,
    rarely: (branch) => branch === 'put-led' || options.rarely?.(branch) === true,
  })
}

/** Waits for the answer; a request that never gets one fails the test. */
export function answerOf(world: World, request: SimRequest): ClientMessage {
  const answered = world.runUntil(() => request.answer !== undefined, 120_000)
  expect(answered, `request ${request.id} of seed ${world.seed} was never answered`).toBe(true)
  return request.answer as ClientMessage
}

export function put(
  world: World,
  key: string,
  value: string,
  options: SimWrite = {},
): PutAnswered | PutFailed {
  return answerOf(world, world.client.put(key, value, options)) as PutAnswered | PutFailed
}

export function mustPut(world: World, key: string, value: string, options: SimWrite = {}): PutAnswered {
  const answer = put(world, key, value, options)
  expect(answer, `put ${key}=${value} in seed ${world.seed}`).toMatchObject({ type: 'put-answered' })
  return answer as PutAnswered
}

export function get(world: World, key: string, options: SimRead = {}): ClientMessage {
  return answerOf(world, world.client.get(key, options))
}

export function mustGet(world: World, key: string, options: SimRead = {}): GetAnswered {
  const answer = get(world, key, options)
  expect(answer, `get ${key} in seed ${world.seed}`).toMatchObject({ type: 'get-answered' })
  return answer as GetAnswered
}

/** The values of a key as a quorum reads them. */
export function values(world: World, key: string, options: SimRead = {}): string[] {
  return textsOf(mustGet(world, key, options).object)
}

/** What R replicas have in memory, without a message; undefined when messages must tell. */
export function glance(
  world: World,
  key: string,
  { n = world.copies, r = 2, conflicts = 'siblings' }: SimRead = {},
): string[] | undefined {
  const internal = internalKey(key)
  const hash = hashOf(world.ring, internal)
  const found = world.shared.read(internal, hash, n, r)
  if (found === undefined) return undefined
  if (found === absent) return []
  // A copy of its own: the next glance may lie over this one, and nobody changes what was answered.
  return textsOf(merge(undefined, decodeObject(Buffer.from(world.shared.copy.value), hash), conflicts))
}

/** The nodes that shall hold the key, then the others. */
export function preference(world: World, key: string): readonly NodeId[] {
  return preferenceList(world.ring, partitionOfKey(world, key))
}

export function partitionOfKey(world: World, key: string): number {
  return partitionOf(world.ring, hashOf(world.ring, internalKey(key)))
}

let probes = 1_000_000

/** Says something to a vnode as a client would, and waits for the answer. */
export function askVnode(world: World, node: NodeId, key: string, message: Message): Message {
  const request = ++probes
  let answer: Message | undefined
  const { client } = world
  const forward = client.answer
  client.answer = (envelope: Envelope) => {
    if (envelope.request === request) answer = envelope.message
    else forward.call(client, envelope)
  }
  client.sendTo({
    to: vnodeAddress(node, partitionOfKey(world, key)),
    from: singleAddress('client', supervisorThread),
    request,
    deadline: world.now() + 60_000,
    message,
  })
  const answered = world.runUntil(() => answer !== undefined, 60_000)
  client.answer = forward
  expect(answered, `node ${node} did not answer ${message.type}`).toBe(true)
  return answer as unknown as Message
}

/** What one replica answers for a key, by itself. */
export function fetchFrom(world: World, node: NodeId, key: string): Fetched | FetchFailed {
  const internal = internalKey(key)
  const question = { type: 'fetch', key: internal, hash: hashOf(world.ring, internal) } as const
  return askVnode(world, node, key, question) as Fetched | FetchFailed
}

/** What one replica holds of a key. */
export function copyAt(world: World, node: NodeId, key: string): StoredObject | undefined {
  const answer = fetchFrom(world, node, key)
  if (answer.type !== 'fetched') throw new Error(`node ${node} could not read ${key}`)
  if (answer.object === undefined) return undefined
  return decodeObject(answer.object, hashOf(world.ring, internalKey(key)))
}

/** The values at each of the first n nodes of the key's preference list. */
export function valuesAtEach(world: World, key: string, n = world.copies): string[][] {
  return preference(world, key)
    .slice(0, n)
    .map((node) => textsOf(copyAt(world, node, key)))
}

export function nodeOf(world: World, node: NodeId): SimNode {
  return world.nodes.get(node) as SimNode
}

/** What a node's disk holds under a key, whatever its memory says. */
export function diskAt(world: World, node: NodeId, key: string): StoredObject | undefined {
  const internal = internalKey(key)
  const row = objectRow(partitionOfKey(world, key), internal)
  let found: Uint8Array | Error | undefined
  let done = false
  nodeOf(world, node).disk.read([row], (_error, values) => {
    found = values[0]
    done = true
  })
  world.runUntil(() => done)
  return found instanceof Uint8Array ? decodeObject(found, hashOf(world.ring, internal)) : undefined
}

/** No node holds anything of the key: not in memory, not on disk. */
export function expectNoTrace(world: World, key: string): void {
  for (const { node, host } of world.nodes.values()) {
    if (host !== undefined) {
      expect(fetchFrom(world, node, key), `node ${node}`).toMatchObject({
        type: 'fetched',
        object: undefined,
      })
    }
    expect(diskAt(world, node, key), `disk of node ${node}`).toBeUndefined()
  }
}

/** Takes nodes away for good: the supervisor is told that their end was wanted, so it begins none again. */
export function takeDown(world: World, nodes: readonly NodeId[]): void {
  for (const number of nodes) {
    const node = nodeOf(world, number)
    const { generation } = node
    node.loseMemory('process')
    world.tellSupervisor({
      type: 'node-exited',
      node: number,
      generation,
      reason: 'taken down',
      failure: false,
    })
  }
  world.pass(5)
}

/** Their threads end, and nobody begins them again before `world.start()`; memory and disk stay. */
export function sendAway(world: World, nodes: readonly NodeId[]): void {
  for (const number of nodes) {
    const node = nodeOf(world, number)
    const { generation } = node
    node.die()
    world.tellSupervisor({ type: 'node-exited', node: number, generation, reason: 'away', failure: false })
  }
  world.pass(5)
}

/** How many hints each living node keeps for the others, as `holder->owner`. */
export function hintsOf(world: World): Record<string, number> {
  const kept: Record<string, number> = {}
  for (const { node, host } of world.nodes.values()) {
    for (const [owner, { count }] of host?.['cast'].courier?.owners ?? [])
      if (count > 0) kept[`${node}->${owner}`] = count
  }
  return kept
}

/** Waits until no courier has anything left, or thinks that an earlier life may have left something. */
export function drainHints(world: World): void {
  const isEmpty = () =>
    [...world.nodes.values()].every(
      ({ host }) => host !== undefined && host['cast'].courier?.owners.size === 0,
    )
  const done = world.runUntil(isEmpty, 60_000)
  expect(done, `hints that are left: ${JSON.stringify(hintsOf(world))}`).toBe(true)
}

/** Switches faults of the network on or off while the world runs. */
export function setNetwork(world: World, options: Partial<NetworkOptions>): void {
  world.network.options = { ...world.network.options, ...options }
}

/** A link that loses everything, both ways. */
export function separate(world: World, a: NodeId, b: NodeId): void {
  world.network.cutLink(a, b)
  world.network.cutLink(b, a)
}

/** A key of which this node is the first replica. */
export function keyLedBy(world: World, node: NodeId, prefix = 'key'): string {
  for (let i = 0; i < 10_000; i++) {
    const key = `${prefix}-${i}`
    if (preference(world, key)[0] === node) return key
  }
  throw new Error('no such key')
}

/** Lets the world run until no node lacks anything and what is unflushed has been flushed. */
export function settle(world: World, ms = 3_000): void {
  world.runUntil(() => world.whole, 60_000)
  world.pass(ms)
}
