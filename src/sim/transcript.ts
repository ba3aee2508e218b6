// What happened in a run, as lines that a person can read and as one number that two runs of a seed must
// share. The digest covers every line, also those that are no longer kept.

import { crc32 } from 'node:zlib'
import type { Address } from '../protocol/address.js'
import type { Envelope, Message } from '../protocol/envelope.js'

/** Lines kept of a long run. */
const linesMax = 100_000

export class Transcript {
  readonly lines: string[] = []
  private readonly kept: 'lines' | 'digest'
  private sum = 0
  private count = 0

  constructor(kept: 'lines' | 'digest' = 'lines') {
    this.kept = kept
  }

  envelope(at: number, envelope: Envelope): void {
    if (this.kept === 'lines') return this.note(at, describeEnvelope(envelope))
    const { from, to, request, message } = envelope
    this.count++
    // Who said what to whom, and when: cheap, and different as soon as anything is.
    const sum = Math.imul(this.sum ^ (at * 1000), 0x01000193) ^ (from.node * 256 + to.node)
    this.sum = Math.imul(sum ^ request ^ (message.type.length << 16), 0x85ebca6b) >>> 0
  }

  note(at: number, line: string): void {
    const text = `${at.toFixed(3)} ${line}`
    this.sum = crc32(text, this.sum)
    this.count++
    if (this.kept === 'lines' && this.lines.length < linesMax) this.lines.push(text)
  }

  /** The same for the same run, and only for it. */
  get digest(): string {
    return `${this.count}:${this.sum.toString(16).padStart(8, '0')}`
  }

  toString(): string {
    return this.lines.join('\n')
  }
}

export function describeEnvelope(envelope: Envelope): string {
  const request = envelope.request === 0 ? '' : ` #${envelope.request}`
  return `${name(envelope.from)} -> ${name(envelope.to)}${request} ${describeMessage(envelope.message)}`
}

function name(address: Address): string {
  return address.kind === 'vnode'
    ? `vnode ${address.node}/${address.partition}`
    : `${address.kind} ${address.node}`
}

function describeMessage(message: Message): string {
  switch (message.type) {
    case 'put':
      return `put ${printable(message.key)} ${message.change} w=${message.w} dw=${message.dw}`
    case 'put-answered':
      return `put-answered w=${message.stored} dw=${message.durable} ${message.level}`
    case 'get':
      return `get ${printable(message.key)} r=${message.r}`
    case 'get-answered':
      return `get-answered ${message.object?.siblings.length ?? 0} values`
    case 'replicate':
      return `replicate ${printable(message.key)} ${message.level}`
    case 'replicated':
      return `replicated ${message.level}`
    case 'fetch':
      return `fetch ${printable(message.key)}`
    case 'fetched':
      return `fetched ${message.object?.length ?? 'nothing'}${message.complete ? '' : ' incomplete'}`
    case 'walked':
      return `walked ${message.rows.length} rows${message.complete ? '' : ' incomplete'}`
    case 'nodes-changed':
      return `nodes-changed ${message.version} ${message.nodes.map((view) => `${view.node}:${view.state}:${view.generation}`).join(' ')}`
    default:
      return 'code' in message ? `${message.type} ${message.code}` : message.type
  }
}

function printable(key: string): string {
  return key.replaceAll('\0', '/')
}
