// A reader and a growing writer for the binary formats of the house (objects, contexts, envelopes).
// Little-endian, lengths before contents. The reader is used on bytes that may come from outside: it
// never reads past its end and never allocates by a length that it has not checked; what does not fit
// throws `Malformed`, which the caller turns into the error of its door.

/** Thrown by `Reader` on bytes that are cut off or out of range; never leaves the decoder that used it. */
export class Malformed extends Error {}

/** For a `catch` that deals with damage: whatever else was thrown is thrown on. */
export function onlyMalformed(error: unknown): asserts error is Malformed {
  if (!(error instanceof Malformed)) throw error
}

// Node has had these two on every Buffer since its beginning; its types leave them out. They are several
// times faster than toString('latin1') and write(text, 'latin1') on short texts.
interface Latin1Buffer extends Buffer {
  latin1Slice(start: number, end: number): string
  latin1Write(text: string, start: number, length: number): number
}

/** The bytes from `start` to `end` as a binary string. */
export function latin1Slice(bytes: Buffer, start: number, end: number): string {
  return (bytes as Latin1Buffer).latin1Slice(start, end)
}

/** Writes a binary string at `start`. */
export function latin1Write(bytes: Buffer, text: string, start: number): void {
  ;(bytes as Latin1Buffer).latin1Write(text, start, text.length)
}

/** The class of Buffers itself, whose constructor asks less than `subarray` does. */
const BufferView = (
  Buffer as unknown as {
    readonly [Symbol.species]: new (of: ArrayBufferLike, at: number, length: number) => Buffer
  }
)[Symbol.species]

/** The bytes from `start` to `end`, which must be within `bytes`, not a copy. */
export function viewOf(bytes: Uint8Array, start: number, end: number): Buffer {
  return new BufferView(bytes.buffer, bytes.byteOffset + start, end - start)
}

/** The same of memory of its own, when that is at hand: to ask a Buffer for its memory takes as long as to make the view. */
export function viewIn(memory: ArrayBufferLike, start: number, end: number): Buffer {
  return new BufferView(memory, start, end - start)
}

const slabBytes = 64 * 1024
let slab = Buffer.allocUnsafeSlow(slabBytes)
let slabUsed = 0

/**
 * Bytes to be written at once, which may be kept. Small ones share slabs, which live as long as the longest-lived of
 * them: for what travels, not for what is stored.
 */
export function freshBytes(length: number): Buffer {
  if (length > slabBytes / 8) return Buffer.allocUnsafeSlow(length)
  if (slabUsed + length > slabBytes) {
    slab = Buffer.allocUnsafeSlow(slabBytes)
    slabUsed = 0
  }
  const bytes = slab.subarray(slabUsed, slabUsed + length)
  slabUsed += length
  return bytes
}

/** A copy that may be kept: see `freshBytes`. */
export function copyBytes(source: Uint8Array): Buffer {
  const copy = freshBytes(source.length)
  copy.set(source)
  return copy
}

const float = new Float64Array(1)
const floatBytes = new Uint8Array(float.buffer)

export class Writer {
  bytes: Buffer
  length = 0
  private view: DataView

  constructor(capacity = 1024) {
    this.bytes = Buffer.allocUnsafeSlow(capacity)
    this.view = new DataView(this.bytes.buffer)
  }

  /** Forgets all, and with it the memory beyond so many bytes. */
  shrink(capacity: number): void {
    this.length = 0
    if (this.bytes.length > capacity) this.use(Buffer.allocUnsafeSlow(capacity))
  }

  private use(bytes: Buffer): void {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer)
  }

  reset(): void {
    this.length = 0
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + count))
    this.bytes.copy(grown, 0, 0, this.length)
    this.use(grown)
  }

  u8(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  u16(value: number): void {
    this.reserve(2)
    this.bytes[this.length++] = value
    this.bytes[this.length++] = value >>> 8
  }

  u32(value: number): void {
    this.reserve(4)
    this.view.setUint32(this.length, value, true)
    this.length += 4
  }

  /** A number of up to 53 bits and a sign, or any double. */
  f64(value: number): void {
    this.reserve(8)
    this.view.setFloat64(this.length, value, true)
    this.length += 8
  }

  /** An unsigned number below 2^53 in 1 to 8 bytes: seven bits each, the lowest first. */
  varint(value: number): void {
    this.reserve(8)
    let rest = value
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.bytes[this.length++] = rest
  }

  raw(source: Uint8Array): void {
    this.reserve(source.length)
    this.bytes.set(source, this.length)
    this.length += source.length
  }

  /** A binary string (one character per byte), without its length. */
  latin1(text: string): void {
    this.reserve(text.length)
    latin1Write(this.bytes, text, this.length)
    this.length += text.length
  }

  /** What was written so far, copied. */
  copy(): Buffer {
    return copyBytes(this.bytes.subarray(0, this.length))
  }
}

export class Reader {
  readonly bytes: Buffer
  at: number
  end: number

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = start
    this.end = end
  }

  private take(count: number): number {
    const at = this.at
    if (count > this.end - at) throw new Malformed('cut off')
    this.at = at + count
    return at
  }

  get rest(): number {
    return this.end - this.at
  }

  u8(): number {
    return this.bytes[this.take(1)] as number
  }

  u16(): number {
    const at = this.take(2)
    return (this.bytes[at] as number) | ((this.bytes[at + 1] as number) << 8)
  }

  u32(): number {
    const at = this.take(4)
    const bytes = this.bytes
    return (
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24)) >>>
      0
    )
  }

  f64(): number {
    const at = this.take(8)
    for (let i = 0; i < 8; i++) floatBytes[i] = this.bytes[at + i] as number
    return float[0] as number
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw new Malformed('number too large')
        return value
      }
      scale *= 0x80
    }
    throw new Malformed('number too long')
  }

  /** A view of the next `count` bytes, not a copy. */
  raw(count: number): Buffer {
    const at = this.take(count)
    return viewOf(this.bytes, at, at + count)
  }

  latin1(count: number): string {
    const at = this.take(count)
    return latin1Slice(this.bytes, at, at + count)
  }
}
