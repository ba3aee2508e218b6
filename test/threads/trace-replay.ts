// Gives what a node's thread was given, turn by turn, to a node of the simulated world (src/sim/node.ts): the same
// envelopes, instants, draws and answers of the disk, in the same order. What the node does is held against what
// the thread did: every envelope that it posts, byte by byte, everything that it asks of its disk, every clock that it
// reads, the verdict with which it begins a life, and the digest of its state.

import { isDeepStrictEqual } from 'node:util'
import { gossipDefaults } from '../../dist/actors/gossip/state.js'
import { Writer } from '../../dist/base/bytes.js'
import { mergeHistories } from '../../dist/membership/history.js'
import { decodeHistory, encodeHistory } from '../../dist/membership/history-codec.js'
import { supervisorThread } from '../../dist/protocol/address.js'
import { decodeEnvelope, encodeEnvelope } from '../../dist/protocol/codec.js'
import type { Envelope } from '../../dist/protocol/envelope.js'
import { type Ring, type RingJson, ringFromJson, ringToJson } from '../../dist/ring/ring.js'
import type { Posted } from '../../dist/runtime/ports.js'
import { createServingTable, ServingTable } from '../../dist/runtime/serving-table.js'
import { type NodeDraws, SimNode, type SimNodeWorld } from '../../dist/sim/node.js'
import type { MemoryStore } from '../../dist/storage/memory-store.js'
import { decodeMeta, metaRow } from '../../dist/storage/meta.js'
import type { ObjectBuffer } from '../../dist/storage/object-buffer.js'
import type { Verdict } from '../../dist/storage/recovery.js'
import { redoBounds } from '../../dist/storage/redo-rows.js'
import { digestOf, textOf } from './trace-digest.mjs'
import { type Answer, type Call, HeldStore } from './trace-store.js'

/** The first line of a trace. */
export interface LifeLine {
  readonly t: 'life'
  readonly node: number
  readonly generation: number
  readonly ring: RingJson
  readonly copies: number
  readonly peersSaw: number
  readonly metaSequence: number
  readonly highWater: number
  /** The first row of the log that the last life left, '' for none. */
  readonly logFrom: string
  /** Of the same process, when it left its memory. */
  readonly predecessor?: { readonly wasComplete: boolean }
  readonly verdict: Verdict
  readonly incarnation: number
  readonly stampFloor: number
  readonly sequence: number
  readonly memoryBytes: number
  readonly mendEveryMs: number
  readonly reapAfterMs: number
  readonly history: string
  readonly everyMs: number
  readonly seeds: readonly number[]
}

type Line =
  | { readonly t: 'new' | 'step' | 'drain' | 'end' }
  | { readonly t: 'receive'; readonly bytes: string }
  | ({ readonly t: 'answer' } & Answer)
  | ({ readonly t: 'call' } & Call)
  | { readonly t: 'now'; readonly value: number }
  | { readonly t: 'wall'; readonly value: number }
  | { readonly t: 'random'; readonly value: number }
  | { readonly t: 'peers'; readonly value: readonly number[] }
  | { readonly t: 'post'; readonly bytes: string; readonly posted: Posted }
  | { readonly t: 'high-water'; readonly incarnation: number; readonly sequence: number }
  | { readonly t: 'digest'; readonly parts: Record<string, string | number> }

type LineOf<T extends Line['t']> = Extract<Line, { t: T }>

/** The thread died here. */
class TraceEnds extends Error {}

export interface Counts {
  lives: number
  turns: number
  envelopes: number
  posts: number
  calls: number
  digests: number
  /** Lives whose thread was ended in the middle of a turn. */
  cut: number
  /** Reads and walks that were answered. */
  read: number
  /** Of these, answered as the disk was a moment after it was asked. */
  overtaken: number
}

export class Replay implements SimNodeWorld {
  readonly counts: Counts = {
    lives: 0,
    turns: 0,
    envelopes: 0,
    posts: 0,
    calls: 0,
    digests: 0,
    cut: 0,
    read: 0,
    overtaken: 0,
  }
  readonly node: SimNode
  readonly ring: Ring
  readonly copies: number
  readonly memoryBytes: number
  readonly warms = true
  readonly serving: ServingTable
  readonly mendEveryMs: number
  readonly reapAfterMs: number
  readonly gossipEveryMs: number
  readonly rarely = undefined
  readonly draws: NodeDraws
  readonly members: SimNodeWorld['members']
  private life: LifeLine
  private lines: readonly Line[] = []
  private at = 0
  private begun = false
  private store: HeldStore | undefined
  private tasks: (() => void)[] = []
  private noted: number | undefined
  private wasCut = false
  private readonly writer = new Writer()

  /** `memoryBytes`: of the object buffer, as the cluster was told. */
  constructor(first: LifeLine, memoryBytes: number) {
    this.life = first
    this.ring = ringFromJson(first.ring)
    this.copies = first.copies
    this.memoryBytes = memoryBytes
    this.serving = new ServingTable(createServingTable(this.ring.partitions), this.ring.partitions)
    this.mendEveryMs = first.mendEveryMs
    this.reapAfterMs = first.reapAfterMs
    this.gossipEveryMs = first.everyMs
    this.draws = {
      incarnation: () => this.life.incarnation,
      random: () => () => this.take('random').value,
    }
    this.members = {
      gossip: (_thread, kept) => {
        const history = decodeHistory(bytesOf(this.life.history))
        // The thread merged what its disk kept with what it was begun with: this disk has kept no more.
        const merged = kept === undefined ? history : mergeHistories(history, kept)
        this.same('history', textOf(encodeHistory(merged)), this.life.history)
        const { everyMs, seeds } = this.life
        return { gossip: { ...gossipDefaults, everyMs, history, seeds, observers: [supervisorThread] } }
      },
    }
    this.node = new SimNode(this, first.node)
  }

  // -- lives --------------------------------------------------------------------------------------------

  /** Replays one life. `memory`: what its predecessor left there; needed when that was ended within a turn. */
  play(lines: readonly unknown[], memory: Uint8Array | undefined): void {
    const [life, ...rest] = lines as [LifeLine, ...Line[]]
    this.life = life
    if (this.counts.lives++ > 0) this.end(memory)
    this.lines = rest
    this.at = 0
    this.begun = false
    this.wasCut = false
    this.node.begin(life.generation, () => {})
    this.pump()
    this.beginning()
    try {
      while (this.at < this.lines.length) this.entry()
    } catch (error) {
      if (!(error instanceof TraceEnds)) throw error
      this.wasCut = true
      this.counts.cut++
    }
  }

  /** The end of the life before: of the thread, of the process, or of all that the node had. */
  private end(memory: Uint8Array | undefined): void {
    const { node, life, inside } = this
    this.store?.apply(() => this.isAsFound())
    // What a thread did in a turn that it did not survive, no trace says.
    if (this.wasCut) inside.highWater = life.highWater
    if (life.predecessor !== undefined) {
      node.die()
      if (this.wasCut && memory !== undefined) new Uint8Array(node.memory as SharedArrayBuffer).set(memory)
      // A thread says 20 times a second whether it is complete, and may die before it does.
      if (!life.predecessor.wasComplete) inside.wasComplete = false
    } else if (life.generation === 1) node.loseMemory('process')
    else node.wipe()
  }

  /** What was under way, a batch or the end of a log, is on the disk or not: the next life knows. */
  private isAsFound(): boolean {
    const { life, node } = this
    const row = node.disk.look(metaRow)
    let logFrom = ''
    node.disk.walk(redoBounds.after, redoBounds.before, 1, (_error, rows) => {
      logFrom = rows[0]?.row ?? ''
    })
    this.pump()
    return (row === undefined ? 0 : decodeMeta(row).sequence) >= life.metaSequence && logFrom === life.logFrom
  }

  /** What a node of the world keeps to itself. */
  private get inside(): { highWater: number | undefined; wasComplete: boolean | undefined } {
    return this.node as unknown as { highWater: number | undefined; wasComplete: boolean | undefined }
  }

  /** What a life begins with is what it began with on the thread. */
  private beginning(): void {
    const { life, node } = this
    this.take('end')
    this.same('verdict', plain(node.verdict), plain(life.verdict))
    this.same('bytes of memory', node.memory?.byteLength, life.memoryBytes)
    this.same('sequence', node.storage?.sequence, life.sequence)
    this.same('batch on the disk', node.meta?.sequence ?? 0, life.metaSequence)
    // The ring, which a node of the world takes from there by itself.
    const { message } = decode(this.take('receive').bytes)
    if (message.type !== 'ring-changed') throw this.fault(`the first message is ${message.type}`)
    this.same('ring', ringToJson(message.ring), ringToJson(this.ring))
    this.take('end')
  }

  private entry(): void {
    const line = this.lines[this.at++] as Line
    const { host } = this.node
    if (host === undefined) throw this.fault('the node has died in the world')
    if (line.t === 'digest') return this.compare(line.parts)
    if (line.t === 'receive') {
      this.counts.envelopes++
      host.receive(decode(line.bytes))
    } else if (line.t === 'step') {
      this.counts.turns++
      host.step()
    } else if (line.t === 'answer') this.store?.answer(line)
    else if (line.t === 'drain') host.journal?.drain(() => {})
    else throw this.fault(`the thread did more: ${JSON.stringify(line)}`)
    this.take('end')
    this.same('high water', this.inside.highWater, this.noted)
  }

  private compare(parts: Record<string, string | number>): void {
    this.counts.digests++
    const { host, storage } = this.node
    if (host === undefined || storage === undefined) throw this.fault('the node has died in the world')
    const here = digestOf({ host, memory: storage.memory as ObjectBuffer, trees: storage.trees })
    const names = [...new Set([...Object.keys(parts), ...Object.keys(here)])]
    const differ = names.filter((name) => here[name] !== parts[name])
    if (differ.length > 0)
      throw this.fault(
        `the state differs: ${differ.map((name) => `${name} ${here[name]} here, ${parts[name]} there`)}`,
      )
  }

  /** All rows that the node's disk has. */
  get disk(): MemoryStore {
    return this.node.disk
  }

  // -- the trace ----------------------------------------------------------------------------------------

  private take<T extends Line['t']>(t: T): LineOf<T> {
    for (;;) {
      const line = this.lines[this.at]
      if (line === undefined) throw new TraceEnds('the trace ends here')
      this.at++
      if (line.t === t) return line as LineOf<T>
      if (line.t !== 'high-water')
        throw this.fault(`the world did '${t}', the thread ${JSON.stringify(line)}`)
      this.noted = line.sequence
    }
  }

  private same(what: string, here: unknown, there: unknown): void {
    if (isDeepStrictEqual(here, there)) return
    throw this.fault(`${what}: ${JSON.stringify(here)} in the world, ${JSON.stringify(there)} on the thread`)
  }

  private fault(reason: string): Error {
    const { node, counts, at } = this
    return new Error(
      `node ${node.node}, life ${counts.lives}, turn ${counts.turns}, line ${at + 1}: ${reason}`,
    )
  }

  // -- the world ----------------------------------------------------------------------------------------

  now(): number {
    return this.begun ? this.take('now').value : 0
  }

  wall(): number {
    return this.begun ? this.take('wall').value : this.life.stampFloor / 2048
  }

  schedule(_delay: number, run: () => void): void {
    this.tasks.push(run)
  }

  pump(): void {
    for (let task = this.tasks.shift(); task !== undefined; task = this.tasks.shift()) task()
  }

  post(_from: SimNode, envelope: Envelope): Posted {
    this.counts.posts++
    const { bytes, posted } = this.take('post')
    this.writer.reset()
    encodeEnvelope(this.writer, envelope)
    if (textOf(this.writer.copy()) === bytes) return posted
    this.same('envelope', plain(envelope), plain(decode(bytes)))
    throw this.fault(`an envelope is encoded otherwise: ${JSON.stringify(envelope)}`)
  }

  wake(): void {}

  died(_node: SimNode, reason: string): void {
    throw this.fault(`the node died in the world: ${reason}`)
  }

  sequences(): readonly number[] {
    return this.take('peers').value
  }

  peersSaw(): number {
    return this.life.peersSaw
  }

  /** The last thing that a node does before it makes its host. */
  wrapStore(_node: number, store: SimNode['disk'] | object): HeldStore {
    this.begun = true
    this.take('new')
    this.noted = this.inside.highWater
    const called = ({ kind, level, asked }: Omit<Call, 'number'>) => {
      this.counts.calls++
      const line = this.take('call')
      this.same(
        kind,
        plain({ kind, level, asked }),
        plain({ kind: line.kind, level: line.level, asked: line.asked }),
      )
      return line.number
    }
    this.store = new HeldStore(store as MemoryStore, called, () => this.pump(), this.counts)
    return this.store
  }
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'base64')
}

function decode(text: string): Envelope {
  const bytes = bytesOf(text)
  return decodeEnvelope(bytes, 0, bytes.length)
}

/** As JSON has it: without what is undefined. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null))
}
