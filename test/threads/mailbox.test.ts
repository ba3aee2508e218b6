// A mailbox between real threads: both ends at once, and either end terminated in the middle of whatever it
// does and replaced by a new life on the same ring.

import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { randomBelow, seededRandom } from '../../src/base/random.js'
import { createMailbox, MailboxReader, MailboxWriter } from '../../src/runtime/mailbox.js'
import { createStatusTable, StatusTable } from '../../src/runtime/status-table.js'
import { isWhole, lifeOf, messageBytesMax, numberOf, writeMessage } from './mailbox-messages.js'
import { type Built, build } from './object-buffer-build.js'

let built: Built
let urls: Record<string, string>

beforeAll(() => {
  built = build(['src/runtime/mailbox.ts', 'test/threads/mailbox-messages.ts'])
  urls = {
    mailbox: built.url('src/runtime/mailbox.js'),
    messages: built.url('test/threads/mailbox-messages.js'),
  }
})

afterAll(() => {
  built.remove()
})

function start(name: string, workerData: object): Worker {
  return new Worker(new URL(name, import.meta.url), { workerData: { ...workerData, urls } })
}

test('a million messages of all sizes arrive whole and in order while both ends race', async () => {
  const count = 1_000_000
  const memory = createMailbox(16 * 1024)
  const reader = new MailboxReader(memory, messageBytesMax)
  const producer = start('./mailbox-producer.mjs', { memory, count, from: 1, to: 1 })
  const exit = once(producer, 'exit')
  const random = seededRandom(5)
  let received = 0
  let faults = 0
  while (received < count) {
    if (reader.isEmpty()) await turn()
    reader.drain(1 + randomBelow(random, 200), 1 + randomBelow(random, 20_000), 1, 1, (bytes, from, to) => {
      if (!isWhole(bytes, from, to) || numberOf(bytes, from) !== received) faults++
      received++
    })
  }
  expect(faults).toBe(0)
  expect(received).toBe(count)
  expect(await exit).toEqual([0])
  expect(reader.isEmpty()).toBe(true)
  expect([reader.dropped, reader.oversized, reader.cutOff]).toEqual([0, 0, 0])
})

test('fifty producers are terminated in mid-write: only whole messages arrive, none of a fenced life', async () => {
  const memory = createMailbox(16 * 1024)
  const status = new StatusTable(createStatusTable())
  const reader = new MailboxReader(memory, messageBytesMax)
  const random = seededRandom(6)
  const faults: string[] = []
  let expected = 0
  // What a node does each turn: look, ask who is alive, take.
  const gather = () => {
    if (reader.isEmpty()) return
    const life = status.generation(1)
    const heard = status.isAlive(1, life) ? life : -1
    reader.drain(1000, 100_000, 1, heard, (bytes, from, to) => {
      if (!isWhole(bytes, from, to)) faults.push(`damaged after ${expected} of life ${life}`)
      else if (!status.isAlive(1, lifeOf(bytes, from))) faults.push(`life ${lifeOf(bytes, from)} is dead`)
      else if (numberOf(bytes, from) !== expected) faults.push(`${numberOf(bytes, from)} for ${expected}`)
      expected++
    })
  }
  for (let death = 0; death < 50; death++) {
    const life = status.begin(1)
    expected = 0
    const producer = start('./mailbox-producer.mjs', { memory, count: 2 ** 32, from: life, to: 1 })
    let isGone = false
    producer.once('exit', () => {
      isGone = true
    })
    const enough = 1 + randomBelow(random, 3000)
    while (expected < enough && !isGone) {
      gather()
      await turn()
    }
    status.fence(1, life)
    void producer.terminate()
    while (!isGone) {
      gather()
      await turn()
    }
    expect(expected).toBeGreaterThanOrEqual(enough)
  }
  expect(faults).toEqual([])
  expect(reader.dropped).toBeGreaterThan(0)
})

test('twenty consumers are terminated in mid-read: each hears what is for itself, whole and in order', async () => {
  const memory = createMailbox(16 * 1024)
  const writer = new MailboxWriter(memory, 64 * 1024)
  const random = seededRandom(7)
  const scratch = Buffer.alloc(messageBytesMax)
  let number = 0
  for (let life = 1; life <= 20; life++) {
    const counts = new SharedArrayBuffer(8)
    const words = new Int32Array(counts)
    const consumer = start('./mailbox-consumer.mjs', { memory, counts, from: 1, to: life })
    const exit = once(consumer, 'exit')
    const enough = 1 + randomBelow(random, 3000)
    while (Atomics.load(words, 0) < enough) {
      for (let i = 0; i < 30; i++) {
        const length = writeMessage(scratch, 1, number)
        if (writer.push(1, life, scratch, 0, length) === 'full') break
        number++
      }
      writer.publish()
      await turn()
    }
    await consumer.terminate()
    await exit
    expect(Atomics.load(words, 1)).toBe(0)
    expect(Atomics.load(words, 0)).toBeGreaterThanOrEqual(enough)
  }
})
