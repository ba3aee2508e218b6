// When enough have answered: pure counting, by set. A replica is a bit, its place in the preference list; an
// answer that comes twice sets the same bit. Dynamo 4.5.

export class WriteTally {
  readonly n: number
  readonly w: number
  readonly dw: number
  /** How many must have it that are at home: the node itself, nobody in its place. */
  readonly pw: number
  /** Replicas that have it. */
  stored = 0
  /** Those that have it at the level that `dw` counts. */
  durable = 0
  /** Places whose own node has it. */
  home = 0
  /** Places whose own node will not have it. */
  away = 0
  /** Those that will not answer any more, or answered that they cannot. */
  failed = 0

  constructor(n: number, w: number, dw: number, pw = 0) {
    this.n = n
    this.w = w
    this.dw = dw
    this.pw = pw
  }
}

export type WriteVerdict = 'waiting' | 'ok' | 'lost'

/** A replica has the write; with `durable` at the level that counts. May come in any order, any number of times. */
export function noteStored(tally: WriteTally, index: number, durable: boolean, atHome = true): void {
  tally.stored |= 1 << index
  if (atHome) tally.home |= 1 << index
  if (durable) tally.durable |= 1 << index
}

/** A replica failed. What it had stored before still counts as stored; it will not become durable. */
export function noteFailed(tally: WriteTally, index: number): void {
  tally.failed |= 1 << index
}

/** The own node of this place is not asked, or will not answer; another may have stepped in. */
export function noteAway(tally: WriteTally, index: number): void {
  tally.away |= 1 << index
}

/** ok: w have it and dw durably. lost: those that have not failed cannot make it so any more. */
export function writeVerdict(tally: WriteTally): WriteVerdict {
  const { n, w, dw, pw, stored, durable, home, away, failed } = tally
  if (countBits(stored) >= w && countBits(durable) >= dw && countBits(home) >= pw) return 'ok'
  const hopeful = ((1 << n) - 1) & ~failed
  if (pw > 0 && countBits(home | (hopeful & ~away)) < pw) return 'lost'
  if (countBits(stored | hopeful) < w || countBits(durable | hopeful) < dw) return 'lost'
  return 'waiting'
}

export interface ReadTally {
  readonly n: number
  readonly r: number
  /** How many must have answered that are at home: the node itself, nobody in its place. */
  readonly pr: number
  /** Replicas that answered and lack nothing. */
  complete: number
  /** Replicas that answered but may lack something: merged, not counted, unless all n have answered. */
  incomplete: number
  failed: number
  /** Places whose own node answered; of these, those that lack nothing. */
  home: number
  homeComplete: number
  /** Places whose own node will not answer. */
  away: number
  /** Places for which somebody keeps something. */
  kept: number
  /** Of these, as many as nodes that keep something: a node stands in for one place. */
  stood: number
}

export type ReadVerdict = 'waiting' | 'enough' | 'lost'

export function readTally(n: number, r: number, pr = 0): ReadTally {
  return {
    n,
    r,
    pr,
    complete: 0,
    incomplete: 0,
    failed: 0,
    home: 0,
    homeComplete: 0,
    away: 0,
    kept: 0,
    stood: 0,
  }
}

export function noteRead(tally: ReadTally, index: number, complete: boolean, atHome = true): void {
  const bit = 1 << index
  if (complete) tally.complete |= bit
  else tally.incomplete |= bit
  if (!atHome) return
  tally.home |= bit
  if (complete) tally.homeComplete |= bit
}

export function noteReadFailed(tally: ReadTally, index: number): void {
  tally.failed |= 1 << index
  tally.away |= 1 << index
}

/** Somebody keeps something for the node of this place. */
export function noteKept(tally: ReadTally, index: number): void {
  tally.kept |= 1 << index
}

/** The own node of this place will not answer; another may answer for it. */
export function noteReadAway(tally: ReadTally, index: number): void {
  tally.away |= 1 << index
}

/** enough: r complete replicas, or all n, have answered, and pr of them at home. lost: that cannot happen any more. */
export function readVerdict(tally: ReadTally): ReadVerdict {
  const { n, r, pr, complete, incomplete, failed, home, homeComplete, away } = tally
  const all = (1 << n) - 1
  const isStrictEnough = pr === 0 || countBits(homeComplete) >= pr || home === all
  const answered = complete | incomplete
  // When no replica itself has spoken and nobody keeps anything, nobody knows whether there is anything.
  const isHeard = home !== 0 || tally.kept !== 0
  if (isStrictEnough && (countBits(complete) >= r || (answered === all && isHeard))) return 'enough'
  if (!isStrictEnough) {
    const openHome = all & ~home & ~away
    if (countBits(homeComplete | openHome) < pr && (home | openHome) !== all) return 'lost'
  }
  const open = all & ~answered & ~failed
  // Stand-ins hold what came while their owners were away: they count when nobody who holds more can answer.
  if (isStrictEnough && open === 0 && countBits(complete | tally.stood) >= r) return 'enough'
  // What was answered by a stand-in may still be answered by the node itself.
  if (open !== 0 && (countBits(complete | tally.stood | open) >= r || (answered | open) === all))
    return 'waiting'
  return 'lost'
}

export function countBits(mask: number): number {
  let bits = mask - ((mask >>> 1) & 0x55555555)
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333)
  return (((bits + (bits >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24
}
