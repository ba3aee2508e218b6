// What `cluster.status()` says of the nodes, read from shared memory: no node is asked, so a blocked one
// cannot hold it up.

import type { Millis, NodeId } from '../base/units.js'
import { preferenceList } from '../ring/preference.js'
import type { Ring } from '../ring/ring.js'
import type { StatusTable } from '../runtime/status-table.js'
import { now } from '../runtime/threads/clock.js'
import { slowMs } from '../runtime/threads/reporting.js'
import { version } from '../version.js'
import type { ClusterStatus, NodeStatus } from './api-status.js'
import type { ClientEnd } from './client-end.js'
import type { ClusterSettings } from './options.js'

export interface Described {
  readonly ring: Ring
  readonly settings: ClusterSettings
  readonly id: string
  readonly openedAt: Millis
}

/** The whole status, as the thread of `end` sees it. */
export function statusOf(end: ClientEnd, { ring, settings, id, openedAt }: Described): ClusterStatus {
  const { n, r, w, dw, durability } = settings.defaults
  const repairs = ring.nodes.map((node) => end.status.counter(node, 'readRepairs'))
  return {
    version,
    id,
    partitions: ring.partitions,
    epoch: ring.epoch,
    n,
    r,
    w,
    dw,
    durability,
    uptimeMs: Math.round(now() - openedAt),
    requestsInFlight: end.core.requests.inFlight,
    readRepairs: repairs.reduce((sum, each) => sum + each, end.host.readRepairs),
    nodes: readStatus(end.status, ring, n),
  }
}

function readStatus(status: StatusTable, ring: Ring, n: number): NodeStatus[] {
  const partitions = primaryPartitions(ring, n)
  const at = now()
  return ring.nodes.map((node) => {
    const counter = (name: Parameters<StatusTable['counter']>[1]) => status.counter(node, name)
    return {
      node,
      state: stateOf(status, node, at),
      generation: status.generation(node),
      partitions: partitions.get(node) ?? 0,
      complete: status.isComplete(node),
      puts: counter('puts'),
      gets: counter('gets'),
      replications: counter('replications'),
      turns: counter('turns'),
      commits: counter('commits'),
      fsyncs: counter('fsyncs'),
      queued: counter('queued'),
      objects: counter('objects'),
      bufferBytes: counter('bufferBytes'),
      dirtyBytes: counter('dirtyBytes'),
      heapBytes: counter('heapBytes'),
      hints: counter('hints'),
      hintBytes: counter('hintBytes'),
      hintsLost: counter('hintsLost'),
      compared: counter('compared'),
      mended: counter('mended'),
      reaped: counter('reaped'),
      loopDelayMs: counter('loopDelayMs'),
    }
  })
}

function stateOf(status: StatusTable, node: NodeId, at: number): NodeStatus['state'] {
  const state = status.state(node)
  if (state === 'up' || state === 'slow') return at - status.lastBeat(node) > slowMs ? 'slow' : 'up'
  if (state === 'dead' || state === 'none') return 'down'
  return state
}

/** Of how many partitions each node is one of the first n. */
export function primaryPartitions(ring: Ring, n: number): Map<NodeId, number> {
  const counts = new Map<NodeId, number>()
  for (let partition = 0; partition < ring.partitions; partition++) {
    for (const node of preferenceList(ring, partition).slice(0, n))
      counts.set(node, (counts.get(node) ?? 0) + 1)
  }
  return counts
}
