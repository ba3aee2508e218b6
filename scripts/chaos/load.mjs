// A load on a cluster of this process whose threads are hurt: writers that each own one key, write 1, 2, 3 and wait
// for each. What was acknowledged is remembered here, in a thread that nothing is done to.
//
// The oracle: read from all three replicas, a key is at least as new as the last that was acknowledged before the
// read, and at most one newer than the last that was acknowledged after it.

import { sleep } from './tools.mjs'

const timeoutMs = 10_000
/** How much later than its deadline a put may be answered, on a machine that is busy with a fault. */
const graceMs = 10_000

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
    this.writers = this.keys.map((key) => this.write(key))
  }

  async write(key) {
    let context
    for (let number = 1; !this.isOver; ) {
      const begun = performance.now()
      try {
        context = (await this.bucket.put(key, `${key} ${number}`, { context, timeout: timeoutMs })).context
        this.last.set(key, number)
        this.tally.written++
        number++
      } catch (error) {
        this.errors[error.code] = (this.errors[error.code] ?? 0) + 1
        // What became of it nobody knows: the same number again, so that one write is never two.
        await sleep(1)
      }
      this.slowestMs = Math.max(this.slowestMs, performance.now() - begun)
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

  /** Reads everything from all replicas. `when` is said of what is lost. */
  async check(when) {
    await this.whole()
    const before = new Map(this.last)
    const found = await this.readAll()
    for (const [i, { values }] of found.entries()) {
      const key = this.keys[i]
      const numbers = values.map((value) => {
        const [name, number] = value.split(' ')
        return name === key ? Number(number) : Number.POSITIVE_INFINITY
      })
      const newest = Math.max(0, ...numbers)
      const noted = before.get(key) ?? 0
      if (newest < noted) this.tally.lost.push(`${when}: ${key}: ${newest} of ${noted}`)
      const now = this.last.get(key) ?? 0
      if (newest > now + 1) this.tally.strange.push(`${when}: ${key}: ${newest} after ${now}`)
    }
  }

  async readAll() {
    for (let tries = 0; ; tries++) {
      try {
        return await this.bucket.getMany(this.keys, { r: 3, timeout: 60_000 })
      } catch (error) {
        if (error.outcome !== 'refused' || tries > 500) throw error
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
