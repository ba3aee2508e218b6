// A load on a cluster of this process whose threads are hurt: writers that each own one key, write 1, 2, 3 and wait
// for each. What was acknowledged is remembered here, in a thread that nothing is done to.
//
// The oracle, with the writers at rest and once nothing is on its way home any more: read from all three replicas
// themselves, a key is as new as the last that was acknowledged, or one newer. Before that it is read as the writers
// would read it. What that finds older is no loss: a quorum is sloppy (Dynamo 4.6), and the one replica of w 1 may be
// one in whose place others answer, or a write with who stood in for it. It is counted, and must mend itself.

import { say, sleep } from './tools.mjs'
import { whereIs } from './where.mjs'

const timeoutMs = 10_000
/** How much later than its deadline a put may be answered, on a machine that is busy with a fault. */
const graceMs = 10_000
/** How long hints may need to come home while nothing is written, on a machine that is busy with others. */
const homeMsMax = 180_000

export class Load {
  constructor(cluster, tally, count = 128) {
    this.cluster = cluster
    this.tally = tally
    this.bucket = cluster.bucket('chaos', { n: 3, w: 1, dw: 0 })
    this.keys = Array.from({ length: count }, (_, i) => `k${i}`)
    this.last = new Map()
    this.errors = {}
    this.slowestMs = 0
    this.isOver = false
    this.isPaused = false
    this.resting = 0
    this.read = 0
    this.stale = 0
    this.writers = this.keys.map((key) => this.write(key))
  }

  async write(key) {
    let context
    for (let number = 1; !this.isOver; ) {
      if (this.isPaused) await this.rest()
      const begun = performance.now()
      try {
        context = (await this.bucket.put(key, `${key} ${number}`, { context, timeout: timeoutMs })).context
        this.last.set(key, number)
        this.tally.written++
        number++
      } catch (error) {
        this.errors[error.code] = (this.errors[error.code] ?? 0) + 1
        // What became of it nobody knows: the same number again, so that one write is never two. Each time it may
        // leave a sibling: with too many of them only who has seen them may write.
        if (error.code === 'too-many-siblings') context = (await this.seen(key)) ?? context
        await sleep(1)
      }
      this.slowestMs = Math.max(this.slowestMs, performance.now() - begun)
    }
  }

  /** The context of what is there; undefined when nobody can say. */
  async seen(key) {
    try {
      return (await this.bucket.get(key, { r: 3, timeout: timeoutMs })).context
    } catch {
      return undefined
    }
  }

  async rest() {
    this.resting++
    while (this.isPaused && !this.isOver) await sleep(1)
    this.resting--
  }

  /** Until no put is under way: what a writer does next would hide what it has lost. */
  async pause() {
    this.isPaused = true
    const until = performance.now() + timeoutMs + graceMs
    while (!this.isOver && this.resting < this.keys.length) {
      if (performance.now() > until) throw new Error('a put is never answered')
      await sleep(1)
    }
  }

  /** Until so many more are acknowledged; false when they are not. */
  async more(count, msMax = 30_000) {
    const wanted = this.tally.written + count
    const until = performance.now() + msMax
    while (this.tally.written < wanted && performance.now() < until) await sleep(1)
    return this.tally.written >= wanted
  }

  async whole(msMax = 60_000) {
    const isWhole = ({ state, complete }) => state === 'up' && complete
    const until = performance.now() + msMax
    while (!this.cluster.status().nodes.every(isWhole)) {
      if (performance.now() > until) {
        const states = this.cluster.status().nodes.map(({ node, state }) => `${node} ${state}`)
        throw new Error(`the nodes do not come back: ${states.join(', ')}`)
      }
      await sleep(20)
    }
  }

  /** Until nobody keeps anything for anybody: by the bits that readers of shared memory go by, which are never late. */
  async home() {
    const { serving } = this.cluster.core.shared.options
    const until = performance.now() + homeMsMax
    const owed = () => this.cluster.status().nodes.filter(({ node }) => serving.isOwed(node))
    while (owed().length > 0) {
      if (performance.now() > until)
        throw new Error(`hints do not come home: ${owed().map(({ node }) => node)}`)
      await sleep(20)
    }
  }

  /** Nothing may be lost. `when` is said of what is. */
  async check(when) {
    await this.pause()
    await this.whole()
    // As the writers would read it, with whoever stands in.
    this.stale += (await this.look({ r: 3 }, when)).length
    this.read += this.keys.length
    await this.home()
    for (const { key, text } of await this.look({ r: 3, pr: 3 }, when)) {
      this.tally.lost.push(text)
      say(`         ${text}: ${whereIs(this.cluster, this.bucket, key)}`)
    }
    this.isPaused = false
  }

  /** Reads everything and answers what is older than the last that was acknowledged. */
  async look(options, when) {
    const found = await this.readAll(options)
    const old = []
    for (const [i, { values }] of found.entries()) {
      const key = this.keys[i]
      const numbers = values.map((value) => {
        const [name, number] = value.split(' ')
        return name === key ? Number(number) : Number.POSITIVE_INFINITY
      })
      const newest = Math.max(0, ...numbers)
      const noted = this.last.get(key) ?? 0
      if (newest < noted) old.push({ key, text: `${when}: ${key}: ${newest} of ${noted}` })
      if (newest > noted + 1) this.tally.strange.push(`${when}: ${key}: ${newest} after ${noted}`)
    }
    return old
  }

  async readAll(options) {
    const until = performance.now() + homeMsMax
    for (;;) {
      try {
        return await this.bucket.getMany(this.keys, { ...options, timeout: 60_000 })
      } catch (error) {
        if (error.outcome !== 'refused' || performance.now() > until) throw error
        await sleep(20)
      }
    }
  }

  /** Ends the load, and reads for the last time. */
  async end() {
    this.isOver = true
    const settled = Promise.all(this.writers).then(() => true)
    const late = sleep(timeoutMs + graceMs).then(() => false)
    if (!(await Promise.race([settled, late]))) this.tally.strange.push('a put is never answered')
    if (this.slowestMs > timeoutMs + graceMs)
      this.tally.strange.push(`a put took ${Math.round(this.slowestMs)} ms`)
    await this.check('at the end')
    this.tally.words.push(`${this.stale} of ${this.read} keys were read older before hints had come home`)
    this.tally.words.push(`puts that failed: ${JSON.stringify(this.errors)}`)
  }
}

/** More than ten deaths of a node in a minute, and it is given up: who has died as often is spared for a while. */
export class Victims {
  constructor(cluster, random) {
    this.cluster = cluster
    this.random = random
    this.deaths = new Map()
  }

  /** A node that is up and may die, or undefined. */
  next() {
    const { nodes } = this.cluster.status()
    const { node, state } = nodes[this.random(nodes.length)]
    const recent = (this.deaths.get(node) ?? []).filter((when) => when > performance.now() - 61_000)
    if (recent.length >= 8 || state !== 'up') return undefined
    this.died(node)
    return node
  }

  died(node) {
    this.deaths.set(node, [...(this.deaths.get(node) ?? []), performance.now()])
  }

  generation(node) {
    return this.cluster.status().nodes.find((each) => each.node === node).generation
  }

  /** Until a later life of the node is up; false when there is none. */
  async reborn(node, generation, msMax = 30_000) {
    const isUp = (each) => each.node === node && each.generation > generation && each.state === 'up'
    const until = performance.now() + msMax
    while (performance.now() < until) {
      if (this.cluster.status().nodes.some(isUp)) return true
      await sleep(2)
    }
    return false
  }
}
