// What a node finds when it begins a new life, and what follows: whether it may lack something that it had
// acknowledged. RocksDB's own word is not enough: it was seen to open without an error after a flipped bit
// in its log had cost half of the keys. So three witnesses are heard: the meta row in the store itself, the
// high-water file beside it, and what the other nodes remember of this one.
//
// A node that lacks something, or may, answers "incomplete" until it has asked the other replicas.

import type { Millis } from '../base/units.js'
import type { Stamp } from '../versions/object.js'
import type { Meta } from './meta.js'

export interface Findings {
  /** The whole cluster is being made now: nothing was ever acknowledged. */
  readonly newborn: boolean
  readonly meta: Meta | undefined
  /** Last batch that the high-water file knows of; undefined when it is absent or damaged. */
  readonly highWater: number | undefined
  /** Last batch that any other node has seen this node report. */
  readonly peersSaw: number
  /** What the store said of damage in its log when it was opened. */
  readonly damage?: string | undefined
  /** How the objects in memory came over from a life that ended in this process; undefined when none did. */
  readonly adopted: { readonly dropped: number; readonly wasComplete: boolean } | undefined
}

export interface Verdict {
  /** Undefined: the node has all it had acknowledged. Otherwise what it may lack is at least this new. */
  readonly since: Stamp | undefined
  /** True when the store has less than it had acknowledged: lost, not merely unflushed. */
  readonly amnesia: boolean
  readonly reason: string
}

/** A write may lie in a mailbox for as long as its deadline before it is stored: stamps may be that much older. */
export const stampMarginMs: Millis = 60_000

export function assess(findings: Findings): Verdict {
  const { newborn, meta, highWater, peersSaw, adopted, damage } = findings
  if (damage !== undefined)
    return { since: 0, amnesia: true, reason: `the log of the store is damaged: ${damage}` }
  if (newborn) return { since: undefined, amnesia: false, reason: 'new cluster' }
  const known = Math.max(highWater ?? 0, peersSaw)
  if (meta === undefined) {
    return { since: 0, amnesia: true, reason: `the store is empty, batch ${known} was acknowledged` }
  }
  if (meta.sequence < known) {
    const reason = `the store ends at batch ${meta.sequence}, batch ${known} was acknowledged`
    return { since: 0, amnesia: true, reason }
  }
  const recent = Math.max(0, (meta.flushedTo - stampMarginMs) * 2048)
  const unflushed = Math.min(recent, meta.owing ?? recent)
  if (adopted !== undefined) {
    if (adopted.wasComplete && adopted.dropped === 0) {
      return { since: undefined, amnesia: false, reason: 'took over the memory of its predecessor' }
    }
    const reason = adopted.wasComplete
      ? `${adopted.dropped} damaged objects in memory`
      : 'its predecessor was still catching up'
    return { since: adopted.wasComplete ? unflushed : (meta.owing ?? 0), amnesia: false, reason }
  }
  if (meta.owing !== undefined)
    return { since: unflushed, amnesia: false, reason: 'had not finished catching up' }
  if (meta.clean) return { since: undefined, amnesia: false, reason: 'closed in order' }
  return {
    since: unflushed,
    amnesia: false,
    reason: 'not closed in order: what was unflushed may be missing',
  }
}
