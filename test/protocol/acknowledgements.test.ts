// Acknowledgements that travel together come out as those that went in, one by one and in order; what is no
// acknowledgement, or is for neither a vnode of its partition nor a gateway, goes by itself; and those for a life that has ended are never heard by
// the next, though both were spoken to in one turn.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Malformed, Writer } from '../../src/base/bytes.js'
import { Acknowledgements, decodeMessage } from '../../src/protocol/acknowledgements.js'
import { singleAddress, vnodeAddress } from '../../src/protocol/address.js'
import { encodeEnvelope } from '../../src/protocol/codec.js'
import type { Envelope } from '../../src/protocol/envelope.js'
import { replicatedMessage } from '../../src/protocol/replicated.js'
import type { Level } from '../../src/protocol/write.js'
import { createRing } from '../../src/ring/ring.js'
import { StatusTable } from '../../src/runtime/status-table.js'
import { createSharedState } from '../../src/runtime/threads/shared.js'
import { Transport } from '../../src/runtime/threads/transport.js'
import { anyEnvelope } from './arbitrary.js'

const requests = fc.integer({ min: 1, max: 0xffff_ffff })
const level = fc.constantFrom<Level>('memory', 'os', 'disk')
const partitions = fc.integer({ min: 0, max: 255 })
const acknowledgement = fc.oneof(
  fc
    .record({ partition: partitions, request: requests, level })
    .map(({ partition, request, level }) => acknowledged(partition, request, level)),
  fc
    .record({
      partition: partitions,
      request: requests,
      level,
      existed: fc.boolean(),
      overtaken: fc.boolean(),
    })
    .map(({ partition, request, level, existed, overtaken }) => {
      const [to, from] = [singleAddress('gateway', 2), vnodeAddress(1, partition)]
      return { to, from, request, deadline: 0, message: replicatedMessage(level, existed, overtaken) }
    }),
)

function acknowledged(partition: number, request: number, level: Level): Envelope {
  const [to, from] = [vnodeAddress(2, partition), vnodeAddress(1, partition)]
  return { to, from, request, deadline: 0, message: { type: 'replicated', level } }
}

function decoded(bytes: Uint8Array): Envelope[] {
  const found: Envelope[] = []
  decodeMessage(Buffer.from(bytes), 0, bytes.length, (envelope) => found.push(envelope))
  return found
}

test('what goes in comes out, in order', () => {
  const all = new Acknowledgements()
  fc.assert(
    fc.property(fc.array(acknowledgement, { minLength: 1, maxLength: 300 }), (envelopes) => {
      for (const envelope of envelopes) {
        expect(Acknowledgements.takes(envelope)).toBe(true)
        all.add(envelope)
      }
      expect(all.count).toBe(envelopes.length)
      expect(decoded(all.take())).toEqual(envelopes)
      expect(all.count).toBe(0)
    }),
  )
})

test('every other message goes by itself, and is read as it was', () => {
  fc.assert(
    fc.property(anyEnvelope, (envelope) => {
      const { message, to, from, deadline } = envelope
      const isOne = message.type === 'replicated' && from.kind === 'vnode' && deadline === 0
      const isNamed = to.kind === 'gateway' || (to.kind === 'vnode' && to.partition === from.partition)
      const taken = isOne && isNamed
      expect(Acknowledgements.takes(envelope)).toBe(taken)
      const writer = new Writer(16)
      encodeEnvelope(writer, envelope)
      const [read, ...more] = decoded(writer.copy())
      expect(more).toEqual([])
      expect(read?.message.type).toBe(message.type)
      expect(read?.request).toBe(envelope.request)
    }),
  )
})

test('one that has no partner in its partition, or comes from a courier, keeps both its addresses', () => {
  const message = { type: 'replicated', level: 'memory' } as const
  const rest = { request: 1, deadline: 0, message }
  expect(Acknowledgements.takes({ to: vnodeAddress(2, 1), from: vnodeAddress(1, 2), ...rest })).toBe(false)
  expect(Acknowledgements.takes({ to: vnodeAddress(2, 1), from: singleAddress('courier', 1), ...rest })).toBe(
    false,
  )
  expect(Acknowledgements.takes({ to: singleAddress('courier', 2), from: vnodeAddress(1, 1), ...rest })).toBe(
    false,
  )
})

test('damaged bytes are malformed, or acknowledge something else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        decoded(Uint8Array.from([7, ...bytes]))
      } catch (error) {
        expect(error).toBeInstanceOf(Malformed)
      }
    }),
  )
})

test('a life that ends between two acknowledgements of a turn hears none for the next, nor the next its own', () => {
  const ring = createRing({
    epoch: 1,
    partitions: 4,
    copies: 2,
    nodes: [1, 2],
    hash: 'halfsip',
    seed: [1, 2],
  })
  const shared = createSharedState(ring, 4 * 1024 * 1024)
  const status = new StatusTable(shared.status)
  const one = new Transport(shared, 1, status.begin(1), 1024 * 1024)
  const early = new Transport(shared, 2, status.begin(2), 1024 * 1024)
  const heard = (transport: Transport) => {
    const found: number[] = []
    transport.gather(({ request }) => found.push(request))
    return found
  }
  expect(one.post(acknowledged(0, 1, 'disk'))).toBe('sent')
  expect(one.post(acknowledged(3, 2, 'os'))).toBe('sent')
  one.publish()
  expect(heard(early)).toEqual([1, 2])
  one.post(acknowledged(0, 3, 'disk'))
  status.fence(2, status.generation(2))
  expect(one.post(acknowledged(0, 4, 'disk'))).toBe('dead')
  const late = new Transport(shared, 2, status.begin(2), 1024 * 1024)
  one.post(acknowledged(1, 5, 'memory'))
  one.publish()
  expect(heard(late)).toEqual([5])
  expect(late.damaged).toBe(0)
})
