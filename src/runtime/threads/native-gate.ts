// Keeps a node's thread from being ended within a call of native code. From the moment `terminate` is called every
// Node-API call of that thread fails, and the binding of RocksDB goes on with pointers that were never set: it kills
// the process, or commits what nobody wrote (docs/decisions/chaos.md). One word of shared memory a life:
//
//     open --> inside --> open        the thread, around each native call
//       |         |
//       v         v
//     shut    inside + shut --> shut  whoever ends the thread, before it does
//
// Invariant: when `shut` has answered, the thread is in no native call and begins none: it waits until it is ended.
// What the thread does outside of native code may be cut short anywhere, as before.

import { now } from './clock.js'

const inside = 1
const shut = 2
/** A call takes microseconds, unless the thread has no core. One that takes this long has gone wrong. */
const shutMsMax = 2_000

/** Of the threads that this one began and has not ended: Node ends them all when the process exits. */
const watched = new Set<NativeGate>()
let isWatching = false

export function createNativeGate(): SharedArrayBuffer {
  return new SharedArrayBuffer(4)
}

export class NativeGate {
  private readonly word: Int32Array

  constructor(shared: SharedArrayBuffer) {
    this.word = new Int32Array(shared)
  }

  /** The thread's, before a native call. Does not return once the gate is shut. */
  readonly enter = (): void => {
    while (Atomics.compareExchange(this.word, 0, 0, inside) !== 0) Atomics.wait(this.word, 0, shut)
  }

  /** The thread's, after it. */
  readonly leave = (): void => {
    Atomics.and(this.word, 0, ~inside)
  }

  /** Shut before this process exits, if it is not shut before. */
  watch(): void {
    watched.add(this)
    if (isWatching) return
    isWatching = true
    process.on('exit', shutAll)
  }

  /** Resolves when the thread may be ended. */
  async shut(): Promise<void> {
    watched.delete(this)
    Atomics.or(this.word, 0, shut)
    for (const until = now() + shutMsMax; this.isInside && now() < until; ) {
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }

  /** The same, where nothing can be awaited. */
  shutNow(): void {
    Atomics.or(this.word, 0, shut)
    for (const until = now() + shutMsMax; this.isInside && now() < until; ) {
      Atomics.wait(this.word, 0, inside | shut, 1)
    }
  }

  private get isInside(): boolean {
    return (Atomics.load(this.word, 0) & inside) !== 0
  }
}

function shutAll(): void {
  for (const gate of watched) gate.shutNow()
}
