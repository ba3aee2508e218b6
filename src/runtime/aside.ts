// Messages whose object is not in memory wait here while it is fetched, and join a later turn. Those for the
// same key wait behind them in order; those for other keys are not held up. One read of the store per turn.

import type { Key, Partition } from '../base/units.js'
import type { Envelope } from '../protocol/envelope.js'
import { objectRow } from '../storage/store.js'
import type { HostPorts, HostStorage } from './ports.js'
import type { FetchedRows } from './turn.js'

interface Waiting {
  readonly partition: Partition
  readonly hash: number
  readonly envelopes: Envelope[]
  state: 'new' | 'reading' | 'ready'
  row: Uint8Array | Error | undefined
}

export class Aside {
  private readonly ports: HostPorts
  private readonly storage: HostStorage
  /** True for what was deleted although the store may still have it. */
  private readonly isForgotten: (key: Key) => boolean
  private readonly keys = new Map<Key, Waiting>()
  private readonly fresh: Key[] = []
  private readonly done: Key[] = []
  private count = 0

  constructor(ports: HostPorts, storage: HostStorage, isForgotten: (key: Key) => boolean) {
    this.ports = ports
    this.storage = storage
    this.isForgotten = isForgotten
  }

  get ready(): boolean {
    return this.done.length > 0
  }

  get waiting(): number {
    return this.count
  }

  /** Puts the envelope aside when its key is not in memory, or others for the key wait already. */
  mustWait(key: Key, partition: Partition, envelope: Envelope): boolean {
    // A look into an empty Map costs the hash of a fresh text.
    const waiting = this.keys.size === 0 ? undefined : this.keys.get(key)
    if (waiting !== undefined) {
      waiting.envelopes.push(envelope)
      this.count++
      return true
    }
    const { memory } = this.storage
    if (memory.complete) return false
    const hash = (envelope.message as { readonly hash: number }).hash
    if (memory.has(key, hash) || this.isForgotten(key)) return false
    this.keys.set(key, { partition, hash, envelopes: [envelope], state: 'new', row: undefined })
    this.fresh.push(key)
    this.count++
    return true
  }

  /** Reads what this turn put aside, in one go. */
  fetch(): void {
    if (this.fresh.length === 0) return
    const keys = this.fresh.splice(0)
    const rows = keys.map((key) => {
      const waiting = this.keys.get(key) as Waiting
      waiting.state = 'reading'
      return objectRow(waiting.partition, key)
    })
    this.storage.store.read(rows, (error, values) => {
      for (let i = 0; i < keys.length; i++) {
        const key = keys[i] as Key
        const waiting = this.keys.get(key) as Waiting
        waiting.state = 'ready'
        waiting.row = error ?? values[i]
        this.done.push(key)
      }
      this.ports.wake()
    })
  }

  /** Hands the envelopes of fetched keys over, in order, with what the store answered. */
  takeReady(take: (envelope: Envelope, fetched: FetchedRows) => void): void {
    if (this.done.length === 0) return
    const { memory } = this.storage
    for (const key of this.done.splice(0)) {
      const waiting = this.keys.get(key) as Waiting
      this.keys.delete(key)
      const { hash } = waiting
      const row = this.isForgotten(key) ? undefined : waiting.row
      // Memory may have no room, or have received the key from elsewhere meanwhile: then it is newer.
      if (row instanceof Uint8Array && !memory.has(key, hash)) memory.put(key, hash, row, 'clean')
      const fetched: FetchedRows = new Map([[key, row]])
      this.count -= waiting.envelopes.length
      for (const envelope of waiting.envelopes) take(envelope, fetched)
    }
  }
}
