// Asks a running server one thing over the Redis protocol and answers what it said, parsed: for the commands of
// the command line that look at a cluster or change it. What is not there, or is something else, is an error.

import { connect, type Socket } from 'node:net'
import { RingspunError } from '../base/errors.js'
import { type Arguments, type Option, wholeNumber } from './arguments.js'

/** Options that every command has which asks a server. */
export const serverOptions: readonly Option[] = [
  { name: 'host', value: 'HOST', help: 'address of the server', default: '127.0.0.1' },
  { name: 'port', value: 'PORT', help: 'its port', default: '7379' },
  { name: 'json', help: 'print what the server answers, as JSON' },
  { name: 'help', help: 'show this page' },
]

export interface Server {
  readonly host: string
  readonly port: number
}

export function serverOf(given: Arguments): Server {
  return {
    host: String(given['host'] ?? '127.0.0.1'),
    port: wholeNumber(given, 'port', 1, 65_535) ?? 7379,
  }
}

const replyBytesMax = 16 * 1024 * 1024
/** A comparison of all replicas may take a while before its first byte comes. */
const idleMsMax = 600_000
const connectMsMax = 5_000

/** The answer to a command: the parsed JSON of a bulk string, or the text of a simple one. */
export function ask(server: Server, words: readonly string[]): Promise<unknown> {
  const { host, port } = server
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host, port, timeout: connectMsMax }, () => {
      socket.setTimeout(idleMsMax)
      socket.write(encode(words))
    })
    let received = Buffer.alloc(0)
    const fail = (reason: string) => {
      socket.destroy()
      reject(new RingspunError('unavailable', `no ${wordOf(words)} from ${host}:${port}: ${reason}`))
    }
    socket.on('error', (error) => fail(error.message))
    socket.on('timeout', () => fail('it does not answer'))
    socket.on('end', () => fail('it closed the connection'))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length > replyBytesMax) return fail('the answer is too long')
      const reply = read(received)
      if (reply === undefined) return
      socket.removeAllListeners('end')
      socket.end()
      if (reply.kind === 'error') fail(reply.text)
      else if (reply.kind === 'simple') resolve(reply.text)
      else {
        try {
          resolve(JSON.parse(reply.text))
        } catch {
          fail('this is not a ringspun server')
        }
      }
    })
  })
}

function wordOf(words: readonly string[]): string {
  return (words[0] ?? '').replace('RS.', '').toLowerCase()
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
}

interface Read {
  readonly kind: 'bulk' | 'simple' | 'error'
  readonly text: string
}

/** One RESP bulk string, simple string or error; undefined while it is not whole. */
function read(bytes: Buffer): Read | undefined {
  const end = bytes.indexOf('\r\n')
  if (end < 0) return undefined
  const line = bytes.toString('utf8', 1, end)
  if (bytes[0] === 0x2d) return { kind: 'error', text: line }
  if (bytes[0] === 0x2b) return { kind: 'simple', text: line }
  if (bytes[0] !== 0x24) return { kind: 'bulk', text: '' }
  const length = Number(line)
  if (bytes.length < end + 2 + length + 2) return undefined
  return { kind: 'bulk', text: bytes.toString('utf8', end + 2, end + 2 + length) }
}
