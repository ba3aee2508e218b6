// Answers that are there at once, as promises, without keeping the event loop from turning: whoever awaits one read
// after the other would otherwise never let a timer, a socket or another thread's answer through.

/** Answers in a row before the event loop has its turn: less than a millisecond of reads. */
const inRowMax = 512

export class Pace {
  private inRow = 0
  private turn: Promise<void> | undefined

  /** A promise of `value`: mostly one that is kept already. */
  resolve<T>(value: T): Promise<T> {
    if (this.inRow < inRowMax) {
      this.inRow++
      return Promise.resolve(value)
    }
    return this.yield().then(() => value)
  }

  /** When the event loop has turned. */
  yield(): Promise<void> {
    this.turn ??= new Promise((resolve) => {
      setImmediate(() => {
        this.turn = undefined
        this.inRow = 0
        resolve()
      })
    })
    return this.turn
  }
}
