// What a failed command answers. Texts of Redis for what Redis has; for an error of ringspun the prefix says
// what a client may conclude, and the code, the reason and the remedy follow: `-PREFIX code: reason (remedy)`.
// The paper's promise behind it (and trust.md's): a refused write had no effect, an indeterminate one may have.
//
// Invariant: no stack and no text of another exception reaches a client.

import { type ErrorCode, RingspunError } from '../../base/errors.js'
import { error, type Reply } from '../resp/reply.js'
import type { Arguments, Command } from './command.js'

/** Thrown by the parsing of arguments: its message is the reply, prefix included. */
export class CommandError extends Error {}

export const syntaxError = 'ERR syntax error'
export const notAnInteger = 'ERR value is not an integer or out of range'

const prefixes: Partial<Record<ErrorCode, string>> = {
  unavailable: 'UNAVAILABLE',
  'storage-unavailable': 'UNAVAILABLE',
  'node-failed': 'UNAVAILABLE',
  unreadable: 'UNAVAILABLE',
  draining: 'UNAVAILABLE',
  closed: 'UNAVAILABLE',
  overloaded: 'OVERLOADED',
  expired: 'OVERLOADED',
  recovering: 'LOADING',
}

/** INDETERMINATE only for writes: a read that found no answer had no effect. */
function prefixOf(failure: RingspunError, write: boolean): string {
  if (failure.outcome === 'indeterminate') return write ? 'INDETERMINATE' : 'UNAVAILABLE'
  return prefixes[failure.code] ?? 'ERR'
}

export function failureReply(
  failure: unknown,
  command: Command,
  log: (level: 'error', text: string) => void,
): Reply {
  if (failure instanceof CommandError) return error(failure.message)
  if (failure instanceof RingspunError) {
    if (failure.code === 'expiry-invalid') return error(invalidExpiry(command.name))
    const write = command.flags.includes('write')
    return error(`${prefixOf(failure, write)} ${failure.code}: ${failure.message} (${failure.remedy})`)
  }
  log(
    'error',
    `command ${command.name} failed: ${failure instanceof Error ? failure.stack : String(failure)}`,
  )
  return error('ERR internal error; see the log of the server')
}

export function invalidExpiry(name: string): string {
  return `ERR invalid expire time in '${name}' command`
}

/** `name` of a subcommand: `client|setname`. */
export function wrongArity(name: string): string {
  return `ERR wrong number of arguments for '${name}' command`
}

export function unknownSubcommand(family: string, name: Buffer): string {
  return `ERR unknown subcommand '${printable(name)}'. Try ${family} HELP.`
}

/** As Redis: the name and the first 128 bytes or so of the arguments. */
export function unknownCommand(args: Arguments): Reply {
  let shown = ''
  for (let i = 1; i < args.length && shown.length < 128; i++) {
    shown += `'${(args[i] as Buffer).toString('latin1', 0, 128 - shown.length)}' `
  }
  return error(`ERR unknown command '${printable(args[0] as Buffer)}', with args beginning with: ${shown}`)
}

/** The first 128 bytes of what a client sent, as text that fits in an error. */
export function printable(bytes: Buffer): string {
  return bytes.toString('latin1', 0, 128)
}
