// The contract between the connections and the command families: what a command is, what it may see of its
// connection (Session) and of the server (ServerState). A family is one file with one table of commands and
// one line in table.ts.
//
// Invariant: a handler answers with a reply or a promise of one, and touches no socket. What it throws
// becomes an error reply (errors.ts). Order between commands is kept by the connection: see `order`.

import type { Millis } from '../../base/units.js'
import type { Bucket, Cluster, GetResult } from '../../client/api.js'
import type { CursorTable } from '../cursors.js'
import type { Reply } from '../resp/reply.js'
import type { ProtocolVersion } from '../resp/writer.js'

/** One command as its client sent it, name first. The buffers are views: they stay as they are. */
export type Arguments = readonly Buffer[]

/** Bytes in and out: what is stored is what the client sent. */
export type ByteBucket = Bucket<Uint8Array>

export interface Statistics {
  connections: number
  connectionsRejected: number
  commands: number
  errors: number
  hits: number
  misses: number
  bytesIn: number
  bytesOut: number
}

export interface ServerSettings {
  readonly host: string
  readonly port: number
  readonly valueBytesMax: number
  readonly connectionsMax: number
  /** Whether RS.FAULT is allowed. */
  readonly faults: boolean
}

export interface ServerState {
  readonly cluster: Cluster
  /** The bucket named `default`, which all commands of Redis work on. */
  readonly bucket: ByteBucket
  /** Throws RingspunError for a name that is none. */
  bucketNamed(name: string): ByteBucket
  readonly commands: CommandTable
  readonly sessions: ReadonlyMap<number, Session>
  readonly cursors: CursorTable
  readonly statistics: Statistics
  readonly settings: ServerSettings
  readonly startedAt: Millis
  readonly log: (level: 'info' | 'warn' | 'error', text: string) => void
  /** The reply of a GET: the value, null, or the error that there are several. Bound, to be passed to `then`. */
  readonly valueReply: (result: GetResult<Uint8Array>) => Reply
}

/** What one connection has agreed with its client. */
export interface Session {
  readonly id: number
  readonly server: ServerState
  readonly address: string
  readonly localAddress: string
  readonly connectedAt: Millis
  protocol: ProtocolVersion
  name: string
  libraryName: string
  libraryVersion: string
  lastCommandAt: Millis
  lastCommand: string
  /** CLIENT REPLY: `skip` becomes `on` with the next command. */
  replies: 'on' | 'off' | 'skip'
  /** Set by a handler (QUIT): the connection ends when the replies so far are sent. */
  closing: boolean
}

export interface Command {
  /** Lower case. */
  readonly name: string
  /** As Redis: arguments with the name, exactly, or at least when negative. */
  readonly arity: number
  /** As COMMAND INFO lists them. */
  readonly flags: readonly string[]
  /** As Redis: place of the first key, of the last (negative from the end), and the step. Left out: no keys. */
  readonly keys?: readonly [first: number, last: number, step: number]
  /** Place of the name of the bucket that the keys belong to; left out for the bucket `default`. */
  readonly bucketAt?: number
  /**
   * What the connection keeps apart. `read` and `write`: commands that touch the same key run in order, reads
   * beside reads, all others at once. `free`: runs at once. `alone`: runs when all before it are answered,
   * and holds up all after it.
   */
  readonly order: 'free' | 'read' | 'write' | 'alone'
  readonly run: (session: Session, args: Arguments) => Reply | Promise<Reply>
}

export type CommandTable = ReadonlyMap<string, Command>
