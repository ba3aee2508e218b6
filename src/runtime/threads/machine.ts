// The machine under the cluster: begins and ends the threads of nodes, and watches their hearts. It carries
// out what the supervisor decides and tells it what happened; it decides nothing.
//
// Each life of a node is one task of a Piscina pool of one thread. Before a thread is ended its life is
// declared dead in shared memory: receivers drop what it still manages to say (the fence).

import { MessageChannel, type Worker } from 'node:worker_threads'
import { Piscina } from 'piscina'
import { RingspunError } from '../../base/errors.js'
import type { Millis, NodeId } from '../../base/units.js'
import { supervisorThread } from '../../protocol/address.js'
import type { Ring } from '../../ring/ring.js'
import { ringToJson } from '../../ring/ring.js'
import { removeDirectory } from '../../storage/directories.js'
import { createObjectBuffer } from '../../storage/object-buffer-layout.js'
import { ServingTable } from '../serving-table.js'
import { StatusTable } from '../status-table.js'
import { now } from './clock.js'
import { type BeginReport, type OpenReport, type RemoteControl, wrapControl } from './control.js'
import { createNativeGate, NativeGate } from './native-gate.js'
import type { NodeTask } from './node-thread.js'
import { heartbeatMs, slowMs } from './reporting.js'
import { addNode, type SharedState, type Wire, wireBetween } from './shared.js'

/** The longest that opening a store may take: RocksDB replays its log at about 2 microseconds a record. */
const openMsMax: Millis = 120_000
const drainMsMax: Millis = 60_000
/** The same is not said more often. */
const hintsTellMs: Millis = 10_000
/** Of a node's thread. */
const heapMiBMax = 1_024

export interface MachineOptions {
  /** As it is when a life begins. */
  readonly ring: () => Ring
  readonly copies: () => number
  readonly nodeDirectory: ((node: NodeId) => string) | undefined
  readonly newborn: boolean
  readonly messageBytesMax: number
  /** A node is new: this thread can speak to it from here on. */
  readonly connect: (wire: Wire) => void
  /** And so can other threads of the application. */
  readonly joined: (node: NodeId) => void
  /** Of membership, as this thread knows it: what a new node begins with. */
  readonly history: () => Uint8Array
  readonly gossipEveryMs: Millis
  /** Pause of each node between two comparisons of replicas. */
  readonly mendEveryMs: Millis
  /** How long what is dead is kept at least. */
  readonly reapAfterMs: Millis
  /** Of each node, for objects. */
  readonly memoryBytes: number
}

export interface MachineEvents {
  readonly ready: (node: NodeId, generation: number, report: BeginReport) => void
  readonly exited: (node: NodeId, generation: number, error: Error | undefined) => void
  readonly slow: (node: NodeId, silentMs: Millis) => void
  readonly brisk: (node: NodeId) => void
  /** Hints of so many writes were refused, damaged or given up by this node in this life. */
  readonly hintsLost: (node: NodeId, count: number) => void
}

interface Life {
  readonly generation: number
  readonly pool: Piscina
  readonly control: RemoteControl
  /** Resolves when the thread is gone, and with it its hold on the store. */
  readonly gone: Promise<void>
  readonly worker: Worker | undefined
  readonly gate: NativeGate
  begun: boolean
  ending: boolean
}

/** Resolves when the thread may be ended: it is in no native call, or it is gone. */
function mayEnd({ gate, gone }: Life): Promise<void> {
  return Promise.race([gate.shut(), gone])
}

async function endThread(life: Life): Promise<void> {
  await mayEnd(life)
  await life.pool.destroy()
}

export class Machine {
  readonly status: StatusTable
  private readonly shared: SharedState
  private readonly options: MachineOptions
  private readonly events: MachineEvents
  private readonly lives = new Map<NodeId, Life>()
  private readonly slow = new Set<NodeId>()
  /** Whether the last life of a node that had begun was complete at its end; absent before the first. */
  private readonly wasComplete = new Map<NodeId, boolean>()
  private readonly watch: NodeJS.Timeout
  /** Nodes whose next life begins with nothing. */
  private readonly wiped = new Set<NodeId>()
  /** Nodes that were added while this process ran. */
  private readonly joined = new Set<NodeId>()
  /** Hints that a node has lost in this life, as far as anybody was told, and when. */
  private readonly hintsLost = new Map<NodeId, number>()
  private readonly hintsToldAt = new Map<NodeId, Millis>()
  private closing = false

  constructor(shared: SharedState, options: MachineOptions, events: MachineEvents) {
    this.shared = shared
    this.status = new StatusTable(shared.status)
    this.options = options
    this.events = events
    this.watch = setInterval(() => this.watchHearts(), heartbeatMs)
    this.watch.unref()
  }

  /** Begins all nodes: every store is opened before any of them takes up work, so that each can be told what the others remember of it. */
  async openAll(): Promise<void> {
    const { nodes } = this.options.ring()
    const reports = await Promise.all(nodes.map((node) => this.openNode(node)))
    const begun = nodes.map((node) => {
      let seen = 0
      for (const report of reports) seen = Math.max(seen, report.meta?.peers[node] ?? 0)
      return this.beginNode(node, seen)
    })
    await Promise.all(begun)
  }

  /** Begins a node anew after its death. Failures are reported as exits. */
  async spawn(node: NodeId): Promise<void> {
    if (this.closing) return
    try {
      await this.openNode(node)
      await this.beginNode(node, this.status.counter(node, 'sequence'))
    } catch (error) {
      // The exit of the thread reports it; a thread that did not exit is ended.
      this.kill(node, error as Error)
    }
  }

  private async openNode(node: NodeId): Promise<OpenReport> {
    await this.lives.get(node)?.gone
    const isWiped = this.wiped.delete(node)
    if (isWiped) this.empty(node)
    const life = this.begin(node, isWiped)
    return life.control.call((control) => control.open(), openMsMax)
  }

  private async beginNode(node: NodeId, peersSaw: number): Promise<void> {
    const life = this.lives.get(node) as Life
    const report = await life.control.call((control) => control.begin(peersSaw), openMsMax)
    if (life.ending) throw new RingspunError('node-failed', `node ${node} ended while it began`, { node })
    life.begun = true
    this.status.setState(node, 'up')
    this.events.ready(node, life.generation, report)
  }

  private begin(node: NodeId, isWiped: boolean): Life {
    const generation = this.status.begin(node)
    this.status.setState(node, 'starting')
    const { port1, port2 } = new MessageChannel()
    const pool = new Piscina({
      filename: new URL('./node-entry.cjs', import.meta.url).href,
      minThreads: 1,
      maxThreads: 1,
      concurrentTasksPerWorker: 1,
      atomics: 'disabled',
      // What a turn makes is dead after it: a large nursery means that the collector seldom finds it alive.
      // Objects are not in the heap: a node that needs this much has lost its way, and its end frees it.
      resourceLimits: { maxYoungGenerationSizeMb: 64, maxOldGenerationSizeMb: heapMiBMax },
    })
    // Piscina reports here what no task can be blamed for; the exit of the thread says the rest.
    pool.on('error', () => {})
    const worker = pool.threads[0]
    const gone = new Promise<void>((resolve) => {
      if (worker === undefined) resolve()
      else worker.once('exit', () => resolve())
    })
    const control = wrapControl(port1)
    const word = createNativeGate()
    const gate = new NativeGate(word)
    gate.watch()
    const life: Life = { generation, pool, control, gone, worker, gate, begun: false, ending: false }
    this.lives.set(node, life)
    const done = pool.run(this.task(node, generation, port2, word, isWiped), { transferList: [port2] })
    done.then(
      () => this.ended(node, life, undefined),
      (error: Error) => this.ended(node, life, error),
    )
    return life
  }

  private task(
    node: NodeId,
    generation: number,
    port: NodeTask['port'],
    gate: SharedArrayBuffer,
    isWiped: boolean,
  ): NodeTask {
    const { options } = this
    const wasComplete = this.wasComplete.get(node)
    return {
      node,
      generation,
      shared: this.shared,
      port,
      ring: ringToJson(options.ring()),
      copies: options.copies(),
      dir: options.nodeDirectory?.(node),
      gate,
      newborn:
        (options.newborn || this.joined.has(node)) &&
        wasComplete === undefined &&
        (!isWiped || this.joined.has(node)),
      predecessor: generation > 1 && !isWiped ? { wasComplete: wasComplete ?? false } : undefined,
      messageBytesMax: options.messageBytesMax,
      history: options.history(),
      gossipEveryMs: options.gossipEveryMs,
      mendEveryMs: options.mendEveryMs,
      reapAfterMs: options.reapAfterMs,
    }
  }

  /** The task of a life has ended, by itself or because its thread did. */
  private async ended(node: NodeId, life: Life, error: Error | undefined): Promise<void> {
    if (life.ending) return
    // The answer to the last drain may still be on its way.
    if (this.closing && error === undefined) return
    life.ending = true
    this.fence(node, life)
    life.control.end(new RingspunError('node-failed', `node ${node} has ended`, { node }, error))
    await endThread(life)
    await life.gone
    this.slow.delete(node)
    this.events.exited(node, life.generation, error)
  }

  private fence(node: NodeId, life: Life): void {
    if (life.begun && !this.status.isAlive(node, life.generation)) return
    if (life.begun) this.wasComplete.set(node, this.status.isComplete(node))
    this.status.fence(node, life.generation)
    this.status.setState(node, this.closing ? 'draining' : 'dead')
  }

  /** Ends the thread of a node at once, as a crash would. */
  kill(node: NodeId, _reason?: Error): void {
    const life = this.lives.get(node)
    if (life === undefined || life.ending) return
    this.fence(node, life)
    void mayEnd(life).then(() => life.worker?.terminate())
  }

  /** Ends the node and empties its directory and its memory: the next life begins with nothing and asks the others. */
  async wipe(node: NodeId): Promise<void> {
    const life = this.lives.get(node)
    this.wiped.add(node)
    this.kill(node)
    await life?.gone
  }

  /** Tells all nodes that live of a thread that is new. It may write to them at once: they look when they know it. */
  introduce(thread: NodeId): Promise<void>[] {
    return [...this.lives].map(async ([node, life]) => {
      const wire = wireBetween(this.shared, node, thread)
      if (wire === undefined || life.ending) return
      try {
        await life.control.call((control) => control.connect(wire), openMsMax)
      } catch {
        // It has died; its next life begins with all mailboxes.
      }
    })
  }

  /** Begins a node that is new: everybody can speak to it before it says anything. */
  async add(node: NodeId): Promise<void> {
    addNode(this.shared, node, this.options.memoryBytes)
    const own = wireBetween(this.shared, supervisorThread, node)
    if (own !== undefined) this.options.connect(own)
    await Promise.all(this.introduce(node))
    this.options.joined(node)
    this.joined.add(node)
    this.empty(node)
    await this.openNode(node)
    await this.beginNode(node, 0)
  }

  /** True for a node that was begun, whether or not it lives. */
  has(node: NodeId): boolean {
    return this.lives.has(node)
  }

  /** Ends a node that has nothing to do any more, in order, and forgets it. */
  async remove(node: NodeId): Promise<void> {
    const life = this.lives.get(node)
    this.lives.delete(node)
    this.slow.delete(node)
    if (life !== undefined && !life.ending) {
      life.ending = true
      if (life.begun) await life.control.call((control) => control.drain(), drainMsMax).catch(() => {})
      this.fence(node, life)
      life.control.end(new RingspunError('closed', `node ${node} has left the cluster`))
      await endThread(life)
      await life.gone
    }
    this.wasComplete.delete(node)
    this.joined.delete(node)
    this.status.setState(node, 'none')
    // What it kept for others it has delivered.
    new ServingTable(this.shared.serving, this.shared.partitions).forget(node)
    const dir = this.options.nodeDirectory?.(node)
    if (dir !== undefined) removeDirectory(dir)
  }

  private empty(node: NodeId): void {
    const dir = this.options.nodeDirectory?.(node)
    if (dir !== undefined) removeDirectory(dir)
    this.shared.memories[node] = createObjectBuffer(this.options.memoryBytes)
  }

  /** The node stays down; whoever looks at the status table can see that. */
  giveUp(node: NodeId): void {
    this.status.setState(node, 'failed')
  }

  /** Asks a node something over its control. */
  control(node: NodeId): RemoteControl | undefined {
    return this.lives.get(node)?.control
  }

  /** An orderly end of all nodes: flushed, fsynced, closed. Answers the errors of those that could not. */
  async drainAll(): Promise<Error[]> {
    this.closing = true
    clearInterval(this.watch)
    const errors: Error[] = []
    await Promise.all(
      [...this.lives].map(async ([node, life]) => {
        if (life.ending) return life.gone
        try {
          if (life.begun) await life.control.call((control) => control.drain(), drainMsMax)
        } catch (error) {
          errors.push(error as Error)
        }
        life.ending = true
        this.status.fence(node, life.generation)
        life.control.end(new RingspunError('closed', 'the cluster is closed'))
        await endThread(life)
        await life.gone
      }),
    )
    return errors
  }

  /** Ends every thread as it is. Crash-only: what was promised is safe. */
  async destroyAll(): Promise<void> {
    this.closing = true
    clearInterval(this.watch)
    for (const [node, life] of this.lives) {
      if (!life.ending) this.fence(node, life)
      life.ending = true
      life.control.end(new RingspunError('closed', 'the cluster is closed'))
    }
    await Promise.all([...this.lives.values()].map(endThread))
  }

  /** Says aloud that writes for a node that is away were not kept: until replicas are compared they are one copy short. */
  private watchHints(node: NodeId): void {
    const lost = this.status.counter(node, 'hintsLost')
    const known = this.hintsLost.get(node) ?? 0
    const isDue = now() > (this.hintsToldAt.get(node) ?? 0) + hintsTellMs
    if (lost < known) this.hintsLost.set(node, lost)
    if (lost <= known || !isDue) return
    this.hintsLost.set(node, lost)
    this.hintsToldAt.set(node, now())
    this.events.hintsLost(node, lost)
  }

  private watchHearts(): void {
    const at = now()
    for (const [node, life] of this.lives) {
      if (!life.begun || life.ending) continue
      this.watchHints(node)
      const silentMs = at - this.status.lastBeat(node)
      if (silentMs > slowMs && !this.slow.has(node)) {
        this.slow.add(node)
        this.events.slow(node, silentMs)
      } else if (silentMs <= slowMs && this.slow.delete(node)) {
        this.events.brisk(node)
      }
    }
  }
}
