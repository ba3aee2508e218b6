// What every thread may know of every other without asking: its state, its life, its heartbeat, its counters.
// One record a thread in one SharedArrayBuffer, outliving them all. The machine writes state, generation and
// fence; the thread itself its heartbeat and counters. So every field has one writer at a time.
//
// The fence: generations up to the fenced one are dead, and nobody listens to them any more. A life is fenced
// before its thread is ended, so that nothing it says while dying is believed. Deciding who is dead is left to
// the supervisor; looking at the fence after the tail of a mailbox, to those who listen.

import { limits } from '../base/limits.js'
import type { Millis, NodeId } from '../base/units.js'
import { threadsMax } from '../protocol/address.js'

export type ThreadState = 'none' | 'starting' | 'up' | 'slow' | 'draining' | 'dead' | 'failed'

const states: readonly ThreadState[] = ['none', 'starting', 'up', 'slow', 'draining', 'dead', 'failed']

/** Words of a record that other threads read to decide something: atomics, on a cache line of their own. */
const stateWord = 0
const generationWord = 1
const fencedWord = 2
const completeWord = 3
const wordsPerThread = 16
/** Behind the records, on a cache line of its own: how many lives have been fenced. */
const fencesWord = threadsMax * wordsPerThread
const wordsAll = fencesWord + 16

/** What a thread tells of itself. `beat` is the time of its last heartbeat, `beats` how many there were. */
const counterNames = [
  'incarnation',
  'stampFloor',
  'ringEpoch',
  'view',
  'beat',
  'beats',
  'loopDelayMs',
  'queued',
  'turns',
  'puts',
  'gets',
  'replications',
  'readRepairs',
  'commits',
  'fsyncs',
  'sequence',
  'objects',
  'bufferBytes',
  'dirtyBytes',
  'heapBytes',
  'hints',
  'hintBytes',
  'hintsLost',
  'compared',
  'mended',
  'reaped',
] as const

export type CounterName = (typeof counterNames)[number]

const counterIndex = Object.fromEntries(counterNames.map((name, index) => [name, index])) as Record<
  CounterName,
  number
>
const countersPerThread = 32

export function createStatusTable(): SharedArrayBuffer {
  return new SharedArrayBuffer(wordsAll * 4 + threadsMax * countersPerThread * 8)
}

/** A view of the table; as many as wanted, in any thread. */
export class StatusTable {
  private readonly words: Int32Array
  private readonly counters: Float64Array

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, wordsAll)
    this.counters = new Float64Array(memory, wordsAll * 4, threadsMax * countersPerThread)
  }

  /** Lives so far, 0 before the first. Frames carry its low 16 bits. */
  generation(thread: NodeId): number {
    return Atomics.load(this.words, thread * wordsPerThread + generationWord)
  }

  /** True for the present life of a thread, until it is fenced. */
  isAlive(thread: NodeId, generation: number): boolean {
    const at = thread * wordsPerThread
    return (
      generation > Atomics.load(this.words, at + fencedWord) &&
      generation === Atomics.load(this.words, at + generationWord)
    )
  }

  /** True when this life, which was the present one, has been declared dead. */
  isFenced(thread: NodeId, generation: number): boolean {
    return Atomics.load(this.words, thread * wordsPerThread + fencedWord) >= generation
  }

  /** As long as it stays, no further life has been fenced. */
  fences(): number {
    return Atomics.load(this.words, fencesWord)
  }

  /** Begins the next life and answers its generation. */
  begin(thread: NodeId): number {
    return Atomics.add(this.words, thread * wordsPerThread + generationWord, 1) + 1
  }

  /** Declares this life, and all before it, dead, for good: a fence never moves back. */
  fence(thread: NodeId, generation: number): void {
    const at = thread * wordsPerThread + fencedWord
    if (Atomics.load(this.words, at) >= generation) return
    Atomics.store(this.words, at, generation)
    Atomics.add(this.words, fencesWord, 1)
  }

  state(thread: NodeId): ThreadState {
    return states[Atomics.load(this.words, thread * wordsPerThread + stateWord)] ?? 'none'
  }

  setState(thread: NodeId, state: ThreadState): void {
    Atomics.store(this.words, thread * wordsPerThread + stateWord, states.indexOf(state))
  }

  isComplete(thread: NodeId): boolean {
    return Atomics.load(this.words, thread * wordsPerThread + completeWord) === 1
  }

  setComplete(thread: NodeId, complete: boolean): void {
    Atomics.store(this.words, thread * wordsPerThread + completeWord, complete ? 1 : 0)
  }

  /** Nodes that are up, or were when last looked at, and their lives. */
  living(): { readonly node: NodeId; readonly generation: number }[] {
    const all: { node: NodeId; generation: number }[] = []
    for (let node = 1; node <= limits.nodesMax; node++) {
      const state = this.state(node)
      const generation = this.generation(node)
      if ((state === 'up' || state === 'slow') && this.isAlive(node, generation))
        all.push({ node, generation })
    }
    return all
  }

  beat(thread: NodeId, now: Millis): void {
    this.setCounter(thread, 'beat', now)
    this.setCounter(thread, 'beats', this.counter(thread, 'beats') + 1)
  }

  lastBeat(thread: NodeId): Millis {
    return this.counter(thread, 'beat')
  }

  /** Counters are plain doubles, aligned, so never torn: a reader may be a moment late, never wrong for long. */
  counter(thread: NodeId, name: CounterName): number {
    return this.counters[thread * countersPerThread + counterIndex[name]] ?? 0
  }

  /** Of all threads. */
  greatest(name: CounterName): number {
    let greatest = 0
    for (let thread = 0; thread < threadsMax; thread++)
      greatest = Math.max(greatest, this.counter(thread, name))
    return greatest
  }

  setCounter(thread: NodeId, name: CounterName, value: number): void {
    this.counters[thread * countersPerThread + counterIndex[name]] = value
  }

  /** The last batch that each thread reported, by thread number. */
  sequences(): number[] {
    const all: number[] = []
    for (let thread = 0; thread < threadsMax; thread++) {
      const sequence = this.counter(thread, 'sequence')
      if (sequence > 0) all[thread] = sequence
    }
    return all
  }
}
