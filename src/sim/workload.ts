// What the clients of a run do: registers, carts and counters that are read, merged and written; deletes with bait
// that must not come back; a hot key; last-write-wins values; conditional writes; values that expire; batches; listings.
// Each operation is a function of what its client has seen, and of a stream of randomness of its own.

import { type Random, randomBelow, seededRandom } from '../base/random.js'
import type { NodeId } from '../base/units.js'
import type { StoredObject } from '../versions/object.js'
import { liveSiblings } from '../versions/read.js'
import type { Applying } from './application.js'
import type { SimOperation, Style } from './plan.js'
import { nothingSeen, type Sessions } from './sessions.js'

type Act = (sessions: Sessions, operation: SimOperation, random: Random) => void

const acts: Readonly<Record<Exclude<Style, 'application'>, Act>> = {
  register,
  cart,
  counter,
  bait,
  hot: register,
  latest,
  conditional,
  expiry,
  batch,
  listing,
}

export function act(
  sessions: Sessions,
  operation: SimOperation,
  seed: number,
  applying: Applying | undefined,
): void {
  const random = seededRandom(seed, 50_000 + operation.seed)
  if (operation.style === 'application') applying?.act(sessions, operation, random)
  else acts[operation.style](sessions, operation, random)
}

/** Reads, or writes with what it has seen last, or blindly. */
function register(sessions: Sessions, operation: SimOperation, random: Random): void {
  const { key } = operation
  const what = random()
  if (what < 0.4) return sessions.read(operation, key, () => {})
  const seen = random() < 0.75 ? sessions.memoryOf(operation) : nothingSeen
  sessions.write(operation, key, { seen })
}

/** Reads, adds what it wants to all that it found, writes: nothing that was added is ever lost (Dynamo 4.4). */
function cart(sessions: Sessions, operation: SimOperation): void {
  sessions.read(operation, operation.key, (object, seen) => {
    const items = new Set<string>()
    for (const words of wordsOf(sessions, object))
      for (const item of words[1]?.split(',') ?? []) items.add(item)
    items.delete('')
    items.add(`i${operation.index}`)
    sessions.write(operation, operation.key, { body: [...items].join(','), seen })
  })
}

/** Each client counts for itself, the greatest count of each is true, the sum is the value. */
function counter(sessions: Sessions, operation: SimOperation): void {
  sessions.read(operation, operation.key, (object, seen) => {
    const counts = countsOf(wordsOf(sessions, object))
    // Two operations of a client may be under way at once: each counts in a name of its own.
    counts.set(`o${operation.index}`, 1)
    const body = [...counts].map(([name, count]) => `${name}:${count}`).join(',')
    sessions.write(operation, operation.key, { body, seen })
  })
}

function countsOf(values: readonly (readonly string[])[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const words of values) {
    for (const each of words[1]?.split(',') ?? []) {
      const [name, count] = each.split(':')
      if (name && count) counts.set(name, Math.max(counts.get(name) ?? 0, Number(count)))
    }
  }
  return counts
}

/** Writes, deletes what it has written, and now and then writes again: what was deleted must not come back. */
function bait(sessions: Sessions, operation: SimOperation, random: Random): void {
  const { key } = operation
  if (random() < 0.3) return sessions.read(operation, key, () => {})
  sessions.write(operation, key, {
    seen: random() < 0.5 ? sessions.memoryOf(operation) : nothingSeen,
    done: (write) => {
      if (write.fate !== 'ok' || random() < 0.3) return
      sessions.write(operation, key, { isDelete: true, seen: sessions.memoryOf(operation) })
    },
  })
}

function latest(sessions: Sessions, operation: SimOperation, random: Random): void {
  const { key } = operation
  const what = random()
  if (what < 0.35) return sessions.read(operation, key, () => {})
  const seen = random() < 0.4 ? sessions.memoryOf(operation) : nothingSeen
  sessions.write(operation, key, { isDelete: what > 0.9, seen })
}

/** Two that must not both win are a matter of luck where a quorum is sloppy; refused is refused all the same. */
function conditional(sessions: Sessions, operation: SimOperation, random: Random): void {
  const { key } = operation
  const what = random()
  if (what < 0.2) return sessions.read(operation, key, () => {})
  if (what < 0.35) return race(sessions, operation)
  const seen = sessions.memoryOf(operation)
  if (what < 0.5) sessions.write(operation, key, { condition: 'absent', seen: nothingSeen })
  else if (what < 0.8) sessions.write(operation, key, { condition: 'present', seen })
  else sessions.write(operation, key, { isDelete: true, seen })
}

const rounds = 16
const roundMs = 60

/** Three who ask for the same new key at once, by gateways of which one may have heard of a ring and another not. */
function race(sessions: Sessions, operation: SimOperation, round = 0): void {
  const { world } = sessions
  const key = `s.race${operation.index}-${round}`
  const nodes = [0, ...world.ring.nodes]
  for (let racer = 0; racer < 3; racer++) {
    const via = nodes[(operation.via + round + racer) % nodes.length] as NodeId
    sessions.write({ ...operation, via }, key, { condition: 'absent', seen: nothingSeen })
  }
  if (round < rounds) world.schedule(roundMs, () => race(sessions, operation, round + 1))
}

function expiry(sessions: Sessions, operation: SimOperation, random: Random): void {
  const { key } = operation
  if (random() < 0.4) return sessions.read(operation, key, () => {})
  const expires = random() < 0.8 ? Math.floor(sessions.world.wall()) + 50 + randomBelow(random, 20_000) : 0
  sessions.write(operation, key, { expires, seen: sessions.memoryOf(operation) })
}

/** Several of many keys at once, one request each, as putMany and getMany do: more than memory holds. */
function batch(sessions: Sessions, operation: SimOperation, random: Random): void {
  const isRead = random() < 0.4
  const first = randomBelow(random, wideKeys)
  for (let i = 0; i < 12; i++) {
    const key = `s.wide${(first + i) % wideKeys}`
    if (isRead) sessions.read(operation, key, () => {})
    else sessions.write(operation, key, { seen: sessions.memoryOf(operation, key) })
  }
}

/** All pages of a partition, one after the other, while it changes. */
function listing(sessions: Sessions, operation: SimOperation, random: Random): void {
  const { ring } = sessions.world
  sessions.list(operation, randomBelow(random, ring.partitions), 1 + randomBelow(random, 20))
}

/** Keys that batches are about. */
const wideKeys = 300

/** The words of the values that live. */
function wordsOf(sessions: Sessions, object: StoredObject | undefined): string[][] {
  if (object === undefined) return []
  return liveSiblings(object, sessions.world.wall()).map(({ value }) =>
    Buffer.from(value).toString().split(' '),
  )
}
