// The public face of ringspun; nothing else is exported.

export { type ErrorCode, type ErrorDetails, type Outcome, RingspunError } from './base/errors.js'
export type {
  Admin,
  AttachedCluster,
  Bucket,
  BucketOptions,
  BucketProperties,
  ChangeReport,
  ClusterHandle,
  ClusterOptions,
  Comparison,
  ContextToken,
  Durability,
  Faults,
  GetResult,
  HintReport,
  JoinOptions,
  KeyInput,
  Plan,
  PlanOptions,
  PutOptions,
  ReadOptions,
  RequestOptions,
  RingReport,
  ScanOptions,
  ScanPage,
  TransferReport,
  WriteOptions,
  WriteResult,
} from './client/api.js'
export type { ClusterStatus, NodeStatus } from './client/api-status.js'
export { Cluster } from './client/open.js'
export { version } from './version.js'
export { checkMerge } from './versions/merge-function.js'
