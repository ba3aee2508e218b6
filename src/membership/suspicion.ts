// Which of the others do not answer me? Dynamo 4.8.3: failure detection is local and by traffic. Somebody who
// was asked something and has said nothing for a while is probed; who does not answer a probe either is
// suspected, and probed again now and then until it is heard. Nobody is told: membership is not changed by it,
// and another may find the same node in the best of health (a link that fails one way).
//
// A probe is answered by whoever runs the actors, not by one of them: a slow disk is no silence.

import type { Millis, NodeId } from '../base/units.js'

/** Silence after a question until a probe, and after a probe until suspicion. */
export const silenceMs: Millis = 250
/** The longest pause between two probes of a suspect; the first is `silenceMs`, and each is twice the last. */
export const probeMsMax: Millis = 2_000

/** By node number; asked and heard are on the way of every message, so nothing is allocated for them. */
export class Suspicion {
  /** When the next probe is due, 0 for who owes no answer. */
  private readonly due: Millis[] = [0]
  private readonly probes: number[] = [0]
  private readonly suspects = new Set<NodeId>()

  isSuspected(node: NodeId): boolean {
    return this.suspects.has(node)
  }

  /** The node was sent something that it must answer. */
  asked(node: NodeId, now: Millis): void {
    while (this.due.length <= node) {
      this.due.push(0)
      this.probes.push(0)
    }
    if (this.due[node] === 0) this.due[node] = now + silenceMs
  }

  /** Anything came from the node. True when it was suspected until now. */
  heard(node: NodeId): boolean {
    if (node >= this.due.length || this.due[node] === 0) return false
    this.due[node] = 0
    this.probes[node] = 0
    return this.suspects.delete(node)
  }

  nextDue(): Millis | undefined {
    let next = 0
    for (const due of this.due) if (due > 0 && (next === 0 || due < next)) next = due
    return next === 0 ? undefined : next
  }

  /** Probes who has been silent for too long. True when somebody is suspected who was not. */
  check(now: Millis, probe: (node: NodeId) => void): boolean {
    let isChanged = false
    for (let node = 0; node < this.due.length; node++) {
      const due = this.due[node] as Millis
      if (due === 0 || now < due) continue
      const probes = this.probes[node] as number
      if (probes > 0 && !this.suspects.has(node)) {
        this.suspects.add(node)
        isChanged = true
      }
      this.due[node] = now + Math.min(probeMsMax, silenceMs * 2 ** probes)
      this.probes[node] = probes + 1
      probe(node)
    }
    return isChanged
  }
}
