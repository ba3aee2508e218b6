// Plans of changes that are no plans, or that cannot be made: refused by whoever is asked, with the reason, and nobody
// hears of them. And histories of membership that are none: what lies on a disk is refused by name.

import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { Writer } from '../../src/base/bytes.js'
import type { Change } from '../../src/membership/change.js'
import { digestOf, type History, membersOf } from '../../src/membership/history.js'
import { encodeHistory } from '../../src/membership/history-codec.js'
import { singleAddress, supervisorThread } from '../../src/protocol/address.js'
import type { Envelope, Message } from '../../src/protocol/envelope.js'
import type { World } from '../../src/sim/world.js'
import { membershipRow } from '../../src/storage/meta.js'
import { mustPut, nodeOf, settle, startWorld, values } from '../sim/helpers.js'

let requests = 6_000_000

function ask(world: World, changes: unknown): Message {
  const request = ++requests
  const { client } = world
  const forward = client.answer
  let answer: Message | undefined
  client.answer = (envelope: Envelope) => {
    if (envelope.request === request) answer = envelope.message
    else forward.call(client, envelope)
  }
  client.sendTo({
    to: singleAddress('gossip', 1),
    from: singleAddress('client', supervisorThread),
    request,
    deadline: 0,
    message: { type: 'change-membership', changes: changes as readonly Change[] },
  })
  expect(world.runUntil(() => answer !== undefined, 5_000)).toBe(true)
  client.answer = forward
  return answer as unknown as Message
}

const join = { kind: 'join', node: 5, weight: 1, host: '', zone: '' }
const replace = { kind: 'replace', node: 1, successor: 5, weight: 1, host: '', zone: '' }

const refused: readonly (readonly [string, unknown])[] = [
  ['no list', 7],
  ['an empty list', []],
  ['a change that is no object', [7]],
  ['a change that is null', [null]],
  ['a node 0', [{ kind: 'leave', node: 0 }]],
  ['a node that is no number', [{ kind: 'leave', node: 'x' }]],
  ['an unknown kind', [{ kind: 'promote', node: 1 }]],
  ['a weight of nothing', [{ kind: 'weight', node: 1 }]],
  ['a weight below the least', [{ kind: 'weight', node: 1, weight: 0 }]],
  ['a weight above the most', [{ kind: 'weight', node: 1, weight: 1e9 }]],
  ['a successor 0', [{ ...replace, successor: 0 }]],
  ['a successor of no weight', [{ ...replace, weight: -1 }]],
  ['a host with a blank', [{ ...join, host: 'a b' }]],
  ['a host without end', [{ ...join, host: 'h'.repeat(65) }]],
  ['a zone that is no text', [{ ...join, zone: 7 }]],
  ['a node named twice', [join, { ...join, weight: 2 }]],
  ['a member that joins', [{ ...join, node: 1 }]],
  ['a stranger that leaves', [{ kind: 'leave', node: 9 }]],
  ['all that leave', [1, 2, 3, 4].map((node) => ({ kind: 'leave', node }))],
  ['a stranger that is replaced', [{ ...replace, node: 9 }]],
  ['a member as successor', [{ ...replace, successor: 2 }]],
  ['a stranger that is reweighed', [{ kind: 'weight', node: 9, weight: 2 }]],
  ['the weight that it has', [{ kind: 'weight', node: 1, weight: 1 }]],
]

describe('a change of members that cannot be', () => {
  it.each(refused)('%s is refused with the reason, and nobody hears of it', (_what, changes) => {
    const world = startWorld({ seed: 1, nodes: 4, partitions: 8, gossipEveryMs: 500 })
    const before = digestOf(world.members.history)
    const answer = ask(world, changes)
    expect(answer).toMatchObject({ type: 'membership-refused', code: 'membership-invalid' })
    expect((answer as unknown as { details: { reason: string } }).details.reason.length).toBeGreaterThan(5)
    world.pass(5_000)
    expect(digestOf(world.members.history)).toBe(before)
  })

  it('is refused when the history is full, or the clock says nothing', () => {
    const world = startWorld({ seed: 2, nodes: 4, partitions: 8, gossipEveryMs: 500 })
    const rounds = Array.from({ length: 64 }, (_, index) => index)
    let last: Message | undefined
    const gossip = nodeOf(world, 1).host?.['cast'].membership?.['state'] as { history: History }
    const [founding] = gossip.history.entries
    if (founding === undefined) throw new Error('there is a founding entry')
    const many = rounds.map((round) => ({ ...founding, serial: 100 + round, changes: Array(64).fill(join) }))
    const { history } = gossip
    gossip.history = { entries: [...history.entries, ...many] }
    last = ask(world, [join])
    expect(last).toMatchObject({ type: 'membership-refused', details: { limit: 4096 } })
    gossip.history = history
    world.wallOffset = Number.MAX_SAFE_INTEGER
    last = ask(world, [join])
    expect(last).toMatchObject({ type: 'membership-refused' })
  })
})

describe('changes of members of every kind', () => {
  it('by weight, by zone and by place are made, one after the other, and nothing is lost', () => {
    const world = startWorld({ seed: 3, nodes: 4, partitions: 16, gossipEveryMs: 500 })
    for (let i = 0; i < 30; i++) mustPut(world, `k${i}`, `of ${i}`, { w: 3, dw: 3 })
    const plans = [
      [{ kind: 'weight', node: 2, weight: 3 }],
      [{ ...join, zone: 'north', host: 'h5' }],
      [{ kind: 'replace', node: 1, successor: 6, weight: 1, host: 'h6', zone: 'south' }],
      [{ kind: 'leave', node: 3 }],
      [{ ...replace, node: 5, successor: 7, weight: 1, zone: 'north' }],
    ]
    for (const plan of plans) {
      const [change] = plan
      const target = change?.node === 1 ? 2 : 1
      expect(ask(world, plan), JSON.stringify({ plan, target })).toMatchObject({ type: 'membership-changed' })
      const { history } = nodeOf(world, 1).host ?? {}
      world.runUntil(() => world.members.history.entries.length >= (history?.entries.length ?? 0), 60_000)
      world.pass(1_000)
      expect(world.runUntil(() => world.ring.change === undefined, 300_000)).toBe(true)
      // Node 1 stays as long as it is asked.
      settle(world, 10_000)
    }
    expect(membersOf(world.members.history).map(({ node }) => node)).toEqual([2, 4, 6, 7])
    expect(world.ring.nodes).toEqual([2, 4, 6, 7])
    for (let i = 0; i < 30; i++) expect(values(world, `k${i}`, { r: 3 })).toEqual([`of ${i}`])
  })
})

describe('a history on a disk', () => {
  const damages: readonly (readonly [string, (whole: Uint8Array) => Uint8Array])[] = [
    ['of an unknown format', (whole) => resealed(whole, (bytes) => bytes.writeUInt8(9, 0))],
    ['that was changed', (whole) => flipped(whole, whole.length - 8)],
    ['with bytes behind its end', (whole) => Buffer.concat([whole, Buffer.alloc(1)])],
    ['that was cut off', (whole) => whole.subarray(0, whole.length - 5)],
    ['whose entries are out of order', () => entries([5, 1, 1], [4, 1, 1])],
    ['with an entry of nobody', () => entries([4, 0, 1])],
    ['with an entry of number 0', () => entries([4, 1, 0])],
    ['with an unknown change', () => entries([4, 1, 1, 9])],
    ['with a plan that is none', () => entries([4, 1, 1, -1])],
  ]

  it.each(damages)('%s is refused: the node does not begin with it', (_what, damage) => {
    const world = startWorld({ seed: 4, nodes: 3, gossipEveryMs: 500 })
    const value = damage(encodeHistory(world.members.history))
    world.crash('process')
    nodeOf(world, 1).disk.commit([{ row: membershipRow, value }], 'disk', () => {})
    expect(() => {
      world.start()
    }).toThrow(/histor|order|nobody|change|cut/)
  })
})

/** Each: at, issuer, serial, and the kind of its one change (1: leaves). */
function entries(...each: readonly (readonly number[])[]): Uint8Array {
  const writer = new Writer(64)
  writer.u8(1)
  writer.varint(each.length)
  for (const [at = 0, issuer = 0, serial = 0, kind = 1] of each) {
    writer.varint(at)
    writer.u8(issuer)
    writer.varint(serial)
    writer.varint(kind < 0 ? 0 : 1)
    if (kind < 0) continue
    writer.u8(kind)
    writer.u8(2)
  }
  writer.u32(crc32(writer.bytes.subarray(0, writer.length)))
  return writer.copy()
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] as number) ^ 1
  return copy
}

function resealed(bytes: Uint8Array, change: (bytes: Buffer) => void): Uint8Array {
  const copy = Buffer.from(bytes)
  change(copy)
  copy.writeUInt32LE(crc32(copy.subarray(0, copy.length - 4)), copy.length - 4)
  return copy
}
