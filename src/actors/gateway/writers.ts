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
  /** Place among the nodes of the ring of the one whose turn it is, and how many puts still. */
  at: number
  left: number
  /** When it was heard to have written something, or when its turn began. */
  heardAt: Millis
}

export function startWriters(): Writers {
  return { at: 0, left: 0, heardAt: 0 }
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
  if (--writers.left < 0 || now - writers.heardAt > patienceMs || writers.at >= nodes.length) {
    writers.at = (writers.at + 1) % nodes.length
    writers.left = inRow - 1
    writers.heardAt = now
  }
  const wanted = nodes[writers.at] as NodeId
  let chosen = 0
  for (let found = 0; found < dw; found++) {
    let best = -1
    for (let place = 0; place < n; place++) {
      if (((chosen >>> place) & 1) === 1) continue
      if (best < 0 || distance(list[place] as NodeId, wanted) < distance(list[best] as NodeId, wanted))
        best = place
    }
    chosen |= 1 << best
  }
  return chosen
}

/** This node has written something through. */
export function writerHeard(writers: Writers, { nodes }: Ring, node: NodeId, now: Millis): void {
  if (nodes[writers.at] === node) writers.heardAt = now
}

function distance(node: NodeId, from: NodeId): number {
  return (node - from + threadsMax) % threadsMax
}
