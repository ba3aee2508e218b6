// Whatever the bytes, a decoder answers what it read or throws its own error: envelopes captured from a run of
// the simulated world, rows of trees, keys of hints. Nothing that is decoded reaches the prototype of anything.
// Laws of each codec by itself stand beside it (test/protocol, test/versions, test/membership, test/server/resp).

import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Malformed, Writer } from '../../src/base/bytes.js'
import type { Key } from '../../src/base/units.js'
import { internalKey, isBucketName } from '../../src/client/keys.js'
import { decodeHistory, encodeHistory } from '../../src/membership/history-codec.js'
import { decodeEnvelope, encodeEnvelope } from '../../src/protocol/codec.js'
import type { Envelope } from '../../src/protocol/envelope.js'
import { hintKey, isHintKey, keyOfHint, ownerOfHint } from '../../src/protocol/hint.js'
import { Network } from '../../src/sim/network.js'
import { decodeMeta, encodeMeta } from '../../src/storage/meta.js'
import { decodeChanges, decodeLeaves, LeafChanges } from '../../src/storage/tree-rows.js'
import { decodeObject, encodeObject, looksWhole } from '../../src/versions/object-codec.js'
import { generatedHistory } from '../membership/histories.js'
import { mustGet, mustPut, startWorld } from '../sim/helpers.js'
import { mutated } from './mutations.js'

const cleanNames = Object.getOwnPropertyNames(Object.prototype).sort()
afterEach(() => {
  vi.restoreAllMocks()
  expect(Object.getOwnPropertyNames(Object.prototype).sort()).toEqual(cleanNames)
})

/** What was read, or undefined when it was `Malformed`; any other error is the failure of the test. */
function readOrMalformed<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

function encoded(envelope: Envelope): Buffer {
  const writer = new Writer(64)
  encodeEnvelope(writer, envelope)
  return writer.copy()
}

/** Envelopes of a run with writes, reads, a death and a repair: up to eight of each message. */
function capture(): Map<string, Buffer[]> {
  const captures = new Map<string, Buffer[]>()
  const send = Network.prototype.send
  vi.spyOn(Network.prototype, 'send').mockImplementation(function (this: Network, delivery) {
    const { type } = delivery.envelope.message
    const known = captures.get(type) ?? []
    if (known.length < 8) captures.set(type, [...known, encoded(delivery.envelope)])
    send.call(this, delivery)
  })
  const world = startWorld({ seed: 4, nodes: 4, mendEveryMs: 100, reapAfterMs: 1_000, gossipEveryMs: 1_000 })
  for (let i = 0; i < 12; i++) mustPut(world, `key-${i}`, `value ${i}`)
  world.kill(1)
  for (let i = 0; i < 12; i++) mustPut(world, `key-${i}`, `again ${i}`, { via: 2 })
  world.pass(30_000)
  for (let i = 0; i < 12; i++) mustGet(world, `key-${i}`)
  return captures
}

describe('envelopes of a real run', () => {
  it('spoiled in any way are Malformed, or an envelope with a message that has a type', () => {
    const captures = capture()
    // The run is worth something only if many kinds of messages were said in it.
    const said = ['put', 'put-answered', 'replicate', 'replicated', 'fetch', 'fetched', 'keep']
    const others = ['nodes-changed', 'gossip', 'tree-ask', 'tree-told']
    expect([...captures.keys()]).toEqual(expect.arrayContaining([...said, ...others]))
    let malformed = 0
    fc.assert(
      fc.property(mutated([...captures.values()].flat()), (bytes) => {
        const envelope = readOrMalformed(() => decodeEnvelope(bytes, 0, bytes.length))
        if (envelope === undefined) malformed++
        else expect(typeof envelope.message.type).toBe('string')
      }),
      { numRuns: 4_000 },
    )
    expect(malformed).toBeGreaterThan(100)
  })
})

describe('a message with poison in its body', () => {
  const header = encoded({
    to: { kind: 'gateway', node: 1, partition: 0 },
    from: { kind: 'client', node: 0, partition: 0 },
    request: 1,
    deadline: 0,
    message: { type: 'put-sweep-due' },
  }).subarray(0, 20)
  const text = (of: string) => [0xa0 + of.length, ...Buffer.from(of)]
  const poison = [0x81, ...text('polluted'), 0xc3]
  const type = [...text('type'), ...text('put-sweep-due')]
  const fixed = (name: string) => [0x82, ...type, ...text(name), ...poison]
  /** MessagePack's maps as msgpackr's records: the extension 'r', an id, the names, the values. */
  const record = (name: string) => [
    ...[0xd4, 0x72, 0x40, 0x92, ...text('type'), ...text(name)],
    ...[...text('put-sweep-due'), ...poison],
  ]

  it.each(
    ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'].flatMap((name) => [
      [name, 'a field', fixed(name)] as const,
      [name, 'a record', record(name)] as const,
    ]),
  )('%s as %s changes no prototype', (_name, _how, body) => {
    const bytes = Buffer.from([...header, ...body])
    const envelope = readOrMalformed(() => decodeEnvelope(bytes, 0, bytes.length))
    const reached = [{}, [], () => {}, envelope?.message].map(
      (each) => (each as { polluted?: unknown })?.polluted,
    )
    expect(reached).toEqual([undefined, undefined, undefined, undefined])
    if (envelope !== undefined) expect(Object.getPrototypeOf(envelope.message)).toBe(Object.prototype)
  })

  it('nested two hundred thousand deep is Malformed', () => {
    const bytes = Buffer.concat([header, Buffer.alloc(200_000, 0x91)])
    expect(readOrMalformed(() => decodeEnvelope(bytes, 0, bytes.length))).toBeUndefined()
  })

  it('of MessagePack that is whole but no message is Malformed', () => {
    const packr = new Packr({ useRecords: false })
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const bytes = Buffer.concat([header, packr.pack(value)])
        expect(readOrMalformed(() => decodeEnvelope(bytes, 0, bytes.length))).toBeUndefined()
      }),
      { numRuns: 500 },
    )
  })
})

describe('rows of trees', () => {
  const word = fc.integer({ min: 0, max: 0xffff_ffff })
  const change = fc.record({
    slot: word,
    leaf: fc.integer({ min: 0, max: 0xffff }),
    high: word.filter((each) => each > 0),
    low: word,
  })

  function rowOf(changes: readonly { slot: number; leaf: number; high: number; low: number }[]): Buffer {
    const row = new LeafChanges()
    for (const { slot, leaf, high, low } of changes) row.add(slot, leaf, high, low)
    return Buffer.from(row.encoded())
  }

  function sealed(body: Uint8Array): Buffer {
    const seal = Buffer.alloc(4)
    seal.writeUInt32LE(crc32(body))
    return Buffer.concat([body, seal])
  }

  it('give back the changes that were written', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 300 }), (changes) => {
        expect(decodeChanges(rowOf(changes))).toEqual(changes)
      }),
      { numRuns: 50 },
    )
  })

  it('spoiled are Malformed: the checksum is looked at first', () => {
    const row = rowOf(fc.sample(change, { numRuns: 40, seed: 9 }))
    fc.assert(
      fc.property(mutated([row]), (bytes) => {
        fc.pre(!bytes.equals(row))
        // Nothing at all, sealed, is a row without changes: the only other one that a cut can make.
        fc.pre(bytes.some((byte) => byte !== 0))
        expect(readOrMalformed(() => decodeChanges(bytes))).toBeUndefined()
        expect(readOrMalformed(() => decodeLeaves(bytes, 64))).toBeUndefined()
      }),
      { numRuns: 2_000 },
    )
  })

  it('of noise with a right checksum are Malformed, or as many changes as there are bytes for', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
        const changes = readOrMalformed(() => decodeChanges(sealed(body)))
        expect(changes?.length).toBe(body.length % 14 === 0 ? body.length / 14 : undefined)
        const leaves = readOrMalformed(() => decodeLeaves(sealed(body), 8))
        expect(leaves?.length).toBe(body.length === 64 ? 16 : undefined)
      }),
    )
  })
})

describe('what else lies in a store', () => {
  const meta = { incarnation: 2 ** 50, sequence: 9, flushedTo: 7.5, stampFloor: 2 ** 51, clean: true }
  const metas = [undefined, 5].map((owing) => Buffer.from(encodeMeta({ ...meta, owing, peers: [0, 3, 9] })))
  const histories = fc.sample(generatedHistory, { numRuns: 6, seed: 2 }).map((each) => encodeHistory(each))

  it.each([
    ['a meta row', metas, decodeMeta],
    ['a history of membership', histories.map((bytes) => Buffer.from(bytes)), decodeHistory],
  ] as const)('%s that is spoiled is Malformed', (_what, captures, decode) => {
    fc.assert(
      fc.property(mutated(captures), (bytes) => {
        fc.pre(!captures.some((each) => each.equals(bytes)))
        expect(readOrMalformed<unknown>(() => decode(bytes))).toBeUndefined()
      }),
      { numRuns: 3_000 },
    )
  })

  it('a meta row that promises more than it holds costs nothing, even with a right checksum', () => {
    const [whole] = metas as [Buffer]
    const body = Buffer.concat([whole.subarray(0, 42), Buffer.alloc(7, 0xff), Buffer.of(0x0f)])
    const seal = Buffer.alloc(4)
    seal.writeUInt32LE(crc32(body))
    const before = process.memoryUsage()
    expect(readOrMalformed(() => decodeMeta(Buffer.concat([body, seal])))).toBeUndefined()
    const after = process.memoryUsage()
    expect(after.heapTotal + after.external - before.heapTotal - before.external).toBeLessThan(1 << 25)
  })

  it('an object, also one that is kept for another, spoiled or under another key, is Malformed', () => {
    const sibling = { dot: { actor: 1, counter: 1 }, stamp: 5, deleted: false, expires: 0, encoding: 0 }
    const clock = [{ actor: 1, counter: 1, time: 5 }]
    const object = { clock, siblings: [{ ...sibling, value: Buffer.from('a value of some length') }] }
    const row = Buffer.from(encodeObject(object as never, 77))
    expect(readOrMalformed(() => decodeObject(row, 77))?.siblings).toHaveLength(1)
    expect(readOrMalformed(() => decodeObject(row, 78))).toBeUndefined()
    fc.assert(
      fc.property(mutated([row]), (bytes) => {
        fc.pre(!bytes.equals(row))
        expect(readOrMalformed(() => decodeObject(bytes, 77))).toBeUndefined()
        expect(looksWhole(bytes, 77)).toBe(false)
      }),
      { numRuns: 3_000 },
    )
  })
})

describe('keys of hints', () => {
  const owner = fc.integer({ min: 0, max: 64 })
  const key = fc
    .uint8Array({ minLength: 1, maxLength: 80 })
    .map((bytes) => internalKey('bucket\0', bytes)) as fc.Arbitrary<Key>

  it('give back owner and key, whatever bytes the key has, and two are equal only when both are', () => {
    fc.assert(
      fc.property(owner, key, owner, key, (first, one, second, other) => {
        const hint = hintKey(first, one)
        expect([isHintKey(hint), ownerOfHint(hint), keyOfHint(hint)]).toEqual([true, first, one])
        expect(hint === hintKey(second, other)).toBe(first === second && one === other)
      }),
    )
  })

  it('cannot be made by a user: no bucket begins with their mark', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 20, unit: 'binary' }), key, (bucket, each) => {
        expect(isHintKey(each)).toBe(false)
        expect(isBucketName(`\0${bucket}`)).toBe(false)
      }),
    )
  })
})
