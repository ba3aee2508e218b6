// Which objects of a buffer are unflushed, in the order in which they became so: the oldest is flushed first,
// and an object that is overwritten while it waits keeps its place. On the heap of the owner; an adopter
// builds it anew from the entries.

import type { Key } from '../base/units.js'

interface Unflushed {
  readonly hash: number
  /** Sequence of its newest entry: the token that it is handed out with. */
  token: number
  bytes: number
  /** Handed out, and not written since. */
  taken: boolean
}

export class DirtyQueue {
  bytes = 0
  private readonly keys = new Map<Key, Unflushed>()

  get size(): number {
    return this.keys.size
  }

  note(key: Key, hash: number, token: number, bytes: number): void {
    const known = this.keys.get(key)
    if (known === undefined) {
      this.keys.set(key, { hash, token, bytes, taken: false })
      this.bytes += bytes
      return
    }
    this.bytes += bytes - known.bytes
    known.token = token
    known.bytes = bytes
    known.taken = false
  }

  forget(key: Key): void {
    const known = this.keys.get(key)
    if (known === undefined) return
    this.bytes -= known.bytes
    this.keys.delete(key)
  }

  take(key: Key): number | undefined {
    const known = this.keys.get(key)
    if (known === undefined) return undefined
    known.taken = true
    return known.token
  }

  next(countMax: number, bytesMax: number, take: (key: Key, hash: number, token: number) => void): number {
    let count = 0
    let bytes = 0
    for (const [key, unflushed] of this.keys) {
      if (count >= countMax || bytes >= bytesMax) break
      if (unflushed.taken) continue
      unflushed.taken = true
      take(key, unflushed.hash, unflushed.token)
      count++
      bytes += unflushed.bytes
    }
    return count
  }

  /** True when the object was not written since it was handed out with this token: it is flushed now. */
  clean(key: Key, token: number): boolean {
    const known = this.keys.get(key)
    if (known === undefined || known.token !== token) return false
    this.forget(key)
    return true
  }

  clear(): void {
    this.keys.clear()
    this.bytes = 0
  }
}
