// Writes down what a node's host is given on its thread, and what it does: a line of JSON for each thing, in order.
// test/threads/trace-build.ts puts it into a copy of the built product; production code has no seam for it.
//
// The host is entered by `receive`, `step`, `drain` and the answers of the store. What it asks and does meanwhile
// follows the line of the entry: the clocks and the randomness that it reads, the envelopes that it posts and how
// that was answered, what it asks of the store. Every K turns there is a digest of all that the host is.

import { existsSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { digestOf, digestOfRows, digestOfWrites, textOf } from './trace-digest.mjs'

const digestEveryTurns = 40

/** What the thread knows of its life, and the parts of the product that are needed to write that down. */
export function recorded({
  Host,
  ports,
  task,
  verdict,
  meta,
  highWater,
  peersSaw,
  logFrom,
  encode,
  encodeHistory,
  memory,
  dir,
}) {
  const trace = new Trace(dir, task.node, encode)
  const { life, storage, gossip } = ports
  trace.note({
    t: 'life',
    node: task.node,
    generation: task.generation,
    ring: task.ring,
    copies: task.copies,
    peersSaw,
    metaSequence: meta?.sequence ?? 0,
    highWater: highWater ?? 0,
    logFrom,
    predecessor: task.predecessor,
    verdict,
    incarnation: life.incarnation,
    stampFloor: life.stampFloor,
    volatile: life.volatile.length,
    sequence: storage.sequence,
    memoryBytes: task.shared.memories[task.node].byteLength,
    mendEveryMs: ports.mendEveryMs,
    reapAfterMs: ports.reapAfterMs,
    travelMsMax: ports.travelMsMax,
    history: textOf(encodeHistory(gossip.history)),
    everyMs: gossip.everyMs,
    seeds: gossip.seeds,
  })
  const host = trace.enter({ t: 'new' }, () => new Host(trace.portsOf(ports), { supervisor: false }))
  trace.look = () => digestOf({ host, memory, trees: storage.trees })
  trace.wrap(host)
  return host
}

/** The first row within these bounds; '' when there is none. */
export function firstRow(store, { after, before }) {
  return new Promise((resolve, reject) => {
    store.walk(after, before, 1, (error, rows) => (error ? reject(error) : resolve(rows[0]?.row ?? '')))
  })
}

/** Before a new life looks at it: what the last one left in memory. */
export function keepMemory(task, dir) {
  if (task.predecessor === undefined) return
  const memory = Buffer.from(task.shared.memories[task.node])
  writeFileSync(join(dir, `${task.node}-${nextOf(dir, task.node)}.memory`), memory)
}

function nextOf(dir, node) {
  let life = 1
  while (existsSync(join(dir, `${node}-${life}.jsonl`))) life++
  return life
}

class Trace {
  look = () => ({})

  constructor(dir, node, encode) {
    this.file = openSync(join(dir, `${node}-${nextOf(dir, node)}.jsonl`), 'w')
    this.encode = encode
    this.lines = []
    this.inside = false
    this.calls = 0
    this.turns = 0
    this.received = 0
  }

  note(event) {
    this.lines.push(JSON.stringify(event))
  }

  flush() {
    if (this.lines.length === 0) return
    writeSync(this.file, `${this.lines.join('\n')}\n`)
    this.lines = []
  }

  /** What is done by the host inside of the host is no entry. */
  enter(event, run) {
    if (this.inside) return run()
    this.inside = true
    this.note(event)
    // Of a turn that its thread does not survive the trace says at least that it began.
    if (event.t !== 'receive') this.flush()
    const result = run()
    this.note({ t: 'end' })
    this.inside = false
    return result
  }

  /** What is read from outside, by the reports of a node, is no input of the host. */
  drawn(t, draw) {
    return () => {
      const value = draw()
      if (this.inside) this.note({ t, value })
      return value
    }
  }

  portsOf(ports) {
    return {
      ...ports,
      now: this.drawn('now', ports.now),
      wall: this.drawn('wall', ports.wall),
      random: this.drawn('random', ports.random),
      peers: this.drawn('peers', ports.peers),
      post: (envelope) => {
        const bytes = this.encode(envelope)
        const posted = ports.post(envelope)
        this.note({ t: 'post', bytes, posted })
        return posted
      },
      storage: {
        ...ports.storage,
        store: this.storeOf(ports.storage.store),
        highWater: {
          note: (incarnation, sequence) => {
            this.note({ t: 'high-water', incarnation, sequence })
            ports.storage.highWater.note(incarnation, sequence)
          },
        },
      },
    }
  }

  storeOf(store) {
    const call = (what) => {
      const number = ++this.calls
      this.note({ t: 'call', number, ...what })
      // A batch may be on the disk although its thread dies in this turn: then the trace must tell of it.
      this.flush()
      return number
    }
    const answered = (number, rowsOf, done) => (error, result) => {
      const rows = error === undefined ? digestOfRows(rowsOf(result)) : undefined
      this.enter({ t: 'answer', number, error: error?.message, rows }, () => done(error, result))
      this.flush()
    }
    const none = () => []
    return {
      commit: (writes, level, done) => {
        const number = call({ kind: 'commit', level, asked: digestOfWrites(writes) })
        store.commit(writes, level, answered(number, none, done))
      },
      deleteRange: (from, to, done) => {
        const number = call({ kind: 'delete-range', asked: [from, to] })
        store.deleteRange(from, to, answered(number, none, done))
      },
      read: (rows, done) => {
        const number = call({ kind: 'read', asked: rows })
        store.read(
          rows,
          answered(number, (values) => values, done),
        )
      },
      walk: (after, before, limit, done) => {
        const number = call({ kind: 'walk', asked: [after, before, limit] })
        const flat = (rows) => rows.flatMap(({ row, value }) => [row, value])
        store.walk(after, before, limit, answered(number, flat, done))
      },
    }
  }

  wrap(host) {
    const { receive, step, journal } = host
    const { drain } = journal
    host.receive = (envelope) => {
      if (this.inside) return receive.call(host, envelope)
      this.enter({ t: 'receive', bytes: this.encode(envelope) }, () => receive.call(host, envelope))
      // The first one is the ring: what a life begins with, before it does anything.
      if (this.received++ === 0) this.note({ t: 'digest', parts: this.look() })
    }
    host.step = () => {
      this.enter({ t: 'step' }, () => step.call(host))
      if (++this.turns % digestEveryTurns === 0) this.note({ t: 'digest', parts: this.look() })
      this.flush()
    }
    journal.drain = (done) => {
      this.note({ t: 'digest', parts: this.look() })
      this.enter({ t: 'drain' }, () => drain.call(journal, done))
      this.flush()
    }
  }
}
