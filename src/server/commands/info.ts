// INFO: the state of the server as `name:value` lines in sections, those that monitors and clients of Redis
// look for and one of our own. Counting keys takes a walk over the cluster, so the section `keyspace` comes
// only when it is named, or with ALL: clients that send INFO when they connect shall not start a walk.
// `redis_version` is the version whose behaviour is followed; the own one is `ringspun_version`.

import type { Reply } from '../resp/reply.js'
import { word } from './arguments.js'
import type { Arguments, Command, Session } from './command.js'

/** The version of Redis whose texts and forms are followed. Libraries look at it. */
export const redisVersion = '7.0.15'

type Lines = readonly (readonly [name: string, value: string | number])[]
type Section = (session: Session) => Lines | Promise<Lines>

function server({ server: { cluster, settings, startedAt } }: Session): Lines {
  const uptimeSeconds = Math.floor((Date.now() - startedAt) / 1000)
  const status = cluster.status()
  return [
    ['redis_version', redisVersion],
    ['redis_mode', 'standalone'],
    ['ringspun_version', status.version],
    ['os', `${process.platform} ${process.arch}`],
    ['arch_bits', 64],
    ['process_id', process.pid],
    ['run_id', status.id],
    ['tcp_port', settings.port],
    ['uptime_in_seconds', uptimeSeconds],
    ['uptime_in_days', Math.floor(uptimeSeconds / 86_400)],
  ]
}

function clients({ server: { sessions, settings } }: Session): Lines {
  return [
    ['connected_clients', sessions.size],
    ['maxclients', settings.connectionsMax],
    ['blocked_clients', 0],
  ]
}

function memory({ server: { cluster } }: Session): Lines {
  const { rss, heapUsed } = process.memoryUsage()
  const buffered = cluster.status().nodes.reduce((sum, node) => sum + node.bufferBytes, 0)
  return [
    ['used_memory', buffered],
    ['used_memory_rss', rss],
    ['used_memory_heap', heapUsed],
    ['maxmemory', cluster.options.memory * cluster.options.nodes],
    ['maxmemory_policy', 'noeviction'],
  ]
}

function persistence({ server: { cluster } }: Session): Lines {
  return [
    // Clients wait until loading is 0.
    ['loading', 0],
    ['aof_enabled', cluster.options.dir === undefined ? 0 : 1],
  ]
}

function stats({ server: { statistics } }: Session): Lines {
  return [
    ['total_connections_received', statistics.connections],
    ['total_commands_processed', statistics.commands],
    ['total_net_input_bytes', statistics.bytesIn],
    ['total_net_output_bytes', statistics.bytesOut],
    ['rejected_connections', statistics.connectionsRejected],
    ['keyspace_hits', statistics.hits],
    ['keyspace_misses', statistics.misses],
    ['total_error_replies', statistics.errors],
  ]
}

function replication(): Lines {
  return [
    ['role', 'master'],
    ['connected_slaves', 0],
  ]
}

function ringspun({ server: { cluster } }: Session): Lines {
  const status = cluster.status()
  const sum = (of: (node: (typeof status.nodes)[number]) => number) =>
    status.nodes.reduce((total, node) => total + of(node), 0)
  return [
    ['cluster_id', status.id],
    ['epoch', status.epoch],
    ['partitions', status.partitions],
    ['nodes', status.nodes.length],
    ['nodes_up', sum((node) => (node.state === 'up' ? 1 : 0))],
    ['nodes_complete', sum((node) => (node.complete ? 1 : 0))],
    ['n', status.n],
    ['r', status.r],
    ['w', status.w],
    ['dw', status.dw],
    ['durability', status.durability],
    ['requests_in_flight', status.requestsInFlight],
    ['read_repairs', status.readRepairs],
    ['queued', sum((node) => node.queued)],
    ['dirty_bytes', sum((node) => node.dirtyBytes)],
    ['hints', sum((node) => node.hints)],
    ['hint_bytes', sum((node) => node.hintBytes)],
    ['fsyncs', sum((node) => node.fsyncs)],
  ]
}

async function keyspace({ server: { bucket } }: Session): Promise<Lines> {
  const keys = await bucket.count()
  return keys === 0 ? [] : [['db0', `keys=${keys},expires=0,avg_ttl=0`]]
}

const sections: readonly (readonly [title: string, section: Section])[] = [
  ['Server', server],
  ['Clients', clients],
  ['Memory', memory],
  ['Persistence', persistence],
  ['Stats', stats],
  ['Replication', replication],
  ['Ringspun', ringspun],
  ['Keyspace', keyspace],
]

async function info(session: Session, args: Arguments): Promise<Reply> {
  const wanted = args.slice(1).map(word)
  const cheap = wanted.length === 0 || wanted.includes('DEFAULT')
  const all = wanted.includes('ALL') || wanted.includes('EVERYTHING')
  const parts: string[] = []
  for (const [title, section] of sections) {
    if (!all && !(cheap && section !== keyspace) && !wanted.includes(title.toUpperCase())) continue
    const lines = await section(session)
    parts.push(`# ${title}\r\n${lines.map(([name, value]) => `${name}:${value}\r\n`).join('')}`)
  }
  return { type: 'verbatim', text: parts.join('\r\n') }
}

export const infoCommands: readonly Command[] = [
  { name: 'info', arity: -1, flags: ['loading', 'stale'], order: 'free', run: info },
]
