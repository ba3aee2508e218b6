// Rounds in which threads of a cluster of this process die or stand still, while it writes with w 1 and nothing
// durable: terminated, by an error that nobody catches, by a heap that is full, by an event loop that is blocked.
// Memory that is shared outlives its thread, so nothing that was acknowledged may be lost.

import { join } from 'node:path'
import { Load, Victims } from './load.mjs'
import { folder, sleep, Tally } from './tools.mjs'

const random = (below) => Math.floor(Math.random() * below)

async function hurt(name, nodes, act) {
  const { Cluster } = await import('../../dist/index.js')
  const tally = new Tally(name)
  const lines = []
  const cluster = await Cluster.open({
    nodes,
    partitions: 64,
    memory: 16 * 1024 * 1024,
    dir: join(folder(), 'data'),
    log: (_level, text) => lines.push(text),
  })
  const load = new Load(cluster, tally)
  await load.more(500)
  await act({ cluster, tally, load, victims: new Victims(cluster, random), lines })
  await load.more(500)
  await load.end()
  await cluster.close()
  return tally.done()
}

/** At any moment, also while it begins or others are dead. */
export const terminated = (cycles) =>
  hurt('threads terminated, w 1, dw 0', 16, async ({ cluster, tally, victims }) => {
    while (tally.cycles < cycles) {
      const node = victims.next()
      if (node !== undefined) {
        cluster.faults.kill(node)
        tally.cycles++
      }
      await sleep(random(20))
    }
  })

export const uncaught = (cycles) =>
  hurt('errors that nobody catches, w 1, dw 0', 16, async ({ cluster, tally, victims, lines }) => {
    // A life dies once, however long it takes until everybody knows.
    const dead = new Map()
    while (tally.cycles < cycles) {
      const node = victims.next()
      const life = node === undefined ? undefined : victims.generation(node)
      if (node !== undefined && dead.get(node) !== life) {
        dead.set(node, life)
        // It may be gone before it could say that it will be.
        await cluster.machine
          .control(node)
          ?.call((control) => control.crash(), 10_000)
          .catch(() => {})
        tally.cycles++
      }
      await sleep(random(20))
    }
    // Of those that died last it is said when their threads have ended.
    const count = () => lines.filter((line) => line.includes('crashed on purpose')).length
    for (const until = performance.now() + 30_000; count() < cycles && performance.now() < until; )
      await sleep(20)
    const said = count()
    if (said < cycles * 0.9) tally.strange.push(`${said} of ${cycles} deaths were said in the log`)
  })

export const heap = (cycles) =>
  hurt('a heap that is full, w 1, dw 0', 4, async ({ cluster, tally, load, victims, lines }) => {
    while (tally.cycles < cycles) {
      const node = victims.next()
      if (node === undefined) {
        await sleep(10)
        continue
      }
      await load.more(200)
      const generation = victims.generation(node)
      await cluster.machine
        .control(node)
        ?.call((control) => control.exhaust(), 10_000)
        .catch(() => {})
      if (!(await victims.reborn(node, generation, 180_000))) tally.strange.push('it does not come back')
      tally.cycles++
    }
    const said = lines.filter((line) => /ended: .*memory/i.test(line)).length
    if (said !== cycles) tally.strange.push(`${said} of ${cycles} were said to have no memory`)
  })

/** A thread that stands still is slow, and not dead: nobody takes its place, and the others go on. */
export const blocked = (cycles) =>
  hurt('event loops blocked for 0.2 to 3 s, w 1, dw 0', 5, async ({ cluster, tally, load, lines }) => {
    for (; tally.cycles < cycles; tally.cycles++) {
      const node = 1 + random(5)
      const ms = 200 + random(2_800)
      await cluster.faults.stall(node, ms)
      // One of five: keys that it does not lead go on, and so do the others as soon as it is known to be slow.
      if (!(await load.more(200))) tally.strange.push(`nothing is written while node ${node} is blocked`)
      await sleep(ms / 2)
    }
    await load.whole()
    const lives = cluster.status().nodes.map(({ generation }) => generation)
    if (lives.some((life) => life !== 1)) tally.strange.push(`lives of the nodes: ${lives}`)
    const slow = lines.filter((line) => /node \d is slow/.test(line)).length
    if (cycles >= 10 && slow === 0) tally.strange.push('no node was ever said to be slow')
  })
