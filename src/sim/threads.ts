// The threads of a simulated world: a host that has something to do takes a turn soon after; one that stands still
// takes none, and what is sent to it waits.

import type { Millis, NodeId } from '../base/units.js'
import type { Host } from '../runtime/host.js'
import type { Timeline } from './timeline.js'

/** From a message's arrival to the turn that takes it. */
const wakeMs: Millis = 0.002
/** How long a thread stands still before somebody notices. */
export const noticeMs: Millis = 300

export class Threads {
  /** Those that will take a turn; a test stops a thread for good by adding it. */
  readonly awake = new Set<NodeId>()
  private readonly timerAt = new Map<NodeId, Millis>()
  /** Those that stand still, and until when. */
  private readonly paused = new Map<NodeId, Millis>()
  /** Those that others know to stand still. */
  private readonly noticed = new Set<NodeId>()
  private readonly timeline: Timeline
  private readonly hostOf: (thread: NodeId) => Host | undefined

  constructor(timeline: Timeline, hostOf: (thread: NodeId) => Host | undefined) {
    this.timeline = timeline
    this.hostOf = hostOf
  }

  wake(thread: NodeId): void {
    if (this.awake.has(thread)) return
    this.awake.add(thread)
    this.timeline.schedule(wakeMs, () => this.step(thread))
  }

  private step(thread: NodeId): void {
    this.awake.delete(thread)
    if (this.paused.size > 0 && this.paused.has(thread)) return
    const host = this.hostOf(thread)
    if (host === undefined) return
    host.step()
    if (host.hasWork()) return this.wake(thread)
    const due = host.nextDue()
    if (due === undefined || (this.timerAt.get(thread) ?? Number.POSITIVE_INFINITY) <= due) return
    this.timerAt.set(thread, due)
    this.timeline.schedule(due - this.timeline.now, () => {
      this.timerAt.delete(thread)
      this.wake(thread)
    })
  }

  /** Stands still for so long, or as long as it has been told before. `notice` is told when others see it. */
  pause(thread: NodeId, ms: Millis, notice: (event: 'node-slow' | 'node-brisk') => void): void {
    const { timeline } = this
    const until = Math.max(timeline.now + ms, this.paused.get(thread) ?? 0)
    this.paused.set(thread, until)
    const isSame = () => this.paused.get(thread) === until
    timeline.schedule(noticeMs, () => {
      if (!isSame() || this.noticed.has(thread)) return
      this.noticed.add(thread)
      notice('node-slow')
    })
    timeline.schedule(until - timeline.now, () => {
      if (!isSame()) return
      this.resume(thread)
      this.wake(thread)
      notice('node-brisk')
    })
  }

  /** A new life of a thread does not stand still. */
  resume(thread: NodeId): void {
    this.paused.delete(thread)
    this.noticed.delete(thread)
  }

  clear(): void {
    this.paused.clear()
    this.noticed.clear()
    this.timerAt.clear()
  }
}
