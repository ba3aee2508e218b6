// What shall happen in one run, drawn from its seed before it begins: the cluster, which kinds of faults there are
// (swarm testing: each seed leaves some out and has more of others; Groce et al., ISSTA 2012), when each happens,
// and what the clients ask. A plan is data: a run can be repeated, and shrunk by leaving things out. Every fault
// and every operation has a stream of randomness of its own, so what is left out does not move the others.

import { type Random, randomBelow, seededRandom } from '../base/random.js'
import type { Millis, NodeId } from '../base/units.js'
import type { Level } from '../protocol/write.js'
import type { RingHash } from '../ring/ring.js'
import type { Conflicts } from '../versions/object.js'
import { threadNetwork } from './network.js'

/** What a run may break at most; what is promised depends on it (SimWrite.dw and level). */
export type Budget =
  /** Threads, links and disks fail for a while; memory and disks keep what they have. */
  | 'threads'
  /** The process dies too. */
  | 'process'
  /** The power is cut too. */
  | 'power'
  /** One node loses everything it has, once. */
  | 'wipe'
  /** The disk of one node answers with flipped bits and errors. */
  | 'rot'

export const faultKinds = [
  'kill',
  'away',
  'process',
  'power',
  'wipe',
  'pause',
  'jam',
  'clock',
  'drift',
  'split',
  'cut',
  'isolate',
  'loss',
  'duplication',
  'reordering',
  'tail',
  'clog',
  'slow-disk',
  'stalled-disk',
  'failing-disk',
  'full-disk',
  'rot',
  'ring',
  'audit',
  'hold-hints',
  'damage',
  'restore',
] as const

/** What goes wrong, and what operators ask at the worst moment. */
export type FaultKind = (typeof faultKinds)[number]

export interface SimFault {
  readonly index: number
  readonly at: Millis
  readonly kind: FaultKind
  readonly node: NodeId
  readonly other: NodeId
  /** How long it lasts; 0 for what happens at once. */
  readonly ms: Millis
  /** How bad it is, in [0, 1). */
  readonly amount: number
}

/** What a client may do; `application` is what the user of this module brings (PlanOptions.style). */
export const styles = [
  'register',
  'cart',
  'counter',
  'bait',
  'hot',
  'latest',
  'conditional',
  'expiry',
  'batch',
  'listing',
] as const

export type Style = (typeof styles)[number] | 'application'

export interface SimOperation {
  readonly index: number
  readonly at: Millis
  readonly client: number
  readonly style: Style
  readonly key: string
  readonly w: number
  readonly r: number
  readonly dw: number
  readonly level: Level
  /** Asks for replicas themselves (pr, pw), not for those who stand in. */
  readonly isStrict: boolean
  readonly timeoutMs: Millis
  /** Whose gateway leads it; 0: the client's own. */
  readonly via: NodeId
  /** For what is decided while it runs. */
  readonly seed: number
}

export interface SimPlan {
  readonly seed: number
  readonly nodes: number
  readonly copies: number
  readonly partitions: number
  readonly memoryBytes: number
  readonly mendEveryMs: Millis
  readonly reapAfterMs: Millis
  readonly gossipEveryMs: Millis
  readonly budget: Budget
  readonly seconds: number
  readonly paddingBytes: number
  /** The longest that an envelope is on its way when the network is well. */
  readonly delayMsMax: Millis
  /** The longest that a commit takes when the disk is well. */
  readonly commitMsMax: Millis
  /** Whether acknowledgements of a turn travel together, as between threads. */
  readonly gathers: boolean
  readonly hash: RingHash
  /** How likely a rare branch is taken; 0: never. */
  readonly rare: number
  readonly faults: readonly SimFault[]
  readonly operations: readonly SimOperation[]
}

export interface PlanOptions {
  /** 2 to 16; drawn from the seed, 3 to 6, when left out. */
  readonly nodes?: number | undefined
  /** Of each key, at most as many as there are nodes; mostly 3. */
  readonly copies?: number | undefined
  /** Of virtual time in which faults happen; 60 to 180. */
  readonly seconds?: number | undefined
  /** Which faults and operations of the plan are left, by their index; all when left out. */
  readonly faults?: ReadonlySet<number> | undefined
  readonly operations?: ReadonlySet<number> | undefined
  /** The only kinds of faults that there are; drawn from the seed when left out. */
  readonly kinds?: readonly FaultKind[] | undefined
  /** What all operations are, in place of a mix; and how they ask for copies, in place of what is drawn. */
  readonly style?: Style | undefined
  readonly bucket?: BucketSettings | undefined
}

/** How a bucket asks for copies (Dynamo 4.5, 6): as in the options of a bucket. */
export interface BucketSettings {
  readonly r?: number | undefined
  readonly w?: number | undefined
  readonly dw?: number | undefined
  readonly conflicts?: Conflicts | undefined
}

const alone: Readonly<Partial<Record<FaultKind, Budget>>> = {
  process: 'process',
  power: 'power',
  wipe: 'wipe',
  restore: 'wipe',
  rot: 'rot',
}

export function planOf(seed: number, options: PlanOptions = {}): SimPlan {
  const random = seededRandom(seed, 1)
  // Of its own, so that what was drawn before there was this stays as it was.
  const apart = seededRandom(seed, 4)
  const budget = budgetOf(random(), options.kinds)
  // Drawn in any case, so that what is given does not move the rest.
  const nodesDrawn = 3 + randomBelow(random, 4)
  // With one copy alone nobody makes good what is lost on its way.
  const copiesAt = random()
  const copiesMin = budget === 'wipe' || budget === 'rot' ? 2 : 1
  const copiesDrawn = copiesAt < 0.7 ? 3 : copiesAt < 0.82 ? 2 : copiesMin
  const secondsDrawn = 60 + randomBelow(random, 120)
  const nodes = options.nodes ?? nodesDrawn
  const copies = Math.min(nodes, options.copies ?? copiesDrawn)
  const seconds = options.seconds ?? secondsDrawn
  const memoryBytes = (512 * 1024) << randomBelow(random, 2)
  const plan = {
    seed,
    nodes,
    copies,
    partitions: 4 << randomBelow(random, 3),
    memoryBytes,
    mendEveryMs: random() < 0.6 ? 200 + randomBelow(random, 800) : 1_000 + randomBelow(random, 5_000),
    reapAfterMs: random() < 0.3 ? 0 : 2_000 + randomBelow(random, 20_000),
    gossipEveryMs: random() < 0.5 ? 0 : 500 + randomBelow(random, 1_000),
    budget,
    seconds,
    // A disk that answers badly is only asked for what memory has let go; twenty siblings still fit.
    paddingBytes:
      random() < 0.3 || budget === 'rot'
        ? Math.floor((memoryBytes / 180) * random())
        : randomBelow(random, 100),
    delayMsMax: random() < 0.5 ? threadNetwork.delayMsMax : 0.1 + 20 * random() ** 2,
    commitMsMax: random() < 0.3 ? 0 : 50 * random() ** 2,
    rare: random() < 0.4 ? 0 : random() * 0.2,
    gathers: apart() < 0.3,
    hash: apart() < 0.1 ? ('md5' as const) : ('halfsip' as const),
  }
  const bursts = Array.from({ length: 8 + randomBelow(random, 24) }, () => random() * seconds * 1_000)
  const strict = randomBelow(random, 3) / 2
  const served = random() < 0.5 ? 0 : random() * 0.4
  const bold = random() < 0.2 ? 0.9 : 0
  const kindsDrawn = kindsOf(plan.budget, random, apart)
  const kinds = options.kinds ?? kindsDrawn
  // Some begin in peace: as long as nothing has happened far more can be asked.
  const peaceMs = random() < 0.25 ? seconds * 500 : 0
  const faults = drawFaults(plan, kinds, bursts, 4 + randomBelow(random, 20))
  const operations = drawOperations(
    plan,
    { bursts, strict, served, bold },
    150 + randomBelow(random, 200),
    options,
  )
  return {
    ...plan,
    faults: faults.filter(({ index, at }) => at >= peaceMs && (options.faults?.has(index) ?? true)),
    operations: operations.filter(({ index }) => options.operations?.has(index) ?? true),
  }
}

/** Of the kinds that are given the worst; drawn when none are. */
function budgetOf(at: number, kinds: readonly FaultKind[] | undefined): Budget {
  if (kinds !== undefined) {
    const worst = (['wipe', 'rot', 'power', 'process'] as const).find((kind) => kinds.includes(kind))
    return worst ?? (kinds.includes('restore') ? 'wipe' : 'threads')
  }
  if (at < 0.4) return 'threads'
  if (at < 0.6) return 'process'
  if (at < 0.82) return 'power'
  return at < 0.92 ? 'wipe' : 'rot'
}

/** How often each kind shall be among the faults of a run: each is left out of every third. */
function kindsOf(budget: Budget, random: Random, apart: Random): FaultKind[] {
  const kinds: FaultKind[] = []
  for (const kind of faultKinds) {
    if (kind === 'damage' || kind === 'restore') continue
    const weight = random() < 0.35 ? 0 : 1 + randomBelow(random, 4)
    const isWithin =
      alone[kind] === undefined || alone[kind] === budget || (kind === 'process' && budget === 'power')
    if (isWithin) for (let i = 0; i < weight; i++) kinds.push(kind)
  }
  const own = (Object.keys(alone) as FaultKind[]).find((kind) => alone[kind] === budget)
  if (apart() < 0.25) kinds.push('damage', 'damage')
  if (budget === 'wipe' && apart() < 0.5) kinds.push('restore', 'restore', 'restore', 'restore', 'restore')
  if (random() < 0.15) kinds.push('ring', 'ring', 'ring', 'split', 'cut', 'isolate', 'away')
  if (own !== undefined) kinds.push(own, own, own, own)
  return kinds
}

type Drawn = Pick<SimPlan, 'seed' | 'nodes' | 'copies' | 'seconds' | 'budget'>

function drawFaults(
  plan: Drawn,
  kinds: readonly FaultKind[],
  bursts: readonly Millis[],
  count: number,
): SimFault[] {
  if (kinds.length === 0) return []
  const faults: SimFault[] = []
  const sick = 1 + randomBelow(seededRandom(plan.seed, 2), plan.nodes)
  for (let index = 0; index < count; index++) {
    const random = seededRandom(plan.seed, 10_000 + index)
    const burst = bursts[randomBelow(random, bursts.length)] as Millis
    // In the middle of things, mostly.
    const at =
      random() < 0.8 ? Math.max(0, burst + random() * random() * 500 - 30) : random() * plan.seconds * 1_000
    const kind = kinds[randomBelow(random, kinds.length)] as FaultKind
    const node = 1 + randomBelow(random, plan.nodes)
    const other = randomBelow(random, plan.nodes + 1)
    const ms = random() < 0.5 ? random() * 500 : random() * random() * 30_000
    // What damages for good, or makes copies unreadable, is one node's.
    const isOne = kind === 'wipe' || kind === 'rot' || kind === 'restore'
    faults.push({ index, at, kind, node: isOne ? sick : node, other, ms, amount: random() })
  }
  return faults
}

const keysOf: Readonly<Record<Style, number>> = {
  register: 5,
  cart: 2,
  counter: 1,
  bait: 6,
  hot: 1,
  latest: 4,
  conditional: 2,
  expiry: 3,
  batch: 5,
  listing: 1,
  application: 4,
}

interface Pace {
  readonly bursts: readonly Millis[]
  readonly strict: number
  readonly served: number
  /** How many writes make do with one copy. */
  readonly bold: number
}

function drawOperations(plan: Drawn, pace: Pace, count: number, options: PlanOptions): SimOperation[] {
  const operations: SimOperation[] = []
  const { bucket = {} } = options
  const isGivenLatest = bucket.conflicts === 'last-write-wins'
  for (let index = 0; index < count; index++) {
    const random = seededRandom(plan.seed, 20_000 + index)
    const burst = pace.bursts[randomBelow(random, pace.bursts.length)] as Millis
    const drawnStyle = styles[randomBelow(random, styles.length)] as Style
    const style = options.style ?? drawnStyle
    const isLatest = style === 'latest' || (style === 'expiry' && random() < 0.5) || isGivenLatest
    const name = style === 'batch' ? 'register' : style
    const mayBeBold = plan.budget !== 'wipe' && plan.budget !== 'rot'
    const drawn = random() < pace.bold ? 1 : 1 + randomBelow(random, plan.copies)
    const w = bucket.w ?? Math.max(mayBeBold ? 1 : Math.min(2, plan.copies), drawn)
    const isDurable = plan.budget === 'process' || plan.budget === 'power' ? random() < 0.7 : random() < 0.3
    operations.push({
      index,
      at: random() < 0.8 ? burst + random() * random() * 400 : random() * plan.seconds * 1_000,
      client: randomBelow(random, 4),
      style,
      key: `${isLatest ? 'l' : 's'}.${name}${randomBelow(random, keysOf[style])}`,
      w,
      r: bucket.r ?? 1 + randomBelow(random, plan.copies),
      dw: bucket.dw ?? (isDurable ? 1 + randomBelow(random, w) : 0),
      level: random() < 0.7 ? 'disk' : 'os',
      isStrict: random() < pace.strict,
      timeoutMs: random() < 0.7 ? 5_000 : 20 + random() * 1_000,
      via: random() < pace.served ? 1 + randomBelow(random, plan.nodes) : 0,
      seed: index,
    })
  }
  return operations.sort((a, b) => a.at - b.at)
}
