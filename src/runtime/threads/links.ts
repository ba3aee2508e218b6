// Links between threads that are cut on purpose: one byte for each ordered pair, in shared memory. What is sent
// over a cut link is lost, as it would be between hosts. The supervisor's news is not: on threads it comes by
// shared memory as well, and a test of partitions is not one of amnesia about who lives.

import type { NodeId } from '../../base/units.js'
import { threadsMax } from '../../protocol/address.js'

export function createLinks(): SharedArrayBuffer {
  return new SharedArrayBuffer(threadsMax * threadsMax)
}

export class Links {
  private readonly cuts: Uint8Array

  constructor(memory: SharedArrayBuffer) {
    this.cuts = new Uint8Array(memory)
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.cuts[from * threadsMax + to] === 1
  }

  /** Both ways. */
  cut(a: NodeId, b: NodeId): void {
    this.cuts[a * threadsMax + b] = 1
    this.cuts[b * threadsMax + a] = 1
  }

  heal(): void {
    this.cuts.fill(0)
  }
}
