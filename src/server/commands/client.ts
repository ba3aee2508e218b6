// CLIENT: who is connected, under which name, and whether it wants replies. Nothing here touches keys. It
// runs alone on its connection, because CLIENT REPLY changes what is sent from there on.
// Invariant: what a client calls itself fits in one line of CLIENT LIST.

import { error, none, ok, type Reply } from '../resp/reply.js'
import { integer, word } from './arguments.js'
import type { Arguments, Command, Session } from './command.js'
import { CommandError, syntaxError, unknownSubcommand, wrongArity } from './errors.js'

/** A name of printable characters without blanks; empty takes the name away. */
export function validName(bytes: Buffer): string {
  for (const byte of bytes) {
    if (byte < 33 || byte > 126) {
      throw new CommandError('ERR Client names cannot contain spaces, newlines or special characters.')
    }
  }
  if (bytes.length > 256) throw new CommandError('ERR Client names cannot be longer than 256 bytes.')
  return bytes.toString('latin1')
}

/** One line of CLIENT LIST, in the form that Redis made. */
function describe(session: Session): string {
  const now = Date.now()
  return [
    `id=${session.id}`,
    `addr=${session.address}`,
    `laddr=${session.localAddress}`,
    `name=${session.name}`,
    `age=${Math.floor((now - session.connectedAt) / 1000)}`,
    `idle=${Math.floor((now - session.lastCommandAt) / 1000)}`,
    'flags=N',
    'db=0',
    'sub=0',
    'psub=0',
    'multi=-1',
    `cmd=${session.lastCommand}`,
    'user=default',
    `lib-name=${session.libraryName}`,
    `lib-ver=${session.libraryVersion}`,
    `resp=${session.protocol}`,
  ].join(' ')
}

function list(session: Session, args: Arguments): Reply {
  const sessions = session.server.sessions
  const lines: string[] = []
  if (args.length === 2 || (args.length === 4 && word(args[2]) === 'TYPE')) {
    const type = args.length === 2 ? 'NORMAL' : word(args[3])
    if (!['NORMAL', 'MASTER', 'REPLICA', 'PUBSUB'].includes(type)) {
      throw new CommandError(`ERR Unknown client type '${type.toLowerCase()}'`)
    }
    if (type === 'NORMAL') for (const other of sessions.values()) lines.push(describe(other))
  } else if (args.length >= 4 && word(args[2]) === 'ID') {
    for (const id of args.slice(3)) {
      const other = sessions.get(integer(id, 'ERR Invalid client ID'))
      if (other !== undefined) lines.push(describe(other))
    }
  } else {
    throw new CommandError(syntaxError)
  }
  return { type: 'verbatim', text: lines.map((line) => `${line}\n`).join('') }
}

function setInfo(session: Session, args: Arguments): Reply {
  const value = args[3] as Buffer
  const attribute = word(args[2])
  if (attribute !== 'LIB-NAME' && attribute !== 'LIB-VER') {
    return error(`ERR Unrecognized option '${(args[2] as Buffer).toString('latin1', 0, 128)}'`)
  }
  for (const byte of value) {
    if (byte < 33 || byte > 126) {
      return error(`ERR ${attribute.toLowerCase()} cannot contain spaces, newlines or special characters.`)
    }
  }
  const text = value.toString('latin1', 0, 256)
  if (attribute === 'LIB-NAME') session.libraryName = text
  else session.libraryVersion = text
  return ok
}

function onOff(_session: Session, args: Arguments): Reply {
  const state = word(args[2])
  if (state !== 'ON' && state !== 'OFF') throw new CommandError(syntaxError)
  return ok
}

function reply(session: Session, args: Arguments): Reply {
  const mode = word(args[2])
  if (mode !== 'ON' && mode !== 'OFF' && mode !== 'SKIP') throw new CommandError(syntaxError)
  // SKIP while replies are off changes nothing, as in Redis.
  if (mode !== 'SKIP') session.replies = mode === 'ON' ? 'on' : 'off'
  else if (session.replies === 'on') session.replies = 'skip'
  return mode === 'ON' ? ok : none
}

interface Subcommand {
  readonly arity: number
  readonly run: (session: Session, args: Arguments) => Reply
}

const subcommands: Readonly<Record<string, Subcommand>> = {
  ID: { arity: 2, run: (session) => session.id },
  INFO: { arity: 2, run: (session) => ({ type: 'verbatim', text: `${describe(session)}\n` }) },
  LIST: { arity: -2, run: list },
  GETNAME: { arity: 2, run: (session) => (session.name === '' ? null : session.name) },
  SETNAME: {
    arity: 3,
    run: (session, args) => {
      session.name = validName(args[2] as Buffer)
      return ok
    },
  },
  SETINFO: { arity: 4, run: setInfo },
  'NO-EVICT': { arity: 3, run: onOff },
  'NO-TOUCH': { arity: 3, run: onOff },
  REPLY: { arity: 3, run: reply },
}

function client(session: Session, args: Arguments): Reply {
  const name = word(args[1])
  const subcommand = Object.hasOwn(subcommands, name) ? subcommands[name] : undefined
  if (subcommand === undefined) {
    throw new CommandError(unknownSubcommand('CLIENT', args[1] as Buffer))
  }
  const { arity } = subcommand
  if (arity < 0 ? args.length < -arity : args.length !== arity) {
    throw new CommandError(wrongArity(`client|${name.toLowerCase()}`))
  }
  return subcommand.run(session, args)
}

export const clientCommands: readonly Command[] = [
  { name: 'client', arity: -2, flags: ['loading', 'stale'], order: 'alone', run: client },
]
