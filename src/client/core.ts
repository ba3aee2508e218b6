// What a bucket needs of its cluster: nothing about threads.

import type { Partition } from '../base/units.js'
import type { SharedReads } from '../runtime/shared-reads.js'
import type { BucketProperties } from './api.js'
import type { Pace } from './pace.js'
import type { Requests } from './requests.js'
import type { Secret } from './token.js'

export interface ClusterCore {
  readonly requests: Requests
  /** Reads without messages; undefined when requests are led elsewhere. */
  readonly shared: SharedReads | undefined
  readonly pace: Pace
  readonly secret: Secret
  readonly valueBytesMax: number
  readonly partitions: number
  /** Of `head` and `key`, one behind the other. */
  hash(key: string, head?: string): number
  propertiesOf(bucket: string): BucketProperties
}

export type PartitionCursor = {
  readonly partition: Partition
  readonly after: string
  readonly begunAt: number
}
