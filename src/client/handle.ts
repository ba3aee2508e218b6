// What goes from the thread that opened a cluster to one that wants to use it too, and what the two say to each
// other on the channel that the second one opens with it. The handle is plain data: it goes through workerData or
// postMessage, as often as wanted.

import { RingspunError } from '../base/errors.js'
import type { NodeId } from '../base/units.js'
import type { NodesChanged } from '../protocol/life.js'
import type { RingJson } from '../ring/ring.js'
import type { Wire } from '../runtime/threads/shared.js'
import { version } from '../version.js'
import type { BucketProperties, ClusterHandle } from './api.js'
import { describe } from './keys.js'
import type { ClusterSettings } from './options.js'

/** Of the handle and of everything that is shared behind it: whoever has another one cannot be let near it. */
const format = 1

export function makeHandle(thread: number, name: string): ClusterHandle {
  return { kind: 'ringspun-cluster', format, version, thread, name }
}

export function checkHandle(handle: unknown): ClusterHandle {
  const found = handle as Partial<ClusterHandle> | null
  if (typeof found !== 'object' || found === null || found.kind !== 'ringspun-cluster') {
    const reason = `a handle is what cluster.handle() returns, got ${describe(handle)}`
    throw new RingspunError('handle-invalid', reason)
  }
  if (found.format !== format || found.version !== version) {
    const reason = `the handle is of ringspun ${String(found.version)}, format ${String(found.format)}`
    throw new RingspunError('handle-invalid', `${reason}; this is ${version}, format ${format}`)
  }
  if (!Number.isInteger(found.thread) || typeof found.name !== 'string') {
    throw new RingspunError('handle-invalid', 'the handle is damaged')
  }
  return found as ClusterHandle
}

export type GivenBucket = readonly [name: string, given: Partial<BucketProperties>]

/** Everything that an attached thread needs. */
export interface Welcome {
  readonly type: 'welcome'
  readonly thread: NodeId
  readonly generation: number
  readonly id: string
  readonly openedAt: number
  readonly settings: Omit<ClusterSettings, 'log'>
  readonly messageBytesMax: number
  readonly ring: RingJson
  readonly nodes: NodesChanged | undefined
  readonly buckets: readonly GivenBucket[]
  readonly wires: readonly Wire[]
  readonly memories: readonly (SharedArrayBuffer | undefined)[]
  readonly shared: {
    readonly status: SharedArrayBuffer
    readonly bells: SharedArrayBuffer
    readonly serving: SharedArrayBuffer
    readonly links: SharedArrayBuffer
  }
}

/** To the attached thread. */
export type ToAttached =
  | Welcome
  | { readonly type: 'refused'; readonly reason: string; readonly limit: number }
  /** What changed among the nodes, and the memories that are not those of before. */
  | {
      readonly type: 'nodes'
      readonly news: NodesChanged
      readonly memories: readonly (readonly [NodeId, SharedArrayBuffer])[]
    }
  | { readonly type: 'ring'; readonly ring: RingJson }
  | { readonly type: 'wire'; readonly wire: Wire }
  | { readonly type: 'bucket'; readonly bucket: GivenBucket; readonly call: number }

/** From the attached thread. `call`: a number that comes back when it is done and on disk. */
export type FromAttached = { readonly type: 'bucket'; readonly bucket: GivenBucket; readonly call: number }
