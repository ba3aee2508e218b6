// Timers of one host: messages to be delivered later. A heap by (due, insertion), so that timers due at the
// same instant fire in the order in which they were armed. No clock here: the host says what time it is.

import { Heap } from '../base/heap.js'
import type { Millis } from '../base/units.js'
import type { Envelope } from '../protocol/envelope.js'

interface Timer {
  readonly due: Millis
  readonly order: number
  readonly envelope: Envelope
}

export class Timers {
  private readonly heap = new Heap<Timer>((a, b) => a.due < b.due || (a.due === b.due && a.order < b.order))
  private armed = 0

  arm(due: Millis, envelope: Envelope): void {
    this.heap.push({ due, order: this.armed++, envelope })
  }

  /** The next timer that is due, removed; undefined when none is. */
  next(now: Millis): Envelope | undefined {
    const first = this.heap.peek()
    if (first === undefined || first.due > now) return undefined
    this.heap.pop()
    return first.envelope
  }

  /** When the next timer is due, or undefined. */
  nextDue(): Millis | undefined {
    return this.heap.peek()?.due
  }
}
