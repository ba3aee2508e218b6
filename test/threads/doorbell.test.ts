// The doorbell: it wakes who sleeps, is quiet otherwise, loses no wake-up, and survives the death of the sleeper.
// A wake-up that was lost shows as a test that never ends.

import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { randomBelow, seededRandom } from '../../src/base/random.js'
import { createMailbox, MailboxReader, MailboxWriter } from '../../src/runtime/mailbox.js'
import { Bell, createBells, ring } from '../../src/runtime/threads/doorbell.js'
import { type Built, build } from './object-buffer-build.js'

const idle = () => false

describe('in one thread', () => {
  test('a ring wakes who sleeps', async () => {
    const bells = createBells()
    await new Promise<void>((resolve) => {
      new Bell(bells, 3, resolve).sleep(idle)
      ring(bells, 3)
    })
    expect(new Int32Array(bells).every((word) => word === 0)).toBe(true)
  })

  test('only the first ring of a sleep is heard, and none of who is awake', async () => {
    const bells = createBells()
    let heard = 0
    const bell = new Bell(bells, 1, () => heard++)
    ring(bells, 1)
    bell.sleep(idle)
    ring(bells, 1)
    ring(bells, 1)
    ring(bells, 2)
    await onceAnotherWasWoken(bells)
    expect(heard).toBe(1)
    bell.close()
  })

  test('who has work does not fall asleep', () => {
    const bells = createBells()
    let heard = 0
    const bell = new Bell(bells, 1, () => heard++)
    bell.sleep(() => true)
    expect(heard).toBe(1)
    expect(new Int32Array(bells).every((word) => word === 0)).toBe(true)
  })

  test('a ring between the last look and the sleep is heard', () => {
    const bells = createBells()
    let heard = 0
    const bell = new Bell(bells, 1, () => heard++)
    bell.sleep(() => {
      ring(bells, 1)
      return false
    })
    expect(heard).toBe(1)
  })

  test('who was woken by something else sleeps again and is woken by the bell', async () => {
    const bells = createBells()
    await new Promise<void>((resolve) => {
      const bell = new Bell(bells, 1, resolve)
      bell.sleep(idle)
      bell.sleep(idle)
      bell.sleep(idle)
      ring(bells, 1)
    })
    expect(Atomics.load(new Int32Array(bells), 16)).toBe(0)
  })

  test('who said that it was woken by something else is not rung until it sleeps again', async () => {
    const bells = createBells()
    let heard = 0
    const bell = new Bell(bells, 1, () => heard++)
    bell.sleep(idle)
    bell.awaken()
    ring(bells, 1)
    await onceAnotherWasWoken(bells)
    expect(heard).toBe(0)
    bell.sleep(idle)
    ring(bells, 1)
    await onceAnotherWasWoken(bells)
    expect(heard).toBe(1)
    bell.close()
  })

  test('a closed bell is silent', async () => {
    const bells = createBells()
    let heard = 0
    const bell = new Bell(bells, 1, () => heard++)
    bell.sleep(idle)
    bell.close()
    ring(bells, 1)
    bell.sleep(() => true)
    bell.ref()
    await onceAnotherWasWoken(bells)
    expect(heard).toBe(0)
  })

  test('a referenced bell keeps the process, one that is not does not', () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    const bell = new Bell(createBells(), 1, () => {})
    bell.sleep(idle)
    expect(timers()).toBe(before)
    bell.ref()
    expect(timers()).toBe(before + 1)
    bell.unref()
    expect(timers()).toBe(before)
    bell.ref()
    expect(timers()).toBe(before + 1)
    bell.close()
    expect(timers()).toBe(before)
  })

  /** Wakes a sleeper that was rung last: by then the others have been told too. */
  async function onceAnotherWasWoken(bells: SharedArrayBuffer): Promise<void> {
    await new Promise<void>((resolve) => {
      new Bell(bells, 9, resolve).sleep(idle)
      ring(bells, 9)
    })
    await turn()
  }
})

describe('between threads', () => {
  let built: Built
  let urls: Record<string, string>

  beforeAll(() => {
    built = build(['src/runtime/mailbox.ts', 'src/runtime/threads/doorbell.ts', 'src/base/random.ts'])
    urls = {
      mailbox: built.url('src/runtime/mailbox.js'),
      doorbell: built.url('src/runtime/threads/doorbell.js'),
      random: built.url('src/base/random.js'),
    }
  })

  afterAll(() => {
    built.remove()
  })

  /** This thread (0) and another (1), with a mailbox each way. */
  class Pair {
    readonly bells = createBells()
    readonly there = createMailbox(4096)
    readonly back = createMailbox(4096)
    readonly writer = new MailboxWriter(this.there, 1024)
    readonly reader = new MailboxReader(this.back, 1024)
    private woken: () => void = () => {}
    private readonly bell = new Bell(this.bells, 0, () => this.woken())

    startEcho(life: number): Worker {
      const data = { into: this.there, out: this.back, bells: this.bells, self: 1, partner: 0, life, urls }
      return new Worker(new URL('./doorbell-echo.mjs', import.meta.url), { workerData: data })
    }

    send(life: number): void {
      this.writer.push(1, life, Buffer.from('ping'), 0, 4)
      this.writer.publish()
      ring(this.bells, 1)
    }

    /** Sleeps until something has come, and counts what is from that life. */
    async receive(life: number): Promise<number> {
      while (this.reader.isEmpty()) {
        await new Promise<void>((resolve) => {
          this.woken = resolve
          this.bell.sleep(() => !this.reader.isEmpty())
        })
      }
      return this.reader.drain(100, 1e6, 1, life, () => {})
    }

    close(): void {
      this.bell.close()
    }
  }

  test('no wake-up is lost in 10^5 sleeps of two threads that fall asleep at random moments', async () => {
    const pair = new Pair()
    const echo = pair.startEcho(1)
    const random = seededRandom(2)
    let received = 0
    for (let sent = 0; sent < 50_000; ) {
      // Mostly one, so that both sleep between any two; sometimes several, to race those that fall asleep.
      for (let i = randomBelow(random, 20) === 0 ? 3 : 1; i > 0; i--, sent++) {
        pair.send(1)
        for (let wait = randomBelow(random, 100); wait > 0; wait--) pair.reader.isEmpty()
      }
      while (received < sent) received += await pair.receive(1)
    }
    expect(pair.reader.isEmpty()).toBe(true)
    pair.close()
    await echo.terminate()
  })

  test('no wake-up is lost when the bell rings just as the other falls asleep', async () => {
    const pair = new Pair()
    const rounds = new SharedArrayBuffer(256)
    const words = new Int32Array(rounds)
    const [ready, found, pause] = [0, 16, 48]
    const data = { into: pair.there, bells: pair.bells, self: 1, rounds, urls }
    const racer = new Worker(new URL('./doorbell-racer.mjs', import.meta.url), { workerData: data })
    // Spins, to be there within nanoseconds, but not for long: on a busy machine the other needs the processor.
    const awaitRound = (round: number): boolean => {
      for (let looks = 0; looks < 30_000; looks++) if (Atomics.load(words, ready) >= round) return true
      Atomics.wait(words, pause, 0, 0.1)
      return false
    }
    const count = 20_000
    for (let round = 1; round <= count; round++) {
      pair.writer.push(1, 1, Buffer.from('wake'), 0, 4)
      for (let tries = 1; !awaitRound(round); tries++) if (tries % 100 === 0) await turn()
      pair.writer.publish()
      ring(pair.bells, 1)
    }
    // It was a race: both sides won.
    expect(Atomics.load(words, found)).toBeGreaterThan(0)
    expect(Atomics.load(words, found)).toBeLessThan(count)
    pair.close()
    await racer.terminate()
  })

  test('threads are terminated asleep; the next life of the same number hears the bell', async () => {
    const pair = new Pair()
    for (let life = 1; life <= 20; life++) {
      const echo = pair.startEcho(life)
      const exit = once(echo, 'exit')
      for (let i = 0; i < 3; i++) {
        pair.send(life)
        expect(await pair.receive(life)).toBe(1)
      }
      const termination = echo.terminate()
      // Rings while it is dying, and when it is dead.
      for (let i = 0; i < 5; i++) ring(pair.bells, 1)
      await termination
      await exit
      ring(pair.bells, 1)
      pair.reader.isEmpty()
      pair.reader.drain(100, 1e6, 1, -1, () => {})
    }
    expect(pair.reader.dropped).toBe(0)
    pair.close()
  })
})
