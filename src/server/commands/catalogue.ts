// COMMAND: what this server understands, in the form that Redis clients and redis-cli ask for. DOCS is empty
// on purpose: the documentation is docs/redis-protocol.md. Commands that are refused by name are not listed.
// What the commands do is in their families; this file only lists what table.ts holds.

import { globMatches } from '../glob.js'
import { map, type Reply } from '../resp/reply.js'
import { word } from './arguments.js'
import type { Arguments, Command, CommandTable, Session } from './command.js'
import { CommandError, syntaxError, unknownSubcommand, wrongArity } from './errors.js'

function describe(command: Command): Reply {
  const [first, last, step] = command.keys ?? [0, 0, 0]
  const flags = command.flags.map((text): Reply => ({ type: 'simple', text }))
  // The last four of Redis 7: categories, tips, key specifications, subcommands.
  return [command.name, command.arity, { type: 'set', items: flags }, first, last, step, [], [], [], []]
}

function find(commands: CommandTable, name: Buffer): Reply {
  const command = name.length > 64 ? undefined : commands.get(name.toString('latin1').toLowerCase())
  return command === undefined || command.flags.includes('refused') ? null : describe(command)
}

function understood(session: Session): Command[] {
  const commands: Command[] = []
  // The table holds each command under its lower-case and its upper-case name.
  for (const [name, command] of session.server.commands) {
    if (name === command.name && !command.flags.includes('refused')) commands.push(command)
  }
  return commands
}

function list(session: Session, args: Arguments): Reply {
  const names = understood(session).map((command) => command.name)
  if (args.length === 2) return names
  if (args.length !== 5 || word(args[2]) !== 'FILTERBY') throw new CommandError(syntaxError)
  switch (word(args[3])) {
    case 'PATTERN':
      return names.filter((name) => globMatches(args[4] as Buffer, Buffer.from(name)))
    case 'MODULE':
    case 'ACLCAT':
      return []
    default:
      throw new CommandError(syntaxError)
  }
}

function command(session: Session, args: Arguments): Reply {
  if (args.length === 1) return understood(session).map(describe)
  const subcommand = word(args[1])
  switch (subcommand) {
    case 'COUNT':
      if (args.length !== 2) throw new CommandError(wrongArity('command|count'))
      return understood(session).length
    case 'INFO':
      if (args.length === 2) return understood(session).map(describe)
      return args.slice(2).map((name) => find(session.server.commands, name))
    case 'DOCS':
      return map([])
    case 'LIST':
      return list(session, args)
    default:
      throw new CommandError(unknownSubcommand('COMMAND', args[1] as Buffer))
  }
}

export const catalogueCommands: readonly Command[] = [
  { name: 'command', arity: -1, flags: ['loading', 'stale'], order: 'free', run: command },
]
