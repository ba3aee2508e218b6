// What the tests of the command share: the process it is, its lines, and a plain socket that says commands
// in the Redis protocol and waits for their answers. What is started is ended when the test is over.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import RedisParser from 'redis-parser'
import { expect, onTestFinished } from 'vitest'

const command = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export function temporary(): string {
  const dir = mkdtempSync(join(tmpdir(), 'ringspun-cli-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command to its end. */
export function ringspun(...args: readonly string[]): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
    encoding: 'utf8',
    timeout: 30_000,
  })
  return { status, stdout, stderr }
}

export interface Serving {
  readonly child: ChildProcess
  readonly host: string
  readonly port: number
  readonly nodes: number
  readonly pid: number
  readonly stdout: () => string
  readonly stderr: () => string
  /** Sends a signal and answers how the process ended. */
  end(signal: NodeJS.Signals): Promise<Ended>
}

const readyLine = /^ringspun ready resp=([^ ]+):(\d+) nodes=(\d+) pid=(\d+)(?: socket=.*)?\n/

/** Begins to serve on a free port; fails with what the process said when it ends instead. */
export async function serve(...args: readonly string[]): Promise<Serving> {
  const child = spawn(process.execPath, [command, 'serve', '--port', '0', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let stdout = ''
  let stderr = ''
  const exit = once(child, 'close')
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ready = await new Promise<RegExpExecArray>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      const found = readyLine.exec(stdout)
      if (found !== null) resolve(found)
    })
    void exit.then(([status]) => reject(new Error(`ended with ${status}: ${stderr}`)))
  })
  const [, host, port, nodes, pid] = ready as unknown as [string, string, string, string, string]
  return {
    child,
    host,
    port: Number(port),
    nodes: Number(nodes),
    pid: Number(pid),
    stdout: () => stdout,
    stderr: () => stderr,
    end: async (signal) => {
      child.kill(signal)
      const [status] = (await exit) as [number | null]
      return { status, stdout, stderr }
    },
  }
}

/** A connection that speaks the Redis protocol: as many commands at once as wanted, answers in order. */
export class Connection {
  private readonly socket: Socket
  private readonly waiting: { resolve: (reply: unknown) => void; reject: (error: Error) => void }[] = []

  private constructor(socket: Socket) {
    this.socket = socket
    const take = () => this.waiting.shift()
    const parser = new RedisParser({
      returnReply: (reply: unknown) => take()?.resolve(reply),
      returnError: (error: Error) => take()?.reject(error),
      returnFatalError: (error: Error) => take()?.reject(error),
    })
    socket.on('data', (chunk) => parser.execute(chunk))
    const closed = () => {
      for (const { reject } of this.waiting.splice(0)) reject(new Error('the connection was closed'))
    }
    socket.on('close', closed)
    socket.on('error', closed)
  }

  static async open(at: number | string): Promise<Connection> {
    const socket = typeof at === 'string' ? connect(at) : connect({ host: '127.0.0.1', port: at })
    await once(socket, 'connect')
    onTestFinished(() => {
      socket.destroy()
    })
    return new Connection(socket)
  }

  say(...parts: readonly string[]): Promise<unknown> {
    const bulk = parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`)
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) return reject(new Error('the connection was closed'))
      this.waiting.push({ resolve, reject })
      this.socket.write(`*${parts.length}\r\n${bulk.join('')}`)
    })
  }
}

/** Asserts an end with this exit code, nothing on standard output, and a sentence without a stack. */
export function expectRefused(ended: Ended, status: number, sentence: string | RegExp): void {
  expect({ status: ended.status, stdout: ended.stdout }).toEqual({ status, stdout: '' })
  expect(ended.stderr).toMatch(sentence)
  expect(ended.stderr).toMatch(/^ringspun: /m)
  expect(ended.stderr).not.toMatch(/^\s+at /m)
}
