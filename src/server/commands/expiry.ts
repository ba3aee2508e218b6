// When a key ends: EXPIRE and its kin, TTL and its kin. Expiry is part of the version (see versions/), so a
// change of it is a write like any other and repair cannot bring back what has expired.
//
// NX, XX, GT, LT and PERSIST read first and write then: in order on one connection, but another connection
// may write between the two, and the later write wins. An instant in the past deletes the key, as in Redis.

import type { Millis } from '../../base/units.js'
import type { Reply } from '../resp/reply.js'
import { type ExpiryUnit, instantOf, integer, word } from './arguments.js'
import type { Arguments, ByteBucket, Command } from './command.js'
import { CommandError, printable } from './errors.js'
import { unlessConditionFailed } from './strings.js'

interface Conditions {
  nx: boolean
  xx: boolean
  gt: boolean
  lt: boolean
}

function conditions(args: Arguments): Conditions | undefined {
  if (args.length === 3) return undefined
  const found: Conditions = { nx: false, xx: false, gt: false, lt: false }
  for (const option of args.slice(3)) {
    const name = word(option).toLowerCase()
    if (name !== 'nx' && name !== 'xx' && name !== 'gt' && name !== 'lt') {
      throw new CommandError(`ERR Unsupported option ${printable(option)}`)
    }
    found[name] = true
  }
  if (found.nx && (found.xx || found.gt || found.lt)) {
    throw new CommandError('ERR NX and XX, GT or LT options at the same time are not compatible')
  }
  if (found.gt && found.lt) {
    throw new CommandError('ERR GT and LT options at the same time are not compatible')
  }
  return found
}

/** `current` is 0 for a key without expiry, which counts as later than any instant. */
function allowed(wanted: Conditions, current: Millis, next: Millis): boolean {
  if (wanted.nx && current !== 0) return false
  if (wanted.xx && current === 0) return false
  if (wanted.gt && (current === 0 || next <= current)) return false
  return !(wanted.lt && current !== 0 && next >= current)
}

const absentAsZero = unlessConditionFailed(0)

async function expireAt(
  bucket: ByteBucket,
  key: Buffer,
  at: Millis,
  wanted: Conditions | undefined,
): Promise<Reply> {
  if (wanted !== undefined) {
    const result = await bucket.get(key)
    if (result.values.length === 0 || !allowed(wanted, result.expiresAt, at)) return 0
  }
  if (at <= Date.now()) return (await bucket.delete(key)).existed ? 1 : 0
  return bucket.expire(key, at).then(() => 1, absentAsZero)
}

function expire(unit: ExpiryUnit, name: string): Command['run'] {
  return ({ server }, args) => {
    const wanted = conditions(args)
    const at = instantOf(unit, integer(args[2]), name)
    return expireAt(server.bucket, args[1] as Buffer, at, wanted)
  }
}

/** -2 without a key, -1 without an expiry, else what `of` makes of the instant. */
function ask(of: (expiresAt: Millis) => number): Command['run'] {
  return ({ server }, args) =>
    server.bucket.get(args[1] as Buffer).then((result) => {
      if (result.values.length === 0) return -2
      return result.expiresAt === 0 ? -1 : of(result.expiresAt)
    })
}

const left = (at: Millis): Millis => Math.max(0, at - Date.now())

const persist: Command['run'] = async ({ server }, args) => {
  const key = args[1] as Buffer
  const result = await server.bucket.get(key)
  if (result.values.length === 0 || result.expiresAt === 0) return 0
  return server.bucket.expire(key, 0).then(() => 1, absentAsZero)
}

const read = { order: 'read', keys: [1, 1, 1], flags: ['readonly', 'fast'] } as const
const write = { order: 'write', keys: [1, 1, 1], flags: ['write', 'fast'] } as const

export const expiryCommands: readonly Command[] = [
  { name: 'expire', arity: -3, ...write, run: expire('EX', 'expire') },
  { name: 'pexpire', arity: -3, ...write, run: expire('PX', 'pexpire') },
  { name: 'expireat', arity: -3, ...write, run: expire('EXAT', 'expireat') },
  { name: 'pexpireat', arity: -3, ...write, run: expire('PXAT', 'pexpireat') },
  { name: 'persist', arity: 2, ...write, run: persist },
  { name: 'ttl', arity: 2, ...read, run: ask((at) => Math.floor((left(at) + 500) / 1000)) },
  { name: 'pttl', arity: 2, ...read, run: ask(left) },
  { name: 'expiretime', arity: 2, ...read, run: ask((at) => Math.floor((at + 500) / 1000)) },
  { name: 'pexpiretime', arity: 2, ...read, run: ask((at) => at) },
]
