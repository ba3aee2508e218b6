// Opening: the data directory and what is in it, or a new one; the ring that was kept, or a new one; the cluster.

import { randomBytes } from 'node:crypto'
import { createRing, type Ring, ringFromJson, ringToJson } from '../ring/ring.js'
import { openDataDirectory } from '../storage/data-directory.js'
import { version } from '../version.js'
import type { AttachedCluster, Cluster as ClusterApi, ClusterHandle, ClusterOptions } from './api.js'
import { attach } from './attached.js'
import { LocalCluster } from './cluster.js'
import { foundingHistory, type Kept, readRing } from './membership.js'
import { checkClusterOptions } from './options.js'

const partitionsDefault = 256

/** The n of today may be another than when the ring was placed. */
function placedFor(ring: Ring, n: number): Ring {
  return ringFromJson({ ...ringToJson(ring), copies: Math.min(n, ring.nodes.length) })
}

async function open(options: ClusterOptions = {}): Promise<LocalCluster> {
  const asked = checkClusterOptions(options)
  const wanted = { nodes: options.nodes, partitions: asked.partitions, hash: asked.hash }
  const directory =
    asked.dir === undefined ? undefined : openDataDirectory(asked.dir, wanted, version, asked.nodes)
  try {
    for (const concern of directory?.concerns ?? []) asked.log('warn', concern)
    const identity = directory?.identity
    // A directory that was made before says how many nodes there are, unless somebody insists.
    const settings =
      identity === undefined ? asked : checkClusterOptions({ ...options, nodes: identity.nodes })
    const { n } = settings.defaults
    const nodes = Array.from({ length: settings.nodes }, (_, index) => index + 1)
    const found = readRing(directory)
    const ring =
      (found && placedFor(found.ring, n)) ??
      createRing({
        epoch: 1,
        partitions: identity?.partitions ?? settings.partitions ?? partitionsDefault,
        copies: n,
        nodes,
        hash: identity?.hash ?? settings.hash ?? 'halfsip',
        seed: identity?.seed ?? [randomBytes(4).readUInt32LE(0), randomBytes(4).readUInt32LE(0)],
      })
    const founding = found === undefined ? foundingHistory(nodes) : undefined
    const history = founding ?? (found as Kept).history
    const kept = { ring, history, settled: founding ?? (found as Kept).settled }
    const id = identity?.id ?? randomBytes(8).toString('hex')
    const cluster = new LocalCluster(settings, directory, kept, id)
    // How partitions were placed is kept: another version may place them otherwise.
    if (found === undefined) cluster.keepRing()
    await cluster.start()
    return cluster
  } catch (error) {
    directory?.close()
    throw error
  }
}

/**
 * A cluster of nodes on worker threads of this process.
 *
 * @example
 * await using cluster = await Cluster.open({ dir: './data', nodes: 4 })
 * const carts = cluster.bucket<Cart>('carts', { conflicts: 'siblings' })
 */
export const Cluster: {
  readonly open: (options?: ClusterOptions) => Promise<ClusterApi>
  /**
   * The cluster that another thread of this process has open, by the handle that it gave: the same buckets, with
   * mailboxes and reads out of shared memory of this thread's own. Ends with `close()`, with that thread, or with this.
   *
   * @example
   * const worker = new Worker('./worker.js', { workerData: cluster.handle() })
   * // worker.js
   * await using cluster = await Cluster.attach(workerData)
   */
  readonly attach: (handle: ClusterHandle) => Promise<AttachedCluster>
} = { open, attach }
export type Cluster = ClusterApi
