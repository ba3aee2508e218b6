// Reads Redis requests (RESP2 and RESP3 send the same form: an array of bulk strings, or one inline line)
// from chunks of bytes, one request at a time, so that a connection may stop in the middle of a chunk.
//
// Invariants: however the bytes are cut into chunks, the requests and the errors are the same; no memory is
// taken for a declared length before the bytes have come; every byte is copied twice at most (only bulks that
// span chunks are copied at all, the others are views of their chunk). After a ProtocolError the stream has
// no meaning any more: the caller answers the error and closes.
//
// What the commands mean is left to commands/; how requests are held back to connection.ts.

import { splitInline } from './inline.js'

/** What Redis would answer before it closes the connection; the text follows "ERR Protocol error: ". */
export class ProtocolError extends Error {}

export interface ParserOptions {
  /** Bytes of one bulk string. Refused as soon as a longer one is declared. */
  readonly bulkBytesMax: number
  /** Bulk strings of one request. */
  readonly argumentsMax?: number
  /** Bytes of one request, all its bulk strings together. */
  readonly requestBytesMax?: number
}

const KiB = 1024
/** Bytes of an inline request or of a line with a count. */
const lineBytesMax = 64 * KiB
const argumentsMaxDefault = 1_048_576
const requestBytesMaxDefault = 256 * KiB * KiB

const carriageReturn = 13
const lineFeed = 10
const star = 42
const dollar = 36
const minus = 45
const zero = 48
const tlsHandshake = 22

/** `header` has not seen the end of its line. No count is as small as this. */
const incomplete = Number.MIN_SAFE_INTEGER
const empty = Buffer.alloc(0)

export class RequestParser {
  private readonly bulkBytesMax: number
  private readonly argumentsMax: number
  private readonly requestBytesMax: number
  private chunk: Buffer = empty
  private at = 0
  /** Chunks that came while the one before was not used up. */
  private readonly waiting: Buffer[] = []
  /** What has come of a line or bulk that spans chunks. */
  private gathered: Buffer = empty
  private gatheredLength = 0
  private arguments: Buffer[] = []
  /** Bulk strings that the request under way still lacks; 0 between requests. */
  private missing = 0
  /** Declared length of the bulk under way, or -1. */
  private bulkLength = -1
  /** Bytes of the bulk strings of the request that `next` returned last. */
  requestBytes = 0

  constructor(options: ParserOptions) {
    this.bulkBytesMax = options.bulkBytesMax
    this.argumentsMax = options.argumentsMax ?? argumentsMaxDefault
    this.requestBytesMax = options.requestBytesMax ?? requestBytesMaxDefault
  }

  /** Takes the next bytes of the stream. The chunk must not be changed afterwards: requests are views of it. */
  feed(chunk: Buffer): void {
    if (this.at >= this.chunk.length && this.waiting.length === 0) {
      this.chunk = chunk
      this.at = 0
    } else {
      this.waiting.push(chunk)
    }
  }

  /** True when a part of a request has come. */
  get isInside(): boolean {
    return this.missing > 0 || this.gatheredLength > 0
  }

  /** The next whole request (at least one argument), or undefined when more bytes are needed. Throws ProtocolError. */
  next(): Buffer[] | undefined {
    for (;;) {
      if (this.at >= this.chunk.length && !this.advance()) return undefined
      if (this.missing === 0) {
        const first = this.gatheredLength > 0 ? this.gathered[0] : this.chunk[this.at]
        if (first === star) this.startRequest()
        else {
          const parts = this.inline(first as number)
          if (parts !== undefined && parts.length > 0) return parts
        }
        continue
      }
      if (this.bulkLength < 0 && !this.startBulk()) continue
      const value = this.bulk()
      if (value === undefined) continue
      this.arguments.push(value)
      if (--this.missing === 0) return this.arguments
    }
  }

  private advance(): boolean {
    const chunk = this.waiting.shift()
    this.chunk = chunk ?? empty
    this.at = 0
    return chunk !== undefined
  }

  private startRequest(): void {
    const count = this.header('too big mbulk count string')
    if (count === incomplete) return
    if (Number.isNaN(count) || count > this.argumentsMax) throw new ProtocolError('invalid multibulk length')
    if (count <= 0) return
    this.missing = count
    this.arguments = []
    this.requestBytes = 0
  }

  private startBulk(): boolean {
    const first = (this.gatheredLength > 0 ? this.gathered[0] : this.chunk[this.at]) as number
    if (first !== dollar) {
      throw new ProtocolError(`expected '$', got '${String.fromCharCode(first)}'`)
    }
    const length = this.header('too big bulk count string')
    if (length === incomplete) return false
    if (Number.isNaN(length) || length < 0 || length > this.bulkBytesMax) {
      throw new ProtocolError('invalid bulk length')
    }
    this.requestBytes += length
    if (this.requestBytes > this.requestBytesMax) throw new ProtocolError('too big request')
    this.bulkLength = length
    return true
  }

  /** The number of a line `*3` or `$5`; NaN when it is none, `incomplete` when the line has not ended. */
  private header(tooLong: string): number {
    if (this.gatheredLength === 0) {
      const chunk = this.chunk
      let at = this.at + 1
      let value = 0
      let byte = chunk[at] as number
      const start = at
      // Nine digits are below 2^31; anything stranger than plain digits goes the slow way.
      while (byte >= zero && byte <= 57 && at - start < 9) {
        value = value * 10 + byte - zero
        byte = chunk[++at] as number
      }
      const digits = at - start
      if (byte === carriageReturn && chunk[at + 1] === lineFeed && digits > 0) {
        if (digits > 1 && chunk[start] === zero) return Number.NaN
        this.at = at + 2
        return value
      }
    }
    const line = this.line(tooLong)
    return line === undefined ? incomplete : strictInteger(line)
  }

  /** The next line without its line feed, gathered over chunks; undefined while it has not ended. */
  private line(tooLong: string): Buffer | undefined {
    const chunk = this.chunk
    const start = this.at
    const end = chunk.indexOf(lineFeed, start)
    const part = (end < 0 ? chunk.length : end) - start
    // The line feed is not counted, a carriage return is: the same for every way to cut the bytes.
    if (this.gatheredLength + part > lineBytesMax) throw new ProtocolError(tooLong)
    this.at = end < 0 ? chunk.length : end + 1
    if (end >= 0 && this.gatheredLength === 0) return chunk.subarray(start, end)
    this.gather(chunk, start, part, lineBytesMax)
    if (end < 0) return undefined
    return this.ungather()
  }

  private inline(first: number): Buffer[] | undefined {
    if (first === tlsHandshake) throw new ProtocolError('this port speaks plain RESP, not TLS')
    const line = this.line('too big inline request')
    if (line === undefined) return undefined
    const length = line.length
    const text = length > 0 && line[length - 1] === carriageReturn ? line.subarray(0, length - 1) : line
    const parts = splitInline(text)
    if (parts === undefined) throw new ProtocolError('unbalanced quotes in request')
    this.requestBytes = length
    return parts
  }

  /** The bulk under way without its line end, or undefined while it lacks bytes. */
  private bulk(): Buffer | undefined {
    const length = this.bulkLength
    const chunk = this.chunk
    const start = this.at
    const there = chunk.length - start
    if (this.gatheredLength === 0 && there >= length + 2) {
      this.at = start + length + 2
      this.bulkLength = -1
      expectLineEnd(chunk, start + length)
      return length === 0 ? empty : chunk.subarray(start, start + length)
    }
    const wanted = length + 2
    const part = Math.min(there, wanted - this.gatheredLength)
    this.gather(chunk, start, part, wanted)
    this.at = start + part
    if (this.gatheredLength < wanted) return undefined
    this.bulkLength = -1
    const value = this.ungather()
    expectLineEnd(value, length)
    return value.subarray(0, length)
  }

  /** Appends to what was gathered. The room doubles with what has come, never with what was promised. */
  private gather(source: Buffer, start: number, count: number, capacityMax: number): void {
    const length = this.gatheredLength + count
    if (length > this.gathered.length) {
      const capacity = Math.max(length, Math.min(capacityMax, Math.max(length * 2, 256)))
      const grown = Buffer.allocUnsafeSlow(capacity)
      this.gathered.copy(grown, 0, 0, this.gatheredLength)
      this.gathered = grown
    }
    source.copy(this.gathered, this.gatheredLength, start, start + count)
    this.gatheredLength = length
  }

  private ungather(): Buffer {
    const whole = this.gathered.subarray(0, this.gatheredLength)
    this.gathered = empty
    this.gatheredLength = 0
    return whole
  }
}

/** Redis skips two bytes here whatever they are; a stream that is out of step is better stopped at once. */
function expectLineEnd(bytes: Buffer, at: number): void {
  if (bytes[at] !== carriageReturn || bytes[at + 1] !== lineFeed) {
    throw new ProtocolError('expected CRLF after the bytes of a bulk string')
  }
}

/** The number after the first byte of a line that must end with a carriage return: no plus, no leading zero. */
function strictInteger(line: Buffer): number {
  const end = line.length - 1
  if (line[end] !== carriageReturn) return Number.NaN
  const negative = line[1] === minus
  const start = negative ? 2 : 1
  const digits = end - start
  if (digits < 1 || digits > 15 || (line[start] === zero && (digits > 1 || negative))) return Number.NaN
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = (line[at] as number) - zero
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return negative ? -value : value
}
