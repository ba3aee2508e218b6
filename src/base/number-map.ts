// A map from numbers of requests to what is remembered of them, for tables that much goes into and out of. A Map
// makes a new table for every so many insertions, and lets the old one point to it: once the collector has moved
// one of them to its old generation, it takes everything that is ever in a later one for alive, until a full
// collection. So most of the garbage of a put outlived the cheap collections: a sixth of the processor time of puts.
//
// Open addressing with linear probing; a removal moves the followers back (Knuth, TAOCP 6.4, algorithm R).
// Invariant: between the home of a number and its place there is no empty place.

/** Odd, near 2^32 / golden ratio: neighbours get homes far from each other. */
const spread = 0x9e3779b1 | 0
const fewestSlots = 8

export class NumberMap<V> implements Iterable<[number, V]> {
  /** 0: empty. */
  private keys = new Int32Array(fewestSlots)
  private values: (V | undefined)[] = emptied(fewestSlots)
  private shift = 29
  private count = 0

  get size(): number {
    return this.count
  }

  private place(key: number): number {
    const { keys } = this
    const mask = keys.length - 1
    let at = Math.imul(key, spread) >>> this.shift
    for (;;) {
      const there = keys[at]
      if (there === key || there === 0) return at
      at = (at + 1) & mask
    }
  }

  /** Undefined for 0 too, which stands for no request. */
  get(key: number): V | undefined {
    return this.values[this.place(key | 0)]
  }

  has(key: number): boolean {
    return this.get(key) !== undefined
  }

  /** `key`: 1 to 2^32 - 1. */
  set(key: number, value: V): void {
    const known = key | 0
    if (known === 0) throw new Error('invariant broken: 0 is the number of no request')
    const at = this.place(known)
    if (this.keys[at] === 0) {
      if ((this.count + 1) * 2 > this.keys.length) {
        this.grow()
        return this.set(key, value)
      }
      this.count++
      this.keys[at] = known
    }
    this.values[at] = value
  }

  delete(key: number): boolean {
    const { keys, values } = this
    const mask = keys.length - 1
    let hole = this.place(key | 0)
    if (keys[hole] === 0) return false
    this.count--
    for (let at = (hole + 1) & mask; keys[at] !== 0; at = (at + 1) & mask) {
      const home = Math.imul(keys[at] as number, spread) >>> this.shift
      // Only what does not lie between its home and itself without passing the hole may stay.
      if (((at - home) & mask) < ((at - hole) & mask)) continue
      keys[hole] = keys[at] as number
      values[hole] = values[at]
      hole = at
    }
    keys[hole] = 0
    values[hole] = undefined
    return true
  }

  /** All that is there now, in no order that means anything; the map may change meanwhile. */
  entries(): [number, V][] {
    const { keys, values } = this
    const found: [number, V][] = []
    for (let at = 0; at < keys.length; at++) {
      if (keys[at] !== 0) found.push([(keys[at] as number) >>> 0, values[at] as V])
    }
    return found
  }

  [Symbol.iterator](): IterableIterator<[number, V]> {
    return this.entries().values()
  }

  private grow(): void {
    const { keys, values } = this
    this.keys = new Int32Array(keys.length * 2)
    this.values = emptied(keys.length * 2)
    this.shift--
    this.count = 0
    for (let at = 0; at < keys.length; at++) if (keys[at] !== 0) this.set(keys[at] as number, values[at] as V)
  }
}

function emptied<V>(slots: number): (V | undefined)[] {
  return new Array<V | undefined>(slots).fill(undefined)
}
