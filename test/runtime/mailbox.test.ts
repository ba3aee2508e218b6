// A mailbox in one thread: what goes in comes out, in order, whatever the offset, the size, the moment of
// death of either end. Real threads are in test/threads.

import { describe, expect, test } from 'vitest'
import { createMailbox, MailboxReader, MailboxWriter } from '../../src/runtime/mailbox.js'

const MiB = 1024 * 1024

/** A mailbox whose both positions are already at `start`, as after a long life. */
function mailboxAt(bytes: number, start: number): SharedArrayBuffer {
  const memory = createMailbox(bytes)
  const words = new Int32Array(memory)
  words[0] = start | 0
  words[32] = start | 0
  return memory
}

function payloadOf(length: number, seed: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (seed * 31 + i * 7 + (i >>> 8)) & 0xff))
}

function push(writer: MailboxWriter, payload: Buffer, from = 1, to = 1): string {
  return writer.push(from, to, payload, 0, payload.length)
}

/** Everything that a look and a drain hand out. */
function receive(reader: MailboxReader, mine = 1, producer = 1): Buffer[] {
  const messages: Buffer[] = []
  reader.isEmpty()
  reader.drain(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, mine, producer, (bytes, start, end) => {
    messages.push(bytes.subarray(start, end))
  })
  return messages
}

describe('a message', () => {
  test.each([0, 1, 3, 4, 7, 8, 9, 48, 55, 56])(
    'of %i bytes arrives from every offset of a ring of 256',
    (length) => {
      for (let start = 0; start < 256; start += 8) {
        const memory = mailboxAt(256, start)
        const writer = new MailboxWriter(memory, 1024)
        const reader = new MailboxReader(memory, 1024)
        for (const payload of [payloadOf(length, start), payloadOf(5, start), payloadOf(length, start + 1)]) {
          expect(push(writer, payload)).toBe('sent')
          writer.publish()
          expect(receive(reader)).toEqual([payload])
        }
      }
    },
  )

  test.each([57, 64, 100, 192, 193, 500, 5000])('of %i bytes goes in pieces from every offset', (length) => {
    for (let start = 0; start < 256; start += 8) {
      const memory = mailboxAt(256, start)
      const writer = new MailboxWriter(memory, 10_000)
      const reader = new MailboxReader(memory, 5000)
      const sent = [payloadOf(3, 1), payloadOf(length, start), payloadOf(4, 2)]
      for (const payload of sent) push(writer, payload)
      const received: Buffer[] = []
      for (;;) {
        const isLast = writer.flush()
        writer.publish()
        received.push(...receive(reader))
        if (isLast) break
      }
      expect(received).toEqual(sent)
    }
  })

  test('is not seen before it is published, and publishing nothing says so', () => {
    const memory = createMailbox(1024)
    const writer = new MailboxWriter(memory, 1024)
    const reader = new MailboxReader(memory, 1024)
    push(writer, payloadOf(10, 1))
    expect(reader.isEmpty()).toBe(true)
    expect(writer.publish()).toBe(true)
    expect(writer.publish()).toBe(false)
    expect(reader.isEmpty()).toBe(false)
    expect(receive(reader)).toHaveLength(1)
    expect(reader.isEmpty()).toBe(true)
  })

  test('may be a part of a larger buffer, at an odd place, in shared memory or not', () => {
    const shared = Buffer.from(new SharedArrayBuffer(3000), 40)
    const own = Buffer.allocUnsafe(2900)
    for (const source of [shared, own, new Uint8Array(own.buffer, own.byteOffset + 3, 2000)]) {
      source.set(payloadOf(source.length, 3))
      for (const [start, end] of [
        [1, 12],
        [7, 7],
        [13, 613],
        [501, 1999],
      ] as const) {
        const memory = createMailbox(2048)
        const writer = new MailboxWriter(memory, 1024)
        writer.push(1, 1, source, start, end)
        writer.publish()
        expect(receive(new MailboxReader(memory, 4096))).toEqual([Buffer.from(source.slice(start, end))])
      }
    }
  })

  test('that waits in the outbox is a copy: its sender may use its buffer again', () => {
    const memory = createMailbox(256)
    const writer = new MailboxWriter(memory, 4096)
    const reader = new MailboxReader(memory, 4096)
    const scratch = Buffer.alloc(700, 1)
    expect(push(writer, scratch)).toBe('queued')
    scratch.fill(2)
    const received: Buffer[] = []
    while (writer.queuedFrames > 0) {
      writer.flush()
      writer.publish()
      received.push(...receive(reader))
    }
    expect(received).toEqual([Buffer.alloc(700, 1)])
  })

  test('may be kept as a view for as long as the receiver likes', () => {
    const memory = createMailbox(1024)
    const writer = new MailboxWriter(memory, 1024)
    const reader = new MailboxReader(memory, 1024)
    const kept: Buffer[] = []
    const sent: Buffer[] = []
    for (let i = 0; i < 500; i++) {
      sent.push(payloadOf(i % 200, i))
      push(writer, sent[i] as Buffer)
      writer.publish()
      kept.push(...receive(reader))
    }
    expect(kept).toEqual(sent)
    expect(kept.every(({ buffer }) => buffer instanceof ArrayBuffer)).toBe(true)
  })
})

describe('limits', () => {
  test('a full outbox refuses requests and keeps nothing of them, but takes every answer', () => {
    const writer = new MailboxWriter(createMailbox(256), 3 * (56 + 256))
    const payload = payloadOf(56, 0)
    const results = Array.from({ length: 8 }, () => push(writer, payload))
    expect(results).toEqual(['sent', 'sent', 'sent', 'sent', 'queued', 'queued', 'queued', 'full'])
    expect(writer.queuedFrames).toBe(3)
    expect(writer.pushAlways(1, 1, payload, 0, 56)).toBe('queued')
    expect(writer.queuedFrames).toBe(4)
    expect(writer.queuedBytes).toBe(4 * (56 + 256))
  })

  test('an empty outbox takes one message that is larger than its bound, and then no other', () => {
    const writer = new MailboxWriter(createMailbox(256), 1000)
    expect(push(writer, payloadOf(3000, 0))).toBe('queued')
    expect(push(writer, payloadOf(1, 0))).toBe('full')
  })

  test('room that the reader made is used before a request is refused', () => {
    const memory = createMailbox(256)
    const writer = new MailboxWriter(memory, 300)
    const payload = payloadOf(56, 0)
    while (push(writer, payload) !== 'full');
    writer.publish()
    expect(receive(new MailboxReader(memory, 1024))).toHaveLength(4)
    expect(push(writer, payload)).toBe('sent')
  })

  test('a drain stops at its count, at its bytes, and takes one frame at least', () => {
    const memory = createMailbox(1024)
    const writer = new MailboxWriter(memory, 1024)
    const reader = new MailboxReader(memory, 1024)
    for (let i = 0; i < 6; i++) push(writer, payloadOf(40, i))
    writer.publish()
    reader.isEmpty()
    expect(reader.drain(2, 1e6, 1, 1, () => {})).toBe(2)
    expect(reader.drain(9, 1, 1, 1, () => {})).toBe(1)
    // A frame of 40 bytes takes 48.
    expect(reader.drain(9, 48, 1, 1, () => {})).toBe(1)
    expect(reader.drain(9, 49, 1, 1, () => {})).toBe(2)
    expect(reader.drain(9, 1e6, 1, 1, () => {})).toBe(0)
  })

  test('a message larger than the reader allows is left out and counted, its neighbours are not', () => {
    const memory = createMailbox(4096)
    const writer = new MailboxWriter(memory, 1024)
    const reader = new MailboxReader(memory, 1500)
    for (const length of [10, 1501, 20, 1500]) push(writer, payloadOf(length, 0))
    writer.publish()
    expect(receive(reader).map(({ length }) => length)).toEqual([10, 20, 1500])
    expect(reader.oversized).toBe(1)
    expect(reader.cutOff).toBe(0)
  })

  test('a quiet pair of threads uses the first part of its ring again and again', () => {
    const memory = createMailbox(MiB)
    const writer = new MailboxWriter(memory, 1024)
    const reader = new MailboxReader(memory, 1024)
    for (let i = 0; i < 20_000; i++) {
      push(writer, payloadOf(200, i))
      writer.publish()
      receive(reader)
    }
    const rest = Buffer.from(memory, 256 + MiB / 4 + 256)
    expect(rest.every((byte) => byte === 0)).toBe(true)
  })

  test('a ring that somebody wrote over ends the life that finds it, not the next one', () => {
    const memory = createMailbox(1024)
    const writer = new MailboxWriter(memory, 1024)
    push(writer, payloadOf(40, 0))
    writer.publish()
    new DataView(memory).setInt32(256, 5000, true)
    expect(() => receive(new MailboxReader(memory, 1024))).toThrow('invariant broken')
    push(writer, payloadOf(8, 1))
    writer.publish()
    expect(receive(new MailboxReader(memory, 1024))).toEqual([payloadOf(8, 1)])
  })

  test.each([0, 128, 255, 1000, 2 ** 31])('there is no mailbox of %i bytes', (bytes) => {
    expect(() => createMailbox(bytes)).toThrow('power of two')
  })
})

describe('the fence', () => {
  test('what a dead life sent is dropped and counted, what its successor sends is not', () => {
    const memory = createMailbox(1024)
    const reader = new MailboxReader(memory, 1024)
    const dead = new MailboxWriter(memory, 1024)
    push(dead, payloadOf(1, 1), 1)
    push(dead, payloadOf(2, 1), 1)
    dead.publish()
    const successor = new MailboxWriter(memory, 1024)
    push(successor, payloadOf(3, 1), 2)
    successor.publish()
    expect(receive(reader, 1, 2)).toEqual([payloadOf(3, 1)])
    expect(reader.dropped).toBe(2)
  })

  test('nothing is heard while the producer is dead', () => {
    const memory = createMailbox(1024)
    const reader = new MailboxReader(memory, 1024)
    const writer = new MailboxWriter(memory, 1024)
    push(writer, payloadOf(1, 1), 0xffff)
    writer.publish()
    expect(receive(reader, 1, -1)).toEqual([])
    expect(reader.dropped).toBe(1)
  })

  test('what comes after the look is not taken: it may be from a thread that died in between', () => {
    const memory = createMailbox(1024)
    const reader = new MailboxReader(memory, 1024)
    const writer = new MailboxWriter(memory, 1024)
    push(writer, payloadOf(1, 1))
    writer.publish()
    reader.isEmpty()
    push(writer, payloadOf(2, 1))
    writer.publish()
    const lengths: number[] = []
    reader.drain(9, 1e6, 1, 1, (_bytes, start, end) => lengths.push(end - start))
    expect(lengths).toEqual([1])
  })

  test('what was meant for an earlier life of the reader is dropped', () => {
    const memory = createMailbox(1024)
    const writer = new MailboxWriter(memory, 1024)
    push(writer, payloadOf(1, 1), 1, 4)
    push(writer, payloadOf(2, 1), 1, 5)
    writer.publish()
    expect(receive(new MailboxReader(memory, 1024), 5)).toEqual([payloadOf(2, 1)])
  })

  test.each([
    [65_535, 65_536],
    [65_536, 65_538],
    [131_071, 200_000],
  ])('lives %i and %i hear each other: numbers count on where 16 bits end', (from, to) => {
    const memory = createMailbox(1024)
    const writer = new MailboxWriter(memory, 1024)
    push(writer, payloadOf(9, 1), from, to)
    writer.publish()
    expect(receive(new MailboxReader(memory, 1024), to, from)).toEqual([payloadOf(9, 1)])
  })

  test('a producer that dies amid a large message leaves no trace of it', () => {
    const memory = createMailbox(256)
    const reader = new MailboxReader(memory, 4096)
    const dead = new MailboxWriter(memory, 4096)
    expect(push(dead, payloadOf(2000, 1), 1)).toBe('queued')
    dead.publish()
    expect(receive(reader, 1, 1)).toEqual([])
    const successor = new MailboxWriter(memory, 4096)
    push(successor, payloadOf(20, 2), 2)
    successor.publish()
    expect(receive(reader, 1, 2)).toEqual([payloadOf(20, 2)])
    expect(reader.cutOff).toBe(1)
  })

  test('what a dead producer had written but not published is not there', () => {
    const memory = createMailbox(1024)
    const reader = new MailboxReader(memory, 1024)
    push(new MailboxWriter(memory, 1024), payloadOf(200, 1), 1)
    const successor = new MailboxWriter(memory, 1024)
    push(successor, payloadOf(5, 2), 2)
    successor.publish()
    expect(receive(reader, 1, 2)).toEqual([payloadOf(5, 2)])
    expect(reader.dropped).toBe(0)
  })
})
