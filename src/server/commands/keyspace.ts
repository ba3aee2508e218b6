// Keys as such: DEL EXISTS TYPE TOUCH, the walks SCAN and KEYS, and DBSIZE and FLUSH. Every value is of the
// type string. A delete is a tombstone (a version like any other), also for a key that this server never
// saw: another replica may hold it.
//
// FLUSHALL and FLUSHDB clear the bucket `default` only, key by key; keys written meanwhile may stay.

import { globMatches, patternBytesMax } from '../glob.js'
import { error, ok, type Reply, simple } from '../resp/reply.js'
import { integer, word } from './arguments.js'
import type { Arguments, Command, Session } from './command.js'
import { CommandError, syntaxError } from './errors.js'

/** The most that one page of a bucket's scan may have, and what a reply of KEYS may hold. */
const pageKeysMax = 512
const keysBytesMax = 64 * 1024 * 1024

async function remove({ server }: Session, args: Arguments): Promise<Reply> {
  if (args.length === 2) return (await server.bucket.delete(args[1] as Buffer)).existed ? 1 : 0
  const keys = new Map<string, Buffer>()
  for (const key of args.slice(1)) keys.set(key.toString('latin1'), key)
  const results = await Promise.all([...keys.values()].map((key) => server.bucket.delete(key)))
  return results.reduce((count, result) => count + (result.existed ? 1 : 0), 0)
}

async function exists({ server }: Session, args: Arguments): Promise<Reply> {
  if (args.length === 2) return (await server.bucket.get(args[1] as Buffer)).values.length > 0 ? 1 : 0
  let count = 0
  for (let start = 1; start < args.length; start += pageKeysMax) {
    const results = await server.bucket.getMany(args.slice(start, start + pageKeysMax))
    for (const result of results) if (result.values.length > 0) count++
  }
  return count
}

async function type({ server }: Session, args: Arguments): Promise<Reply> {
  return simple((await server.bucket.get(args[1] as Buffer)).values.length > 0 ? 'string' : 'none')
}

interface ScanRequest {
  readonly number: number
  readonly limit: number
  readonly pattern: Buffer | undefined
  readonly strings: boolean
}

function checkedPattern(pattern: Buffer): Buffer {
  if (pattern.length > patternBytesMax) {
    throw new CommandError(`ERR pattern is longer than ${patternBytesMax} bytes`)
  }
  return pattern
}

function scanRequest(args: Arguments): ScanRequest {
  const text = (args[1] as Buffer).toString('latin1', 0, 24)
  if (!/^[0-9]{1,20}$/.test(text)) throw new CommandError('ERR invalid cursor')
  let limit = 10
  let pattern: Buffer | undefined
  let strings = true
  for (let i = 2; i < args.length; i += 2) {
    const value = args[i + 1]
    if (value === undefined) throw new CommandError(syntaxError)
    switch (word(args[i])) {
      case 'COUNT':
        limit = integer(value)
        if (limit < 1) throw new CommandError(syntaxError)
        break
      case 'MATCH':
        pattern = checkedPattern(value)
        break
      case 'TYPE':
        strings = word(value) === 'STRING'
        break
      default:
        throw new CommandError(syntaxError)
    }
  }
  return { number: Number(text), limit: Math.min(limit, pageKeysMax), pattern, strings }
}

async function scan({ server }: Session, args: Arguments): Promise<Reply> {
  const { number, limit, pattern, strings } = scanRequest(args)
  const { bucket, cursors } = server
  const cursor = number === 0 ? undefined : cursors.find(number, bucket.name)
  if (number !== 0 && cursor === undefined) return error('ERR invalid cursor')
  const page = await bucket.scan(cursor === undefined ? { limit } : { limit, cursor })
  const keys: Uint8Array[] = []
  for (const { key } of page.entries) {
    if (strings && (pattern === undefined || globMatches(pattern, key))) keys.push(key)
  }
  if (page.cursor === undefined) {
    cursors.end(number)
    return ['0', keys]
  }
  return [String(cursors.add(page.cursor, bucket.name, number)), keys]
}

async function keys({ server }: Session, args: Arguments): Promise<Reply> {
  const pattern = checkedPattern(args[1] as Buffer)
  const found: Uint8Array[] = []
  let bytes = 0
  for await (const key of server.bucket.keys({ limit: pageKeysMax })) {
    if (!globMatches(pattern, key)) continue
    bytes += key.length + 64
    if (bytes > keysBytesMax) return error('ERR OVERLOADED too many keys for one reply; use SCAN')
    found.push(key)
  }
  return found
}

async function flush({ server }: Session, args: Arguments): Promise<Reply> {
  const mode = word(args[1])
  if (args.length > 2 || (args.length === 2 && mode !== 'ASYNC' && mode !== 'SYNC')) {
    throw new CommandError(syntaxError)
  }
  await server.bucket.clear()
  return ok
}

const read = { order: 'read', keys: [1, 1, 1], flags: ['readonly', 'fast'] } as const
const several = { keys: [1, -1, 1] } as const

export const keyspaceCommands: readonly Command[] = [
  { name: 'del', arity: -2, order: 'write', flags: ['write'], ...several, run: remove },
  { name: 'unlink', arity: -2, order: 'write', flags: ['write', 'fast'], ...several, run: remove },
  { name: 'exists', arity: -2, ...read, ...several, run: exists },
  { name: 'touch', arity: -2, ...read, ...several, run: exists },
  { name: 'type', arity: 2, ...read, run: type },
  { name: 'scan', arity: -2, order: 'alone', flags: ['readonly'], run: scan },
  { name: 'keys', arity: 2, order: 'alone', flags: ['readonly'], run: keys },
  {
    name: 'dbsize',
    arity: 1,
    order: 'alone',
    flags: ['readonly'],
    run: ({ server }) => server.bucket.count(),
  },
  { name: 'flushdb', arity: -1, order: 'alone', flags: ['write'], run: flush },
  { name: 'flushall', arity: -1, order: 'alone', flags: ['write'], run: flush },
]
