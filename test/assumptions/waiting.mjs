// What is assumed of waiting: Atomics across threads (the doorbell, src/runtime/threads/doorbell.ts), timers and the
// clocks of threads (src/runtime/threads/clock.ts). The doorbell itself: test/threads/doorbell.test.ts.

import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { awaitWord, hold, message, sharedWords, thread } from './tools.mjs'

const sleeping = `
  const wait = Atomics.waitAsync(words, 0, 0)
  const keep = setInterval(() => {}, 1000)
  Atomics.add(words, 1, 1)
  Atomics.notify(words, 1)
  wait.value.then((how) => {
    clearInterval(keep)
    parentPort.postMessage(how)
  })
`

const atomics = [
  {
    name: 'wait-async',
    title: 'Atomics.waitAsync: woken by a notify of another thread; at once when the word has changed',
    async run() {
      const words = sharedWords()
      const worker = thread(sleeping, { words: words.buffer })
      const said = message(worker)
      awaitWord(words, 1, 1)
      Atomics.store(words, 0, 1)
      hold(Atomics.notify(words, 0) === 1, 'one was waiting')
      hold((await said) === 'ok', 'it was woken')
      const late = Atomics.waitAsync(words, 0, 0)
      hold(late.async === false && late.value === 'not-equal', 'who comes late does not wait')
      hold(Atomics.notify(words, 0) === 0, 'nobody waits any more')
    },
  },
  {
    name: 'wait-async-alone',
    title:
      'Atomics.waitAsync alone does not keep a thread: it ends, with code 0, and is not counted as a waiter',
    async run() {
      const words = sharedWords()
      const worker = thread('Atomics.waitAsync(words, 0, 0)', { words: words.buffer })
      const [code] = await once(worker, 'exit')
      hold(code === 0, `it ended with ${code}`)
      hold(Atomics.notify(words, 0) === 0, 'the dead still waits')
    },
  },
  {
    name: 'dead-waiter',
    title: 'a waiter that was terminated is forgotten: a notify wakes the living who waits behind it',
    async run() {
      const words = sharedWords()
      const dying = thread(sleeping, { words: words.buffer })
      awaitWord(words, 1, 1)
      const living = thread(sleeping, { words: words.buffer })
      const said = message(living)
      awaitWord(words, 1, 2)
      await dying.terminate()
      Atomics.store(words, 0, 1)
      hold(Atomics.notify(words, 0, 1) === 1, 'one was waiting')
      hold((await said) === 'ok', 'the living was woken')
      hold(Atomics.notify(words, 0) === 0, 'nobody else waits')
    },
  },
  {
    name: 'blocked-thread',
    title: 'a thread that is blocked in Atomics.wait can be terminated',
    async run() {
      const words = sharedWords()
      const worker = thread('Atomics.store(words, 1, 1); Atomics.wait(words, 0, 0)', { words: words.buffer })
      awaitWord(words, 1, 1)
      hold((await worker.terminate()) === 1, 'it ended')
    },
  },
]

function milliseconds() {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}

const clocks = [
  {
    name: 'timers-early',
    title:
      'setTimeout is late when the thread is busy, and never early by more than 1 ms and the fraction of its delay',
    async run() {
      let earliest = 0
      let earliestOfFractions = 0
      const timers = Array.from({ length: 400 }, (_, index) => {
        const fraction = index % 2 === 0 ? 0 : (index % 10) / 10
        const delay = 1 + (index % 60) + fraction
        const armed = milliseconds()
        return new Promise((resolve) => {
          setTimeout(() => {
            const early = armed + delay - milliseconds()
            if (fraction === 0) earliest = Math.max(earliest, early)
            else earliestOfFractions = Math.max(earliestOfFractions, early)
            hold(early <= 1 + fraction, `a timer of ${delay} ms was early by ${early} ms`)
            resolve()
          }, delay)
        })
      })
      await Promise.all(timers)
      const armed = milliseconds()
      const late = new Promise((resolve) => setTimeout(() => resolve(milliseconds() - armed), 5))
      while (milliseconds() < armed + 40);
      hold((await late) >= 40, 'a timer interrupted a turn')
      return {
        said: `early by ${earliest.toFixed(2)} ms at most, with a fraction by ${earliestOfFractions.toFixed(2)} ms`,
      }
    },
  },
  {
    name: 'timers-order',
    title: 'timers of one delay fire in the order of their arming, and an earlier one before a later one',
    async run() {
      const seen = []
      const fire = (name) => () => seen.push(name)
      setTimeout(fire('late'), 30)
      for (let i = 0; i < 50; i++) setTimeout(fire(i), 10)
      await new Promise((resolve) => setTimeout(resolve, 60))
      const expected = [...Array.from({ length: 50 }, (_, i) => i), 'late']
      hold(seen.join() === expected.join(), `they came as ${seen}`)
    },
  },
  {
    name: 'clocks',
    title: 'process.hrtime and Date.now mean the same on every thread of a process',
    async run() {
      const worker = thread(
        `parentPort.on('message', () => {
           const [seconds, nanoseconds] = process.hrtime()
           const now = seconds * 1000 + nanoseconds / 1e6
           parentPort.postMessage({ now, wall: Date.now(), origin: performance.timeOrigin })
         })`,
      )
      await once(worker, 'online')
      let apart = 0
      let origin = 0
      for (let i = 0; i < 200; i++) {
        const before = milliseconds()
        const wallBefore = Date.now()
        worker.postMessage('time?')
        const there = await message(worker)
        const after = milliseconds()
        const wallAfter = Date.now()
        hold(before <= there.now && there.now <= after, `${there.now} is not within ${before} .. ${after}`)
        apart = Math.max(apart, wallBefore - there.wall, there.wall - wallAfter)
        origin = there.origin
      }
      hold(apart <= 1, `Date.now differs by ${apart} ms`)
      await worker.terminate()
      // Measured and not relied on: the origin of performance.now() was one a thread in older runtimes.
      return {
        said: `performance.timeOrigin ${origin === performance.timeOrigin ? 'is the same' : 'differs'}`,
      }
    },
  },
]

export const waitingChecks = [...atomics, ...clocks]
