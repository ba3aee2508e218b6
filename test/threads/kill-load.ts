// Load for tests in which nodes die: writers that each own some keys and write them again and again, with the
// context of their last acknowledged put. What was acknowledged is remembered here, outside of the cluster.
//
// The oracle: of every key, a value at least as new as the last one that was acknowledged must be there. A
// newer one may be there: a put that ended indeterminate may have happened.

import { expect } from 'vitest'
import { type Bucket, type Cluster, RingspunError } from '../../dist/index.js'

/** A put waits this long, and its caller at most `graceMs` longer, however busy the machine is. */
const timeoutMs = 5_000
const graceMs = 5_000

interface Owned {
  readonly key: string
  sent: number
  acknowledged: number
  context: string | undefined
}

export class Load {
  acknowledged = 0
  readonly errors = new Map<string, number>()
  slowestMs = 0
  private readonly bucket: Bucket<number>
  private readonly w: number
  private readonly keys: Owned[] = []
  private readonly writers: Promise<void>[] = []
  private stopped = false

  constructor(cluster: Cluster, w: number, writers = 24, keysEach = 20) {
    this.bucket = cluster.bucket<number>(`load ${w}`.replace(' ', '-'), { w, dw: 0 })
    this.w = w
    for (let writer = 0; writer < writers; writer++) {
      const own: Owned[] = Array.from({ length: keysEach }, (_, i) => ({
        key: `writer ${writer} key ${i}`,
        sent: 0,
        acknowledged: 0,
        context: undefined,
      }))
      this.keys.push(...own)
      this.writers.push(this.write(own))
    }
  }

  private async write(own: readonly Owned[]): Promise<void> {
    for (let turn = 0; !this.stopped; turn++) {
      const owned = own[turn % own.length] as Owned
      const value = ++owned.sent
      const begun = performance.now()
      try {
        const given = owned.context === undefined ? {} : { context: owned.context }
        const written = await this.bucket.put(owned.key, value, { ...given, timeout: timeoutMs })
        expect(written.w).toBeGreaterThanOrEqual(this.w)
        owned.acknowledged = value
        owned.context = written.context
        this.acknowledged++
      } catch (error) {
        if (!(error instanceof RingspunError)) throw error
        this.errors.set(error.code, (this.errors.get(error.code) ?? 0) + 1)
        // Refused at once: give the others their turn.
        await new Promise((resolve) => setImmediate(resolve))
      }
      this.slowestMs = Math.max(this.slowestMs, performance.now() - begun)
    }
  }

  /** Resolves when that many more puts have been acknowledged. */
  async more(puts: number): Promise<void> {
    const wanted = this.acknowledged + puts
    while (this.acknowledged < wanted) await new Promise((resolve) => setTimeout(resolve, 2))
  }

  /** Ends the load. Every put has settled: none hangs, and none took longer than it may. */
  async stop(): Promise<void> {
    this.stopped = true
    await Promise.all(this.writers)
    expect(this.slowestMs).toBeLessThan(timeoutMs + graceMs)
  }

  /** Reads everything back, with every quorum that the write quorum must meet. */
  async expectNothingLost(): Promise<void> {
    for (let r = 1; r <= 3; r++) {
      const read = await this.bucket.getMany(
        this.keys.map(({ key }) => key),
        { r, timeout: 30_000 },
      )
      // With fewer a read may miss the newest copy until repair has brought it there.
      if (this.w + r <= 3) continue
      const lost = this.keys.filter(({ acknowledged, sent }, i) => {
        const values = read[i]?.values ?? []
        const newest = Math.max(0, ...values)
        return newest < acknowledged || newest > sent
      })
      expect(lost).toEqual([])
    }
  }
}
