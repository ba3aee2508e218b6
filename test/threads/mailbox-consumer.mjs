// A worker that takes messages until it is terminated, and counts those that are damaged or out of order.

import { setImmediate as turn } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'

const { memory, counts, from, to, urls } = workerData
const { MailboxReader } = await import(urls.mailbox)
const { isWhole, numberOf, messageBytesMax } = await import(urls.messages)

const reader = new MailboxReader(memory, messageBytesMax)
const [received, faults] = [0, 1]
const words = new Int32Array(counts)
let last = -1
for (;;) {
  for (let i = 0; i < 20; i++) {
    if (reader.isEmpty()) break
    reader.drain(50, 8000, to, from, (bytes, start, end) => {
      const number = isWhole(bytes, start, end) ? numberOf(bytes, start) : -1
      if (number < 0 || (last >= 0 && number !== last + 1)) Atomics.add(words, faults, 1)
      last = number
      Atomics.add(words, received, 1)
    })
  }
  await turn()
}
