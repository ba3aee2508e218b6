// What the journal will log with its next batch (storage/redo-rows). A record is written the moment its object is:
// its bytes are at hand, and no list of keys must be kept and looked up again.
//
// Invariant: the records of a batch are of exactly what was written, deleted or sent to its row since the batch
// before, in that order.

import { Writer } from '../base/bytes.js'
import type { Key } from '../base/units.js'
import { redoKind, seal, writeObject, writeSettled } from '../storage/redo-rows.js'

const bytesFirst = 64 * 1024
/** A buffer that has grown beyond this is given back after its batch. */
const bytesKept = 4 * 1024 * 1024
/** To be logged as well as written to their rows would cost large objects more than it saves. */
const loggedBytesMax = 16 * 1024

export class RedoLog {
  private writer = new Writer(bytesFirst)
  /** What the batch under way holds. */
  private given = new Writer(bytesFirst)

  /** Bytes that wait for the next batch. */
  get bytes(): number {
    return this.writer.length
  }

  /** Notes what an object is now. False: it is large, and its row must be written with the next batch instead. */
  object(key: Key, hash: number, value: Uint8Array): boolean {
    const isLogged = value.length <= loggedBytesMax
    if (isLogged) writeObject(this.writer, key, hash, value)
    else this.row(key)
    return isLogged
  }

  /** The row that is written with the same batch is newer than all that was logged of this key. */
  row(key: Key): void {
    writeSettled(this.writer, redoKind.row, key)
  }

  deleted(key: Key): void {
    writeSettled(this.writer, redoKind.deleted, key)
  }

  /** The value of the row for the next batch, good until the batch after it is taken; undefined: nothing happened. */
  take(): Uint8Array | undefined {
    if (this.writer.length === 0) return undefined
    const { writer } = this
    const value = seal(writer)
    this.writer = this.given
    this.writer.shrink(bytesKept)
    this.given = writer
    return value
  }
}
