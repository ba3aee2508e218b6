// A bounded mailbox: a ring of bytes in shared memory, one producer, one consumer, one per ordered pair of
// threads. It lives as long as the cluster; either end may die at any instruction and be replaced, because all
// that the other end believes is two published positions. Frames carry the life of their sender and the life
// they are meant for: what is from a dead life, or for one, is dropped (the fence).
//
//   header: tail, head (each on its own cache line)     frame: u32 bytes | flag, u16 from, u16 to, payload, pad to 8
//
// What is larger than a quarter of the ring goes in pieces, in order with everything else. The producer keeps
// what finds no room in an outbox: bounded for requests; answers always fit, since requests are bounded.

const headerBytes = 256
const tailWord = 0
const headWord = 32
const frameHeader = 8
/** Set in the length word of a frame that is a piece of a larger message. */
const pieceFlag = 0x8000_0000 | 0
/** A piece begins with the total length and its own offset. */
const pieceHeader = 8

export type Pushed = 'sent' | 'queued' | 'full'

/** `bytes` of room for frames: a power of two, at least 256. */
export function createMailbox(bytes: number): SharedArrayBuffer {
  if (bytes < 256 || (bytes & (bytes - 1)) !== 0)
    throw new Error('invariant broken: a mailbox is a power of two')
  return new SharedArrayBuffer(headerBytes + bytes)
}

function padded(length: number): number {
  return (length + 7) & ~7
}

interface Ring {
  readonly words: Int32Array
  readonly bytes: Buffer
  readonly size: number
  readonly mask: number
}

function ringOf(memory: SharedArrayBuffer): Ring {
  const size = memory.byteLength - headerBytes
  return {
    words: new Int32Array(memory, 0, headerBytes / 4),
    bytes: Buffer.from(memory, headerBytes, size),
    size,
    mask: size - 1,
  }
}

interface Queued {
  readonly from: number
  readonly to: number
  readonly bytes: Uint8Array
  /** How much of it is in the ring already, when it goes in pieces. */
  sent: number
}

export class MailboxWriter {
  private readonly ring: Ring
  private readonly outboxBytesMax: number
  private readonly pieceMax: number
  private readonly outbox: Queued[] = []
  private outboxHead = 0
  private outboxBytes = 0
  /** Where the next frame goes; published by `publish`. Positions count bytes and wrap at 2^32. */
  private position: number
  private published: number

  constructor(memory: SharedArrayBuffer, outboxBytesMax: number) {
    this.ring = ringOf(memory)
    this.outboxBytesMax = outboxBytesMax
    this.pieceMax = (this.ring.size >>> 2) - frameHeader
    this.position = Atomics.load(this.ring.words, tailWord)
    this.published = this.position
  }

  get queuedFrames(): number {
    return this.outbox.length - this.outboxHead
  }

  get queuedBytes(): number {
    return this.outboxBytes
  }

  /** 'queued': there was no room, a copy waits in order. 'full': nothing was kept. */
  push(from: number, to: number, bytes: Uint8Array, start: number, end: number): Pushed {
    const length = end - start
    if (this.queuedFrames === 0 && length <= this.pieceMax && this.write(from, to, bytes, start, length))
      return 'sent'
    if (this.outboxBytes > 0 && this.outboxBytes + length > this.outboxBytesMax) return 'full'
    return this.enqueue(from, to, bytes, start, end)
  }

  /** For answers: queued whatever waits already. */
  pushAlways(from: number, to: number, bytes: Uint8Array, start: number, end: number): Pushed {
    const length = end - start
    if (this.queuedFrames === 0 && length <= this.pieceMax && this.write(from, to, bytes, start, length))
      return 'sent'
    return this.enqueue(from, to, bytes, start, end)
  }

  private enqueue(from: number, to: number, bytes: Uint8Array, start: number, end: number): Pushed {
    this.outbox.push({ from, to, bytes: Uint8Array.prototype.slice.call(bytes, start, end), sent: 0 })
    this.outboxBytes += end - start
    this.flush()
    return 'queued'
  }

  private room(): number {
    const head = Atomics.load(this.ring.words, headWord)
    return this.ring.size - ((this.position - head) >>> 0)
  }

  private write(from: number, to: number, bytes: Uint8Array, start: number, length: number): boolean {
    const needed = frameHeader + padded(length)
    if (this.room() < needed) return false
    this.header(length, from, to)
    this.copyIn(bytes, start, length, frameHeader)
    this.position = (this.position + needed) | 0
    return true
  }

  private header(lengthWord: number, from: number, to: number): void {
    const { bytes, mask } = this.ring
    // A frame begins at a multiple of 8, so its header never wraps.
    const at = this.position & mask
    bytes.writeInt32LE(lengthWord | 0, at)
    bytes.writeUInt16LE(from & 0xffff, at + 4)
    bytes.writeUInt16LE(to & 0xffff, at + 6)
  }

  private copyIn(source: Uint8Array, start: number, length: number, skip: number): void {
    const { bytes, mask, size } = this.ring
    const at = (this.position + skip) & mask
    const first = Math.min(length, size - at)
    bytes.set(source.subarray(start, start + first), at)
    if (first < length) bytes.set(source.subarray(start + first, start + length), 0)
  }

  /** Moves what waits into the ring as far as there is room; true when nothing waits any more. */
  flush(): boolean {
    while (this.outboxHead < this.outbox.length) {
      const next = this.outbox[this.outboxHead] as Queued
      if (!this.sendQueued(next)) break
      this.outboxBytes -= next.bytes.length
      this.outboxHead++
    }
    if (this.outboxHead === this.outbox.length) {
      this.outbox.length = 0
      this.outboxHead = 0
    } else if (this.outboxHead > 1024) {
      this.outbox.splice(0, this.outboxHead)
      this.outboxHead = 0
    }
    return this.outbox.length === 0
  }

  private sendQueued(next: Queued): boolean {
    const { bytes } = next
    if (bytes.length <= this.pieceMax) return this.write(next.from, next.to, bytes, 0, bytes.length)
    while (next.sent < bytes.length) {
      const length = Math.min(this.pieceMax - pieceHeader, bytes.length - next.sent)
      const needed = frameHeader + padded(pieceHeader + length)
      if (this.room() < needed) return false
      this.header((pieceHeader + length) | pieceFlag, next.from, next.to)
      const at = (this.position + frameHeader) & this.ring.mask
      this.ring.bytes.writeUInt32LE(bytes.length, at)
      this.ring.bytes.writeUInt32LE(next.sent, at + 4)
      this.copyIn(bytes, next.sent, length, frameHeader + pieceHeader)
      this.position = (this.position + needed) | 0
      next.sent += length
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

  /** The other end is dead: nobody will read what waits here. */
  dropQueued(): void {
    this.outbox.length = 0
    this.outboxHead = 0
    this.outboxBytes = 0
  }
}

export class MailboxReader {
  private readonly ring: Ring
  private readonly messageBytesMax: number
  private position: number
  private partial: Buffer | undefined
  private partialFilled = 0
  private partialFrom = -1
  /** Frames of dead lives, or for other lives than this. */
  dropped = 0

  constructor(memory: SharedArrayBuffer, messageBytesMax: number) {
    this.ring = ringOf(memory)
    this.messageBytesMax = messageBytesMax
    this.position = Atomics.load(this.ring.words, headWord)
  }

  isEmpty(): boolean {
    return Atomics.load(this.ring.words, tailWord) === this.position
  }

  /**
   * Takes frames, a bounded number and about `bytesMax` bytes, and hands out the messages of `producer` for
   * `mine`; answers how many. The bytes handed out are a copy of this call's own: views of them may be kept.
   */
  drain(
    countMax: number,
    bytesMax: number,
    mine: number,
    producer: number,
    deliver: (bytes: Buffer, start: number, end: number) => void,
  ): number {
    const available = (Atomics.load(this.ring.words, tailWord) - this.position) >>> 0
    if (available === 0) return 0
    const { taken, count } = this.measure(available, countMax, bytesMax)
    const bytes = this.copyOut(taken)
    this.position = (this.position + taken) | 0
    // The room is free from here on: everything is in the copy.
    Atomics.store(this.ring.words, headWord, this.position)
    let delivered = 0
    for (let at = 0, i = 0; i < count; i++) {
      const word = bytes.readInt32LE(at)
      const length = word & ~pieceFlag
      const from = bytes.readUInt16LE(at + 4)
      const to = bytes.readUInt16LE(at + 6)
      const start = at + frameHeader
      at = start + padded(length)
      if (from !== (producer & 0xffff) || to !== (mine & 0xffff) || producer < 0) this.drop()
      else if (word >= 0) {
        deliver(bytes, start, start + length)
        delivered++
      } else if (this.assemble(bytes, start, start + length, from)) {
        const whole = this.partial as Buffer
        this.partial = undefined
        deliver(whole, 0, whole.length)
        delivered++
      }
    }
    return delivered
  }

  private drop(): void {
    this.dropped++
    this.partial = undefined
  }

  private measure(available: number, countMax: number, bytesMax: number): { taken: number; count: number } {
    const { bytes, mask } = this.ring
    let taken = 0
    let count = 0
    while (taken < available && count < countMax && taken < bytesMax) {
      const length = bytes.readInt32LE((this.position + taken) & mask) & ~pieceFlag
      taken += frameHeader + padded(length)
      count++
    }
    return { taken, count }
  }

  private copyOut(length: number): Buffer {
    const { bytes, mask, size } = this.ring
    const copy = Buffer.allocUnsafeSlow(length)
    const at = this.position & mask
    const first = Math.min(length, size - at)
    bytes.copy(copy, 0, at, at + first)
    if (first < length) bytes.copy(copy, first, 0, length - first)
    return copy
  }

  /** Puts a piece to the others; true when the message is whole. A piece that does not fit drops the message. */
  private assemble(bytes: Buffer, start: number, end: number, from: number): boolean {
    const total = bytes.readUInt32LE(start)
    const offset = bytes.readUInt32LE(start + 4)
    if (offset === 0 && total <= this.messageBytesMax) {
      this.partial = Buffer.allocUnsafeSlow(total)
      this.partialFilled = 0
      this.partialFrom = from
    }
    const { partial } = this
    const length = end - start - pieceHeader
    if (partial === undefined) return false
    if (
      offset !== this.partialFilled ||
      total !== partial.length ||
      offset + length > total ||
      this.partialFrom !== from
    ) {
      this.drop()
      return false
    }
    bytes.copy(partial, offset, start + pieceHeader, end)
    this.partialFilled += length
    return this.partialFilled === total
  }
}
