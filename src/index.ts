// The public face of ringspun; nothing else is exported.

export { type ErrorCode, type ErrorDetails, type Outcome, RingspunError } from './base/errors.js'
export type {
  Admin,
  Bucket,
  BucketOptions,
  BucketProperties,
  ChangeReport,
  ClusterOptions,
  ClusterStatus,
  Comparison,
  ContextToken,
  Durability,
  Faults,
  GetResult,
  HintReport,
  JoinOptions,
  KeyInput,
  NodeStatus,
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
export { Cluster } from './client/open.js'
export { version } from './version.js'
export { checkMerge } from './versions/merge-function.js'
