// Any sequence of steps of both ends, deaths included: the mailbox does what its slow and obvious model does.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createMailbox, MailboxReader, MailboxWriter } from '../../src/runtime/mailbox.js'
import { MailboxModel, type Message } from './mailbox-model.js'

type Step =
  | { readonly type: 'push'; readonly length: number; readonly always: boolean }
  | { readonly type: 'publish' | 'flush' | 'look' | 'drop-queued' | 'producer-dies' | 'consumer-dies' }
  | { readonly type: 'drain'; readonly count: number; readonly bytes: number; readonly fenced: boolean }

const push = fc.record({
  type: fc.constant('push' as const),
  length: fc.oneof(fc.nat(60), fc.nat(300), fc.nat(1500)),
  always: fc.boolean(),
})
const drain = fc.record({
  type: fc.constant('drain' as const),
  count: fc.integer({ min: 1, max: 6 }),
  bytes: fc.constantFrom(1, 100, 1e6),
  fenced: fc.nat(9).map((x) => x === 0),
})
const often = fc.constantFrom('publish' as const, 'look' as const).map((type) => ({ type }))
const seldom = fc
  .constantFrom('flush' as const, 'drop-queued' as const, 'producer-dies' as const, 'consumer-dies' as const)
  .map((type) => ({ type }))
const stories = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: push },
    { weight: 6, arbitrary: drain },
    { weight: 6, arbitrary: often },
    { weight: 1, arbitrary: seldom },
  ),
  { maxLength: 120, size: 'max' },
)

/** Positions near 0, near where they become negative, and near where they begin anew. */
const starts = fc
  .tuple(fc.constantFrom(512, 2 ** 31, 2 ** 32), fc.nat(64))
  .map(([end, words]) => end - words * 8)

const outboxBytesMax = 1500
const messageBytesMax = 1000

/** The mailbox and its model side by side. */
class Comparison {
  private readonly memory: SharedArrayBuffer
  private readonly model: MailboxModel
  private writer: MailboxWriter
  private reader: MailboxReader
  // Near the end of what 16 bits hold.
  private producer = 65_530
  private consumer = 65_533
  private number = 0
  private readonly kept: { readonly received: Buffer; readonly expected: Buffer }[] = []

  constructor(size: number, start: number) {
    this.memory = createMailbox(size)
    const words = new Int32Array(this.memory)
    words[0] = start | 0
    words[32] = start | 0
    this.model = new MailboxModel(size, start, outboxBytesMax, messageBytesMax)
    this.writer = new MailboxWriter(this.memory, outboxBytesMax)
    this.reader = new MailboxReader(this.memory, messageBytesMax)
  }

  run(step: Step): void {
    const { model, writer, reader } = this
    switch (step.type) {
      case 'push':
        this.push(step.length, step.always)
        break
      case 'drain':
        this.drain(step.count, step.bytes, step.fenced)
        break
      case 'publish':
        expect(writer.publish()).toBe(model.publish())
        break
      case 'flush':
        expect(writer.flush()).toBe(model.flush())
        break
      case 'look':
        expect(reader.isEmpty()).toBe(model.isEmpty())
        break
      case 'drop-queued':
        writer.dropQueued()
        model.dropQueued()
        break
      case 'producer-dies':
        this.producer++
        model.producerDies()
        this.writer = new MailboxWriter(this.memory, outboxBytesMax)
        break
      case 'consumer-dies':
        this.consumer++
        model.consumerDies()
        this.reader = new MailboxReader(this.memory, messageBytesMax)
        break
    }
    expect(this.writer.queuedFrames).toBe(model.queuedFrames)
    expect(this.writer.queuedBytes).toBe(model.queuedBytes)
  }

  private push(length: number, always: boolean): void {
    const { model, writer, producer: from, consumer: to } = this
    const seed = this.number++
    const payload = Buffer.from(Array.from({ length }, (_, i) => (seed * 31 + i * 7 + (i >>> 8)) & 0xff))
    const result = always
      ? writer.pushAlways(from, to, payload, 0, length)
      : writer.push(from, to, payload, 0, length)
    expect(result).toBe(model.push({ from, to, payload }, always))
  }

  private drain(count: number, bytes: number, fenced: boolean): void {
    const from = fenced ? -1 : this.producer
    const expected = this.model.drain(count, bytes, this.consumer, from)
    const received: Buffer[] = []
    this.reader.drain(count, bytes, this.consumer, from, (b, s, e) => received.push(b.subarray(s, e)))
    expect(received).toHaveLength(expected.length)
    received.forEach((message, i) => {
      this.kept.push({ received: message, expected: (expected[i] as Message).payload })
    })
  }

  /** Lets everything arrive that still can, and compares what there is to compare. */
  end(): void {
    const { model, writer, reader } = this
    for (let isClear = false; !isClear; ) {
      isClear = writer.flush()
      expect(isClear).toBe(model.flush())
      this.run({ type: 'publish' })
      this.run({ type: 'look' })
      this.drain(1e6, 1e6, false)
    }
    expect(reader.isEmpty()).toBe(true)
    const { dropped, oversized, cutOff } = model
    expect([reader.dropped, reader.oversized, reader.cutOff]).toEqual([dropped, oversized, cutOff])
    // Only now, so that a view that was written over would show.
    for (const { received, expected } of this.kept) expect(Buffer.compare(received, expected)).toBe(0)
  }
}

test('the mailbox does what its model does, from every offset, whoever dies when', () => {
  fc.assert(
    fc.property(fc.constantFrom(256, 512, 2048), starts, stories, (size, start, story) => {
      const comparison = new Comparison(size, start)
      for (const step of story) comparison.run(step)
      comparison.end()
    }),
    { numRuns: 500 },
  )
})
