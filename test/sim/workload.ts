// Clients that read and write at once, and the oracle that knows what may come of it: every put has a value
// that is written once, and remembers which values its context had seen. From that alone follows what a read
// may return, whatever the cluster believes about clocks and dots (trust: P1, P3, P8).

import { expect } from 'vitest'
import { errorTable } from '../../src/base/errors.js'
import { type Random, randomBelow, seededRandom } from '../../src/base/random.js'
import { type SimRequest, type SimWrite, textsOf } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import type { Context } from '../../src/versions/object.js'
import { contextOf } from '../../src/versions/read.js'
import { answerOf, glance } from './helpers.js'

export type Fate = 'open' | 'ok' | 'refused' | 'indeterminate'

interface Written {
  readonly key: string
  readonly value: string
  /** All values that this one replaces, and itself. */
  readonly history: ReadonlySet<string>
  readonly request: SimRequest
  fate: Fate
}

interface Reading {
  readonly key: string
  readonly client: number
  readonly request: SimRequest
  /** Acknowledged by w replicas when the read began. */
  readonly due: readonly string[]
}

export interface WorkloadOptions {
  readonly steps: number
  readonly keys: number
  readonly write: SimWrite
  readonly r: number
  /** What happens beside the requests, at each step. */
  readonly nemesis?: (world: World, random: Random, step: number) => void
  /** Reads without messages too, at every step, and holds them to every write that was acknowledged before. */
  readonly glances?: boolean
  /** Whether r + w > n makes reads see what was acknowledged before they began: with strict quorums only. */
  readonly regular?: boolean
}

export interface WorkloadReport {
  readonly acknowledged: number
  readonly indeterminate: number
  readonly refused: number
  readonly siblingsSeen: number
  /** Reads without messages that were answered. */
  readonly glances: number
  /** Acknowledged values that nothing read at the end has in its history. */
  readonly lost: readonly string[]
}

export class Workload {
  readonly written = new Map<string, Written>()
  private readonly world: World
  private readonly options: WorkloadOptions
  private readonly random: Random
  private readonly readings: Reading[] = []
  private readonly seen = new Map<
    string,
    { readonly context: Context; readonly values: ReadonlySet<string> }
  >()
  private readonly everRead = new Set<string>()
  private unsettled: Written[] = []
  private siblingsSeen = 0
  private glances = 0

  constructor(world: World, options: WorkloadOptions) {
    this.world = world
    this.options = options
    this.random = seededRandom(world.seed, 4242)
  }

  /** Lets everything happen, then waits until all is answered. */
  run(): void {
    const { world, options, random } = this
    for (let step = 0; step < options.steps; step++) {
      const key = `k${randomBelow(random, options.keys)}`
      const client = randomBelow(random, 3)
      if (random() < 0.6) this.put(key, client, `${key}.${step}`)
      else this.get(key, client)
      if (options.glances === true) this.glance(`k${randomBelow(random, options.keys)}`)
      options.nemesis?.(world, random, step)
      // Sometimes many requests at once, sometimes a pause in which timers come due.
      if (random() < 0.7) world.pass(random() < 0.1 ? random() * 300 : random() * 0.4)
      this.collect()
    }
    for (const { request } of [...this.written.values(), ...this.readings]) answerOf(world, request)
    this.collect()
  }

  private put(key: string, client: number, value: string): void {
    const { world, options, random } = this
    const base = random() < 0.75 ? this.seen.get(`${client} ${key}`) : undefined
    const coordinator = random() < 0.5 ? 1 + randomBelow(random, world.nodes.size) : 0
    const context = base === undefined ? {} : { context: base.context }
    const request = world.client.put(key, value, {
      ...options.write,
      ...(options.regular && { pw: options.write.w ?? 2 }),
      ...context,
      coordinator,
    })
    const history = new Set([value, ...(base?.values ?? [])])
    const written: Written = { key, value, history, request, fate: 'open' }
    this.written.set(value, written)
    this.unsettled.push(written)
  }

  private get(key: string, client: number): void {
    const request = this.world.client.get(key, {
      r: this.options.r,
      ...(this.options.regular && { pr: this.options.r }),
    })
    const due: string[] = []
    if (this.options.regular === true) {
      for (const each of this.written.values())
        if (each.key === key && each.fate === 'ok') due.push(each.value)
    }
    this.readings.push({ key, client, request, due })
  }

  private glance(key: string): void {
    this.collect()
    const found = glance(this.world, key, { r: this.options.r })
    if (found === undefined) return
    this.glances++
    this.check(key, found)
    const history = this.historyOf(found)
    const missing = [...this.written.values()].filter(
      (each) => each.key === key && each.fate === 'ok' && !history.has(each.value),
    )
    const values = missing.map(({ value }) => value)
    expect(values, `seed ${this.world.seed}: a glance at ${key} missed what was acknowledged`).toEqual([])
  }

  private collect(): void {
    this.unsettled = this.unsettled.filter((written) => {
      written.fate = fateOf(written.request)
      return written.fate === 'open'
    })
    for (let i = this.readings.length - 1; i >= 0; i--) {
      const reading = this.readings[i] as Reading
      const { answer } = reading.request
      if (answer === undefined) continue
      this.readings.splice(i, 1)
      if (answer.type !== 'get-answered' || answer.object === undefined) {
        if (answer.type === 'get-answered') this.checkDue(reading, [])
        continue
      }
      const found = textsOf(answer.object)
      this.check(reading.key, found)
      this.checkDue(reading, found)
      this.siblingsSeen = Math.max(this.siblingsSeen, new Set(found).size)
      const values = this.historyOf(found)
      this.seen.set(`${reading.client} ${reading.key}`, { context: contextOf(answer.object), values })
    }
  }

  private historyOf(found: readonly string[]): Set<string> {
    const history = new Set<string>()
    for (const value of found) for (const each of this.written.get(value)?.history ?? []) history.add(each)
    return history
  }

  /** Every value was written to this key, and none of them has replaced another. */
  private check(key: string, found: readonly string[]): void {
    const { seed } = this.world
    expect(new Set(found).size, `seed ${seed}: a value twice in ${found}`).toBe(found.length)
    for (const value of found) {
      this.everRead.add(value)
      expect(this.written.get(value)?.key, `seed ${seed}: ${value} was never written to ${key}`).toBe(key)
      for (const other of found) {
        if (other === value) continue
        const replaced = this.written.get(other)?.history.has(value)
        expect(replaced, `seed ${seed}: ${value} stands beside ${other}, which had seen it`).toBe(false)
      }
    }
  }

  private checkDue(reading: Reading, found: readonly string[]): void {
    const history = this.historyOf(found)
    const missing = reading.due.filter((value) => !history.has(value))
    expect(missing, `seed ${this.world.seed}: a read of ${reading.key} missed what was acknowledged`).toEqual(
      [],
    )
  }

  /** Reads every key from all its replicas, and compares with what the writes' histories say. */
  finish(): WorkloadReport {
    const { world } = this
    const lost: string[] = []
    for (let i = 0; i < this.options.keys; i++) {
      const key = `k${i}`
      const answer = answerOf(world, world.client.get(key, { r: world.copies, timeoutMs: 30_000 }))
      expect(answer.type, `seed ${world.seed}: the last read of ${key}`).toBe('get-answered')
      if (answer.type !== 'get-answered') continue
      const found = textsOf(answer.object)
      this.check(key, found)
      const history = this.historyOf(found)
      for (const each of this.written.values()) {
        if (each.key === key && each.fate === 'ok' && !history.has(each.value)) lost.push(each.value)
      }
    }
    const count = (fate: Fate) => [...this.written.values()].filter((each) => each.fate === fate).length
    for (const { value, fate } of this.written.values()) {
      if (fate !== 'refused') continue
      expect(this.everRead.has(value), `seed ${world.seed}: ${value} was refused, and read`).toBe(false)
    }
    return {
      acknowledged: count('ok'),
      indeterminate: count('indeterminate'),
      refused: count('refused'),
      siblingsSeen: this.siblingsSeen,
      glances: this.glances,
      lost,
    }
  }
}

function fateOf(request: SimRequest): Fate {
  const { answer } = request
  if (answer === undefined) return 'open'
  if (answer.type === 'put-answered') return 'ok'
  return answer.type === 'put-failed' ? errorTable[answer.code].outcome : 'open'
}
