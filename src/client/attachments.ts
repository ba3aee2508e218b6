// Other threads of the application, seen from the one that opened the cluster: each that is attached has a number,
// mailboxes to every node, and a channel by which it hears what this thread hears. Its death closes the channel;
// then its life is fenced as a node's would be, and its number is free.
//
// Invariant: a number is given to the next thread only after the life of the one before is declared dead.

import { randomBytes } from 'node:crypto'
import { limits } from '../base/limits.js'
import type { NodeId } from '../base/units.js'
import type { NodesChanged, RingChanged } from '../protocol/life.js'
import { type Ring, ringToJson } from '../ring/ring.js'
import type { Machine } from '../runtime/threads/machine.js'
import { type MessagePort, offer, ownThreadId } from '../runtime/threads/rendezvous.js'
import { addClient, type SharedState, wireBetween } from '../runtime/threads/shared.js'
import type { ClusterHandle } from './api.js'
import type { Buckets } from './buckets.js'
import { type FromAttached, type GivenBucket, makeHandle, type ToAttached, type Welcome } from './handle.js'
import type { ClusterSettings } from './options.js'

interface Attached {
  readonly generation: number
  readonly port: MessagePort
  /** The memories that it has been given, by node. */
  readonly memories: (SharedArrayBuffer | undefined)[]
}

export interface AttachmentsOptions {
  readonly shared: SharedState
  readonly machine: Machine
  readonly settings: ClusterSettings
  readonly id: string
  readonly openedAt: number
  readonly messageBytesMax: number
  readonly buckets: Buckets
  readonly ring: () => Ring
  readonly view: () => NodesChanged | undefined
}

const firstThread = 1 + limits.nodesMax

export class Attachments {
  private readonly options: AttachmentsOptions
  private readonly name = randomBytes(16).toString('hex')
  private readonly attached = new Map<NodeId, Attached>()
  private withdraw: (() => void) | undefined

  constructor(options: AttachmentsOptions) {
    this.options = options
  }

  get size(): number {
    return this.attached.size
  }

  handle(): ClusterHandle {
    this.withdraw ??= offer(this.name, (port) => this.greet(port))
    return makeHandle(ownThreadId, this.name)
  }

  private greet(port: MessagePort): void {
    const { shared, machine } = this.options
    const thread = this.freeThread()
    if (thread === undefined) {
      const limit = limits.clientsMax
      say(port, { type: 'refused', reason: `${limit} threads are attached`, limit })
      // Closed by the other side, which would otherwise not hear it.
      return
    }
    const generation = machine.status.begin(thread)
    const client: Attached = { generation, port, memories: [] }
    this.attached.set(thread, client)
    port.on('close', () => this.gone(thread, client))
    port.on('message', (message: FromAttached) => this.hear(port, message))
    addClient(shared, thread)
    void Promise.all(machine.introduce(thread))
    this.welcome(thread, client)
  }

  private freeThread(): NodeId | undefined {
    for (let thread = firstThread; thread < firstThread + limits.clientsMax; thread++) {
      if (!this.attached.has(thread)) return thread
    }
    return undefined
  }

  private welcome(thread: NodeId, client: Attached): void {
    const { shared, settings, id, openedAt, messageBytesMax, buckets, ring, view } = this.options
    const { log: _log, ...plain } = settings
    const { status, bells, serving, links } = shared
    const wires = shared.mailboxes.flatMap((_, node) => wireBetween(shared, thread, node) ?? [])
    client.memories.push(...shared.memories)
    const welcome: Welcome = {
      type: 'welcome',
      thread,
      generation: client.generation,
      id,
      openedAt,
      settings: plain,
      messageBytesMax,
      ring: ringToJson(ring()),
      nodes: view(),
      buckets: buckets.allGiven(),
      wires: wires.filter(({ other }) => other !== 0),
      memories: shared.memories,
      shared: { status, bells, serving, links },
    }
    say(client.port, welcome)
  }

  private hear(port: MessagePort, { bucket, call }: FromAttached): void {
    const [name, given] = bucket
    this.options.buckets.set(name, given)
    say(port, { type: 'bucket', bucket, call })
  }

  /** Its channel is closed: it is dead, or wants no more. */
  private gone(thread: NodeId, client: Attached): void {
    if (this.attached.get(thread) !== client) return
    this.options.machine.status.fence(thread, client.generation)
    this.attached.delete(thread)
  }

  // ---- what this thread hears, all hear

  heard(message: NodesChanged | RingChanged): void {
    const { shared } = this.options
    for (const client of this.attached.values()) {
      if (message.type === 'ring-changed') {
        say(client.port, { type: 'ring', ring: ringToJson(message.ring) })
        continue
      }
      const memories: [NodeId, SharedArrayBuffer][] = []
      for (const { node } of message.nodes) {
        const memory = shared.memories[node]
        if (memory === undefined || client.memories[node] === memory) continue
        client.memories[node] = memory
        memories.push([node, memory])
      }
      say(client.port, { type: 'nodes', news: message, memories })
    }
  }

  /** A node is new, and has mailboxes for everybody. */
  joined(node: NodeId): void {
    for (const [thread, client] of this.attached) {
      const wire = wireBetween(this.options.shared, thread, node)
      if (wire !== undefined) say(client.port, { type: 'wire', wire })
    }
  }

  bucketSet(bucket: GivenBucket): void {
    for (const { port } of this.attached.values()) say(port, { type: 'bucket', bucket, call: 0 })
  }

  /** The cluster is closed: so is everybody's. */
  close(): void {
    this.withdraw?.()
    for (const [thread, client] of [...this.attached]) {
      this.gone(thread, client)
      client.port.close()
    }
  }
}

function say(port: MessagePort, message: ToAttached): void {
  port.postMessage(message)
}
