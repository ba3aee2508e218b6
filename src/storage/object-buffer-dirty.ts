// The order in which unflushed objects are handed out to be written: a doubly linked list through the
// entries themselves, so that it costs nothing per object beyond two words and any entry leaves it at once.
//
// Invariant: it holds exactly the dirty entries that are not being flushed, the longest unflushed first. An
// overwrite takes the place of what it overwrites: a hot key cannot put off its own flush, and whoever
// flushed as many objects as were dirty at an instant has flushed everything that was written before it.
// The links die with the thread; a successor orders by sequence.

import { entryWord } from './object-buffer-layout.js'

export class DirtyOrder {
  private readonly words: Int32Array
  /** Units; 0 for none. */
  oldest = 0
  private newest = 0

  constructor(words: Int32Array) {
    this.words = words
  }

  private link(older: number, newer: number): void {
    if (older === 0) this.oldest = newer
    else this.words[older * 2 + entryWord.newer] = newer
    if (newer === 0) this.newest = older
    else this.words[newer * 2 + entryWord.older] = older
  }

  append(unit: number): void {
    const newest = this.newest
    this.link(newest, unit)
    this.link(unit, 0)
  }

  /** For what was handed out and came back. */
  prepend(unit: number): void {
    const oldest = this.oldest
    this.link(unit, oldest)
    this.link(0, unit)
  }

  remove(unit: number): void {
    const { words } = this
    this.link(words[unit * 2 + entryWord.older] as number, words[unit * 2 + entryWord.newer] as number)
  }

  /** `unit` takes the place of `old`, whose links must still be there. */
  replace(old: number, unit: number): void {
    const older = this.words[old * 2 + entryWord.older] as number
    const newer = this.words[old * 2 + entryWord.newer] as number
    this.link(older, unit)
    this.link(unit, newer)
  }

  clear(): void {
    this.oldest = 0
    this.newest = 0
  }
}
