// The public face of ringspun; nothing else is exported.

export { type ErrorCode, type ErrorDetails, type Outcome, RingspunError } from './base/errors.js'
export type {
  Bucket,
  BucketOptions,
  BucketProperties,
  ClusterOptions,
  ClusterStatus,
  ContextToken,
  Durability,
  Faults,
  GetResult,
  KeyInput,
  NodeStatus,
  PutOptions,
  ReadOptions,
  RequestOptions,
  ScanOptions,
  ScanPage,
  WriteOptions,
  WriteResult,
} from './client/api.js'
export { Cluster } from './client/cluster.js'
export { version } from './version.js'
export { checkMerge } from './versions/merge-function.js'
