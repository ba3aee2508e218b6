// A worker that answers every message, and sleeps whenever there is none: sometimes at once, sometimes after
// idling for a moment, so that it falls asleep at every point of what its partner does.

import { workerData } from 'node:worker_threads'

const { into, out, bells, self, partner, life, urls } = workerData
const { MailboxReader, MailboxWriter } = await import(urls.mailbox)
const { Bell, ring } = await import(urls.doorbell)
const { seededRandom, randomBelow } = await import(urls.random)

const reader = new MailboxReader(into, 1024)
const writer = new MailboxWriter(out, 1024)
const random = seededRandom(life, self)
const bell = new Bell(bells, self, () => setImmediate(run))
bell.ref()

function run() {
  if (!reader.isEmpty()) {
    reader.drain(10, 1e6, life, 1, (bytes, start, end) => writer.push(life, 1, bytes, start, end))
    if (writer.publish()) ring(bells, partner)
  }
  for (let idle = randomBelow(random, 2) * randomBelow(random, 400); idle > 0; idle--) reader.isEmpty()
  bell.sleep(() => !reader.isEmpty())
}
run()
