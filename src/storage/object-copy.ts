// Room for an entry that is copied out of another thread's memory: whole words, as it lies there, so that the same
// entry of another replica can be compared with it word by word, without a call and without an allocation.
// Small copies share slabs, as Node's own small buffers do: a value that is kept keeps a slab of 8 KiB.

import { viewIn } from '../base/bytes.js'

const slabBytes = 8 * 1024
/** Larger ones have memory of their own. */
const sharedBytesMax = slabBytes / 4

export class ObjectCopy {
  /** Where the last copy is; the same memory as bytes and as words. */
  bytes = Buffer.allocUnsafeSlow(slabBytes)
  words = new Int32Array(this.bytes.buffer)
  private memory = this.bytes.buffer
  /** Bytes from its beginning to the entry, and of the entry. */
  start = 0
  length = 0
  /** Where the value begins and ends in `bytes`. */
  valueStart = 0
  valueEnd = 0
  private slab = this.bytes
  private slabWords = this.words
  private slabMemory = this.memory
  private used = 0

  /** Makes room for an entry of so many bytes: a multiple of four. */
  reserve(length: number): void {
    this.length = length
    if (length > sharedBytesMax) {
      this.bytes = Buffer.allocUnsafeSlow(length)
      this.memory = this.bytes.buffer
      this.words = new Int32Array(this.memory)
      this.start = 0
      return
    }
    if (this.used + length > slabBytes) {
      this.slab = Buffer.allocUnsafeSlow(slabBytes)
      this.slabMemory = this.slab.buffer
      this.slabWords = new Int32Array(this.slabMemory)
      this.used = 0
    }
    this.start = this.used
    // Mostly they are those already; to write down what is there costs as much as it would to write down anything.
    if (this.bytes === this.slab) return
    this.bytes = this.slab
    this.words = this.slabWords
    this.memory = this.slabMemory
  }

  /** What was copied is good, and is kept: the next copy goes elsewhere. */
  keep(): void {
    if (this.bytes === this.slab) this.used = this.start + this.length
  }

  /** The value, as a view. */
  get value(): Buffer {
    return this.view(this.valueStart, this.valueEnd)
  }

  /** A part of `bytes`, as a view. */
  view(start: number, end: number): Buffer {
    return viewIn(this.memory, start, end)
  }
}
