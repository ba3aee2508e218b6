// A node of the simulated world: the real host and actors, the real object buffer and recovery, on a disk
// that forgets as disks do. Its memory outlives the node (a thread's death) but not the process.

import type { RareBranch } from '../actors/actor.js'
import { type Random, seededRandom } from '../base/random.js'
import type { Incarnation, Key, Millis, NodeId } from '../base/units.js'
import { emptyHistory, type History } from '../membership/history.js'
import { decodeHistory } from '../membership/history-codec.js'
import { singleAddress, supervisorThread } from '../protocol/address.js'
import type { Envelope } from '../protocol/envelope.js'
import { travelMsOf } from '../protocol/reap.js'
import { hashOf, partitionOf, type Ring } from '../ring/ring.js'
import { Host } from '../runtime/host.js'
import type { HostPorts, HostStorage, Life, Posted, VolatileKey } from '../runtime/ports.js'
import { restoreRedo } from '../runtime/redo-restore.js'
import { ServingNotes, type ServingTable } from '../runtime/serving-table.js'
import { Trees } from '../runtime/trees.js'
import { restoreTrees, type TreeSources } from '../runtime/trees-restore.js'
import { createMemoryStore, type MemoryStore } from '../storage/memory-store.js'
import { decodeMeta, encodeMeta, type Meta, membershipRow, metaRow } from '../storage/meta.js'
import { ObjectBuffer } from '../storage/object-buffer.js'
import { createObjectBuffer } from '../storage/object-buffer-layout.js'
import { assess, type Verdict } from '../storage/recovery.js'
import { redoBounds } from '../storage/redo-rows.js'
import type { Store } from '../storage/store.js'
import { isVolatile } from '../versions/mode.js'
import { decodeObject, looksWhole } from '../versions/object-codec.js'
import type { SimMembership } from './membership.js'

/** What a node draws by chance. */
export interface NodeDraws {
  /** The name of a life, which is the node's so many-th. */
  incarnation(node: NodeId, life: number): Incarnation
  /** For the actors of one life. */
  random(node: NodeId): Random
}

/** `sameIncarnation`: the planted bug of dynamo 1.5, a new life goes on with the incarnation of the last. */
export function seededDraws(seed: number, sameIncarnation: boolean): NodeDraws {
  return {
    incarnation: (node, life) => {
      if (sameIncarnation) return node
      const random = seededRandom(seed, node * 10_000 + life)
      return Math.floor(random() * 0x1f_ffff) * 0x1_0000_0000 + Math.floor(random() * 0xffff_ffff) + 1
    },
    random: (node) => seededRandom(seed, 500 + node),
  }
}

/** The application's thread makes versions too, later than what any node may have stamped in an earlier life. */
export function clientLife(draws: NodeDraws, life: number, nodes: ReadonlyMap<NodeId, SimNode>): Life {
  return {
    incarnation: draws.incarnation(supervisorThread, life),
    get stampFloor() {
      return Math.max(0, ...[...nodes.values()].map(({ meta }) => meta?.stampFloor ?? 0))
    },
    catchUp: undefined,
    volatile: [],
  }
}

export interface SimNodeWorld {
  readonly draws: NodeDraws
  readonly ring: Ring
  readonly copies: number
  readonly memoryBytes: number
  readonly serving: ServingTable
  readonly warms: boolean
  readonly members: Pick<SimMembership, 'gossip'>
  readonly gossipEveryMs: Millis
  /** Pause between two comparisons of replicas; 0: only when asked. */
  readonly mendEveryMs: Millis
  readonly reapAfterMs: Millis
  readonly rarely: ((branch: RareBranch) => boolean) | undefined
  now(): Millis
  wall(): Millis
  schedule(delay: Millis, run: () => void): void
  post(from: SimNode, envelope: Envelope): Posted
  wake(node: SimNode): void
  died(node: SimNode, reason: string): void
  /** The last batch that each node reported. */
  sequences(): readonly number[]
  peersSaw(node: NodeId): number
  wrapStore(node: NodeId, store: Store): Store
}

/** Memory at the beginning of a life, and how it came over from the last one, if it did. */
interface Adopted {
  readonly memory: ObjectBuffer
  readonly found: { readonly dropped: number; readonly wasComplete: boolean } | undefined
}

export class SimNode {
  readonly node: NodeId
  host: Host | undefined
  generation = 0
  disk: MemoryStore
  verdict: Verdict | undefined
  /** What the present life stores in. */
  storage: HostStorage | undefined
  meta: Meta | undefined
  private readonly world: SimNodeWorld
  /** Its objects: they outlive the thread. */
  memory: SharedArrayBuffer | undefined
  private highWater: number | undefined
  private wasComplete: boolean | undefined
  private newborn = true
  private lives = 0
  private history: History = emptyHistory
  private volatile: VolatileKey[] = []
  private closed = true

  constructor(world: SimNodeWorld, node: NodeId) {
    this.world = world
    this.node = node
    this.disk = createMemoryStore((task) => world.schedule(diskMs, task))
  }

  get alive(): boolean {
    return !this.closed
  }

  /** The last batch that is in the store, as the node would report it. */
  get sequence(): number {
    return this.host?.journal?.lastSequence ?? this.meta?.sequence ?? 0
  }

  /** Begins a life: opens the store, decides what may be missing, draws an incarnation, runs. */
  begin(generation: number, ready: () => void): void {
    this.generation = generation
    this.closed = false
    this.lives++
    const life = this.lives
    this.disk.read([metaRow, membershipRow], (_error, [row, history]) => {
      if (this.closed || life !== this.lives) return
      this.history = history instanceof Uint8Array ? decodeHistory(history) : emptyHistory
      this.meta = row instanceof Uint8Array ? decodeMeta(row) : undefined
      const adoption = this.adopt()
      this.restoreRedo(adoption, (damage) => {
        if (this.closed || life !== this.lives) return
        const peersSaw = this.world.peersSaw(this.node)
        const verdict = assess({
          newborn: this.newborn,
          meta: this.meta,
          highWater: this.highWater,
          peersSaw,
          damage: damage?.message,
          adopted: adoption.found,
        })
        this.beginLife(verdict, peersSaw, adoption, ready)
      })
    })
  }

  private beginLife(verdict: Verdict, peersSaw: number, adoption: Adopted, ready: () => void): void {
    const life = this.lives
    this.verdict = verdict
    const incarnation = this.world.draws.incarnation(this.node, life)
    const sequence = Math.max(this.meta?.sequence ?? 0, this.highWater ?? 0, peersSaw) + 1
    const stampFloor = Math.max(this.meta?.stampFloor ?? 0, this.world.wall() * 2048)
    const meta: Meta = {
      incarnation,
      sequence,
      flushedTo: this.meta?.flushedTo ?? 0,
      stampFloor,
      clean: false,
      owing: verdict.since,
      peers: this.meta?.peers ?? [],
    }
    this.disk.commit([{ row: metaRow, value: encodeMeta(meta) }], 'disk', () => {
      if (this.closed || life !== this.lives) return
      this.highWater = sequence
      const { memory, found } = adoption
      if (found === undefined) memory.complete = this.newborn
      this.newborn = false
      this.restoreTrees(memory, verdict, (trees) => {
        if (this.closed || life !== this.lives) return
        this.run(verdict, incarnation, stampFloor, sequence, adoption, trees)
        ready()
      })
    })
  }

  private adopt(): Adopted {
    this.volatile = []
    if (this.memory === undefined || this.wasComplete === undefined) {
      this.memory = createObjectBuffer(this.world.memoryBytes)
      return { memory: new ObjectBuffer(this.memory), found: undefined }
    }
    const memory = new ObjectBuffer(this.memory)
    const { dropped } = memory.adopt((key, hash, value) => {
      const whole = looksWhole(value, hash)
      if (whole && isVolatile(decodeObject(value, hash))) this.volatile.push({ key, hash })
      return whole
    })
    const found = { dropped, wasComplete: this.wasComplete }
    return { memory, found }
  }

  private restoreRedo({ memory }: Adopted, done: (damage: Error | undefined) => void): void {
    const { ring } = this.world
    const sources = { store: this.disk, memory, partitionOf: (hash: number) => partitionOf(ring, hash) }
    restoreRedo(sources, (error, damage) => {
      if (error === undefined) done(damage)
    })
  }

  private restoreTrees(memory: ObjectBuffer, verdict: Verdict, done: (trees: Trees) => void): void {
    const { ring } = this.world
    const trees = new Trees(ring.partitions)
    const inMemory: TreeSources['inMemory'] = (visit) => {
      memory.eachDirty(visit)
      for (const { key, hash } of this.volatile) {
        const value = memory.peek(key, hash)
        if (value !== undefined) visit(key, hash, value)
      }
    }
    const hash = (key: Key) => hashOf(ring, key)
    const sources = { store: this.disk, hashOf: hash, rescan: verdict.amnesia, inMemory }
    restoreTrees(trees, sources, (error) => {
      if (error === undefined) done(trees)
    })
  }

  private run(
    verdict: Verdict,
    incarnation: Incarnation,
    stampFloor: number,
    sequence: number,
    { memory, found }: Adopted,
    trees: Trees,
  ): void {
    const { world } = this
    const life = this.lives
    const current = () => !this.closed && life === this.lives
    const ports: HostPorts = {
      thread: this.node,
      now: () => world.now(),
      wall: () => world.wall(),
      random: world.draws.random(this.node),
      post: (envelope) => (current() ? world.post(this, envelope) : 'dead'),
      outside: () => {},
      wake: () => {
        if (current()) world.wake(this)
      },
      fatal: (error) => {
        if (current()) world.died(this, error.message)
      },
      heard: () => {},
      warms: world.warms,
      serving: new ServingNotes(world.serving, this.node, this.generation),
      mendEveryMs: world.mendEveryMs,
      ...(world.gossipEveryMs > 0 && world.members.gossip(this.node, this.history)),
      travelMsMax: travelMsOf(world.reapAfterMs),
      reapAfterMs: world.reapAfterMs,
      ...(world.rarely && { rarely: world.rarely }),
      life: {
        incarnation,
        stampFloor,
        catchUp: verdict.since === undefined ? undefined : { since: verdict.since, copies: world.copies },
        volatile: this.volatile,
      },
      storage: {
        memory,
        store: world.wrapStore(this.node, this.disk),
        highWater: {
          note: (_incarnation, noted) => {
            this.highWater = noted
          },
        },
        trees,
        sequence,
        logged: found === undefined,
      },
      peers: () => world.sequences(),
    }
    this.storage = ports.storage
    this.host = new Host(ports, { supervisor: false })
    const self = singleAddress('host', this.node)
    const message = { type: 'ring-changed', ring: world.ring } as const
    this.host.receive({ to: self, from: self, request: 0, deadline: 0, message })
    world.wake(this)
  }

  /** The thread dies: what it had in memory stays, for its next life. */
  die(): void {
    if (this.closed) return
    if (this.host !== undefined) this.wasComplete = !this.host.catchingUp
    this.closed = true
    this.host = undefined
    // What the binding had been given is written or not; nothing of it is heard of any more.
    this.disk = this.disk.crash('process')
  }

  /** The process dies (or the power goes): memory is lost, the disk keeps what it has promised. */
  loseMemory(kind: 'process' | 'power', keep = 0): void {
    this.closed = true
    this.host = undefined
    this.memory = undefined
    this.wasComplete = undefined
    this.disk = this.disk.crash(kind, keep)
  }

  /** The process of this node dies, and one row of its redo log is not what it was: `at`, 0 <= at < 1, says which. */
  damageLog(at: number): void {
    this.loseMemory('process')
    this.disk.walk(redoBounds.after, redoBounds.before, Number.MAX_SAFE_INTEGER, (_error, rows) => {
      const chosen = rows[Math.floor(at * rows.length)]
      if (chosen === undefined) return
      const value = Uint8Array.from(chosen.value)
      const byte = Math.floor(at * value.length)
      value[byte] = (value[byte] as number) ^ 0x10
      this.disk.commit([{ row: chosen.row, value }], 'disk', () => {})
    })
  }

  /** Somebody puts an older directory in its place, or only an older store. */
  restore(backup: MemoryStore, withHighWater: boolean): void {
    this.loseMemory('power')
    this.disk = backup
    if (withHighWater) this.highWater = undefined
  }

  /** Somebody empties the directory. */
  wipe(): void {
    this.loseMemory('power')
    this.disk = createMemoryStore((task) => this.world.schedule(diskMs, task))
    this.highWater = undefined
    this.meta = undefined
  }
}

/** What a batch or a read of the simulated disk takes. */
const diskMs: Millis = 0.2
