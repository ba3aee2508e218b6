// What the messages of one turn will look at in memory, loaded before the first of them is decided. Objects lie
// anywhere: one after the other each look would wait for main memory, several times; all together they wait once,
// because a processor goes on to the next load while one is under way. Has no effect but that.
//
// Invariant: nothing is written, and what is read decides nothing.

import { limits } from '../base/limits.js'
import type { Envelope } from '../protocol/envelope.js'
import type { HostStorage } from './ports.js'

/** Messages that are looked at in one go: their lines must still be there when their turn comes. */
export const lookMax = 128

export class Ahead {
  private readonly storage: HostStorage
  private readonly hashes = new Uint32Array(Math.min(lookMax, limits.turnMessagesMax))

  constructor(storage: HostStorage) {
    this.storage = storage
  }

  /** For the messages from `first` on; answers where the next look begins. */
  look(gathered: readonly Envelope[], first: number): number {
    const { hashes, storage } = this
    const end = Math.min(gathered.length, first + hashes.length)
    let count = 0
    for (let at = first; at < end; at++) {
      const { message } = gathered[at] as Envelope
      if (message.type === 'replicate' || message.type === 'put') hashes[count++] = message.hash
    }
    if (count > 1) {
      storage.memory.touch(hashes, count)
      storage.trees.touch(hashes, count)
    }
    return end
  }
}
