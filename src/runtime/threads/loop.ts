// The loop of a thread that runs a host: gather, one turn, publish; again while there is work, then sleep
// until a bell, a timer or a disk. Between two turns the event loop gets its chance (setImmediate), because
// the disk answers there and so does the rest of the application.

import type { Millis, NodeId } from '../../base/units.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Host } from '../host.js'
import { now } from './clock.js'
import { Bell } from './doorbell.js'
import type { SharedState } from './shared.js'
import type { Transport } from './transport.js'

/** How often a mailbox that was full is tried again at once: its reader is likely to be at it. */
const backlogTriesMax = 200
/** Pause before it is tried again after that. */
const backlogMs = 1

export class Loop {
  private readonly host: Host
  private readonly transport: Transport
  private readonly bell: Bell
  private readonly onError: (error: Error) => void
  private readonly receive: (envelope: Envelope) => void
  private scheduled = false
  private timer: NodeJS.Timeout | undefined
  private timerDue: Millis = Number.POSITIVE_INFINITY
  private stopped = false
  /** The last turn was run without waiting for the event loop. */
  private hurried = false
  private backlogTries = 0

  constructor(
    shared: SharedState,
    thread: NodeId,
    host: Host,
    transport: Transport,
    onError: (error: Error) => void,
  ) {
    this.host = host
    this.transport = transport
    this.onError = onError
    this.receive = (envelope) => host.receive(envelope)
    this.bell = new Bell(shared.bells, thread, () => this.wake())
  }

  /** Runs a turn soon, if none is about to run. */
  wake(): void {
    if (this.scheduled || this.stopped) return
    this.scheduled = true
    setImmediate(this.run)
  }

  /** Runs a turn at the end of the current JavaScript task: for requests of this thread, so that those made together travel together. */
  wakeNow(): void {
    if (this.scheduled || this.stopped) return
    this.scheduled = true
    // Once between two turns of the event loop, not more: whoever tries again at once what was refused at once
    // would otherwise keep timers, disks and other threads from ever being heard.
    if (this.hurried) setImmediate(this.run)
    else queueMicrotask(this.runNow)
  }

  /** Runs turns until what has been sent to this thread is taken in: for an orderly end. Bounded, for others may go on sending. */
  async settle(msMax: Millis): Promise<void> {
    const until = now() + msMax
    while (!this.stopped && now() < until && (this.host.queued > 0 || !this.transport.isEmpty())) {
      this.wake()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
    this.bell.close()
  }

  private readonly run = (): void => {
    this.hurried = false
    this.turn()
  }

  private readonly runNow = (): void => {
    this.hurried = true
    this.turn()
  }

  private turn(): void {
    this.scheduled = false
    if (this.stopped) return
    // Who writes to this thread from here on need not ring.
    this.bell.awaken()
    try {
      this.transport.gather(this.receive)
      this.host.step()
      const backlog = this.transport.publish()
      this.rest(backlog)
    } catch (error) {
      this.stop()
      this.onError(error as Error)
    }
  }

  /** Decides when the next turn is. */
  private rest(backlog: boolean): void {
    if (this.scheduled) return
    this.backlogTries = backlog ? this.backlogTries + 1 : 0
    const tryAgain = backlog && this.backlogTries <= backlogTriesMax
    if (tryAgain || this.host.hasWork() || !this.transport.isEmpty()) return this.wake()
    const due = this.host.nextDue() ?? Number.POSITIVE_INFINITY
    this.armTimer(backlog ? Math.min(due, now() + backlogMs) : due)
    this.bell.sleep(() => !this.transport.isEmpty())
  }

  private armTimer(due: Millis): void {
    if (due === Number.POSITIVE_INFINITY || due >= this.timerDue) return
    clearTimeout(this.timer)
    this.timerDue = due
    this.timer = setTimeout(
      () => {
        this.timerDue = Number.POSITIVE_INFINITY
        this.wake()
      },
      Math.max(0, due - now()),
    )
  }
}
