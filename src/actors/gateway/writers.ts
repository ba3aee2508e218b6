// Who writes a direct put through: dw of its replicas, chosen by the gateway (Dynamo 6.1 asks one of N). For many puts
// in a row the same nodes, as far as they are replicas: a log that is busy gathers what comes meanwhile, so that one
// fsync serves all that is in flight. Spread over the logs of all nodes the same puts come back in small parts, and
// each part is a batch, an fsync, and several wake-ups of its own (docs/decisions/puts.md has the figures).
//
// Then it is the next node's turn, so that logs grow alike; at once when this one has written nothing for a while,
// so that one log that is stuck does not hold up what is still to come.

import type { Millis, NodeId } from '../../base/units.js'
import { threadsMax } from '../../protocol/address.js'
import type { Ring } from '../../ring/ring.js'

/** Puts that the same nodes write through. */
const inRow = 1024
/** A log from which nothing was heard for so long is not waited for by what comes next. */
const patienceMs = 10

export interface Writers {
  /** Whose turn it is, 0 for nobody's yet, and for how many puts still. */
  node: NodeId
  left: number
  /** When it was heard to have written something, or when its turn began. */
  heardAt: Millis
}

export function startWriters(): Writers {
  return { node: 0, left: 0, heardAt: 0 }
}

/** Who of the first n on `list` writes the next put through, a bit for each place. */
export function chooseWriters(
  writers: Writers,
  { nodes }: Ring,
  list: readonly NodeId[],
  n: number,
  dw: number,
  now: Millis,
): number {
  if (dw === 0 || dw === n) return (1 << dw) - 1
  if (--writers.left < 0 || now - writers.heardAt > patienceMs) {
    // After one that is no member any more comes the first.
    writers.node = nodes[(nodes.indexOf(writers.node) + 1) % nodes.length] as NodeId
    writers.left = inRow - 1
    writers.heardAt = now
  }
  let chosen = 0
  for (let found = 0; found < dw; found++) {
    let best = -1
    for (let place = 0; place < n; place++) {
      if (((chosen >>> place) & 1) === 1) continue
      if (best < 0 || isNearer(list[place] as NodeId, list[best] as NodeId, writers.node)) best = place
    }
    chosen |= 1 << best
  }
  return chosen
}

/** This node has written something through. */
export function writerHeard(writers: Writers, node: NodeId, now: Millis): void {
  if (writers.node === node) writers.heardAt = now
}

/** Whether `node` comes before `other` when numbers are counted up from `from`. */
function isNearer(node: NodeId, other: NodeId, from: NodeId): boolean {
  return (node - from + threadsMax) % threadsMax < (other - from + threadsMax) % threadsMax
}
