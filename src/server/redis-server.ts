// The front door for clients of Redis: listens, lets in at most `connectionsMax` connections, and hands each
// to connection.ts. It speaks RESP2 and RESP3 over the public library (client/api.ts) and knows nothing of
// nodes, rings or mailboxes. No authentication and no TLS: it is meant for loopback and trusted networks.
//
// Closing is graceful: nothing new is taken, what is in flight is answered, then the connections end.

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Millis } from '../base/units.js'
import type { Cluster, GetResult } from '../client/api.js'
import type { ByteBucket, ServerState, Session, Statistics } from './commands/command.js'
import { singleValue } from './commands/strings.js'
import { commandTable } from './commands/table.js'
import { Connection, type ConnectionLimits, connectionLimits } from './connection.js'
import { CursorTable } from './cursors.js'
import { ReplyWriter } from './resp/writer.js'

export interface RedisServerOptions {
  readonly cluster: Cluster
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 6379; 0 picks a free one. */
  readonly port?: number
  /** Path of a Unix socket to listen on as well. Nothing may be there. */
  readonly socket?: string
  /** The longest bulk string that a request may have: the cluster's `valueBytesMax`, or at least a key. */
  readonly valueBytesMax?: number
  /** Default 1,024. One more is answered with an error and closed. */
  readonly connectionsMax?: number
  /** Whether RS.FAULT may hurt the cluster. Default false. */
  readonly faults?: boolean
  /** Bounds of each connection; what is left out keeps its default. */
  readonly limits?: Partial<ConnectionLimits>
  readonly log?: (level: 'info' | 'warn' | 'error', text: string) => void
}

export interface RedisServer {
  readonly host: string
  readonly port: number
  readonly socket: string | undefined
  /** Takes no more, answers what is in flight (for 5 seconds at most), and closes. The cluster stays open. */
  close(): Promise<void>
}

const checkEveryMs: Millis = 1_000
const closeMsMax: Millis = 5_000
const bucketHandlesMax = 1_024

export async function startRedisServer(options: RedisServerOptions): Promise<RedisServer> {
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  const { host, port } = await listen(server, options.host ?? '127.0.0.1', options.port ?? 6379)
  const sessions = new Map<number, Session>()
  const connections = new Map<number, Connection>()
  const state = makeState(options, { host, port }, sessions)
  const writer = new ReplyWriter()
  const bounds: ConnectionLimits = { ...connectionLimits, ...options.limits }
  let lastId = 0

  const connected = (socket: Socket) => {
    if (connections.size >= state.settings.connectionsMax) {
      state.statistics.connectionsRejected++
      reject(socket)
      return
    }
    state.statistics.connections++
    const session = makeSession(++lastId, socket, state, options.socket)
    const connection = new Connection(socket, session, writer, bounds)
    sessions.set(session.id, session)
    connections.set(session.id, connection)
    socket.on('close', () => {
      connection.destroy()
      sessions.delete(session.id)
      connections.delete(session.id)
    })
  }
  const servers: Server[] = []
  const serve = (listening: Server) => {
    servers.push(listening)
    listening.on('connection', connected)
    listening.on('error', (failure) => state.log('error', `redis: ${failure.message}`))
  }
  serve(server)
  const sweep = setInterval(() => {
    const now = Date.now()
    for (const connection of connections.values()) connection.check(now)
  }, checkEveryMs)
  sweep.unref()
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= closeGracefully(servers, connections, sweep)
    return closed
  }
  if (options.socket !== undefined) await listenOnSocket(options.socket, serve).catch(refuseAfter(close))
  return { host, port, socket: options.socket, close }
}

function listen(server: Server, host: string, port: number): Promise<{ host: string; port: number }> {
  return new Promise((resolve, fail) => {
    const onError = (cause: NodeJS.ErrnoException): void => {
      const reason = `cannot listen on ${host}:${port}: ${cause.code ?? cause.message}`
      const code = cause.code === 'EADDRINUSE' ? 'address-in-use' : 'option-invalid'
      fail(new RingspunError(code, reason, { host, port }, cause))
    }
    server.once('error', onError)
    try {
      server.listen({ host, port }, () => {
        server.removeListener('error', onError)
        const address = server.address() as AddressInfo
        resolve({ host: address.address, port: address.port })
      })
    } catch (cause) {
      // A port that is no port number.
      onError(cause as NodeJS.ErrnoException)
    }
  })
}

/** The operating system cuts off longer ones, or refuses them, each in its own way. */
const socketBytesMax = 103

function listenOnSocket(path: string, serve: (server: Server) => void): Promise<void> {
  const server = createServer({ allowHalfOpen: true })
  return new Promise<void>((resolve, fail) => {
    const bytes = Buffer.byteLength(path)
    if (bytes === 0 || bytes > socketBytesMax || path.includes('\0')) {
      const reason = `the path of a socket has 1 to ${socketBytesMax} bytes, got ${bytes}`
      return fail(new RingspunError('option-invalid', reason, { limit: socketBytesMax }))
    }
    const onError = (cause: NodeJS.ErrnoException): void => {
      const code = cause.code === 'EADDRINUSE' ? 'address-in-use' : 'option-invalid'
      const reason = `cannot listen on ${path}: ${cause.code ?? cause.message}`
      fail(new RingspunError(code, reason, { socket: path }, cause))
    }
    server.once('error', onError)
    server.listen(path, () => {
      server.removeListener('error', onError)
      serve(server)
      resolve()
    })
  })
}

function refuseAfter(close: () => Promise<void>): (error: unknown) => Promise<never> {
  return async (error) => {
    await close()
    throw error
  }
}

function makeState(
  options: RedisServerOptions,
  bound: { host: string; port: number },
  sessions: ReadonlyMap<number, Session>,
): ServerState {
  const { cluster } = options
  const handles = new Map<string, ByteBucket>()
  const statistics: Statistics = {
    connections: 0,
    connectionsRejected: 0,
    commands: 0,
    errors: 0,
    hits: 0,
    misses: 0,
    bytesIn: 0,
    bytesOut: 0,
  }
  return {
    cluster,
    bucket: cluster.bucket<Uint8Array>('default', { codec: 'bytes' }),
    bucketNamed(name) {
      let handle = handles.get(name)
      if (handle === undefined) {
        handle = cluster.bucket<Uint8Array>(name, { codec: 'bytes' })
        if (handles.size >= bucketHandlesMax) handles.clear()
        handles.set(name, handle)
      }
      return handle
    },
    commands: commandTable(),
    sessions,
    // Numbers of this life of the server are larger than those of any earlier one.
    cursors: new CursorTable(Math.floor(Date.now() / 1000) * 2 ** 20),
    statistics,
    settings: {
      ...bound,
      valueBytesMax: Math.max(options.valueBytesMax ?? cluster.options.valueBytesMax, limits.keyBytesMax),
      connectionsMax: options.connectionsMax ?? 1024,
      faults: options.faults ?? false,
    },
    startedAt: Date.now(),
    log: options.log ?? (() => {}),
    valueReply(result: GetResult<Uint8Array>) {
      if (result.values.length === 0) {
        statistics.misses++
        return null
      }
      statistics.hits++
      return singleValue(result.values)
    },
  }
}

function makeSession(id: number, socket: Socket, server: ServerState, path: string | undefined): Session {
  const now = Date.now()
  return {
    id,
    server,
    // As Redis has it: of a Unix socket there is the path, and 0.
    address: `${socket.remoteAddress ?? path ?? '?'}:${socket.remotePort ?? 0}`,
    localAddress:
      path !== undefined && socket.remoteAddress === undefined
        ? `${path}:0`
        : `${server.settings.host}:${server.settings.port}`,
    connectedAt: now,
    protocol: 2,
    name: '',
    libraryName: '',
    libraryVersion: '',
    lastCommandAt: now,
    lastCommand: '',
    replies: 'on',
    closing: false,
  }
}

function reject(socket: Socket): void {
  socket.on('error', () => {})
  socket.end('-ERR max number of clients reached\r\n', () => socket.destroy())
}

function closeGracefully(
  servers: readonly Server[],
  connections: ReadonlyMap<number, Connection>,
  sweep: NodeJS.Timeout,
): Promise<void> {
  return new Promise((resolve) => {
    const giveUp = setTimeout(() => {
      for (const connection of connections.values()) connection.destroy()
    }, closeMsMax)
    let open = servers.length
    for (const server of servers) {
      server.close(() => {
        if (--open > 0) return
        clearTimeout(giveUp)
        clearInterval(sweep)
        resolve()
      })
    }
    for (const connection of connections.values()) connection.drain()
  })
}
