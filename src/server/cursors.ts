// Numbers for the cursors of SCAN. Clients of Redis expect a decimal number, while the cursor of a bucket is
// an opaque text as long as a key, so the server remembers which number stands for which text.
//
// Bounded: 4,096 cursors and 16 MiB of text at most, the longest unused goes first. An iteration holds two
// numbers, however many pages it has: the one given out last and the one before, so that a client that
// repeats its last request is answered again. Numbers of an earlier life of the server mean nothing.

interface Entry {
  readonly bucket: string
  readonly cursor: string
  /** The number from which this one was reached. */
  readonly previous: number
}

export interface CursorLimits {
  readonly cursorsMax?: number
  readonly bytesMax?: number
}

export class CursorTable {
  private readonly entries = new Map<number, Entry>()
  private readonly cursorsMax: number
  private readonly bytesMax: number
  private bytes = 0
  private last: number

  /** `first`: where the numbers of this life begin, below 2^52. */
  constructor(first: number, limits: CursorLimits = {}) {
    this.last = first
    this.cursorsMax = limits.cursorsMax ?? 4096
    this.bytesMax = limits.bytesMax ?? 16 * 1024 * 1024
  }

  get size(): number {
    return this.entries.size
  }

  /** The cursor behind `number`, undefined when it is not known (any more). */
  find(number: number, bucket: string): string | undefined {
    const entry = this.entries.get(number)
    if (entry === undefined || entry.bucket !== bucket) return undefined
    this.entries.delete(number)
    this.entries.set(number, entry)
    return entry.cursor
  }

  /** A number for `cursor`, which was reached from `previous` (0 for the first page). */
  add(cursor: string, bucket: string, previous: number): number {
    this.forget(this.entries.get(previous)?.previous)
    const number = ++this.last
    this.entries.set(number, { bucket, cursor, previous })
    this.bytes += cursor.length
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= this.cursorsMax && this.bytes <= this.bytesMax) break
      if (oldest !== number) this.forget(oldest)
    }
    return number
  }

  /** The iteration that got here from `number` is over; `number` stays, for a request that is repeated. */
  end(number: number): void {
    this.forget(this.entries.get(number)?.previous)
  }

  private forget(number: number | undefined): void {
    const entry = number === undefined ? undefined : this.entries.get(number)
    if (number === undefined || entry === undefined) return
    this.entries.delete(number)
    this.bytes -= entry.cursor.length
  }
}
