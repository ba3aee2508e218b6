// The time of a simulated world: what is to happen, in the order of its instants, and of its scheduling where
// those are the same. Nothing else moves time, so two runs that schedule the same do the same.

import { Heap } from '../base/heap.js'
import type { Millis } from '../base/units.js'

interface Event {
  readonly at: Millis
  readonly order: number
  readonly run: () => void
}

export class Timeline {
  now: Millis = 0
  /** How many events have happened. */
  happened = 0
  private order = 0
  private readonly events = new Heap<Event>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order))

  schedule(delay: Millis, run: () => void): void {
    this.events.push({ at: this.now + Math.max(0, delay), order: this.order++, run })
  }

  /** Lets events happen until `done`, or until `msMax` of virtual time have passed; answers whether it was done. */
  runUntil(done: () => boolean, msMax: Millis): boolean {
    const end = this.now + msMax
    while (!done()) {
      const event = this.events.peek()
      if (event === undefined || event.at > end) {
        this.now = end
        return done()
      }
      this.events.pop()
      this.now = Math.max(this.now, event.at)
      this.happened++
      event.run()
    }
    return true
  }
}
