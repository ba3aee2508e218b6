// What the tests of the Redis door share: a server on a free port over a cluster, and a plain socket that
// says bytes and hears bytes. `ask` ends with a PING of its own making, so no test waits for a time.
// What it starts, it ends when the test is over.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Cluster } from '../../src/client/api.js'
import { type RedisServer, type RedisServerOptions, startRedisServer } from '../../src/server/redis-server.js'
import { type FakeCluster, fakeCluster } from './fake-cluster.js'

export interface Started<C extends Cluster> {
  readonly server: RedisServer
  readonly cluster: C
  readonly lines: string[]
}

export async function startServer<C extends Cluster = FakeCluster>(
  options: Partial<RedisServerOptions> = {},
): Promise<Started<C>> {
  const cluster = options.cluster ?? fakeCluster()
  const lines: string[] = []
  const server = await startRedisServer({
    host: '127.0.0.1',
    port: 0,
    log: (level, text) => lines.push(`${level}: ${text}`),
    ...options,
    cluster,
  })
  onTestFinished(() => server.close())
  return { server, cluster: cluster as C, lines }
}

/** An array of bulk strings, as clients send it. */
export function request(...parts: readonly (string | Uint8Array)[]): Buffer {
  const pieces: Buffer[] = [Buffer.from(`*${parts.length}\r\n`)]
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part)
    pieces.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'))
  }
  return Buffer.concat(pieces)
}

/** A command line of a test: words split at blanks, `""` for an empty one. */
export function words(line: string): string[] {
  return line.split(' ').map((word) => (word === '""' ? '' : word))
}

export class Client {
  readonly socket: Socket
  private heard: Buffer[] = []
  private heardLength = 0
  private wake: (() => void) | undefined
  closed = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.heard.push(chunk)
      this.heardLength += chunk.length
      this.wake?.()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      this.wake?.()
    })
  }

  static async open(server: { host: string; port: number }): Promise<Client> {
    const socket = connect({ ...server, noDelay: true })
    const client = new Client(socket)
    await once(socket, 'connect')
    onTestFinished(() => {
      socket.destroy()
    })
    return client
  }

  send(bytes: Uint8Array | string): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** What came so far, taken away. */
  taken(): string {
    const text = Buffer.concat(this.heard).toString('latin1')
    this.heard = []
    this.heardLength = 0
    return text
  }

  /** Waits until `count` bytes came and takes everything. */
  async hear(count: number): Promise<string> {
    while (this.heardLength < count && !this.closed) await this.more()
    return this.taken()
  }

  /** Waits until the server closed, and takes everything. */
  async hearEnd(): Promise<string> {
    while (!this.closed) await this.more()
    return this.taken()
  }

  /** Sends and answers the raw replies, which end where the reply to a mark of our own begins. */
  async ask(bytes: Uint8Array | string): Promise<string> {
    this.send(bytes)
    const mark = `mark-${Math.floor(Math.random() * 1e9)}`
    this.send(request('ECHO', mark))
    const end = Buffer.from(`$${mark.length}\r\n${mark}\r\n`)
    while (!this.closed && !this.lastHeard(end.length).equals(end)) await this.more()
    const text = this.taken()
    return text.endsWith(end.toString()) ? text.slice(0, -end.length) : text
  }

  /** The last `count` bytes that came, put together from the last chunks only. */
  private lastHeard(count: number): Buffer {
    let from = this.heard.length
    let bytes = 0
    while (from > 0 && bytes < count) bytes += (this.heard[--from] as Buffer).length
    return Buffer.concat(this.heard.slice(from)).subarray(-count)
  }

  private more(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve
    })
  }

  command(...parts: readonly (string | Uint8Array)[]): Promise<string> {
    return this.ask(request(...parts))
  }
}
