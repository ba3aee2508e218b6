// One connection: takes requests from the parser, starts them, and sends the replies in the order of the
// requests. Commands run beside each other unless key-order.ts or their own `order` keeps them apart, so a
// pipeline is one wave, not a round trip per command. All replies that are ready go out in one write.
//
// Everything is bounded: requests in flight, their bytes, and the bytes of replies that wait. At a bound the
// connection stops taking requests, and reading. A client that never reads is closed
// once more than `outputBytesMax` wait for it and its socket took nothing for `outputStallMsMax`.
//
//   chunk -> parser -> start --(lane)--> run --> done --> encode in order --> one write
//
// What commands do is left to commands/, who may connect to redis-server.ts.

import type { Socket } from 'node:net'
import { latin1Slice } from '../base/bytes.js'
import type { Millis } from '../base/units.js'
import type { Command, Session } from './commands/command.js'
import { failureReply, printable, unknownCommand, wrongArity } from './commands/errors.js'
import { findCommand } from './commands/table.js'
import { KeyOrder } from './key-order.js'
import { ProtocolError, RequestParser } from './resp/parser.js'
import { error, type Reply, replyBytes } from './resp/reply.js'
import type { ReplyWriter } from './resp/writer.js'
import { type Slot, SlotQueue } from './slot.js'

const MiB = 1024 * 1024

export interface ConnectionLimits {
  /** Requests that are started and not yet answered. */
  readonly inFlightMax: number
  /** Bytes of those requests, and (by estimate) of the replies that they may bring. */
  readonly inFlightBytesMax: number
  /** Bytes of replies that may wait before no more requests are taken. */
  readonly outputPauseBytes: number
  /** Bytes of replies that may wait while the client reads nothing for `outputStallMsMax`. */
  readonly outputBytesMax: number
  readonly outputStallMsMax: Millis
  /** How long a request may take to come, from its first byte; one second more for each `requestBytesPerSecond`. */
  readonly requestMsMax: Millis
  readonly requestBytesPerSecond: number
  /** How long a connection that is being closed may go on sending before it is cut off. */
  readonly lingerMsMax: Millis
}

export const connectionLimits: ConnectionLimits = {
  inFlightMax: 1024,
  inFlightBytesMax: 8 * MiB,
  outputPauseBytes: MiB,
  outputBytesMax: 8 * MiB,
  outputStallMsMax: 10_000,
  requestMsMax: 60_000,
  requestBytesPerSecond: 64 * 1024,
  lingerMsMax: 2_000,
}

/** What a reply is expected to weigh before the connection has seen one. */
const replyBytesGuess = 64 * 1024

export class Connection {
  private readonly socket: Socket
  readonly session: Session
  private readonly limits: ConnectionLimits
  private readonly parser: RequestParser
  private readonly writer: ReplyWriter
  private readonly keys = new KeyOrder<Slot>()
  private readonly queue: SlotQueue
  /** The command that runs alone, from when it is taken until it is answered. */
  private alone: Slot | undefined
  private requestBytes = 0
  private waitingBytes = 0
  /** Jumps up with a large reply, sinks slowly: how many requests may be open depends on it. */
  private replyBytesExpected = replyBytesGuess
  /** A bound was hit: no requests are taken until half of what is open is answered. */
  private stalled = false
  private turnScheduled = false
  private inTurn = false
  private inputEnded = false
  private ended = false
  private endedAt: Millis = 0
  /** When the request that has come in part began to come, 0 when there is none, and its bytes so far. */
  private begunAt: Millis = 0
  private begunBytes = 0
  private handedBytes = 0
  private takenBytes = 0
  private progressAt: Millis = Date.now()
  private readonly turn = (): void => this.runTurn()

  constructor(socket: Socket, session: Session, writer: ReplyWriter, limits: ConnectionLimits) {
    this.socket = socket
    this.session = session
    this.writer = writer
    this.limits = limits
    this.parser = new RequestParser({ bulkBytesMax: session.server.settings.valueBytesMax })
    this.queue = new SlotQueue(
      (slot, reply) => this.finish(slot, reply),
      (slot, failure) => this.finish(slot, this.failure(slot, failure)),
    )
    socket.on('data', (chunk: Buffer) => this.take(chunk))
    socket.on('drain', this.turn)
    socket.on('end', () => {
      this.inputEnded = true
      this.runTurn()
    })
    // A reset by the client is its good right; `close` follows.
    socket.on('error', () => {})
  }

  /** Answers what is in flight, takes nothing more, and ends. */
  drain(): void {
    this.session.closing = true
    this.runTurn()
  }

  destroy(): void {
    this.session.closing = true
    this.ended = true
    this.socket.destroy()
  }

  /** Called about once a second: cuts off who does not read, or goes on sending after the end. */
  check(now: Millis): void {
    if (this.ended) {
      if (now - this.endedAt > this.limits.lingerMsMax) this.socket.destroy()
      return
    }
    if (this.isTooSlow(now)) return this.refuseLate()
    const taken = this.handedBytes - this.socket.writableLength
    if (taken !== this.takenBytes || this.socket.writableLength === 0) this.progressAt = now
    this.takenBytes = taken
    const waiting = this.waitingBytes + this.socket.writableLength
    if (waiting <= this.limits.outputBytesMax || now - this.progressAt < this.limits.outputStallMsMax) return
    this.session.server.log(
      'warn',
      `redis: closed ${this.session.address}: ${waiting} bytes of replies not read`,
    )
    this.destroy()
  }

  /** A request in part that goes on for ever would hold a connection, and what has come of it, for ever. */
  private isTooSlow(now: Millis): boolean {
    if (this.begunAt === 0 || this.session.closing) return false
    // While nothing is taken the delay is ours.
    if (this.stalled) this.begunAt = now
    const { requestMsMax, requestBytesPerSecond } = this.limits
    return now - this.begunAt > requestMsMax + (this.begunBytes / requestBytesPerSecond) * 1_000
  }

  private refuseLate(): void {
    this.begunAt = 0
    this.refuse(new ProtocolError('the request did not come to its end in time'))
    this.inTurn = false
    this.runTurn()
  }

  private take(chunk: Buffer): void {
    this.session.server.statistics.bytesIn += chunk.length
    this.begunBytes += chunk.length
    if (this.session.closing) return
    this.session.lastCommandAt = Date.now()
    this.parser.feed(chunk)
    this.runTurn()
  }

  /** Sends what is ready, takes requests while it may, sends again. Everything that happens ends here. */
  private runTurn(): void {
    this.turnScheduled = false
    if (this.inTurn || this.ended) return
    this.inTurn = true
    try {
      for (;;) {
        this.encode()
        this.stalled = !this.mayTake()
        if (this.stalled) break
        const args = this.parser.next()
        if (args === undefined) {
          if (this.begunAt === 0 && this.parser.isInside) this.begunAt = Date.now()
          break
        }
        this.begunAt = 0
        this.begunBytes = 0
        this.dispatch(args)
        if (this.ended) return
      }
    } catch (failure) {
      if (!(failure instanceof ProtocolError)) throw failure
      this.refuse(failure)
    } finally {
      this.inTurn = false
      this.send()
    }
    this.endIfDone()
    if (!this.ended && this.stalled !== this.socket.isPaused()) {
      if (this.stalled) this.socket.pause()
      else this.socket.resume()
    }
  }

  private mayTake(): boolean {
    if (this.session.closing || this.alone !== undefined) return false
    const { inFlightMax, inFlightBytesMax, outputPauseBytes } = this.limits
    const open = this.queue.length
    if (open === 0) return true
    const share = this.stalled ? 0.5 : 1
    return (
      open < inFlightMax * share &&
      open * this.replyBytesExpected < inFlightBytesMax * share &&
      this.requestBytes < inFlightBytesMax * share &&
      this.waitingBytes + this.socket.writableLength < outputPauseBytes * share
    )
  }

  private dispatch(args: readonly Buffer[]): void {
    const { session } = this
    const { server } = session
    server.statistics.commands++
    const first = args[0] as Buffer
    const name = latin1Slice(first, 0, Math.min(first.length, 65))
    const command = findCommand(server.commands, name)
    const slot = this.queue.push(args, this.parser.requestBytes)
    this.requestBytes += slot.requestBytes
    slot.silent = session.replies !== 'on'
    if (session.replies === 'skip') session.replies = 'on'
    if (command === undefined) {
      if (isHttp(name, args)) this.hangUp(args)
      else this.finish(slot, unknownCommand(args))
      return
    }
    session.lastCommand = command.name
    const { arity } = command
    if (arity < 0 ? args.length < -arity : args.length !== arity) {
      if (isHttp(name, args)) this.hangUp(args)
      else this.finish(slot, error(wrongArity(command.name)))
      return
    }
    slot.command = command
    if (command.order === 'alone') {
      this.alone = slot
      if (this.queue.head === slot) this.run(slot)
    } else {
      if (command.order !== 'free') this.enterLanes(slot, command, args)
      if (slot.blockedOn === 0) this.run(slot)
    }
  }

  private enterLanes(slot: Slot, command: Command, args: readonly Buffer[]): void {
    const keys = command.keys
    if (keys === undefined) return
    slot.write = command.order === 'write'
    const last = keys[1] < 0 ? args.length + keys[1] : keys[1]
    const bucket = command.bucketAt === undefined ? undefined : args[command.bucketAt]
    // The lanes of the bucket `default` have no prefix; a clash with another bucket only costs waiting.
    let prefix = ''
    if (bucket !== undefined) {
      const text = bucket.toString('latin1')
      if (text !== 'default') prefix = `${text}\0`
    }
    for (let at = keys[0]; at <= last; at += keys[2]) {
      const key = args[at] as Buffer
      const text = latin1Slice(key, 0, key.length)
      this.keys.enter(slot, prefix === '' ? text : prefix + text)
    }
  }

  private run(slot: Slot): void {
    const { session } = this
    const command = slot.command as Command
    const replies = session.replies
    slot.started = true
    let result: Reply | Promise<Reply>
    try {
      result = command.run(session, slot.args)
    } catch (failure) {
      result = this.failure(slot, failure)
    }
    // CLIENT REPLY and RESET are answered by what they switched to.
    if (session.replies !== replies) slot.silent = false
    if (result instanceof Promise) result.then(slot.resolve, slot.reject)
    else this.finish(slot, result)
  }

  private failure(slot: Slot, failure: unknown): Reply {
    return failureReply(failure, slot.command as Command, this.session.server.log)
  }

  private finish(slot: Slot, reply: Reply): void {
    slot.reply = reply
    slot.done = true
    const bytes = replyBytes(reply)
    slot.replyBytes = bytes
    this.waitingBytes += bytes
    const sinking = this.replyBytesExpected - (this.replyBytesExpected >>> 3)
    this.replyBytesExpected = Math.max(bytes, sinking)
    if (slot.lane !== undefined) {
      const ready = this.queue.ready
      const from = ready.length
      this.keys.leave(slot, ready)
      if (ready.length > from && from === 0) this.runReady(ready)
    }
    if (this.inTurn || this.turnScheduled || slot !== this.queue.head) return
    // After all promises that are settled now: their replies go out together.
    this.turnScheduled = true
    process.nextTick(this.turn)
  }

  /** Those that become ready meanwhile are added at the end of the same list: no recursion. */
  private runReady(ready: Slot[]): void {
    for (let i = 0; i < ready.length; i++) this.run(ready[i] as Slot)
    ready.length = 0
  }

  /** Moves the replies that are ready to the writer, in order, while the socket has room. */
  private encode(): void {
    const { queue, writer, session } = this
    for (;;) {
      const slot = queue.head
      if (slot === undefined) return
      if (!slot.done) {
        if (slot !== this.alone || slot.started) return
        this.run(slot)
        if (!slot.done) return
      }
      if (this.socket.writableLength + writer.bytes >= this.limits.outputPauseBytes) return
      if (!slot.silent) writer.write(slot.reply, session.protocol)
      this.waitingBytes -= slot.replyBytes
      this.requestBytes -= slot.requestBytes
      if (slot === this.alone) this.alone = undefined
      queue.shift()
    }
  }

  private send(): void {
    const { writer, socket } = this
    if (writer.bytes === 0) return
    const { statistics } = this.session.server
    statistics.bytesOut += writer.bytes
    statistics.errors += writer.errors
    writer.errors = 0
    this.handedBytes += writer.bytes
    const pieces = writer.take()
    if (this.ended || socket.destroyed) return
    if (pieces.length === 1) {
      socket.write(pieces[0] as Buffer)
      return
    }
    socket.cork()
    for (const piece of pieces) socket.write(piece)
    socket.uncork()
  }

  private endIfDone(): void {
    if (this.ended || this.queue.length > 0) return
    if (!this.session.closing && !(this.inputEnded && !this.stalled)) return
    this.session.closing = true
    this.ended = true
    this.endedAt = Date.now()
    this.socket.end()
    // What still comes is thrown away: closing on unread bytes would reset the connection under the reply.
    this.socket.resume()
  }

  private refuse(failure: ProtocolError): void {
    const slot = this.queue.push([], 0)
    this.session.closing = true
    this.inTurn = true
    this.finish(slot, error(`ERR Protocol error: ${failure.message}`))
    this.session.server.log('warn', `redis: protocol error from ${this.session.address}: ${failure.message}`)
    this.encode()
  }

  /** Somebody's browser was made to talk to this port: no answer that it could read, no command more. */
  private hangUp(args: readonly Buffer[]): void {
    this.session.server.log(
      'warn',
      `redis: closed ${this.session.address}: HTTP sent to the Redis port (${printable(args[0] as Buffer)})`,
    )
    this.destroy()
  }
}

function isHttp(name: string, args: readonly Buffer[]): boolean {
  const lower = name.toLowerCase()
  if (lower === 'post' || lower === 'host:') return true
  return args.length === 3 && (args[2] as Buffer).toString('latin1', 0, 7) === 'HTTP/1.'
}
