// What is assumed of threads and ports: the order of messages, the death of a thread and what it leaves.
// More of the same kind, with the real nodes: test/threads/kill.test.ts, mailbox.test.ts, ack-order.test.ts.

import { once } from 'node:events'
import { MessageChannel } from 'node:worker_threads'
import { awaitWord, hold, message, rounds, sharedWords, thread, watchExit } from './tools.mjs'

const counting = `
  const { port, count } = workerData
  for (let i = 0; i < count; i++) port.postMessage(i)
`

/** Runs in a thread: writes numbers into a mailbox of the product, some of them in pieces. */
const mailing = `
  import(workerData.url).then(({ MailboxWriter }) => {
    const { memory, count, life } = workerData
    const writer = new MailboxWriter(memory, 64 * 1024)
    const bytes = Buffer.alloc(2000)
    const pause = new Int32Array(new SharedArrayBuffer(4))
    for (let i = 0; i < count; i++) {
      bytes.writeUInt32LE(i, 0)
      const length = i % 100 === 0 ? 2000 : 4 + (i % 60)
      while (writer.push(life, 1, bytes, 0, length) === 'full') {
        writer.publish()
        Atomics.wait(pause, 0, 0, 0.05)
      }
      if (i % 7 === 0) writer.publish()
    }
    while (!writer.flush()) {
      writer.publish()
      Atomics.wait(pause, 0, 0, 0.05)
    }
    writer.publish()
  })
`

const order = [
  {
    name: 'port-order',
    title: 'messages of one pair of threads arrive in order, through a MessagePort',
    async run() {
      const count = 20_000
      const ends = Array.from({ length: 3 }, () => new MessageChannel())
      const counts = await Promise.all(
        ends.map(async ({ port1, port2 }) => {
          const worker = thread(counting, { port: port2, count }, { transferList: [port2] })
          let next = 0
          port1.on('message', (value) => hold(value === next++, `${value} came for ${next - 1}`))
          await Promise.all([once(port1, 'close'), once(worker, 'exit')])
          return next
        }),
      )
      hold(
        counts.every((seen) => seen === count),
        `of ${count} came ${counts}`,
      )
    },
  },
  {
    name: 'mailbox-order',
    title:
      'messages of one pair of threads arrive in order and whole, through the mailboxes in shared memory',
    async run({ load, url }) {
      const { createMailbox, MailboxReader } = await load('runtime/mailbox.js')
      const count = 50_000
      const lanes = [1, 2, 3].map((life) => {
        const memory = createMailbox(4096)
        const worker = thread(mailing, { memory, count, life, url: url('runtime/mailbox.js') })
        return { life, worker, reader: new MailboxReader(memory, 4096), next: 0 }
      })
      const exits = lanes.map(({ worker }) => once(worker, 'exit'))
      while (lanes.some(({ next }) => next < count)) {
        for (const lane of lanes) {
          if (lane.reader.isEmpty()) continue
          lane.reader.drain(500, 100_000, 1, lane.life, (bytes, start, end) => {
            const value = bytes.readUInt32LE(start)
            hold(value === lane.next++, `${value} came for ${lane.next - 1}`)
            hold(end - start === (value % 100 === 0 ? 2000 : 4 + (value % 60)), `${value} is not whole`)
          })
        }
        await rounds(1)
      }
      await Promise.all(exits)
    },
  },
]

const death = [
  {
    name: 'port-of-the-dead',
    title: "a dead worker's MessagePort says 'close' once; postMessage to it neither throws nor arrives",
    async run() {
      const { port1, port2 } = new MessageChannel()
      const worker = thread(
        "workerData.port.on('message', () => workerData.port.postMessage('heard'))",
        { port: port2 },
        { transferList: [port2] },
      )
      port1.postMessage('you there?')
      hold((await message(port1)) === 'heard', 'the living answers')
      let closes = 0
      let heard = 0
      port1.on('close', () => closes++)
      port1.on('message', () => heard++)
      const closed = once(port1, 'close')
      await worker.terminate()
      port1.postMessage('before the end is known')
      await closed
      port1.postMessage('after the end is known')
      await rounds()
      hold(closes === 1, `'close' came ${closes} times`)
      hold(heard === 0, 'somebody answered')
    },
  },
  {
    name: 'posted-before-death',
    title: 'what a thread posted before it was terminated arrives, and nothing is half',
    async run() {
      for (let death = 0; death < 10; death++) {
        const words = sharedWords()
        const { port1, port2 } = new MessageChannel()
        const worker = thread(
          `for (let i = 0; ; i++) {
             workerData.port.postMessage({ i, again: i })
             Atomics.store(words, 0, i + 1)
           }`,
          { port: port2, words: words.buffer },
          { transferList: [port2] },
        )
        awaitWord(words, 0, 100 * (death + 1))
        let next = 0
        port1.on('message', ({ i, again }) => hold(i === next++ && again === i, `${i} came for ${next - 1}`))
        const closed = once(port1, 'close')
        await worker.terminate()
        await closed
        const posted = Atomics.load(words, 0)
        hold(next === posted || next === posted + 1, `${posted} were posted and ${next} came`)
      }
    },
  },
  {
    name: 'exit-once',
    title:
      "terminate() cuts a turn at any point: no finally, no exit listener; 'exit' comes once, with code 1",
    async run() {
      const words = sharedWords()
      const worker = thread(
        `process.on('exit', () => Atomics.store(words, 2, 1))
         try {
           Atomics.store(words, 0, 1)
           for (;;);
         } finally {
           Atomics.store(words, 1, 1)
         }`,
        { words: words.buffer },
      )
      const { codes, first } = watchExit(worker)
      awaitWord(words, 0, 1)
      const code = await worker.terminate()
      hold((await first) === 1 && code === 1, `the code is ${code}`)
      hold((await worker.terminate()) !== 0, 'a second terminate() is no end of its own')
      await rounds()
      hold(codes.length === 1, `'exit' came ${codes.length} times`)
      hold(words[1] === 0, 'a finally block ran')
      return words[2] === 0 ? undefined : { said: 'exit listeners of a terminated thread run here' }
    },
  },
  {
    name: 'shared-memory-survives',
    title: 'shared memory outlives its writer, which stops between any two stores and never writes again',
    async run() {
      const cuts = new Set()
      for (let death = 0; death < 30; death++) {
        const words = sharedWords()
        const worker = thread(
          `for (let i = 1; ; i++) {
             Atomics.store(words, 0, i)
             for (let wait = 0; wait < 50; wait++) Atomics.load(words, 9)
             Atomics.store(words, 1, i)
           }`,
          { words: words.buffer },
        )
        awaitWord(words, 1, 100)
        await worker.terminate()
        const [first, second] = words
        hold(first - second === 0 || first - second === 1, `cut between ${first} and ${second}`)
        cuts.add(first - second)
        await rounds()
        hold(words[0] === first && words[1] === second, 'it went on writing')
      }
      hold(cuts.has(1), 'no writer of 30 was cut between its two stores')
    },
  },
  {
    name: 'answers-of-the-dead',
    title: "an answer that a dead thread owes never comes: its promise stays pending, only 'exit' tells",
    async run() {
      const worker = thread("parentPort.on('message', () => new Promise(() => {}))")
      await once(worker, 'online')
      let settled = false
      const answer = new Promise((resolve) => worker.once('message', resolve))
      answer.finally(() => {
        settled = true
      })
      worker.postMessage('a question')
      const { first } = watchExit(worker)
      void worker.terminate()
      await first
      await rounds()
      hold(!settled, 'somebody answered for the dead')
    },
  },
]

const errors = [
  {
    name: 'uncaught',
    title:
      "an error that nobody catches ends its own thread, with 'error' and then exit code 1, and no other",
    async run() {
      const other = thread("parentPort.on('message', (value) => parentPort.postMessage(value + 1))")
      const worker = thread("setImmediate(() => { throw new Error('nobody catches this') })")
      const events = []
      worker.on('error', (error) => events.push(error.message))
      worker.on('exit', (code) => events.push(code))
      await once(worker, 'exit').catch(() => once(worker, 'exit'))
      hold(events.join() === 'nobody catches this,1', `it ended with ${events}`)
      other.postMessage(1)
      hold((await message(other)) === 2, 'the other thread answers')
      await other.terminate()
    },
  },
  {
    name: 'out-of-memory',
    title:
      'a thread whose heap is full of small things ends with ERR_WORKER_OUT_OF_MEMORY; the process lives',
    async run() {
      const limits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 24 }
      const source = `
        const hoard = []
        for (;;) hoard.push(Array.from({ length: 10_000 }, (_, index) => index + hoard.length))
      `
      const worker = thread(source, {}, { resourceLimits: limits })
      const error = await new Promise((resolve) => worker.once('error', resolve))
      hold(error.code === 'ERR_WORKER_OUT_OF_MEMORY', `it ended with ${error.code}: ${error.message}`)
      const after = thread("parentPort.postMessage('alive')")
      hold((await message(after)) === 'alive', 'a new thread lives')
    },
  },
]

const loading = [
  {
    name: 'ended-while-loading',
    title: 'a thread that is terminated while import() loads and links its modules ends alone',
    async run({ url }) {
      // By require() it would not, on Node 20 and 22: v8::Module::IsGraphAsync ends the process.
      const source = `import(workerData.url).then(() => parentPort.postMessage('loaded'))`
      let loading = 0
      const one = async (ms) => {
        const worker = thread(source, { url: url('runtime/threads/node-thread.js') })
        let isLoaded = false
        worker.on('message', () => (isLoaded = true))
        setTimeout(() => worker.terminate(), ms)
        await once(worker, 'exit')
        if (!isLoaded) loading++
      }
      for (let ms = 10; ms < 130; ms += 2) await Promise.all([one(ms), one(ms + 1)])
      hold(loading > 10, `only ${loading} of 120 ended while they loaded`)
    },
  },
]

export const threadChecks = [...order, ...death, ...errors, ...loading]
