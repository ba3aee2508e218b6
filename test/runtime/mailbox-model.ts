// The slow and obvious version of a mailbox, to compare the real one with: lists instead of bytes, positions
// that never wrap. It knows the rules of room, of the jump to the start, of pieces and of the two lives.

export interface Message {
  readonly from: number
  readonly to: number
  readonly payload: Buffer
}

interface Frame {
  readonly message: Message
  readonly bytes: number
  /** 0 of 1 for a message that is whole in its frame. */
  readonly piece: number
  readonly pieces: number
  at: number
}

export class MailboxModel {
  private readonly size: number
  private readonly outboxBytesMax: number
  private readonly messageBytesMax: number
  private tail: number
  private publishedTail: number
  private head: number
  private ring: Frame[] = []
  private outbox: Frame[] = []
  private published = 0
  private seen = 0
  private partial: Message | undefined
  dropped = 0
  oversized = 0
  cutOff = 0

  constructor(size: number, start: number, outboxBytesMax: number, messageBytesMax: number) {
    this.size = size
    this.tail = start
    this.publishedTail = start
    this.head = start
    this.outboxBytesMax = outboxBytesMax
    this.messageBytesMax = messageBytesMax
  }

  get queuedFrames(): number {
    return this.queued().length
  }

  get queuedBytes(): number {
    return this.queued().reduce((sum, { payload }) => sum + payload.length + 256, 0)
  }

  /** A message waits until its last piece is in the ring. */
  private queued(): Message[] {
    return this.outbox.filter(({ piece, pieces }) => piece === pieces - 1).map(({ message }) => message)
  }

  private framesOf(message: Message): Frame[] {
    const { length } = message.payload
    const frameMax = this.size / 4
    const whole = length <= frameMax - 8
    const part = whole ? length : frameMax - 16
    const pieces = whole ? 1 : Math.ceil(length / part)
    const header = whole ? 8 : 16
    return Array.from({ length: pieces }, (_, piece) => {
      const payload = Math.min(part, length - piece * part)
      return { message, bytes: Math.ceil((header + payload) / 8) * 8, piece, pieces, at: -1 }
    })
  }

  push(message: Message, always: boolean): 'sent' | 'queued' | 'full' {
    const clear = this.flush()
    const bytesAfter = this.queuedBytes + message.payload.length + 256
    if (!clear && !always && bytesAfter > this.outboxBytesMax) return 'full'
    this.outbox.push(...this.framesOf(message))
    return this.flush() ? 'sent' : 'queued'
  }

  flush(): boolean {
    for (;;) {
      const frame = this.outbox[0]
      if (frame === undefined) return true
      const at = this.tail % this.size
      if (this.tail === this.head && at >= this.size / 4) this.tail += this.size - at
      if (this.size - (this.tail - this.head) < frame.bytes) return false
      this.outbox.shift()
      frame.at = this.tail
      this.ring.push(frame)
      this.tail += frame.bytes
    }
  }

  publish(): boolean {
    const news = this.ring.length > this.published
    this.published = this.ring.length
    this.publishedTail = this.tail
    return news
  }

  dropQueued(): void {
    this.outbox = []
  }

  producerDies(): void {
    this.outbox = []
    this.ring.length = this.published
    this.tail = this.publishedTail
  }

  consumerDies(): void {
    this.partial = undefined
    this.seen = 0
    this.dropped = 0
    this.oversized = 0
    this.cutOff = 0
  }

  isEmpty(): boolean {
    this.seen = this.published
    return this.seen === 0
  }

  /** What a drain hands out. */
  drain(countMax: number, bytesMax: number, mine: number, producer: number): Message[] {
    const delivered: Message[] = []
    let taken = 0
    for (let count = 0; this.seen > 0 && count < countMax && taken < bytesMax; count++) {
      const frame = this.ring.shift() as Frame
      this.seen--
      this.published--
      taken += frame.bytes
      this.head = frame.at + frame.bytes
      if (this.take(frame, mine, producer)) delivered.push(frame.message)
    }
    return delivered
  }

  private take({ message, piece, pieces }: Frame, mine: number, producer: number): boolean {
    const isWanted = message.from === producer && message.to === mine
    if (this.partial !== undefined && (!isWanted || this.partial !== message)) {
      this.partial = undefined
      this.cutOff++
    }
    if (!isWanted) this.dropped++
    if (!isWanted || pieces === 1) return isWanted
    if (piece === 0 && message.payload.length > this.messageBytesMax) this.oversized++
    else if (piece === 0) this.partial = message
    if (this.partial !== message || piece < pieces - 1) return false
    this.partial = undefined
    return true
  }
}
