// Listings of a partition for replicas that compare themselves: keys and signatures instead of objects, of
// some leaves or of all, page by page. Reads on until a page is full, so that a few keys in a large partition
// are one answer and not a thousand empty ones.

import type { ListWanted, RowsWanted } from '../actors/actor.js'
import type { Key } from '../base/units.js'
import { type Signature, sign } from '../merkle/signature.js'
import type { Envelope } from '../protocol/envelope.js'
import type { Listed } from '../protocol/sync.js'
import type { RowsRead } from '../protocol/walk.js'
import { looksWhole, modeOf } from '../versions/object-codec.js'
import type { Trees } from './trees.js'
import type { Walks } from './walks.js'

interface Found {
  readonly keys: Key[]
  readonly copies: number[]
  readonly signatures: number[]
  readonly damaged: number[]
}

export class Listings {
  private readonly walks: Walks
  private readonly trees: Trees
  private readonly hashOf: (key: Key) => number
  private readonly deliver: (envelope: Envelope) => void

  constructor(
    walks: Walks,
    trees: Trees,
    hashOf: (key: Key) => number,
    deliver: (envelope: Envelope) => void,
  ) {
    this.walks = walks
    this.trees = trees
    this.hashOf = hashOf
    this.deliver = deliver
  }

  begin(wanted: ListWanted): void {
    const { asker, request } = wanted
    this.read(wanted, { keys: [], copies: [], signatures: [], damaged: [] }, wanted.after, (message) =>
      this.deliver({ to: asker, from: asker, request, deadline: 0, message }),
    )
  }

  private read(wanted: ListWanted, found: Found, after: string, done: (listed: Listed) => void): void {
    const rows: RowsWanted = {
      asker: wanted.asker,
      partition: wanted.asker.partition,
      owner: 0,
      request: 0,
      prefix: '',
      after,
      limit: wanted.limit,
      begunAt: wanted.begunAt,
      since: 0,
    }
    this.walks.rows(rows, (page) => {
      this.take(wanted, found, page)
      const { next } = page
      const isFull = page.failed || next === undefined || found.keys.length >= wanted.limit
      if (isFull) done({ type: 'listed', ...found, next, failed: page.failed })
      else this.read(wanted, found, next, done)
    })
  }

  private take(wanted: ListWanted, found: Found, page: RowsRead): void {
    const signature: Signature = { high: 0, low: 0 }
    for (const { key, object } of page.rows) {
      const hash = this.hashOf(key)
      if (wanted.leaves !== undefined && !wanted.leaves.has(this.trees.leafOf(hash))) continue
      const { copies } = modeOf(object)
      if (copies < wanted.copiesMin) continue
      sign(object, hash, signature)
      found.copies.push(copies)
      if (wanted.deep && !looksWhole(object, hash)) found.damaged.push(found.keys.length)
      found.keys.push(key)
      found.signatures.push(signature.high, signature.low)
    }
  }
}
