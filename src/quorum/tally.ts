// When enough have answered: pure counting, by set. A replica is a bit, its place in the preference list; an
// answer that comes twice sets the same bit. Dynamo 4.5.

export interface WriteTally {
  readonly n: number
  readonly w: number
  readonly dw: number
  /** Replicas that have it. */
  stored: number
  /** Those that have it at the level that `dw` counts. */
  durable: number
  /** Those that will not answer any more, or answered that they cannot. */
  failed: number
}

export type WriteVerdict = 'waiting' | 'ok' | 'lost'

export function writeTally(n: number, w: number, dw: number): WriteTally {
  return { n, w, dw, stored: 0, durable: 0, failed: 0 }
}

/** A replica has the write; with `durable` at the level that counts. May come in any order, any number of times. */
export function noteStored(tally: WriteTally, index: number, durable: boolean): void {
  tally.stored |= 1 << index
  if (durable) tally.durable |= 1 << index
}

/** A replica failed. What it had stored before still counts as stored; it will not become durable. */
export function noteFailed(tally: WriteTally, index: number): void {
  tally.failed |= 1 << index
}

/** ok: w have it and dw durably. lost: those that have not failed cannot make it so any more. */
export function writeVerdict(tally: WriteTally): WriteVerdict {
  const { n, w, dw, stored, durable, failed } = tally
  if (countBits(stored) >= w && countBits(durable) >= dw) return 'ok'
  const hopeful = ((1 << n) - 1) & ~failed
  if (countBits(stored | hopeful) < w || countBits(durable | hopeful) < dw) return 'lost'
  return 'waiting'
}

export interface ReadTally {
  readonly n: number
  readonly r: number
  /** Replicas that answered and lack nothing. */
  complete: number
  /** Replicas that answered but may lack something: merged, not counted, unless all n have answered. */
  incomplete: number
  failed: number
}

export type ReadVerdict = 'waiting' | 'enough' | 'lost'

export function readTally(n: number, r: number): ReadTally {
  return { n, r, complete: 0, incomplete: 0, failed: 0 }
}

export function noteRead(tally: ReadTally, index: number, complete: boolean): void {
  if (complete) tally.complete |= 1 << index
  else tally.incomplete |= 1 << index
}

export function noteReadFailed(tally: ReadTally, index: number): void {
  tally.failed |= 1 << index
}

/** enough: r complete replicas, or all n, have answered. lost: neither can happen any more. */
export function readVerdict(tally: ReadTally): ReadVerdict {
  const { n, r, complete, incomplete, failed } = tally
  const all = (1 << n) - 1
  const answered = complete | incomplete
  if (countBits(complete) >= r || answered === all) return 'enough'
  const open = all & ~answered & ~failed
  if (countBits(complete | open) >= r || (answered | open) === all) return 'waiting'
  return 'lost'
}

export function countBits(mask: number): number {
  let bits = mask - ((mask >>> 1) & 0x55555555)
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333)
  return (((bits + (bits >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24
}
