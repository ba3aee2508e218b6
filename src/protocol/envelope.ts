// What is sent, and which actor understands what: a message to the wrong kind of address is a compile
// error, and so is a case that a handler forgets.

import type { ErrorCode } from '../base/errors.js'
import type { Millis, RequestId } from '../base/units.js'
import type { Address, Kind } from './address.js'
import type { Cede, CedeDue, Ceded } from './cede.js'
import type {
  ChangeMembership,
  Gossip,
  GossipDue,
  GossipHistory,
  MembershipChanged,
  MembershipKept,
  MembershipNews,
  MembershipRefused,
} from './gossip.js'
import type {
  BeginChange,
  ClaimDue,
  Give,
  GiveBack,
  Giving,
  KeepRing,
  Receive,
  ReceiveDue,
  Received,
  ReceiveFailed,
  Receiving,
  RelayDue,
  Release,
  RingKept,
  Take,
  Taken,
  TakeRefused,
} from './handoff.js'
import type { DropHints, FetchKept, HintsDue, Keep, Kept, PauseHints } from './hint.js'
import type {
  GiveUp,
  NodeBrisk,
  NodeExited,
  NodeReady,
  NodeRemoved,
  NodeSlow,
  NodesChanged,
  Probe,
  Probed,
  RestartDue,
  RingChanged,
  Spawn,
} from './life.js'
import type { Fetch, Fetched, FetchFailed, Get, GetAnswered, GetFailed, RequestSweepDue } from './read.js'
import type { HintsAsk, HintsTold, Reap, ReapAsk, ReapDue, ReapTold } from './reap.js'
import {
  type Audit,
  type AuditAnswered,
  type AuditFailed,
  type ListAsk,
  type Listed,
  type ListTold,
  type MendDue,
  type MendWanted,
  nothingDone,
  type Sync,
  type SyncDue,
  type Synced,
  type SyncFailed,
  type SyncPush,
  type TreeAsk,
  type TreeTold,
} from './sync.js'
import type { RepairDue, RowsRead, Scan, ScanAnswered, ScanFailed, Walk, Walked, WalkFailed } from './walk.js'
import type {
  Put,
  PutAnswered,
  PutFailed,
  PutSweepDue,
  Replicate,
  Replicated,
  ReplicateFailed,
} from './write.js'

/** What every actor is told. */
export type News = NodesChanged | RingChanged

export type HostMessage = News | Probe | Probed | MembershipNews

export type HandoffMessage =
  | Receive
  | ReceiveDue
  | Giving
  | Taken
  | TakeRefused
  | Give
  | Take
  | RelayDue
  | Release
  | Cede
  | Ceded
  | CedeDue

export type VnodeMessage =
  | Put
  | Replicate
  | Replicated
  | ReplicateFailed
  | PutSweepDue
  | Fetch
  | Walk
  | Walked
  | WalkFailed
  | RowsRead
  | RepairDue
  | Sync
  | Synced
  | SyncDue
  | HandoffMessage
  | SyncFailed
  | SyncPush
  | TreeAsk
  | TreeTold
  | ListAsk
  | ListTold
  | Listed
  | Fetched
  | FetchFailed
  | ReapAsk
  | Reap
  | GiveBack
  | News

export type GatewayMessage =
  | Put
  | PutAnswered
  | PutFailed
  | Get
  | Fetched
  | FetchFailed
  | Kept
  | Replicated
  | ReplicateFailed
  | Scan
  | Walked
  | WalkFailed
  | Audit
  | Synced
  | RequestSweepDue
  | News

export type CourierMessage =
  | Keep
  | FetchKept
  | Replicated
  | ReplicateFailed
  | RowsRead
  | HintsDue
  | PauseHints
  | DropHints
  | HintsAsk
  | News

export type MenderMessage = MendDue | MendWanted | Synced | News
export type ReaperMessage = ReapDue | ReapTold | HintsTold | RowsRead | News
export type GossipMessage = Gossip | GossipHistory | GossipDue | ChangeMembership | MembershipKept | News

export type ClientMessage =
  | PutAnswered
  | PutFailed
  | GetAnswered
  | GetFailed
  | ScanAnswered
  | ScanFailed
  | AuditAnswered
  | AuditFailed
  | MembershipChanged
  | MembershipRefused

export type SupervisorMessage = NodeReady | NodeExited | NodeRemoved | NodeSlow | NodeBrisk | RestartDue

export type MachineMessage = Spawn | GiveUp | KeepRing

export type ClaimantMessage = BeginChange | RingKept | Received | ReceiveFailed | Receiving | ClaimDue | News

export interface Protocol {
  readonly vnode: VnodeMessage
  readonly gateway: GatewayMessage
  readonly client: ClientMessage
  readonly supervisor: SupervisorMessage
  readonly machine: MachineMessage
  readonly host: HostMessage
  readonly courier: CourierMessage
  readonly mender: MenderMessage
  readonly claimant: ClaimantMessage
  readonly reaper: ReaperMessage
  readonly gossip: GossipMessage
}

export type Message = Protocol[Kind]

export interface Envelope<M = Message> {
  readonly to: Address
  readonly from: Address
  /** Of the requester; an answer carries it back. 0 where nobody waits for one. */
  readonly request: RequestId
  /** After it nobody waits for an answer any more: work that has not begun is dropped. 0 for never. */
  readonly deadline: Millis
  readonly message: M
}

/**
 * An envelope made by a constructor, for what thousands of are open at once: a literal would be made in the old
 * generation of the heap from some day on, with all that it holds (docs/decisions/puts.md).
 */
export class Letter<M = Message> implements Envelope<M> {
  readonly to: Address
  readonly from: Address
  readonly request: RequestId
  readonly deadline: Millis
  readonly message: M

  constructor(to: Address, from: Address, request: RequestId, deadline: Millis, message: M) {
    this.to = to
    this.from = from
    this.request = request
    this.deadline = deadline
    this.message = message
  }
}

/**
 * The answer that a request gets when its addressee cannot do it (mailbox full, node down, deadline passed
 * before the work began). Undefined for messages that nobody waits for an answer to.
 */
export function refusalOf(message: Message, code: ErrorCode): Message | undefined {
  switch (message.type) {
    case 'put':
      return { type: 'put-failed', code, details: {} }
    case 'get':
      return { type: 'get-failed', code, details: {} }
    case 'scan':
      return { type: 'scan-failed', code, details: {} }
    case 'replicate':
    case 'keep':
      return { type: 'replicate-failed', code }
    case 'fetch':
    case 'fetch-kept':
      return { type: 'fetch-failed', code }
    case 'walk':
      return { type: 'walk-failed', code }
    case 'audit':
      return { type: 'audit-failed', code }
    case 'tree-ask':
    case 'list-ask':
      return { type: 'sync-failed', code }
    case 'sync':
      return { type: 'synced', peer: message.peer, report: nothingDone, failure: code }
    case 'change-membership':
      return { type: 'membership-refused', code, details: {} }
    default:
      return undefined
  }
}

/** True for a message that its addressee answers: silence after it means something. */
export function asksForAnswer(message: Message): boolean {
  switch (message.type) {
    case 'put':
    case 'replicate':
    case 'keep':
    case 'fetch':
    case 'fetch-kept':
    case 'walk':
    case 'tree-ask':
    case 'list-ask':
    case 'change-membership':
    case 'probe':
      return true
    default:
      return false
  }
}
