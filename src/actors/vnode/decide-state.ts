// What a vnode remembers of who decides puts with a condition, as far as the ring does not say it alone (decide.ts).

import type { Millis, NodeId, RequestId } from '../../base/units.js'
import type { Envelope } from '../../protocol/envelope.js'
import type { Put } from '../../protocol/write.js'

/** Pause before the first of before is asked again, for the first time. */
export const askAgainMs: Millis = 10

export interface Deciding {
  /** It decides, or did, and nobody has been told to in its place. */
  holds: boolean
  /** The ring that was heard last, and who was the first by the one before. */
  heard: number
  last: NodeId
  /** The first of before, which has not said yet that it decides nothing more; 0 for none. */
  awaited: NodeId
  /** The question to it, 0 for none, and the epoch of the last ring by which this node was the first. */
  request: RequestId
  asks: number
  /** By this ring the one that is asked was the first. */
  by: number
  since: Millis
  askAt: Millis
  pause: Millis
  /** Who decides in place of this node, since when, and by which ring; 0 for nobody. */
  heir: NodeId
  cededAt: Millis
  epoch: number
  /** Puts that wait until it is known who decides them. */
  readonly held: { readonly envelope: Envelope<Put>; readonly until: Millis }[]
  /** When it looks again, 0 for not at all. */
  alarmAt: Millis
}

export function nobodyElse(): Deciding {
  return {
    holds: false,
    heard: 0,
    last: 0,
    awaited: 0,
    request: 0,
    asks: 0,
    by: 0,
    since: 0,
    askAt: 0,
    pause: askAgainMs,
    heir: 0,
    cededAt: 0,
    epoch: 0,
    held: [],
    alarmAt: 0,
  }
}
