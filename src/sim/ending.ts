// The end of a run: the faults are over, and within a bounded time all must be well again. Replicas hold the same,
// hints are gone, the ring is what everybody says it is; and what was acknowledged is there, or what replaced it.

import type { Millis } from '../base/units.js'
import { preferenceList } from '../ring/preference.js'
import { hashOf, partitionOf } from '../ring/ring.js'
import { objectRow } from '../storage/store.js'
import type { StoredObject } from '../versions/object.js'
import { decodeObject } from '../versions/object-codec.js'
import { sameObject } from '../versions/read.js'
import type { Applying } from './application.js'
import type { Checks } from './checks.js'
import { describe } from './checks.js'
import { internalKey } from './client.js'
import type { Nemesis } from './nemesis.js'
import { foundOf, Oracle } from './oracle.js'
import type { Sessions } from './sessions.js'
import type { World } from './world.js'

/** All must be well again within this, after the last fault has healed (trust: P2, P16). */
export const settleMsMax: Millis = 240_000
const lookMs: Millis = 2_000
/** A copy that fails its checksum. */
const damaged = 'damaged'

export class Ending {
  private readonly world: World
  private readonly sessions: Sessions
  private readonly checks: Checks
  private readonly nemesis: Nemesis
  private readonly partitions: number
  private readonly applying: Applying | undefined

  constructor(
    world: World,
    sessions: Sessions,
    checks: Checks,
    nemesis: Nemesis,
    applying: Applying | undefined,
  ) {
    this.applying = applying
    this.world = world
    this.sessions = sessions
    this.checks = checks
    this.nemesis = nemesis
    this.partitions = world.ring.partitions
  }

  run(): void {
    const { world, nemesis, checks, sessions } = this
    nemesis.heal()
    world.runUntil(() => sessions.open.size === 0, 90_000)
    for (const [request, { via }] of sessions.open) {
      // Whoever asked at a node that died hears that its connection is gone.
      if (via === 0)
        checks.fail('a request was answered late or never', `${request.message.type} #${request.id}`)
    }
    let wrong: string | undefined = 'not looked at'
    for (let waited = 0; waited < settleMsMax && wrong !== undefined; waited += lookMs) {
      world.pass(lookMs)
      checks.limits()
      wrong = this.whatIsWrong()
      // What was damaged on its way from a disk is found by who reads it, and mended then.
      if (wrong?.includes(damaged)) this.readAll()
    }
    if (wrong !== undefined) {
      const [check, text] = wrong.split('|') as ['replicas differ', string]
      checks.fail(check, text)
    }
    this.compareWithHistory()
  }

  /** What is not well yet, as `check|text`. */
  private whatIsWrong(): string | undefined {
    const { world } = this
    if (!world.whole) return `the cluster is not whole|${this.lives()}`
    if (world.ring.change !== undefined) return `the ring is wrong|it is still changing: ${this.transfers()}`
    const wrong = this.wrongRing()
    if (wrong !== undefined) return wrong
    for (const { node, host } of world.nodes.values()) {
      const kept = host?.hints.filter(({ count }) => count > 0) ?? []
      if (kept.length > 0)
        return `hints are left|node ${node} for ${kept.map(({ owner }) => owner).join(' ')}`
    }
    return this.differences()
  }

  private lives(): string {
    return [...this.world.nodes.values()]
      .map(
        ({ node, host }) => `${node} ${host === undefined ? 'down' : host.catchingUp ? 'catching up' : 'up'}`,
      )
      .join(', ')
  }

  private transfers(): string {
    return this.world.transfers.map(({ stage, reason }) => `${stage}: ${reason}`).join('; ')
  }

  private wrongRing(): string | undefined {
    const { world } = this
    const { ring } = world
    for (let partition = 0; partition < this.partitions; partition++) {
      const replicas = preferenceList(ring, partition).slice(0, world.copies)
      const distinct = new Set(replicas).size
      const isFull = distinct === Math.min(world.copies, ring.nodes.length)
      if (!isFull || replicas.some((node) => !world.nodes.has(node))) {
        return `the ring is wrong|partition ${partition} is at ${replicas.join(' ')}`
      }
    }
    for (const { node, host } of world.nodes.values()) {
      if (host !== undefined && host.ringEpoch !== ring.epoch && ring.nodes.includes(node)) {
        return `the ring is wrong|node ${node} knows epoch ${host.ringEpoch}, not ${ring.epoch}`
      }
    }
    return undefined
  }

  private readAll(): void {
    const { client, copies } = this.world
    for (const key of this.sessions.oracle.keys) client.get(key, { r: copies })
  }

  /** The first key of which two replicas hold other things: in memory, or on disk where memory has let go. */
  private differences(): string | undefined {
    for (const key of this.sessions.oracle.keys) {
      const copies = this.copiesOf(key)
      if (copies.includes(damaged)) return `replicas differ|${key}: ${damaged}`
      for (const copy of copies as (StoredObject | undefined)[]) {
        if (!sameObject(copy, copies[0] as StoredObject | undefined)) {
          return `replicas differ|${key}: ${copies.map((each) => describe(foundOf(key, each as StoredObject | undefined))).join(' / ')}`
        }
      }
    }
    return undefined
  }

  /** What each replica has, past every protocol. */
  copiesOf(key: string): (StoredObject | undefined | typeof damaged)[] {
    const { world } = this
    const internal = internalKey(key)
    const hash = hashOf(world.ring, internal)
    const partition = partitionOf(world.ring, hash)
    const replicas = preferenceList(world.ring, partition).slice(0, world.copies)
    return replicas.map((number) => {
      const node = world.nodes.get(number)
      const view =
        node?.storage?.memory.peek(internal, hash) ?? node?.disk.look(objectRow(partition, internal))
      if (view === undefined) return undefined
      try {
        return decodeObject(Uint8Array.from(view), hash)
      } catch {
        return damaged
      }
    })
  }

  private compareWithHistory(): void {
    const { checks, sessions } = this
    const { oracle } = sessions
    for (const key of oracle.keys) {
      const object = this.copiesOf(key).find((copy) => copy !== damaged) as StoredObject | undefined
      const found = foundOf(key, object)
      checks.found(found, object)
      const complaint = this.applying?.judge(sessions, key, object)
      if (complaint !== undefined) checks.fail('the application says so', `${key}: ${complaint}`)
      for (const write of oracle.writesOf(key)) {
        if (!oracle.survives(write)) continue
        if (checks.isMissing(write, found)) {
          checks.fail('an acknowledged write is lost', `${key}: ${describe(found)} has not seen ${write.id}`)
        }
        const back = Oracle.isLatest(key)
          ? undefined
          : found.ids.find((id) => id !== write.id && write.history.has(id))
        if (back !== undefined) {
          checks.fail('a value that was replaced is back', `${key}: ${back}, which ${write.id} had replaced`)
        }
      }
    }
  }
}
