// `ringspun serve`: a cluster in this process, served over the Redis protocol. Prints one line on standard
// output when it serves and nothing else there; logs go to standard error. SIGTERM and SIGINT drain and end
// with 0; a second signal ends at once, which is safe for everything that was promised (crash-only).

import type { ClusterOptions } from '../client/api.js'
import { Cluster } from '../client/open.js'
import { startRedisServer } from '../server/redis-server.js'
import { type Option, oneOf, optionLines, readArguments, wholeNumber } from './arguments.js'
import { freeSocket } from './free-socket.js'

const options: readonly Option[] = [
  { name: 'dir', value: 'DIR', help: 'data directory, made if it is not there', default: './data' },
  {
    name: 'nodes',
    value: 'K',
    help: 'worker threads, each a node; fixed when DIR is made',
    default: 'cores, at least 3',
  },
  { name: 'n', value: 'N', help: 'copies of each key, on N different nodes', default: '3' },
  { name: 'r', value: 'R', help: 'replicas that a read waits for', default: '2' },
  { name: 'w', value: 'W', help: 'replicas that a write waits for', default: '2' },
  { name: 'dw', value: 'DW', help: 'how many of those must have it durably', default: '1' },
  {
    name: 'durability',
    value: 'LEVEL',
    help: 'what durably means: memory, os (log) or disk (fsync)',
    default: 'disk',
  },
  {
    name: 'partitions',
    value: 'Q',
    help: 'equal parts of the key space; fixed when DIR is made',
    default: '256',
  },
  {
    name: 'memory',
    value: 'MIB',
    help: 'memory for objects on each node, in MiB, up to 4095',
    default: '256',
  },
  { name: 'value-max', value: 'BYTES', help: 'longest value accepted, up to 67108864', default: '1048576' },
  {
    name: 'reap-after',
    value: 'SECONDS',
    help: 'how long deleted and expired objects are kept at least, 0 for ever',
    default: '600',
  },
  {
    name: 'host',
    value: 'HOST',
    help: 'address to listen on; there is no password, so keep it local',
    default: '127.0.0.1',
  },
  { name: 'port', value: 'PORT', help: 'port to listen on, 0 for a free one', default: '7379' },
  { name: 'socket', value: 'PATH', help: 'Unix socket to listen on as well' },
  { name: 'faults', help: 'allow RS.FAULT: kill, stall, wipe and isolate nodes on purpose' },
  { name: 'quiet', help: 'log warnings and errors only' },
  { name: 'help', help: 'show this page' },
]

const help = `Usage: ringspun serve [OPTIONS]

Runs a cluster of K nodes in this process and serves it over the Redis protocol (RESP2, RESP3).
When it serves it prints one line: ringspun ready resp=HOST:PORT nodes=K pid=PID, and with --socket: socket=PATH

Options:
${optionLines(options)}

What is promised depends on n, r, w, dw and durability: the README has the table. The usual choices:
  a store         the defaults: 3 copies, quorums of 2, one copy fsynced before the answer
  a fast store    --dw 0: one copy is written through but not waited for
  a cache         --durability memory --dw 0: nothing is written to disk

Examples:
  ringspun serve
  ringspun serve --dir /var/lib/ringspun --nodes 4 --port 7379
  ringspun serve --durability memory --dw 0 --memory 1024

Ends with 0 after SIGTERM or SIGINT, 64 for wrong options, 75 when DIR is open elsewhere, 78 when DIR was made
with other settings, 74 when the disk fails, 69 when the port is taken.`

function clusterOptions(args: readonly string[]) {
  const given = readArguments(args, options)
  const memory = wholeNumber(given, 'memory', 4, 4095)
  const reapAfter = wholeNumber(given, 'reap-after', 0, 31_536_000)
  const chosen = {
    nodes: wholeNumber(given, 'nodes', 1, 64),
    n: wholeNumber(given, 'n', 0, 1000),
    r: wholeNumber(given, 'r', 0, 1000),
    w: wholeNumber(given, 'w', 0, 1000),
    dw: wholeNumber(given, 'dw', 0, 1000),
    partitions: wholeNumber(given, 'partitions', 1, 65_536),
    durability: oneOf(given, 'durability', ['memory', 'os', 'disk']),
    memory: memory === undefined ? undefined : memory * 1024 * 1024,
    reapAfterMs: reapAfter === undefined ? undefined : reapAfter * 1000,
    valueBytesMax: wholeNumber(given, 'value-max', 1, 64 * 1024 * 1024),
  }
  const present = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined))
  const cluster: ClusterOptions = {
    ...present,
    dir: String(given['dir'] ?? './data'),
    log: logTo(given['quiet'] === true),
  }
  const host = String(given['host'] ?? '127.0.0.1')
  const port = wholeNumber(given, 'port', 0, 65_535) ?? 7379
  const socket = given['socket'] === undefined ? undefined : String(given['socket'])
  return { cluster, host, port, socket, faults: given['faults'] === true }
}

function logTo(quiet: boolean): NonNullable<ClusterOptions['log']> {
  return (level, text) => {
    if (quiet && level === 'info') return
    process.stderr.write(`${new Date().toISOString()} ${level} ${text}\n`)
  }
}

async function serveUntilSignal(args: readonly string[]): Promise<number> {
  const { cluster: settings, host, port, socket, faults } = clusterOptions(args)
  const log = settings.log as NonNullable<ClusterOptions['log']>
  if (!['127.0.0.1', '::1', 'localhost'].includes(host)) {
    log('warn', `listening on ${host}: anybody who reaches this address can read and write everything`)
  }
  if (socket !== undefined) await freeSocket(socket)
  const cluster = await Cluster.open(settings)
  const server = await startRedisServer({
    cluster,
    host,
    port,
    ...(socket !== undefined && { socket }),
    faults,
    valueBytesMax: cluster.options.valueBytesMax,
    log,
  }).catch(async (error: unknown) => {
    await cluster.close()
    throw error
  })
  const signal = signalled()
  const { nodes } = cluster.options
  const also = socket === undefined ? '' : ` socket=${socket}`
  process.stdout.write(
    `ringspun ready resp=${server.host}:${server.port} nodes=${nodes} pid=${process.pid}${also}\n`,
  )
  log('info', `${await signal}: draining`)
  await server.close()
  await cluster.close()
  log('info', 'closed in order')
  return 0
}

function signalled(): Promise<string> {
  return new Promise((resolve) => {
    let seen = 0
    const onSignal = (name: string) => {
      seen++
      if (seen > 1) process.exit(130)
      resolve(name)
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}

export const serve = { run: serveUntilSignal, help }
