// The public face of ringspun; nothing else is exported.

export { type ErrorCode, type ErrorDetails, type Outcome, RingspunError } from './base/errors.js'
export type {
  Admin,
  Bucket,
  BucketOptions,
  BucketProperties,
  ClusterOptions,
  ClusterStatus,
  Comparison,
  ContextToken,
  Durability,
  Faults,
  GetResult,
  HintReport,
  KeyInput,
  NodeStatus,
  PutOptions,
  ReadOptions,
  RequestOptions,
  RingReport,
  ScanOptions,
  ScanPage,
  WriteOptions,
  WriteResult,
} from './client/api.js'
export { Cluster } from './client/cluster.js'
export { version } from './version.js'
export { checkMerge } from './versions/merge-function.js'
