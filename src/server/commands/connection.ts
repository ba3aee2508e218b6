// Commands about the connection itself: PING ECHO HELLO AUTH SELECT QUIT RESET TIME. There are no users and
// no passwords: AUTH answers what a Redis without a password answers. HELLO and its like run alone, because
// they change how the replies before and after them are written.

import { error, map, ok, pong, type Reply, simple } from '../resp/reply.js'
import { integer, word } from './arguments.js'
import { validName } from './client.js'
import type { Arguments, Command, Session } from './command.js'
import { CommandError, printable, wrongArity } from './errors.js'

const wrongPassword = 'WRONGPASS invalid username-password pair or user is disabled.'
const noPassword =
  'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?'

function ping(_session: Session, args: Arguments): Reply {
  if (args.length > 2) throw new CommandError(wrongArity('ping'))
  return args[1] ?? pong
}

function hello(session: Session, args: Arguments): Reply {
  let protocol = session.protocol
  let name: string | undefined
  if (args[1] !== undefined) {
    const wanted = integer(args[1], 'ERR Protocol version is not an integer or out of range')
    if (wanted !== 2 && wanted !== 3) return error('NOPROTO unsupported protocol version')
    protocol = wanted
  }
  for (let i = 2; i < args.length; i++) {
    const option = word(args[i])
    if (option === 'AUTH' && i + 2 < args.length) {
      if (args[i + 1]?.toString('latin1') !== 'default') return error(wrongPassword)
      i += 2
    } else if (option === 'SETNAME' && i + 1 < args.length) {
      name = validName(args[++i] as Buffer)
    } else {
      return error(`ERR Syntax error in HELLO option '${printable(args[i] as Buffer)}'`)
    }
  }
  session.protocol = protocol
  if (name !== undefined) session.name = name
  return map([
    ['server', 'ringspun'],
    ['version', session.server.cluster.status().version],
    ['proto', protocol],
    ['id', session.id],
    ['mode', 'standalone'],
    ['role', 'master'],
    ['modules', []],
  ])
}

function auth(_session: Session, args: Arguments): Reply {
  if (args.length === 2) return error(noPassword)
  if (args.length > 3) throw new CommandError('ERR syntax error')
  return args[1]?.toString('latin1') === 'default' ? ok : error(wrongPassword)
}

function select(_session: Session, args: Arguments): Reply {
  return integer(args[1]) === 0 ? ok : error('ERR DB index is out of range')
}

function quit(session: Session): Reply {
  session.closing = true
  return ok
}

function reset(session: Session): Reply {
  session.protocol = 2
  session.name = ''
  session.replies = 'on'
  return simple('RESET')
}

function time(): Reply {
  const now = Date.now()
  return [String(Math.floor(now / 1000)), String((now % 1000) * 1000)]
}

const flags = ['loading', 'stale', 'fast']

export const connectionCommands: readonly Command[] = [
  { name: 'ping', arity: -1, flags: ['fast'], order: 'free', run: ping },
  { name: 'echo', arity: 2, flags: ['fast'], order: 'free', run: (_session, args) => args[1] as Buffer },
  { name: 'hello', arity: -1, flags, order: 'alone', run: hello },
  { name: 'auth', arity: -2, flags, order: 'free', run: auth },
  { name: 'select', arity: 2, flags, order: 'free', run: select },
  { name: 'quit', arity: -1, flags, order: 'alone', run: quit },
  { name: 'reset', arity: 1, flags, order: 'alone', run: reset },
  { name: 'time', arity: 1, flags, order: 'free', run: time },
]
