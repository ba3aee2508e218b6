// The life of a node: one Piscina task. It opens the store, takes over the memory of its predecessor, finds
// out what it may lack, draws a new incarnation and has it on disk before it issues the first dot; then it
// runs its host until it is drained or dies.
//
// Invariant: crash-only. Whatever goes wrong in here ends the thread; nothing tries to go on.

import { randomBytes } from 'node:crypto'
import { type MessagePort, threadId } from 'node:worker_threads'
import { gossipDefaults } from '../../actors/gossip/state.js'
import { RingspunError } from '../../base/errors.js'
import { seededRandom } from '../../base/random.js'
import type { Incarnation, Key, Millis, NodeId } from '../../base/units.js'
import { emptyHistory, type History, mergeHistories } from '../../membership/history.js'
import { decodeHistory } from '../../membership/history-codec.js'
import { singleAddress, supervisorThread } from '../../protocol/address.js'
import { travelMsOf } from '../../protocol/reap.js'
import { hashOf, partitionOf, type RingJson, ringFromJson } from '../../ring/ring.js'
import { openHighWater } from '../../storage/high-water.js'
import { createMemoryStore } from '../../storage/memory-store.js'
import type { Meta } from '../../storage/meta.js'
import { ObjectBuffer } from '../../storage/object-buffer.js'
import { assess, type Verdict } from '../../storage/recovery.js'
import { guardNativeCalls } from '../../storage/rocksdb-binding.js'
import type { Store } from '../../storage/store.js'
import { isVolatile } from '../../versions/mode.js'
import { decodeObject, looksWhole } from '../../versions/object-codec.js'
import { Host } from '../host.js'
import type { HighWater, HostPorts, HostStorage, VolatileKey } from '../ports.js'
import { ServingNotes, ServingTable } from '../serving-table.js'
import { Trees } from '../trees.js'
import { restoreTrees, type TreeSources } from '../trees-restore.js'
import { now, wall } from './clock.js'
import { type BeginReport, exposeControl, type NodeControl, type OpenReport } from './control.js'
import { newIncarnation } from './incarnation.js'
import { Loop } from './loop.js'
import { NativeGate } from './native-gate.js'
import {
  beginAnew,
  closeStore,
  commitMeta,
  openStore,
  readHistory,
  readMeta,
  restoreLog,
} from './node-store.js'
import { beginReporting } from './reporting.js'
import type { SharedState, Wire } from './shared.js'
import { Transport } from './transport.js'

export interface NodeTask {
  readonly node: NodeId
  readonly generation: number
  readonly shared: SharedState
  readonly port: MessagePort
  readonly ring: RingJson
  /** The largest n of any bucket. */
  readonly copies: number
  /** Directory of the node; undefined keeps everything in memory. */
  readonly dir: string | undefined
  /** What this thread passes through on its way into native code. */
  readonly gate: SharedArrayBuffer
  readonly newborn: boolean
  /** Set when an earlier life of this process left its memory; whether it had been complete. */
  readonly predecessor: { readonly wasComplete: boolean } | undefined
  readonly messageBytesMax: number
  readonly history: Uint8Array
  readonly gossipEveryMs: Millis
  readonly mendEveryMs: Millis
  readonly reapAfterMs: Millis
}

/** The Piscina task: resolves when the node has been drained, rejects when it failed. */
export function live(task: NodeTask): Promise<void> {
  return new Promise((resolve, reject) => {
    const gate = new NativeGate(task.gate)
    guardNativeCalls(gate.enter, gate.leave)
    const node = new NodeThread(task, resolve, reject)
    exposeControl(node.control, task.port)
    task.port.start()
  })
}

const settleMsMax = 2_000
/** Nodes that every round of gossip may go to, whoever else is known. */
const seedsMax = 3
/** Places of the object buffer's index that one step of a walk looks at. */
const walkPlaces = 64 * 1024

const memoryHighWater: HighWater & { sync(): void; close(): void } = { note() {}, sync() {}, close() {} }

class NodeThread {
  readonly control: NodeControl
  private readonly task: NodeTask
  private readonly memory: ObjectBuffer
  private readonly finished: () => void
  private readonly failed: (error: Error) => void
  private store: Store | undefined
  private highWater: (HighWater & { sync(): void; close(): void }) | undefined
  private meta: Meta | undefined
  private history: History = emptyHistory
  private highWaterFound: number | undefined
  private damage: Error | undefined
  /** Memory has nothing unflushed but what came from the log of the store. */
  private isLogged: boolean
  private host: Host | undefined
  private loop: Loop | undefined
  private transport: Transport | undefined
  private readonly wires: Wire[] = []
  private stopReporting: () => void = () => {}

  constructor(task: NodeTask, finished: () => void, failed: (error: Error) => void) {
    this.task = task
    this.finished = finished
    this.failed = failed
    this.isLogged = task.predecessor === undefined
    this.memory = new ObjectBuffer(task.shared.memories[task.node] as SharedArrayBuffer)
    this.control = {
      open: () => this.open(),
      begin: (peersSaw) => this.begin(peersSaw),
      drain: () => this.drain(),
      connect: async (wire) => this.connect(wire),
      hints: async () => this.host?.hints ?? [],
      operateHints: async (owner, what) => this.operateHints(owner, what),
      stall: async (ms) => {
        // After the answer, so that the caller need not wait for the stall.
        setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms))
      },
      exhaust: async () => {
        setImmediate(() => {
          const hoard: number[][] = []
          for (;;) hoard.push(new Array<number>(1_000_000).fill(hoard.length))
        })
      },
      crash: async () => {
        setImmediate(() => {
          throw new Error('crashed on purpose')
        })
      },
    }
  }

  private async open(): Promise<OpenReport> {
    const { dir } = this.task
    let store: Store
    if (dir === undefined) {
      store = createMemoryStore((task) => setImmediate(task))
      this.highWater = memoryHighWater
    } else {
      const opened = await openStore(dir)
      store = opened.store
      this.damage = opened.damage
      const highWater = openHighWater(`${dir}/high-water`)
      this.highWaterFound = highWater.last?.sequence
      this.highWater = highWater
    }
    this.store = store
    this.meta = await readMeta(store)
    this.history = mergeHistories(decodeHistory(this.task.history), await readHistory(store))
    return { threadId, meta: this.meta, highWater: this.highWaterFound }
  }

  private async begin(peersSaw: number): Promise<BeginReport> {
    const { task, memory } = this
    const store = this.store as Store
    const volatile: VolatileKey[] = []
    const adoption =
      task.predecessor &&
      memory.adopt((key, hash, value) => {
        const whole = looksWhole(value, hash)
        if (whole && isVolatile(decodeObject(value, hash))) volatile.push({ key, hash })
        return whole
      })
    const ring = ringFromJson(task.ring)
    const sources = { store, memory, partitionOf: (hash: number) => partitionOf(ring, hash) }
    const log = await restoreLog(sources).catch((error) => this.replace(error))
    // A log or objects that cannot be read: this life begins again, from nothing.
    if (log === undefined) return this.begin(peersSaw)
    this.damage ??= log.damage
    const verdict = this.verdict(peersSaw, adoption?.dropped ?? 0)
    if (task.predecessor === undefined) memory.complete = task.newborn || task.dir === undefined
    const incarnation = newIncarnation()
    const sequence = Math.max(this.meta?.sequence ?? 0, this.highWaterFound ?? 0, peersSaw) + 1
    const stampFloor = Math.max(this.meta?.stampFloor ?? 0, wall() * 2048)
    const meta: Meta = {
      incarnation,
      sequence,
      flushedTo: this.meta?.flushedTo ?? 0,
      stampFloor,
      clean: false,
      owing: verdict.since,
      peers: this.meta?.peers ?? [],
    }
    await this.beginLife(store, meta)
    const trees = await this.trees(store, verdict, volatile).catch((error) => this.replace(error))
    if (trees === undefined) return this.begin(peersSaw)
    this.run(verdict, incarnation, stampFloor, sequence, volatile, trees)
    return { complete: verdict.since === undefined, amnesia: verdict.amnesia, reason: verdict.reason }
  }

  /** Its name is on disk before it says anything. Nothing was acknowledged yet, so a disk that fails here refuses. */
  private async beginLife(store: Store, meta: Meta): Promise<void> {
    try {
      await commitMeta(store, meta)
      this.highWater?.note(meta.incarnation, meta.sequence)
    } catch (error) {
      const { dir } = this.task
      const reason = `${dir} cannot be written: ${(error as Error).message}`
      throw new RingspunError('storage-unavailable', reason, { dir }, error)
    }
  }

  /** A store whose objects cannot be read is set aside; what is in memory of it goes with it. */
  private async replace(error: Error): Promise<undefined> {
    const { dir } = this.task
    if (dir === undefined || this.damage !== undefined) throw error
    await closeStore(this.store as Store)
    const { store, damage } = await beginAnew(dir, error)
    this.store = store
    this.damage = damage
    this.meta = undefined
    this.isLogged = false
  }

  /** Of what the store has and of what came over in memory alone. */
  private trees(store: Store, verdict: Verdict, volatile: readonly VolatileKey[]): Promise<Trees> {
    const { task, memory } = this
    const ring = ringFromJson(task.ring)
    const trees = new Trees(ring.partitions)
    const inMemory: TreeSources['inMemory'] = (visit) => {
      if (task.dir === undefined && task.predecessor === undefined) return
      if (task.dir === undefined) {
        for (let at = memory.walk(0, walkPlaces, visit); at !== 0; ) at = memory.walk(at, walkPlaces, visit)
        return
      }
      memory.eachDirty(visit)
      for (const { key, hash } of volatile) {
        const value = memory.peek(key, hash)
        if (value !== undefined) visit(key, hash, value)
      }
    }
    const sources = { store, hashOf: (key: Key) => hashOf(ring, key), rescan: verdict.amnesia, inMemory }
    return new Promise((resolve, reject) => {
      restoreTrees(trees, sources, (error) => (error === undefined ? resolve(trees) : reject(error)))
    })
  }

  private verdict(peersSaw: number, dropped: number): Verdict {
    const { task } = this
    const adopted = task.predecessor && { dropped, wasComplete: task.predecessor.wasComplete }
    if (task.dir === undefined) {
      // Without a store the memory of the predecessor is all there is: whole, or to be asked for again.
      const whole = adopted === undefined ? task.newborn : adopted.wasComplete && dropped === 0
      return { since: whole ? undefined : 0, amnesia: false, reason: 'kept in memory only' }
    }
    return assess({
      newborn: task.newborn,
      meta: this.meta,
      highWater: this.highWaterFound,
      peersSaw,
      damage: this.damage?.message,
      adopted,
    })
  }

  private run(
    verdict: Verdict,
    incarnation: Incarnation,
    stampFloor: number,
    sequence: number,
    volatile: readonly VolatileKey[],
    trees: Trees,
  ): void {
    const { task } = this
    const transport = new Transport(task.shared, task.node, task.generation, task.messageBytesMax)
    this.transport = transport
    for (const wire of this.wires) transport.connect(wire)
    const ports: HostPorts = {
      thread: task.node,
      now,
      wall,
      random: seededRandom(randomBytes(4).readUInt32LE(0), task.node),
      post: (envelope) => transport.post(envelope),
      outside: () => {},
      wake: () => this.loop?.wake(),
      fatal: (error) => this.fail(error),
      heard: (version) => transport.status.setCounter(task.node, 'view', version),
      gossip: {
        ...gossipDefaults,
        everyMs: task.gossipEveryMs,
        history: this.history,
        seeds: task.ring.nodes.slice(0, seedsMax),
        observers: [supervisorThread],
      },
      mendEveryMs: task.mendEveryMs,
      travelMsMax: travelMsOf(task.reapAfterMs),
      reapAfterMs: task.reapAfterMs,
      life: {
        incarnation,
        stampFloor,
        catchUp: verdict.since === undefined ? undefined : { since: verdict.since, copies: task.copies },
        volatile,
      },
      storage: this.storage(trees, sequence),
      peers: () => transport.status.sequences(),
      serving: new ServingNotes(
        new ServingTable(task.shared.serving, task.shared.partitions),
        task.node,
        task.generation,
      ),
    }
    const host = new Host(ports, { supervisor: false })
    const self = singleAddress('host', task.node)
    const ring = ringFromJson(task.ring)
    host.receive({ to: self, from: self, request: 0, deadline: 0, message: { type: 'ring-changed', ring } })
    // The supervisor's word comes by another mailbox than requests do, and may be the later: a node knows
    // from birth who lives.
    const nodes = transport.status.living().map((view) => ({ ...view, state: 'up' }) as const)
    const message = { type: 'nodes-changed', version: 0, nodes } as const
    host.receive({ to: self, from: self, request: 0, deadline: 0, message })
    transport.status.setCounter(task.node, 'ringEpoch', ring.epoch)
    transport.status.setCounter(task.node, 'incarnation', incarnation)
    transport.status.setCounter(task.node, 'stampFloor', stampFloor)
    this.host = host
    this.loop = new Loop(task.shared, task.node, host, transport, (error) => this.fail(error))
    this.stopReporting = beginReporting(transport.status, task.node, host, this.memory, () =>
      this.highWater?.sync(),
    )
    this.loop.wake()
  }

  private storage(trees: Trees, sequence: number): HostStorage {
    const { memory, store, highWater, isLogged } = this
    return {
      memory,
      store: store as Store,
      highWater: highWater as HighWater,
      trees,
      sequence,
      logged: isLogged,
    }
  }

  /** A life that has not begun yet has its mailboxes from before this thread was there. */
  private connect(wire: Wire): void {
    if (this.transport === undefined) this.wires.push(wire)
    this.transport?.connect(wire)
    // It may have written already.
    this.loop?.wake()
  }

  private operateHints(owner: NodeId, what: 'pause' | 'resume' | 'drop'): void {
    const to = singleAddress('courier', this.task.node)
    const message =
      what === 'drop'
        ? ({ type: 'drop-hints', owner } as const)
        : ({ type: 'pause-hints', owner, paused: what === 'pause' } as const)
    this.host?.receive({ to, from: to, request: 0, deadline: 0, message })
    this.loop?.wake()
  }

  private async drain(): Promise<void> {
    const { host, store } = this
    // A copy for the last of n replicas may still be on its way when the client has its answer.
    await this.loop?.settle(settleMsMax)
    if (host?.journal !== undefined && store !== undefined) {
      const { journal } = host
      await new Promise<void>((resolve, reject) => {
        journal.drain((error) => (error === undefined ? resolve() : reject(error)))
      })
    }
    this.loop?.stop()
    this.stopReporting()
    if (store !== undefined) await closeStore(store)
    this.highWater?.sync()
    this.highWater?.close()
    // After the answer has left: the port closes with the task.
    setImmediate(() => {
      this.task.port.close()
      this.finished()
    })
  }

  private fail(error: Error): void {
    this.loop?.stop()
    this.stopReporting()
    this.failed(error)
    // Crash-only: an error that nobody catches ends the thread, and with it every handle of the store.
    setImmediate(() => {
      throw error
    })
  }
}
