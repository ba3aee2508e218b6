// The conversation about forgetting what is dead: tombstones, and values that have expired. A tombstone may go only
// when no store, no hint and no message can bring back what it stands against.
//
//   reaper --reap-ask--> the vnodes of all nodes        all replicas hold the same, durably; nobody else has anything
//   reaper <--reap-told--
//        ... as long as a copy may travel ...           what was on its way from before has arrived, or never will
//   reaper --hints-ask--> the couriers of all nodes     nobody keeps anything for anybody
//   reaper <--hints-told--
//        ... as long as a copy may travel ...           what was delivered from a hint has arrived, or never will
//   reaper --reap--> the vnodes of all nodes            forgotten, where it is still the same

import { limits } from '../base/limits.js'
import type { Key, Millis } from '../base/units.js'
import type { Stamp } from '../versions/object.js'

/** What do you hold under this key? The signature is of the dead object (merkle/signature). */
export interface ReapAsk {
  readonly type: 'reap-ask'
  readonly key: Key
  readonly hash: number
  readonly high: number
  readonly low: number
  /** Its latest: no later write may have an earlier one, whoever leads it. */
  readonly stamp: Stamp
  /** Of the ring by which it is asked. */
  readonly epoch: number
}

/** held: just that, fsynced. absent: nothing, and whatever was there is durably gone. */
export interface ReapTold {
  readonly type: 'reap-told'
  readonly verdict: 'held' | 'absent' | 'other'
}

export interface Reap {
  readonly type: 'reap'
  readonly key: Key
  readonly hash: number
  readonly high: number
  readonly low: number
}

export interface HintsAsk {
  readonly type: 'hints-ask'
}

/** none: no hint is kept for anybody, and those that were are durably gone. */
export interface HintsTold {
  readonly type: 'hints-told'
  readonly none: boolean
}

/** Time for a reaper to look on. */
export interface ReapDue {
  readonly type: 'reap-due'
}

/** Copies that travel for less than this would be refused on a busy machine. */
const travelMsMin: Millis = 2_000

/** How long copies may travel where what is dead is kept for so long; the same on every thread of a cluster. */
export function travelMsOf(reapAfterMs: Millis): Millis {
  if (reapAfterMs === 0) return limits.travelMsMax
  return Math.min(limits.travelMsMax, Math.max(travelMsMin, reapAfterMs))
}
