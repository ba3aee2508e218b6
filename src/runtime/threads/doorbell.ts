// How a thread sleeps until another has put something into one of its mailboxes. One word of shared memory a
// thread; ringing costs a load while the other is awake, and wakes it (tens of microseconds) when it sleeps.
//
// No wake-up is lost: the sleeper says that it sleeps and then looks into its mailboxes once more; the ringer
// publishes and then looks whether the other sleeps. All four are sequentially consistent atomics, so at least
// one of the two sees the other (Dekker). Too many wake-ups are possible and harmless.
//
// The word belongs to the thread's number, not to its life: nothing is renewed when a thread dies.
// Why not a MessagePort: docs/decisions/mailbox.md.

import { threadsMax } from '../../protocol/address.js'

/** One word on a cache line of its own each. */
const wordsPerBell = 16
const awake = 0
const asleep = 1
/** The longest a timer can wait; it only keeps the event loop alive. */
const keepAliveMs = 0x7fff_ffff

// Not in the types of es2023. On Node 20 to 26 the promise wakes the event loop but does not keep it alive.
interface AtomicsWithWaitAsync {
  waitAsync(
    array: Int32Array,
    index: number,
    value: number,
  ): { readonly async: false } | { readonly async: true; readonly value: Promise<string> }
}

const atomics = Atomics as unknown as AtomicsWithWaitAsync

/** The bells of all threads of a cluster. */
export function createBells(): SharedArrayBuffer {
  return new SharedArrayBuffer(threadsMax * wordsPerBell * 4)
}

let lastBells: SharedArrayBuffer | undefined
let lastWords: Int32Array = new Int32Array(0)

/** A thread has to do with one cluster nearly always: remembering its view makes ringing a compare and a load. */
function wordsOf(bells: SharedArrayBuffer): Int32Array {
  if (bells !== lastBells) {
    lastBells = bells
    lastWords = new Int32Array(bells)
  }
  return lastWords
}

/** Wakes the thread if it sleeps. Call after publishing. */
export function ring(bells: SharedArrayBuffer, thread: number): void {
  const words = wordsOf(bells)
  const at = thread * wordsPerBell
  if (Atomics.load(words, at) === awake) return
  if (Atomics.exchange(words, at, awake) === asleep) Atomics.notify(words, at)
}

/** The sleeper's end. `onRing` is called once or more after each ring that found the thread asleep. */
export class Bell {
  private readonly words: Int32Array
  private readonly at: number
  private readonly onRing: () => void
  private waiting = false
  private closed = false
  private keepAlive: NodeJS.Timeout | undefined

  /** `onRing` must not run a turn at once, only see to it that one is run soon. */
  constructor(bells: SharedArrayBuffer, thread: number, onRing: () => void) {
    this.words = wordsOf(bells)
    this.at = thread * wordsPerBell
    this.onRing = onRing
    Atomics.store(this.words, this.at, awake)
  }

  /** Sleeps until rung; when `hasWork` says that there is something after all, `onRing` is called instead. */
  sleep(hasWork: () => boolean): void {
    if (this.closed) return
    Atomics.store(this.words, this.at, asleep)
    if (hasWork()) {
      Atomics.store(this.words, this.at, awake)
      this.onRing()
      return
    }
    // A wait that an earlier sleep began is still good: it ends with the next notify, or has just ended and
    // `onRing` is about to be called.
    if (this.waiting) return
    const wait = atomics.waitAsync(this.words, this.at, asleep)
    if (!wait.async) {
      // Rung between the look and the wait.
      this.onRing()
      return
    }
    this.waiting = true
    wait.value.then(this.rung)
  }

  private readonly rung = (): void => {
    this.waiting = false
    if (!this.closed) this.onRing()
  }

  /** Says that the thread is awake, when a timer or a disk woke it: ringing costs others a load again. */
  awaken(): void {
    Atomics.store(this.words, this.at, awake)
  }

  /** Keeps the event loop alive, which a sleeping bell alone does not. */
  ref(): void {
    if (this.closed) return
    this.keepAlive ??= setInterval(() => {}, keepAliveMs)
    this.keepAlive.ref()
  }

  /** Lets the process end although somebody might still ring. This is how a bell begins. */
  unref(): void {
    this.keepAlive?.unref()
  }

  /** `onRing` is not called any more. */
  close(): void {
    this.closed = true
    clearInterval(this.keepAlive)
    Atomics.store(this.words, this.at, awake)
    Atomics.notify(this.words, this.at)
  }
}
