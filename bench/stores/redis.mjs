// Redis for comparison, through ioredis: one server; one with appendfsync always; a primary with two replicas where
// every write is followed by WAIT 1 (its own copy and one more, as w = 2).
//
// WAIT holds up the connection that it came on, and speaks for all writes that came on it before. So there are two
// ways to use it, and both are measured: a connection for each request in flight, SET and WAIT in one pipeline; or
// what is written in one turn of the event loop goes as one pipeline with one WAIT at its end, over four connections.
// The second is faster with many in flight and takes more writing; ratios are to the better of the two.

import { Redis } from 'ioredis'
import { freePorts, startProgram, until } from './program.mjs'

const host = '127.0.0.1'
const groupConnections = 4

async function startServer(dir, port, extra) {
  const args = ['--port', String(port), '--bind', host, '--save', '', '--dir', '.', ...extra]
  const server = await startProgram('redis-server', args, dir)
  if (server === undefined) return undefined
  const client = new Redis({ port, host, maxRetriesPerRequest: null })
  // The first attempts come too early: ioredis tries again.
  client.on('error', () => {})
  await until('redis-server', () => client.ping())
  return { server, client, port }
}

async function openSingle(name, dir, extra) {
  const [port] = await freePorts(1)
  const started = await startServer(dir, port, extra)
  if (started === undefined) return undefined
  started.client.disconnect()
  const client = new Redis({ port, host, enableAutoPipelining: true })
  return {
    name,
    pids: [started.server.pid],
    set: (key, value) => client.set(key, value),
    get: (key) => client.getBuffer(key),
    close: async () => {
      client.disconnect()
      await started.server.stop()
    },
  }
}

/** One server, nothing on disk. */
export const openRedis = (dir) => openSingle('redis', `${dir}/redis`, ['--appendonly', 'no'])

/** One server that fsyncs its log before it answers. */
export const openRedisDurable = (dir) =>
  openSingle('redis appendfsync always', `${dir}/redis-always`, [
    '--appendonly',
    'yes',
    '--appendfsync',
    'always',
  ])

/** A primary and two replicas; two contestants, which are the two ways to use WAIT. */
export async function openRedisReplicated(dir, connectionsMax) {
  const ports = await freePorts(3)
  const [primary] = ports
  const started = []
  for (const [at, port] of ports.entries()) {
    const extra = ['--appendonly', 'no', '--repl-diskless-sync-delay', '0']
    if (at > 0) extra.push('--replicaof', host, String(primary))
    const one = await startServer(`${dir}/redis-${at}`, port, extra)
    if (one === undefined) return []
    started.push(one)
  }
  await until('replicas of redis-server', async () => {
    const text = await started[0].client.info('replication')
    return (text.match(/state=online/g) ?? []).length === 2
  })
  const clients = Array.from({ length: connectionsMax }, () => new Redis({ port: primary, host }))
  const stop = async () => {
    for (const client of clients) client.disconnect()
    for (const { client, server } of started.reverse()) {
      client.disconnect()
      await server.stop()
    }
  }
  const get = (key) => clients[0].getBuffer(key)
  const pids = started.map(({ server }) => server.pid)
  return [
    { name: 'redis WAIT 1, a connection a request', pids, set: eachItsOwn(clients), get, close: stop },
    {
      name: 'redis WAIT 1, grouped',
      pids,
      set: grouped(clients.slice(0, groupConnections)),
      get,
      close: async () => {},
    },
  ]
}

function eachItsOwn(clients) {
  const free = [...clients]
  return async (key, value) => {
    const client = free.pop()
    if (client === undefined) throw new Error('more in flight than connections')
    check(await client.pipeline().set(key, value).wait(1, 1_000).exec())
    free.push(client)
  }
}

function grouped(clients) {
  const free = [...clients]
  let waiting = []
  let isDue = false
  const send = () => {
    isDue = false
    if (waiting.length === 0 || free.length === 0) return
    const client = free.pop()
    const group = waiting
    waiting = []
    const pipeline = client.pipeline()
    for (const { key, value } of group) pipeline.set(key, value)
    pipeline
      .wait(1, 1_000)
      .exec()
      .then((answers) => {
        check(answers)
        free.push(client)
        for (const { resolve } of group) resolve()
        due()
      })
      .catch((error) => {
        for (const { reject } of group) reject(error)
      })
  }
  const due = () => {
    if (!isDue) setImmediate(send)
    isDue = true
  }
  return (key, value) =>
    new Promise((resolve, reject) => {
      waiting.push({ key, value, resolve, reject })
      due()
    })
}

/** The answer to WAIT, which is the last, says how many replicas have it. */
function check(answers) {
  for (const [error] of answers) if (error) throw error
  if (answers.at(-1)[1] < 1) throw new Error('no replica has it')
}
