// A bounded mailbox: a ring of bytes in shared memory, one producer, one consumer, one per ordered pair of
// threads. It lives as long as the cluster; either end may die at any instruction and be replaced, because all
// that an end believes of the other is one published position. Frames carry the life of their sender and the
// life they are meant for: what is from a dead life, or for one, is dropped (the fence).
//
//   header: tail, head (each on its own cache line)     frame: u32 length | flag, u16 from, u16 to, payload, pad to 8
//
// What is larger than a quarter of the ring goes in pieces, in order with everything else. What finds no room
// waits in the outbox of the producer: bounded for requests; answers always fit, since requests are bounded.
// Who is alive, and waking the other end, is left to others. See docs/decisions/mailbox.md.

import { assert } from '../base/assert.js'
import { freshBytes } from '../base/bytes.js'

const headerBytes = 256
const tailWord = 0
const headWord = 32
const frameHeader = 8
/** Set in the length word of a frame that is a piece of a larger message. */
const pieceFlag = 0x8000_0000 | 0
/** A length word of its own: the next frame lies at the start of the ring. */
const jumpMark = -1
/** A piece begins with the total length and its own offset. */
const pieceHeader = 8
/** Below this many bytes, copying by words beats the native copy, whose call costs 60 ns. */
const wordCopyMax = 384
/** What a queued message takes beside its bytes: counted, so that many tiny ones are bounded too. */
const queuedOverhead = 256

/** 'sent': in the ring, visible with the next publish. 'queued': a copy waits in order. 'full': nothing was kept. */
export type Pushed = 'sent' | 'queued' | 'full'

/** `bytes` of room for frames: a power of two, 256 to 2^30. */
export function createMailbox(bytes: number): SharedArrayBuffer {
  assert(bytes >= 256 && bytes <= 2 ** 30 && (bytes & (bytes - 1)) === 0, 'a mailbox is a power of two')
  return new SharedArrayBuffer(headerBytes + bytes)
}

function padded(length: number): number {
  return (length + 7) & ~7
}

interface Ring {
  readonly words: Int32Array
  readonly bytes: Buffer
  readonly view: DataView
  readonly size: number
  readonly mask: number
}

function ringOf(memory: SharedArrayBuffer): Ring {
  const size = memory.byteLength - headerBytes
  return {
    words: new Int32Array(memory, 0, headerBytes / 4),
    bytes: Buffer.from(memory, headerBytes, size),
    view: new DataView(memory, headerBytes, size),
    size,
    mask: size - 1,
  }
}

/** A message that waits. Its byte i is `bytes[i - base]`: of one that goes in pieces only the rest is kept. */
interface Queued {
  readonly from: number
  readonly to: number
  readonly length: number
  bytes: Uint8Array
  base: number
  /** How much of it is in the ring already, when it goes in pieces. */
  sent: number
}

/** The producer's end. One per ring and life; a new life goes on from the published tail. */
export class MailboxWriter {
  private readonly ring: Ring
  private readonly outboxBytesMax: number
  private readonly pieceMax: number
  private outbox: (Queued | undefined)[] = []
  private outboxHead = 0
  private outboxBytes = 0
  /** Where the next frame goes; published by `publish`. Positions count bytes and wrap at 2^32. */
  private position: number
  private published: number
  /** The last source of a short copy, mostly the sender's one scratch buffer, and a view of it. */
  private source: Uint8Array
  private sourceView: DataView

  /** `outboxBytesMax` counts 256 bytes for each message beside its own. */
  constructor(memory: SharedArrayBuffer, outboxBytesMax: number) {
    this.ring = ringOf(memory)
    this.outboxBytesMax = outboxBytesMax
    this.pieceMax = (this.ring.size >>> 2) - frameHeader
    this.position = Atomics.load(this.ring.words, tailWord)
    this.published = this.position
    this.source = this.ring.bytes
    this.sourceView = this.ring.view
  }

  get queuedFrames(): number {
    return this.outbox.length - this.outboxHead
  }

  get queuedBytes(): number {
    return this.outboxBytes
  }

  /** Refuses ('full') what would make the outbox larger than its bound. An empty outbox takes any one message. */
  push(from: number, to: number, bytes: Uint8Array, start: number, end: number): Pushed {
    const length = end - start
    if (this.isClear() && length <= this.pieceMax && this.write(from, to, bytes, start, length)) return 'sent'
    if (this.outboxBytes > 0 && this.outboxBytes + length + queuedOverhead > this.outboxBytesMax)
      return 'full'
    return this.enqueue(from, to, bytes, start, end)
  }

  /** For answers: queued whatever waits already. */
  pushAlways(from: number, to: number, bytes: Uint8Array, start: number, end: number): Pushed {
    const length = end - start
    if (this.isClear() && length <= this.pieceMax && this.write(from, to, bytes, start, length)) return 'sent'
    return this.enqueue(from, to, bytes, start, end)
  }

  /** True when nothing waits, after an attempt to send what does: nobody overtakes the outbox. */
  private isClear(): boolean {
    return this.outbox.length === 0 || this.flush()
  }

  private enqueue(from: number, to: number, bytes: Uint8Array, start: number, end: number): Pushed {
    const length = end - start
    const next: Queued = { from, to, length, bytes, base: -start, sent: 0 }
    // Pieces go straight from the caller's bytes as long as there is room; only the rest is copied.
    if (this.outbox.length === 0 && length > this.pieceMax && this.sendQueued(next)) return 'sent'
    next.bytes = Uint8Array.prototype.slice.call(bytes, start + next.sent, end)
    next.base = next.sent
    this.outbox.push(next)
    this.outboxBytes += length + queuedOverhead
    return 'queued'
  }

  private hasRoom(needed: number): boolean {
    const { words, size, mask, view } = this.ring
    const used = (this.position - Atomics.load(words, headWord)) >>> 0
    const at = this.position & mask
    // An empty ring begins at its start again, so that a quiet pair of threads touches a quarter of it only.
    // Behind the jump are `at` bytes of room, which is a frame at least: it never stands alone.
    if (used === 0 && at >= size >>> 2) {
      view.setInt32(at, jumpMark, true)
      this.position = (this.position + size - at) | 0
      return true
    }
    return size - used >= needed
  }

  private write(from: number, to: number, bytes: Uint8Array, start: number, length: number): boolean {
    const needed = frameHeader + padded(length)
    if (!this.hasRoom(needed)) return false
    this.header(length, from, to)
    this.copyIn(bytes, start, length, frameHeader)
    this.position = (this.position + needed) | 0
    return true
  }

  private header(lengthWord: number, from: number, to: number): void {
    const { view, mask } = this.ring
    // A frame begins at a multiple of 8, so its header never wraps.
    const at = this.position & mask
    view.setInt32(at, lengthWord, true)
    view.setInt32(at + 4, (from & 0xffff) | (to << 16), true)
  }

  private copyIn(source: Uint8Array, start: number, length: number, skip: number): void {
    const { bytes, mask, size } = this.ring
    const at = (this.position + skip) & mask
    const first = size - at
    if (length <= wordCopyMax && length <= first) this.copyWords(source, start, length, at)
    else if (length <= first) bytes.set(source.subarray(start, start + length), at)
    else {
      bytes.set(source.subarray(start, start + first), at)
      bytes.set(source.subarray(start + first, start + length), 0)
    }
  }

  private copyWords(source: Uint8Array, start: number, length: number, at: number): void {
    if (source !== this.source) {
      this.source = source
      this.sourceView = new DataView(source.buffer, source.byteOffset, source.byteLength)
    }
    const { view } = this.ring
    const { sourceView } = this
    let i = 0
    for (; i + 4 <= length; i += 4) view.setInt32(at + i, sourceView.getInt32(start + i, true), true)
    for (; i < length; i++) view.setUint8(at + i, sourceView.getUint8(start + i))
  }

  /** Moves what waits into the ring as far as there is room; true when nothing waits any more. */
  flush(): boolean {
    const { outbox } = this
    while (this.outboxHead < outbox.length) {
      const next = outbox[this.outboxHead] as Queued
      if (!this.sendQueued(next)) break
      this.outboxBytes -= next.length + queuedOverhead
      outbox[this.outboxHead++] = undefined
    }
    if (this.outboxHead === outbox.length) this.dropQueued()
    else if (this.outboxHead > 1024 && this.outboxHead * 2 > outbox.length) {
      outbox.splice(0, this.outboxHead)
      this.outboxHead = 0
    }
    return outbox.length === 0
  }

  private sendQueued(next: Queued): boolean {
    const { from, to, length, bytes, base } = next
    if (length <= this.pieceMax) return this.write(from, to, bytes, -base, length)
    const { view, mask } = this.ring
    while (next.sent < length) {
      const part = Math.min(this.pieceMax - pieceHeader, length - next.sent)
      const needed = frameHeader + padded(pieceHeader + part)
      if (!this.hasRoom(needed)) return false
      this.header((pieceHeader + part) | pieceFlag, from, to)
      const at = (this.position + frameHeader) & mask
      view.setUint32(at, length, true)
      view.setUint32(at + 4, next.sent, true)
      this.copyIn(bytes, next.sent - base, part, frameHeader + pieceHeader)
      this.position = (this.position + needed) | 0
      next.sent += part
    }
    return true
  }

  /** Makes everything pushed visible with one store; true when there was something new. */
  publish(): boolean {
    if (this.position === this.published) return false
    this.published = this.position
    Atomics.store(this.ring.words, tailWord, this.position)
    return true
  }

  /** Forgets what waits: the other end is dead. */
  dropQueued(): void {
    this.outbox.length = 0
    this.outboxHead = 0
    this.outboxBytes = 0
  }
}

/** The consumer's end. One per ring and life; a new life goes on from the published head. */
export class MailboxReader {
  private readonly ring: Ring
  private readonly messageBytesMax: number
  private position: number
  /** The tail as of the last `isEmpty`. */
  private seen: number
  private partial: Buffer | undefined
  private partialFilled = 0
  private partialFrom = 0
  /** Frames of lives that are dead, or for a life that was before this. */
  dropped = 0
  /** Messages larger than `messageBytesMax`. */
  oversized = 0
  /** Messages of which pieces came, but not all: their sender died. */
  cutOff = 0

  /** `messageBytesMax` bounds what is allocated for a message that comes in pieces. */
  constructor(memory: SharedArrayBuffer, messageBytesMax: number) {
    this.ring = ringOf(memory)
    this.messageBytesMax = messageBytesMax
    this.position = Atomics.load(this.ring.words, headWord)
    this.seen = this.position
  }

  /** Looks what is there. `drain` takes no more than the last look saw. */
  isEmpty(): boolean {
    this.seen = Atomics.load(this.ring.words, tailWord)
    return this.seen === this.position
  }

  /**
   * Takes frames that the last `isEmpty` saw, `countMax` and about `bytesMax` bytes at most (one frame at
   * least), and hands out the messages from the life `producer` to the life `mine`; answers how many. The bytes
   * handed out are not shared: views of them may be kept.
   *
   * Order matters: isEmpty, then ask whether the producer is alive, then drain. A life is fenced before it is
   * ended, so a frame that was there before it was found alive is not one that a dying thread sent in vain.
   * `producer` -1 drops everything.
   */
  drain(
    countMax: number,
    bytesMax: number,
    mine: number,
    producer: number,
    deliver: (bytes: Buffer, start: number, end: number) => void,
  ): number {
    if (this.seen === this.position) return 0
    this.followJump()
    const taken = this.measure(countMax, bytesMax)
    const bytes = this.copyOut(taken)
    this.release((this.position + taken) | 0)
    const from = producer & 0xffff
    const wanted = from | (mine << 16)
    let delivered = 0
    for (let at = 0; at < taken; ) {
      const word = bytes.readInt32LE(at)
      const lives = bytes.readInt32LE(at + 4)
      const start = at + frameHeader
      const end = start + (word & ~pieceFlag)
      at = padded(end)
      if (producer < 0 || lives !== wanted) {
        this.dropped++
        this.giveUpPartial()
      } else if (word >= 0) {
        // Pieces are never interleaved, so a whole message says that the rest of a partial one will not come.
        this.giveUpPartial()
        deliver(bytes, start, end)
        delivered++
      } else if (this.assemble(bytes, start, end, from)) {
        const whole = this.partial as Buffer
        this.partial = undefined
        deliver(whole, 0, whole.length)
        delivered++
      }
    }
    return delivered
  }

  /** The producer jumps only in a ring that is empty, so a mark is where a drain begins, or nowhere. */
  private followJump(): void {
    const { view, mask, size } = this.ring
    const at = this.position & mask
    if (view.getInt32(at, true) === jumpMark) this.position = (this.position + size - at) | 0
  }

  private release(position: number): void {
    this.position = position
    Atomics.store(this.ring.words, headWord, position)
  }

  /** Bytes of the frames to take. */
  private measure(countMax: number, bytesMax: number): number {
    const { view, mask } = this.ring
    const available = (this.seen - this.position) >>> 0
    let taken = 0
    for (let count = 0; count < countMax && taken < bytesMax && taken < available; count++) {
      const length = view.getInt32((this.position + taken) & mask, true) & ~pieceFlag
      taken += frameHeader + padded(length)
      if (length > mask || taken > available) {
        // Somebody wrote over the ring. The next life of this thread shall not find the same ruins.
        this.release(this.seen)
        assert(false, 'the frames of a mailbox end where its tail says')
      }
    }
    return taken
  }

  private copyOut(length: number): Buffer {
    const { bytes, mask, size } = this.ring
    const copy = freshBytes(length)
    const at = this.position & mask
    const first = Math.min(length, size - at)
    bytes.copy(copy, 0, at, at + first)
    if (first < length) bytes.copy(copy, first, 0, length - first)
    return copy
  }

  private giveUpPartial(): void {
    if (this.partial === undefined) return
    this.partial = undefined
    this.cutOff++
  }

  /** Puts a piece to the others; true when the message is whole. */
  private assemble(bytes: Buffer, start: number, end: number, from: number): boolean {
    const total = bytes.readUInt32LE(start)
    const offset = bytes.readUInt32LE(start + 4)
    if (offset === 0) {
      this.giveUpPartial()
      if (total > this.messageBytesMax) {
        this.oversized++
        return false
      }
      this.partial = Buffer.allocUnsafeSlow(total)
      this.partialFilled = 0
      this.partialFrom = from
    }
    const { partial } = this
    // The rest of a message that was given up, and counted, when it began.
    if (partial === undefined) return false
    const length = end - start - pieceHeader
    const follows = offset === this.partialFilled && total === partial.length && this.partialFrom === from
    if (!follows || offset + length > total) {
      this.giveUpPartial()
      return false
    }
    bytes.copy(partial, offset, start + pieceHeader, end)
    this.partialFilled += length
    return this.partialFilled === total
  }
}
