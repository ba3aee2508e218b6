// Answers from somebody who was not asked, to requests that are open, and answers to questions that nobody asked (any
// more): none of them counts, and none of them is believed.

import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/base/units.js'
import { type Address, singleAddress, supervisorThread, vnodeAddress } from '../../src/protocol/address.js'
import type { Message } from '../../src/protocol/envelope.js'
import { nothingDone } from '../../src/protocol/sync.js'
import type { World } from '../../src/sim/world.js'
import {
  answerOf,
  keyLedBy,
  mustPut,
  nodeOf,
  partitionOfKey,
  preference,
  settle,
  startWorld,
  values,
} from '../sim/helpers.js'

function say(world: World, to: Address, from: Address, request: number, message: Message): void {
  const envelope = { to, from, request, deadline: world.now() + 5_000, message } as never
  if (to.node === supervisorThread) world['deliverHere'](envelope)
  else {
    nodeOf(world, to.node).host?.receive(envelope)
    world.wake(nodeOf(world, to.node))
  }
}

const openMax = 300

describe('somebody who was not asked', () => {
  it.each([1, 2])('answers for no replica of a read or a listing (seed %i)', (seed) => {
    const world = startWorld({ seed, nodes: 5 })
    const key = keyLedBy(world, 1)
    const partition = partitionOfKey(world, key)
    mustPut(world, key, 'true', { w: 3 })
    const list = preference(world, key)
    const stranger = list[4] as NodeId
    for (const node of list.slice(0, 3)) world.pause(node, 300)
    const asked = [
      world.client.get(key, { r: 3 }),
      world.client.scan({
        partition,
        prefix: '',
        after: '',
        limit: 9,
        begunAt: 0,
        conflicts: 'siblings',
        r: 3,
      }),
    ]
    world.pass(10)
    const gateway = singleAddress('gateway', supervisorThread)
    const answers: Message[] = [
      { type: 'fetched', object: undefined, complete: true },
      { type: 'fetch-failed', code: 'unavailable' },
      { type: 'kept', owner: list[0] as NodeId, object: undefined },
      { type: 'walked', rows: [], next: undefined, complete: true },
      { type: 'walk-failed', code: 'unavailable' },
      { type: 'replicated', level: 'disk' },
      { type: 'synced', peer: stranger, report: nothingDone, failure: undefined },
    ]
    for (let request = 1; request < openMax; request++) {
      for (const message of answers) {
        say(world, gateway, vnodeAddress(stranger, partition), request, message)
        say(world, gateway, singleAddress('courier', stranger), request, message)
      }
    }
    world.pass(10)
    for (const request of asked) expect(request.answer, request.message.type).toBeUndefined()
    expect(answerOf(world, asked[1] as never)).toMatchObject({
      type: 'scan-answered',
      rows: [{ key: expect.any(String) }],
    })
    expect(values(world, key, { r: 3 })).toEqual(['true'])
  })

  it.each([3, 4])('has no copy of a write (seed %i)', (seed) => {
    const world = startWorld({ seed, nodes: 5 })
    const key = keyLedBy(world, 1)
    const partition = partitionOfKey(world, key)
    const list = preference(world, key)
    const stranger = list[4] as NodeId
    for (const node of list.slice(1, 3)) world.pause(node, 300)
    const asked = world.client.put(key, 'v', { w: 3, dw: 3, coordinator: 1 })
    world.pass(10)
    for (let request = 1; request < openMax; request++) {
      for (const message of [
        { type: 'replicated', level: 'disk' },
        { type: 'replicate-failed', code: 'unavailable' },
        { type: 'replicate-failed', code: 'overloaded' },
      ] as const)
        say(world, vnodeAddress(1, partition), vnodeAddress(stranger, partition), request, message)
    }
    world.pass(10)
    expect(asked.answer).toBeUndefined()
    expect(answerOf(world, asked)).toMatchObject({ type: 'put-answered', stored: 3 })
  })
})

describe('answers to what nobody asked', () => {
  it('change nothing, whatever they say, at every vnode and every other actor', () => {
    const world = startWorld({ seed: 5, nodes: 4, partitions: 4, mendEveryMs: 300, reapAfterMs: 2_000 })
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`)
    for (const key of keys) mustPut(world, key, key, { w: 3, dw: 3 })
    settle(world)
    const noRequest = 4_000_000_000
    const counts = { ...nothingDone }
    const page = { rows: [], next: undefined }
    const listing = { keys: [], signatures: [], copies: [], damaged: [], next: undefined }
    const answers: Message[] = [
      { type: 'fetched', object: undefined, complete: true },
      { type: 'fetch-failed', code: 'unreadable' },
      { type: 'replicated', level: 'disk' },
      { type: 'replicate-failed', code: 'unreadable' },
      { type: 'replicate-failed', code: 'value-too-large' },
      { type: 'walked', ...page, complete: true },
      { type: 'walk-failed', code: 'unreadable' },
      { type: 'rows-read', ...page, failed: false } as unknown as Message,
      { type: 'synced', peer: 2, report: counts, failure: undefined },
      { type: 'synced', peer: 3, report: counts, failure: 'unavailable' },
      { type: 'tree-told', level: 0, parents: [0], hashes: [1, 2] },
      { type: 'list-told', ...listing },
      { type: 'listed', ...listing, failed: true } as unknown as Message,
      { type: 'sync-failed', code: 'unavailable' },
      { type: 'giving' },
      { type: 'take' },
      { type: 'taken' },
      { type: 'take-refused' },
      { type: 'sync-push', key: 'test\0k1', hash: 7, high: 1, low: 1 } as unknown as Message,
    ]
    const others: readonly (readonly ['courier' | 'mender' | 'reaper' | 'claimant', Message])[] = [
      ['courier', { type: 'replicated', level: 'disk' }],
      ['courier', { type: 'replicate-failed', code: 'unreadable' }],
      ['courier', { type: 'rows-read', ...page, failed: false } as unknown as Message],
      ['mender', { type: 'synced', peer: 2, report: counts, failure: undefined }],
      ['reaper', { type: 'rows-read', ...page, failed: false } as unknown as Message],
      ['claimant', { type: 'received', partition: 0, place: 0, objects: 1, bytes: 1 }],
      ['claimant', { type: 'receiving', partition: 0, place: 0, objects: 1, bytes: 1 }],
      ['claimant', { type: 'receive-failed', partition: 0, place: 0, code: 'unavailable' }],
    ]
    for (const node of [1, 2, 3, 4]) {
      for (let partition = 0; partition < 4; partition++) {
        const from = vnodeAddress((node % 4) + 1, partition)
        for (const message of answers) say(world, vnodeAddress(node, partition), from, noRequest, message)
      }
      for (const [kind, message] of others) {
        const to = singleAddress(kind, kind === 'claimant' ? supervisorThread : node)
        say(world, to, vnodeAddress((node % 4) + 1, 0), noRequest, message)
      }
    }
    settle(world, 20_000)
    for (const key of keys) expect(values(world, key, { r: 3 })).toEqual([key])
  })
})
