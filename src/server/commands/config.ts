// CONFIG: GET answers the settings that clients and tools of Redis ask for, in the words of Redis. Nothing
// can be changed while the server runs: SET takes a value that is already so and refuses all others.
// The real settings are those of the cluster and the server; see their documentation.

import { globMatches } from '../glob.js'
import { error, map, ok, type Reply } from '../resp/reply.js'
import { word } from './arguments.js'
import type { Arguments, Command, ServerState, Session } from './command.js'
import { CommandError, printable, unknownSubcommand, wrongArity } from './errors.js'

function settings(server: ServerState): readonly (readonly [string, string])[] {
  const { cluster } = server
  return [
    ['save', ''],
    ['appendonly', cluster.options.dir === undefined ? 'no' : 'yes'],
    ['appendfsync', cluster.options.durability === 'disk' ? 'always' : 'no'],
    ['maxmemory', String(cluster.options.memory * cluster.options.nodes)],
    ['maxmemory-policy', 'noeviction'],
    ['maxclients', String(server.settings.connectionsMax)],
    ['databases', '1'],
    ['timeout', '0'],
    ['bind', server.settings.host],
    ['port', String(server.settings.port)],
    ['proto-max-bulk-len', String(server.settings.valueBytesMax)],
    ['cluster-enabled', 'no'],
    ['notify-keyspace-events', ''],
  ]
}

function get(session: Session, args: Arguments): Reply {
  if (args.length < 3) throw new CommandError(wrongArity('config|get'))
  const patterns = args
    .slice(2)
    .map((pattern) => Buffer.from(pattern.toString('latin1', 0, 128).toLowerCase()))
  return map(
    settings(session.server).filter(([name]) =>
      patterns.some((pattern) => globMatches(pattern, Buffer.from(name))),
    ),
  )
}

function set(session: Session, args: Arguments): Reply {
  if (args.length < 4 || args.length % 2 !== 0) throw new CommandError(wrongArity('config|set'))
  const known = new Map(settings(session.server))
  for (let i = 2; i < args.length; i += 2) {
    const name = printable(args[i] as Buffer)
    const value = known.get(name.toLowerCase())
    if (value === undefined) {
      return error(`ERR Unknown option or number of arguments for CONFIG SET - '${name}'`)
    }
    if (value !== (args[i + 1] as Buffer).toString('latin1')) {
      return error(
        `ERR CONFIG SET failed (possibly related to argument '${name}') - can't set immutable config`,
      )
    }
  }
  return ok
}

function resetStatistics(session: Session, args: Arguments): Reply {
  if (args.length !== 2) throw new CommandError(wrongArity('config|resetstat'))
  const { statistics } = session.server
  for (const name of Object.keys(statistics) as (keyof typeof statistics)[]) statistics[name] = 0
  return ok
}

function config(session: Session, args: Arguments): Reply {
  switch (word(args[1])) {
    case 'GET':
      return get(session, args)
    case 'SET':
      return set(session, args)
    case 'RESETSTAT':
      return resetStatistics(session, args)
    case 'REWRITE':
      return error('ERR The server is running without a config file')
    default:
      throw new CommandError(unknownSubcommand('CONFIG', args[1] as Buffer))
  }
}

export const configCommands: readonly Command[] = [
  { name: 'config', arity: -2, flags: ['admin', 'loading', 'stale'], order: 'free', run: config },
]
