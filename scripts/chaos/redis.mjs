// The round `redis`: `ringspun serve` under clients that speak the Redis protocol, killed with SIGKILL and started
// again on the same directory, and with threads of nodes ended by RS.FAULT while it goes on. The clients and what
// they were told live here, outside of the process that dies.
//
// The oracle: each key has one writer, whose steps 1, 2, 3 are SET, SET, DEL, each done when it is acknowledged. A
// reader finds the state after the last step that was acknowledged, or after the one that was under way. Every
// request is answered or its connection is closed, within a bound.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { ending, folder, sleep, Tally } from './tools.mjs'

const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const random = (below) => Math.floor(Math.random() * below)

const connections = 4
const keysEach = 32
const answerMsMax = 20_000

/** What a key holds after so many steps, null for nothing. */
const stateOf = (key, step) => (step % 3 === 0 ? null : `${key} ${step} ${'.'.repeat(50)}`)

async function serve(dir) {
  const options = ['--dir', dir, '--nodes', '4', '--partitions', '16', '--memory', '16', '--port', '0']
  const child = spawn(process.execPath, [cli, 'serve', ...options, '--faults', '--quiet'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  ending(child)
  let said = ''
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-2_000)
  })
  const exit = once(child, 'exit')
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    exit.then(() => Promise.reject(new Error(`it does not serve: ${said}`))),
  ])
  return { child, exit, port: Number(/resp=[^ ]*:(\d+) /.exec(line)[1]) }
}

async function connect(port) {
  const client = new Redis(port, '127.0.0.1', {
    lazyConnect: true,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    connectTimeout: 10_000,
  })
  // Its requests say what became of it.
  client.on('error', () => {})
  await client.connect()
  return client
}

class Keys {
  constructor(tally) {
    this.tally = tally
    /** Steps that were acknowledged, by key. */
    this.steps = new Map()
    this.errors = {}
  }

  note(error) {
    const code = /^[A-Z]+ ([a-z-]+):/.exec(error.message)?.[1] ?? error.message.slice(0, 40)
    this.errors[code] = (this.errors[code] ?? 0) + 1
  }

  /** What was read must be a state that the key may be in. A step that was read and not acknowledged may go again. */
  found(key, value) {
    const step = this.steps.get(key) ?? 0
    if (value === stateOf(key, step) || value === stateOf(key, step + 1)) return
    const number = Number(value?.split(' ')[1] ?? Number.NaN)
    const what = `${key}: ${value === null ? 'nothing' : value.slice(0, 20)} after step ${step}`
    if (value === null || number < step) this.tally.lost.push(what)
    else this.tally.strange.push(what)
  }
}

/** Answers what `promise` does, or says that it hangs. */
async function within(promise, tally, what) {
  let timer
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, answerMsMax, undefined)
  })
  const settled = await Promise.race([promise, late])
  clearTimeout(timer)
  if (settled === undefined) tally.strange.push(`${what} is neither answered nor closed`)
  return settled
}

/** Reads every key of a new life. */
async function verify(port, names, keys) {
  const client = await connect(port)
  for (let tries = 0; ; tries++) {
    try {
      const values = await client.mget(names)
      for (const [i, value] of values.entries()) keys.found(names[i], value)
      break
    } catch (error) {
      if (tries > 200) throw error
      await sleep(50)
    }
  }
  client.disconnect()
}

/** One connection: a pipeline with the next step of each of its keys, and a read behind it, again and again. */
async function write(port, names, keys, life) {
  const client = await connect(port)
  while (!life.isOver && client.status === 'ready') {
    const chosen = names.filter(() => random(4) > 0)
    const pipeline = client.pipeline()
    for (const key of chosen) {
      const value = stateOf(key, (keys.steps.get(key) ?? 0) + 1)
      if (value === null) pipeline.del(key)
      else pipeline.set(key, value)
      pipeline.get(key)
    }
    const replies = await within(
      pipeline.exec().catch((error) => chosen.flatMap(() => [[error], [error]])),
      keys.tally,
      'a pipeline',
    )
    if (replies === undefined) break
    for (const [i, key] of chosen.entries()) {
      const [failure] = replies[2 * i]
      const [unread, value] = replies[2 * i + 1]
      if (failure) keys.note(failure)
      else {
        keys.steps.set(key, (keys.steps.get(key) ?? 0) + 1)
        keys.tally.written++
      }
      if (!unread) keys.found(key, value)
    }
  }
  client.disconnect()
}

/** Node threads end, one after the other, while the process goes on. */
async function endThreads(port, count, tally) {
  const client = await connect(port)
  for (let i = 0; i < count; i++) {
    await within(client.call('RS.FAULT', 'KILL', String(1 + random(4))), tally, 'RS.FAULT')
    await sleep(200 + random(400))
  }
  client.disconnect()
}

export async function served(cycles) {
  const tally = new Tally('ringspun serve under Redis clients: kill -9, and threads ended, by turns')
  const keys = new Keys(tally)
  const dir = join(folder(), 'data')
  const lanes = Array.from({ length: connections }, (_, lane) =>
    Array.from({ length: keysEach }, (_, i) => `c${lane}k${i}`),
  )
  for (; tally.cycles < cycles; tally.cycles++) {
    const { child, exit, port } = await serve(dir)
    await verify(port, lanes.flat(), keys)
    const life = { isOver: false }
    const writers = lanes.map((names) => write(port, names, keys, life))
    if (tally.cycles % 2 === 1) await endThreads(port, 5, tally)
    else await sleep(random(1_500))
    // Every other death of threads ends in order, and all must be there without a log to be read again.
    const isOrderly = tally.cycles % 4 === 3
    life.isOver = isOrderly
    if (isOrderly) await Promise.all(writers)
    child.kill(isOrderly ? 'SIGTERM' : 'SIGKILL')
    await exit
    await Promise.all(writers)
  }
  const { child, exit, port } = await serve(dir)
  await verify(port, lanes.flat(), keys)
  child.kill('SIGKILL')
  await exit
  tally.words.push(`requests that failed: ${JSON.stringify(keys.errors)}`)
  return tally.done()
}
