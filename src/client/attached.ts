// A cluster that another thread of this process has open, used from this one: with mailboxes, a gateway and reads
// out of shared memory of its own, so that no request passes through the other thread. What only the one who opened
// it can do (members, faults, an orderly end) stays there.

import { RingspunError } from '../base/errors.js'
import { supervisorThread } from '../protocol/address.js'
import type { NodesChanged } from '../protocol/life.js'
import { travelMsOf } from '../protocol/reap.js'
import { type Ring, ringFromJson } from '../ring/ring.js'
import { call, type MessagePort, ownThreadId } from '../runtime/threads/rendezvous.js'
import type { SharedState } from '../runtime/threads/shared.js'
import type { AttachedCluster, Bucket, BucketOptions, BucketProperties } from './api.js'
import type { ClusterStatus } from './api-status.js'
import { ClusterBucket } from './bucket.js'
import { Buckets } from './buckets.js'
import { ClientEnd } from './client-end.js'
import { checkHandle, type FromAttached, type ToAttached, type Welcome } from './handle.js'
import { type ClusterSettings, checkBucketOptions, logToStandardError, publicOptions } from './options.js'
import { statusOf } from './status.js'

const settleMsMax = 10_000

class Attachment implements AttachedCluster {
  readonly options: AttachedCluster['options']
  private readonly port: MessagePort
  private readonly settings: ClusterSettings
  private readonly buckets_: Buckets
  private readonly end: ClientEnd
  private readonly shared: SharedState
  private readonly welcome: Welcome
  /** As it was at the beginning. */
  private readonly ring: Ring
  /** What was asked of the thread that has the cluster open, by number. */
  private readonly asked = new Map<number, () => void>()
  private lastCall = 0
  private closing: Promise<void> | undefined
  private readonly closed: Promise<void>

  constructor(port: MessagePort, welcome: Welcome) {
    this.port = port
    this.welcome = welcome
    const ring = ringFromJson(welcome.ring)
    this.ring = ring
    const settings = { ...welcome.settings, log: logToStandardError }
    this.settings = settings
    this.options = publicOptions(settings, ring)
    this.buckets_ = new Buckets(settings, undefined)
    for (const [name, given] of welcome.buckets) this.buckets_.set(name, given)
    this.shared = sharedOf(welcome)
    const { thread, generation, messageBytesMax } = welcome
    this.end = new ClientEnd({
      shared: this.shared,
      thread,
      generation,
      messageBytesMax,
      ring,
      routing: settings.routing,
      isSupervisor: false,
      travelMsMax: travelMsOf(settings.reapAfterMs),
      propertiesOf: (bucket) => this.buckets_.get(bucket),
      valueBytesMax: settings.valueBytesMax,
      log: settings.log,
    })
    if (welcome.nodes !== undefined) this.end.hear(welcome.nodes)
    this.closed = new Promise((resolve) => port.once('close', resolve))
  }

  hear(message: ToAttached): void {
    if (message.type === 'nodes') {
      for (const [node, memory] of message.memories) this.shared.memories[node] = memory
      this.end.hear(message.news)
      this.lose(message.news)
    } else if (message.type === 'ring') {
      this.end.hear({ type: 'ring-changed', ring: ringFromJson(message.ring) })
    } else if (message.type === 'wire') {
      this.end.transport.connect(message.wire)
    } else if (message.type === 'bucket') {
      this.buckets_.set(...message.bucket)
      this.asked.get(message.call)?.()
      this.asked.delete(message.call)
    }
  }

  /** Requests that were led by a node that is gone. */
  private lose({ nodes }: NodesChanged): void {
    for (const { node, state } of nodes) {
      if (state !== 'up' && state !== 'slow') this.end.core.requests.nodeLost(node)
    }
  }

  /** The other thread has closed the cluster, or has ended; or this one wants no more. */
  gone(): void {
    this.end.core.requests.close()
    this.end.stop()
    for (const done of this.asked.values()) done()
    this.asked.clear()
  }

  bucket<T = unknown>(name: string, options: BucketOptions<T> = {}): Bucket<T> {
    const properties = checkBucketOptions(options)
    if (this.buckets_.isNews(name, properties)) void this.set(name, properties)
    else this.buckets_.get(name)
    return new ClusterBucket<T>(this.end.core, name, options)
  }

  buckets(): readonly { readonly name: string; readonly properties: BucketProperties }[] {
    return this.buckets_.list()
  }

  async setBucket(name: string, properties: Partial<BucketProperties>): Promise<BucketProperties> {
    await this.set(name, checkBucketOptions(properties))
    return this.buckets_.get(name)
  }

  /** Here at once; resolves when the other thread has it too, and has kept it. */
  private set(name: string, properties: Partial<BucketProperties>): Promise<void> {
    this.buckets_.set(name, properties)
    const number = ++this.lastCall
    const message: FromAttached = { type: 'bucket', bucket: [name, properties], call: number }
    this.port.postMessage(message)
    return new Promise((resolve) => this.asked.set(number, resolve))
  }

  status(): ClusterStatus {
    const { id, openedAt } = this.welcome
    const ring = this.end.host.gateway.ring ?? this.ring
    return statusOf(this.end, { ring, settings: this.settings, id, openedAt })
  }

  close(): Promise<void> {
    this.closing ??= this.shut()
    return this.closing
  }

  private async shut(): Promise<void> {
    await this.end.settle(settleMsMax)
    this.end.stop()
    this.port.close()
    await this.closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** What is shared with the nodes, as far as this thread may see it. */
function sharedOf({ thread, wires, memories, shared, ring }: Welcome): SharedState {
  const mailboxes: (SharedArrayBuffer | undefined)[][] = []
  const own: (SharedArrayBuffer | undefined)[] = []
  for (const { other, out, into } of wires) {
    own[other] = out
    const row: (SharedArrayBuffer | undefined)[] = []
    row[thread] = into
    mailboxes[other] = row
  }
  mailboxes[supervisorThread] ??= []
  mailboxes[thread] = own
  return { ...shared, mailboxes, memories: [...memories], partitions: ring.partitions }
}

export async function attach(handle: unknown): Promise<AttachedCluster> {
  const { thread, name } = checkHandle(handle)
  if (thread === ownThreadId) {
    throw new RingspunError('handle-invalid', 'this thread has the cluster open: use that one')
  }
  const port = await call(thread, name, {})
  return new Promise((resolve, reject) => {
    let attachment: Attachment | undefined
    port.on('message', (message: ToAttached) => {
      if (attachment !== undefined) attachment.hear(message)
      else if (message.type === 'welcome') {
        attachment = new Attachment(port, message)
        resolve(attachment)
      } else if (message.type === 'refused') {
        reject(new RingspunError('too-many-clients', message.reason, { limit: message.limit }))
        port.close()
      }
    })
    port.once('close', () => {
      attachment?.gone()
      reject(new RingspunError('closed', 'the cluster of this handle is closed'))
    })
  })
}
