// A worker that falls asleep just when the bell rings. It says that it is about to, waits a moment, and does.
// The moment grows when it was asleep before the ring and shrinks when it was not, so it finds by itself
// how long the other takes, whatever the machine, and hits the same few nanoseconds from both sides.

import { workerData } from 'node:worker_threads'

const { into, bells, self, rounds, urls } = workerData
const { MailboxReader } = await import(urls.mailbox)
const { Bell } = await import(urls.doorbell)
const { seededRandom, randomBelow } = await import(urls.random)

const [ready, found, used] = [0, 16, 32]
const delayMax = 100_000
const reader = new MailboxReader(into, 1024)
const words = new Int32Array(rounds)
const random = seededRandom(1)
const bell = new Bell(bells, self, () => setImmediate(run))
bell.ref()
let delay = 0
let wasEarly = true

function hasWork() {
  wasEarly = reader.isEmpty()
  return !wasEarly
}

function run() {
  // A bell may ring once too often; a round begins only with the message of the one before.
  if (Atomics.load(words, ready) === 0 || !reader.isEmpty()) {
    reader.drain(10, 1e6, 1, 1, () => {})
    if (!wasEarly) Atomics.add(words, found, 1)
    delay = Math.max(0, Math.min(delayMax, delay + randomBelow(random, 100) * (wasEarly ? 1 : -1)))
    Atomics.add(words, ready, 1)
    for (let i = 0; i < delay; i++) Atomics.store(words, used, i)
  }
  bell.sleep(hasWork)
}
run()
