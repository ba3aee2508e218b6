// A worker that sends numbered messages in bursts, as many as it is told to, or until it is terminated.

import { setImmediate as turn } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'

const { memory, count, from, to, urls } = workerData
const { MailboxWriter } = await import(urls.mailbox)
const { writeMessage, messageBytesMax } = await import(urls.messages)

const writer = new MailboxWriter(memory, 64 * 1024)
const scratch = Buffer.allocUnsafeSlow(messageBytesMax)
let number = 0
let burst = 1
while (number < count) {
  burst = (burst * 7 + 3) % 61
  for (let i = 0; i <= burst && number < count; i++) {
    const length = writeMessage(scratch, from, number)
    if (writer.push(from, to, scratch, 0, length) === 'full') break
    number++
  }
  writer.publish()
  while (!writer.flush()) {
    writer.publish()
    await turn()
  }
  writer.publish()
}
