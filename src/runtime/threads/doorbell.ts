// How a thread sleeps until another has put something into one of its mailboxes. One word of shared memory a
// thread; ringing costs a load while the other is awake, and wakes it (about 40 microseconds) when it sleeps.
//
// No wake-up is lost: the sleeper says that it sleeps and then looks into its mailboxes once more; the ringer
// publishes and then looks whether the other sleeps. All four are sequentially consistent atomics, so at least
// one of the two sees the other (Dekker).

/** One word on a cache line of its own each. */
const wordsPerBell = 16
const awake = 0
const asleep = 1

// Not in the types of es2023. On Node 20 to 26 the promise wakes the event loop but does not keep it alive.
interface AtomicsWithWaitAsync {
  waitAsync(
    array: Int32Array,
    index: number,
    value: number,
  ): { readonly async: false } | { readonly async: true; readonly value: Promise<string> }
}

const atomics = Atomics as unknown as AtomicsWithWaitAsync

/** Wakes the thread if it sleeps. Call after publishing. */
export function ring(bells: SharedArrayBuffer, thread: number): void {
  const words = wordsOf(bells)
  const at = thread * wordsPerBell
  if (Atomics.load(words, at) === awake) return
  if (Atomics.exchange(words, at, awake) === asleep) Atomics.notify(words, at)
}

const views = new WeakMap<SharedArrayBuffer, Int32Array>()

function wordsOf(bells: SharedArrayBuffer): Int32Array {
  let words = views.get(bells)
  if (words === undefined) {
    words = new Int32Array(bells)
    views.set(bells, words)
  }
  return words
}

export class Bell {
  private readonly words: Int32Array
  private readonly at: number
  private readonly onRing: () => void
  private waiting = false
  private closed = false

  constructor(bells: SharedArrayBuffer, thread: number, onRing: () => void) {
    this.words = wordsOf(bells)
    this.at = thread * wordsPerBell
    this.onRing = onRing
    Atomics.store(this.words, this.at, awake)
  }

  /** Sleeps until rung; when `hasWork` says so after all, `onRing` is called at once instead. */
  sleep(hasWork: () => boolean): void {
    Atomics.store(this.words, this.at, asleep)
    if (hasWork()) {
      Atomics.store(this.words, this.at, awake)
      this.onRing()
      return
    }
    // A wait that an earlier sleep began is still good: it ends with the next notify.
    if (this.waiting) return
    const wait = atomics.waitAsync(this.words, this.at, asleep)
    if (!wait.async) {
      this.onRing()
      return
    }
    this.waiting = true
    wait.value.then(() => {
      this.waiting = false
      if (!this.closed) this.onRing()
    })
  }

  close(): void {
    this.closed = true
    Atomics.store(this.words, this.at, awake)
    Atomics.notify(this.words, this.at)
  }
}
