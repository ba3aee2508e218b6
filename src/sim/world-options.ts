// What a simulated world is made of. Everything that is left out is off.

import type { RareBranch } from '../actors/actor.js'
import type { Millis, NodeId } from '../base/units.js'
import type { RingHash } from '../ring/ring.js'
import type { Store } from '../storage/store.js'
import type { NetworkOptions } from './network.js'

export interface WorldOptions {
  readonly seed: number
  readonly nodes: number
  readonly n?: number
  readonly partitions?: number
  readonly memoryBytes?: number
  readonly network?: Partial<NetworkOptions>
  /** Pause of a node between two comparisons of replicas; none unless asked for. */
  readonly mendEveryMs?: Millis
  /** How long what is dead is kept at least, before it is forgotten; for ever unless asked for. */
  readonly reapAfterMs?: Millis
  /** How often a node speaks with another about membership and ring; never unless asked for. */
  readonly gossipEveryMs?: Millis
  /** How keys are hashed: 'halfsip' unless asked for. */
  readonly hash?: RingHash
  /** False: nobody has told the client's thread of the ring yet; `tellRing` does. */
  readonly knowsRing?: boolean
  /** A planted bug: nodes keep their incarnation over restarts. */
  readonly sameIncarnation?: boolean
  /** False: memory is not filled from the disks after a restart. */
  readonly warms?: boolean
  /** Lets a test put a faulty store before a node's disk. */
  readonly wrapStore?: (node: NodeId, store: Store) => Store
  /** What the transcript keeps: readable lines, or a digest alone, which costs far less. */
  readonly transcript?: 'lines' | 'digest'
  /** Makes the rare branches of the actors likely (Turn.rarely); never unless asked for. */
  readonly rarely?: (branch: RareBranch) => boolean
}
