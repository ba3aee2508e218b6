// The way between threads in the simulated world. Left alone it is what threads have: first in, first out
// per pair, nothing lost but what is sent to or by the dead. Faults are switched on per run: loss,
// duplication, reordering, long delays, cut links. Every envelope is encoded and decoded on its way, so that
// wire bugs are inside.

import { onlyMalformed, Writer } from '../base/bytes.js'
import { type Random, seededRandom } from '../base/random.js'
import type { Millis, NodeId } from '../base/units.js'
import { Acknowledgements, decodeMessage } from '../protocol/acknowledgements.js'
import { encodeEnvelope } from '../protocol/codec.js'
import type { Envelope } from '../protocol/envelope.js'

export interface NetworkOptions {
  /** Delays are drawn between these. */
  readonly delayMsMin: Millis
  readonly delayMsMax: Millis
  /** Chance that one takes far longer: most of those a little, some of them as long as `tailMsMax`. */
  readonly tail: number
  readonly tailMsMax: Millis
  /** Chance that an envelope is lost, between nodes. 0 on threads. */
  readonly loss: number
  /** Chance that an envelope arrives twice. 0 on threads. */
  readonly duplication: number
  /** Whether envelopes of a pair may overtake each other. Never on threads. */
  readonly reordering: boolean
  /** Whether what is said of the ring may be lost: where nodes tell it to each other, it may. */
  readonly losesRings: boolean
  /**
   * Chance that bits of an envelope are flipped on its way, between nodes. 0 on threads. What its frame's checksum
   * finds is dropped; an object in an answer has a checksum of its own, and whoever reads it must find it.
   */
  readonly damage: number
  /** Whether acknowledgements of one turn travel together, as between threads; otherwise each goes alone. */
  readonly gathers: boolean
}

export const threadNetwork: NetworkOptions = {
  delayMsMin: 0.005,
  delayMsMax: 0.1,
  tail: 0,
  tailMsMax: 0,
  loss: 0,
  duplication: 0,
  reordering: false,
  losesRings: false,
  damage: 0,
  gathers: false,
}

export interface Delivery {
  readonly envelope: Envelope
  readonly from: NodeId
  readonly fromGeneration: number
  readonly toGeneration: number
}

/** A message on its way. */
interface Frame {
  readonly delivery: Delivery
  readonly bytes: Buffer
  readonly link: number
  /** Chance that it is damaged. */
  readonly damage: number
}

export class Network {
  /** Changed while the world runs: faults come and go. */
  options: NetworkOptions
  private readonly seed: number
  private readonly schedule: (delay: Millis, run: () => void) => void
  private readonly deliver: (delivery: Delivery) => void
  private readonly now: () => Millis
  private readonly streams = new Map<number, Random>()
  private readonly lastArrival = new Map<number, Millis>()
  /** How many faults cut a link at present. */
  private readonly cut = new Map<number, number>()
  /** Links on which nothing arrives before an instant. */
  private readonly clogged = new Map<number, Millis>()
  private readonly writer = new Writer()
  /** Acknowledgements of the present turn, by both lives. */
  private readonly gathered = new Map<string, Acknowledgements>()

  constructor(
    options: NetworkOptions,
    seed: number,
    now: () => Millis,
    schedule: (delay: Millis, run: () => void) => void,
    deliver: (delivery: Delivery) => void,
  ) {
    this.options = options
    this.seed = seed
    this.now = now
    this.schedule = schedule
    this.deliver = deliver
  }

  /** Envelopes from one to the other are lost from now on; the other direction is another matter. */
  cutLink(from: NodeId, to: NodeId): void {
    const link = pair(from, to)
    this.cut.set(link, (this.cut.get(link) ?? 0) + 1)
  }

  /** Ends what `cutLink` began; a link that was cut twice needs it twice. */
  mendLink(from: NodeId, to: NodeId): void {
    const link = pair(from, to)
    const left = (this.cut.get(link) ?? 0) - 1
    if (left > 0) this.cut.set(link, left)
    else this.cut.delete(link)
  }

  /** Holds back whatever goes from one to the other, for so long; it comes in order, and all at once. */
  clog(from: NodeId, to: NodeId, ms: Millis): void {
    const link = pair(from, to)
    this.clogged.set(link, Math.max(this.now() + ms, this.clogged.get(link) ?? 0))
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.cut.has(pair(from, to))
  }

  healAll(): void {
    this.cut.clear()
    this.clogged.clear()
  }

  send(delivery: Delivery): void {
    const { envelope } = delivery
    if (this.options.gathers && Acknowledgements.takes(envelope)) return this.gather(delivery)
    this.writer.reset()
    encodeEnvelope(this.writer, envelope)
    this.dispatch(delivery, this.writer.copy())
  }

  /** One message at the end of the turn, after everything else that is sent in it. */
  private gather(delivery: Delivery): void {
    const { envelope, from, fromGeneration, toGeneration } = delivery
    const lives = `${from} ${fromGeneration} ${envelope.to.node} ${toGeneration}`
    let gathered = this.gathered.get(lives)
    if (gathered === undefined) {
      const opened = new Acknowledgements()
      gathered = opened
      this.gathered.set(lives, opened)
      this.schedule(0, () => {
        this.gathered.delete(lives)
        this.dispatch(delivery, Buffer.from(opened.take()))
      })
    }
    gathered.add(envelope)
  }

  private dispatch(delivery: Delivery, bytes: Buffer): void {
    const { envelope } = delivery
    const link = pair(delivery.from, envelope.to.node)
    const random = this.stream(link)
    const { loss, duplication } = this.options
    // Drawn in the same order whatever happens, so that switching one fault does not move the others.
    const lost = random() < loss
    const twice = random() < duplication
    // The supervisor's word is not lost: on threads it comes by shared memory as well. Nor does a put come twice:
    // that is two writes of one client, as with a client that tries again.
    const { type } = envelope.message
    const isPut = type === 'put'
    const isNews = type === 'nodes-changed' || (type === 'ring-changed' && !this.options.losesRings)
    const times = isNews ? 1 : this.cut.has(link) || lost ? 0 : twice && !isPut ? 2 : 1
    for (let i = 0; i < times; i++)
      this.carry({ delivery, bytes, link, damage: isNews ? 0 : this.options.damage }, random)
  }

  private carry({ delivery, bytes, link, damage }: Frame, random: Random): void {
    const { delayMsMin, delayMsMax, tail, tailMsMax, reordering } = this.options
    const now = this.now()
    let arrival = now + delayMsMin + random() * (delayMsMax - delayMsMin)
    if (tail > 0 && random() < tail) arrival += tailMsMax * random() ** 4
    arrival = Math.max(arrival, this.clogged.get(link) ?? 0)
    if (!reordering) arrival = Math.max(arrival, this.lastArrival.get(link) ?? 0)
    this.lastArrival.set(link, arrival)
    const at = damage > 0 && random() < damage ? Math.floor(random() * bytes.length * 8) : undefined
    this.schedule(arrival - now, () => {
      for (const envelope of at === undefined ? decoded(bytes) : damagedAt(bytes, at))
        this.deliver({ ...delivery, envelope })
    })
  }

  private stream(link: number): Random {
    let random = this.streams.get(link)
    if (random === undefined) {
      random = seededRandom(this.seed, 1000 + link)
      this.streams.set(link, random)
    }
    return random
  }
}

/**
 * What arrives of an envelope of which one bit was flipped: with a damaged object where that can be told by the object
 * itself, otherwise nothing. Whatever bytes it is given, the decoder must answer, or say that they are malformed.
 */
function damagedAt(bytes: Buffer, bit: number): Envelope[] {
  const arrived: Envelope[] = []
  for (const whole of decoded(bytes)) {
    const { message } = whole
    if ((message.type === 'fetched' || message.type === 'kept') && message.object !== undefined)
      arrived.push({ ...whole, message: { ...message, object: flipped(message.object, bit) } })
  }
  try {
    decoded(flipped(bytes, bit))
  } catch (error) {
    onlyMalformed(error)
  }
  return arrived
}

function decoded(bytes: Buffer): Envelope[] {
  const envelopes: Envelope[] = []
  decodeMessage(bytes, 0, bytes.length, (envelope) => envelopes.push(envelope))
  return envelopes
}

function flipped(bytes: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  const at = (bit >>> 3) % copy.length
  copy[at] = (copy[at] as number) ^ (1 << (bit & 7))
  return copy
}

function pair(from: NodeId, to: NodeId): number {
  return from * 256 + to
}
