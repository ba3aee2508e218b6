// Writes replies as RESP2 or RESP3 into slabs that are never written twice: what `take` returns are views of
// them, handed to the socket as they are. Small values are copied once, into the slab; large ones are not
// copied at all but handed on between two views. One writer serves all connections of a server, because a
// flush is synchronous: it encodes the replies of one connection and takes them.

import { latin1Write } from '../../base/bytes.js'
import type { Reply } from './reply.js'

export type ProtocolVersion = 2 | 3

const slabBytes = 64 * 1024
/** From here on a value is handed on instead of copied. */
const referenceBytesMin = 8 * 1024
/** Enough for a type byte, the digits of any safe integer and two line ends. */
const headerBytesMax = 32

const plus = 43
const minus = 45
const colon = 58
const dollar = 36
const star = 42
const percent = 37
const tilde = 126
const greater = 62
const equals = 61

export class ReplyWriter {
  private slab = Buffer.allocUnsafeSlow(slabBytes)
  private start = 0
  private at = 0
  private pieces: Buffer[] = []
  /** Bytes written since the last `take`. */
  bytes = 0
  /** Errors written so far; whoever counts them sets it back. */
  errors = 0

  /** The bytes since the last take, in order. They must be written or dropped, never changed. */
  take(): readonly Buffer[] {
    this.closePiece()
    const pieces = this.pieces
    this.pieces = []
    this.bytes = 0
    return pieces
  }

  write(reply: Reply, protocol: ProtocolVersion): void {
    if (reply instanceof Uint8Array) this.bulk(reply)
    else if (typeof reply === 'number') this.header(colon, reply)
    else if (reply === null) this.raw(protocol === 3 ? '_\r\n' : '$-1\r\n')
    else if (typeof reply === 'string') this.text(dollar, reply)
    else if (Array.isArray(reply)) this.items(star, reply, protocol)
    else this.tagged(reply as Exclude<typeof reply, readonly Reply[]>, protocol)
  }

  private tagged(
    reply: Exclude<Reply, readonly Reply[] | string | number | null | Uint8Array>,
    protocol: ProtocolVersion,
  ): void {
    switch (reply.type) {
      case 'simple':
        if (reply.text === 'OK') this.raw('+OK\r\n')
        else this.line(plus, reply.text)
        return
      case 'error':
        this.errors++
        this.line(minus, reply.text)
        return
      case 'verbatim':
        if (protocol === 3) this.text(equals, `txt:${reply.text}`)
        else this.text(dollar, reply.text)
        return
      case 'map':
        this.header(protocol === 3 ? percent : star, reply.entries.length * (protocol === 3 ? 1 : 2))
        for (const [key, value] of reply.entries) {
          this.write(key, protocol)
          this.write(value, protocol)
        }
        return
      case 'set':
        this.items(protocol === 3 ? tilde : star, reply.items, protocol)
        return
      case 'push':
        this.items(protocol === 3 ? greater : star, reply.items, protocol)
        return
      case 'none':
    }
  }

  private items(type: number, items: readonly Reply[], protocol: ProtocolVersion): void {
    this.header(type, items.length)
    for (const item of items) this.write(item, protocol)
  }

  private bulk(value: Uint8Array): void {
    const length = value.length
    this.header(dollar, length)
    if (length >= referenceBytesMin) {
      this.handOn(value)
      this.raw('\r\n')
      return
    }
    this.reserve(length + 2)
    const slab = this.slab
    slab.set(value, this.at)
    const end = this.at + length
    slab[end] = 13
    slab[end + 1] = 10
    this.at = end + 2
    this.bytes += length + 2
  }

  private text(type: number, text: string): void {
    const bytes = Buffer.byteLength(text)
    this.header(type, bytes)
    if (bytes >= referenceBytesMin) {
      this.handOn(Buffer.from(text))
    } else {
      this.reserve(bytes)
      this.slab.write(text, this.at, 'utf8')
      this.at += bytes
      this.bytes += bytes
    }
    this.raw('\r\n')
  }

  /** A simple string or an error: one line, whatever the text contains. */
  private line(type: number, text: string): void {
    const clean = text.replace(/[\r\n]+/g, ' ')
    const bytes = Buffer.from(`${String.fromCharCode(type)}${clean}\r\n`)
    if (bytes.length >= referenceBytesMin) {
      this.handOn(bytes)
      return
    }
    this.reserve(bytes.length)
    this.slab.set(bytes, this.at)
    this.at += bytes.length
    this.bytes += bytes.length
  }

  /** A type byte, a whole number and a line end. */
  private header(type: number, value: number): void {
    this.reserve(headerBytesMax)
    const slab = this.slab
    const start = this.at
    let at = start
    slab[at++] = type
    if (value >= 0 && value < 10) {
      slab[at++] = 48 + value
    } else if (value > 0 && value < 0x7fff_ffff) {
      let digits = 2
      for (let bound = 100; value >= bound; bound *= 10) digits++
      let rest = value
      for (let place = at + digits - 1; place >= at; place--) {
        const next = (rest / 10) | 0
        slab[place] = 48 + rest - next * 10
        rest = next
      }
      at += digits
    } else {
      const text = String(value)
      latin1Write(slab, text, at)
      at += text.length
    }
    slab[at++] = 13
    slab[at++] = 10
    this.at = at
    this.bytes += at - start
  }

  /** A short text of plain ASCII, as it is. */
  private raw(text: string): void {
    this.reserve(text.length)
    latin1Write(this.slab, text, this.at)
    this.at += text.length
    this.bytes += text.length
  }

  private handOn(value: Uint8Array): void {
    this.closePiece()
    this.pieces.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength))
    this.bytes += value.length
  }

  private closePiece(): void {
    if (this.at === this.start) return
    this.pieces.push(this.slab.subarray(this.start, this.at))
    this.start = this.at
  }

  private reserve(count: number): void {
    if (this.at + count <= this.slab.length) return
    this.closePiece()
    this.slab = Buffer.allocUnsafeSlow(slabBytes)
    this.start = 0
    this.at = 0
  }
}
