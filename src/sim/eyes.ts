// What passes between actors, held against what lies on the nodes: promises whose breach is mended by something else
// within moments, so that nobody who asks later would notice. Memory and disks are looked into; no actor is believed.

import type { Key, NodeId, RequestId } from '../base/units.js'
import { sign } from '../merkle/signature.js'
import type { Address } from '../protocol/address.js'
import type { Envelope } from '../protocol/envelope.js'
import { type FetchKept, hintKey, type Kept } from '../protocol/hint.js'
import type { Reap } from '../protocol/reap.js'
import { partitionOf } from '../ring/ring.js'
import { objectRow } from '../storage/store.js'
import type { StoredObject } from '../versions/object.js'
import { decodeObject } from '../versions/object-codec.js'
import { contextOf } from '../versions/read.js'
import { covers } from '../versions/vector.js'
import type { CheckName } from './check-name.js'
import type { World } from './world.js'

interface Asked {
  readonly owner: NodeId
  readonly key: Key
  readonly hash: number
  readonly object: Uint8Array
}

/** A turn, and what it has written, is over by then. */
const turnMs = 0.01
const askedMax = 4_096

export class Eyes {
  private readonly world: World
  private readonly fail: (check: CheckName, text: string) => void
  /** Whether memory and disks have kept all that was ever acknowledged, and the ring stays. */
  private readonly nothingLost: () => boolean
  /** Hints and deliveries that are under way, by who was asked, who asks, and the number. */
  private readonly keeping = new Map<string, Asked>()
  private readonly delivering = new Map<string, Asked>()
  private readonly questions = new Map<string, Asked>()
  /** Versions that a stand-in has said it keeps, by stand-in, owner and key. */
  private readonly kept = new Map<string, Asked[]>()

  constructor(world: World, fail: (check: CheckName, text: string) => void, nothingLost: () => boolean) {
    this.world = world
    this.fail = fail
    this.nothingLost = nothingLost
  }

  see({ message, from, to, request }: Envelope): void {
    switch (message.type) {
      case 'reap':
        if (from.kind === 'reaper') this.reaped(message, from.node)
        return
      case 'keep':
        return note(this.keeping, wayOf(to, from, request), message)
      case 'replicate':
        if (from.kind === 'courier')
          note(this.delivering, wayOf(to, from, request), { ...message, owner: to.node })
        return
      case 'replicated':
        if (from.kind === 'courier') this.isKept(from, to, request)
        else if (to.kind === 'courier') this.isDelivered(from, to, request)
        return
      case 'fetch-kept':
        // One read may ask the same stand-in about several owners.
        return this.asked(message, to.node, `${wayOf(to, from, request)} ${message.owner}`)
      case 'kept':
        this.told(message, from.node, `${wayOf(from, to, request)} ${message.owner}`)
        return
      default:
    }
  }

  /** What a node holds under a key, in memory or where memory has let go on disk. */
  private held(node: NodeId, partition: number, key: Key, hash: number): StoredObject | undefined {
    const life = this.world.nodes.get(node)
    // A row that goes with the next batch is there still.
    const isForgotten = life?.host?.journal?.isForgotten(key) ?? false
    const row = isForgotten ? undefined : life?.disk.look(objectRow(partition, key))
    const view = life?.storage?.memory.peek(key, hash) ?? row
    if (view === undefined) return undefined
    try {
      return decodeObject(Uint8Array.from(view), hash)
    } catch {
      return undefined
    }
  }

  private hintAt(node: NodeId, owner: NodeId, key: Key, hash: number): StoredObject | undefined {
    return this.held(node, partitionOf(this.world.ring, hash), hintKey(owner, key), hash)
  }

  // -- hints --------------------------------------------------------------------------------------------

  private isKept(standIn: Address, asker: Address, request: RequestId): void {
    const asked = taken(this.keeping, wayOf(standIn, asker, request))
    if (asked === undefined || !this.nothingLost()) return
    const place = `${standIn.node} ${asked.owner} ${asked.key}`
    const before = this.kept.get(place)
    if (before === undefined) this.kept.set(place, [asked])
    else before.push(asked)
  }

  private isDelivered(owner: Address, standIn: Address, request: RequestId): void {
    const asked = taken(this.delivering, wayOf(owner, standIn, request))
    if (asked !== undefined) this.world.schedule(turnMs, () => this.owes(standIn.node, owner.node, asked))
  }

  /** A hint goes when its owner has it, and everything that was added to it meanwhile. */
  private owes(standIn: NodeId, owner: NodeId, { key, hash }: Asked): void {
    const place = `${standIn} ${owner} ${key}`
    const versions = this.kept.get(place)
    const isThere = this.world.nodes.get(standIn)?.host !== undefined
    if (versions === undefined || !isThere) return
    if (this.hintAt(standIn, owner, key, hash) !== undefined) return
    this.kept.delete(place)
    if (!this.nothingLost()) return
    const home = this.held(owner, partitionOf(this.world.ring, hash), key, hash)
    for (const { object } of versions) {
      const version = decodeObject(object, hash)
      if (isDead(version) || (home !== undefined && hasSeen(home, version))) continue
      this.fail('a hint is gone before its owner has it', `${key} of node ${owner}, at node ${standIn}`)
      return
    }
  }

  /**
   * A question may come twice, and each is answered: what is there when the first comes is there for all. The next
   * life of who asks may give the number to another question: which of them is answered nobody can tell.
   */
  private asked(question: FetchKept, standIn: NodeId, way: string): void {
    const { owner, key, hash } = question
    const before = this.questions.get(way)
    if (before?.key === key) return
    const isThere = before === undefined && this.hintAt(standIn, owner, key, hash) !== undefined
    note(this.questions, way, { owner: isThere ? owner : nobody, key, hash, object: nothing })
  }

  /** It was there when the question came and is there still. */
  private told(message: Kept, standIn: NodeId, way: string): void {
    const asked = this.questions.get(way)
    if (asked === undefined || asked.owner === nobody || message.object !== undefined) return
    if (this.hintAt(standIn, asked.owner, asked.key, asked.hash) === undefined) return
    this.fail('a stand-in denies what it keeps', `${asked.key} of node ${asked.owner}, at node ${standIn}`)
  }

  // -- what is dead -------------------------------------------------------------------------------------

  /** Whoever holds something older that this stands against, itself or as a hint, would bring it back. */
  private reaped({ key, hash, high, low }: Reap, leader: NodeId): void {
    const { world } = this
    const partition = partitionOf(world.ring, hash)
    const dead = this.held(leader, partition, key, hash)
    if (dead === undefined || !isSigned(dead, hash, high, low)) return
    for (const node of world.nodes.keys()) {
      const copies = [this.held(node, partition, key, hash)]
      for (const owner of world.nodes.keys()) copies.push(this.hintAt(node, owner, key, hash))
      for (const copy of copies) {
        if (copy === undefined || isSigned(copy, hash, high, low) || !hasSeen(dead, copy)) continue
        this.fail('what is dead is forgotten too early', `${key}: node ${node} holds what came before`)
        return
      }
    }
  }
}

/** Of a question that came before there was a hint. */
const nobody = 0
const nothing = new Uint8Array(0)

/** Each vnode numbers its own questions: two of one node may ask the same courier under one number at once. */
function wayOf(asked: Address, asker: Address, request: RequestId): string {
  return `${whoIs(asked)} ${whoIs(asker)} ${request}`
}

function whoIs({ kind, node, partition }: Address): string {
  return `${kind} ${node} ${partition}`
}

/** The oldest are let go: what is asked is answered soon, or never. */
function note(open: Map<string, Asked>, way: string, { owner, key, hash, object }: Asked): void {
  open.set(way, { owner, key, hash, object })
  if (open.size <= askedMax) return
  for (const oldest of open.keys()) {
    open.delete(oldest)
    return
  }
}

function taken(open: Map<string, Asked>, way: string): Asked | undefined {
  const asked = open.get(way)
  open.delete(way)
  return asked
}

function isDead({ siblings }: StoredObject): boolean {
  return siblings.every(({ deleted, expires }) => deleted || expires !== 0)
}

/** Of last-write-wins values the stamp says it; a clock names the one event alone. */
function hasSeen(object: StoredObject, other: StoredObject): boolean {
  if (covers(object.clock, other.clock)) return true
  const isLatest = object.clock.length === 1 && other.clock.length === 1
  return isLatest && contextOf(object).stamp >= contextOf(other).stamp
}

function isSigned(object: StoredObject, hash: number, high: number, low: number): boolean {
  const signature = { high: 0, low: 0 }
  sign(object.encoded, hash, signature)
  return signature.high === high && signature.low === low
}
