// Values: GET and SET with all their forms, several keys at once, and what can be read from a value. A write
// is one put (Dynamo 4.5); NX and XX are decided by the coordinator of the key, so they are as good as one
// node's word: two coordinators that cannot see each other may both say yes.
//
// MSET is not atomic: after an error some of its keys may be written. What Redis does by reading and writing
// back (INCR, APPEND) is refused by refused.ts.

import { RingspunError } from '../../base/errors.js'
import type { GetResult, PutOptions, WriteResult } from '../../client/api.js'
import { error, ok, type Reply, replyBytes } from '../resp/reply.js'
import { instant, integer, isExpiryUnit, word } from './arguments.js'
import type { Arguments, Command, Session } from './command.js'
import { CommandError, syntaxError, wrongArity } from './errors.js'

/** Keys of an MGET that are read at a time, and bytes that one reply of it may have. */
const pageKeysMax = 1024
const replyBytesMax = 256 * 1024 * 1024

/** The one value of a key of the Redis commands, null for none. Several are only there after RS.BUCKET default. */
export function singleValue(values: readonly Uint8Array[]): Reply {
  if (values.length <= 1) return values[0] ?? null
  return error(
    `ERR too-many-siblings: the key has ${values.length} concurrent values (read it with RS.GET, merge them, and write the result with RS.PUT and its CONTEXT)`,
  )
}

export function previousValue(result: WriteResult<Uint8Array>): Reply {
  return singleValue(result.previous)
}

/** The reply when a condition (NX, XX, a live key) was not met; any other failure is thrown on. */
export function unlessConditionFailed(reply: Reply): (failure: unknown) => Reply {
  return (failure) => {
    if (failure instanceof RingspunError && failure.code === 'condition-failed') return reply
    throw failure
  }
}

const refusedCondition = unlessConditionFailed(null)
const refusedAsZero = unlessConditionFailed(0)
const answerOk = (): Reply => ok
const answerOne = (): Reply => 1

function get(session: Session, args: Arguments): Reply | Promise<Reply> {
  const { server } = session
  const key = args[1] as Buffer
  // At once when it is in memory: then a pipeline of reads is one loop, without a promise.
  const found = server.bucket.getSync(key)
  return found === undefined ? server.bucket.get(key).then(server.valueReply) : server.valueReply(found)
}

interface SetRequest {
  readonly options: PutOptions
  readonly wantsPrevious: boolean
}

/** The options of SET from place 3 on. */
function setOptions(args: Arguments): SetRequest {
  let condition: 'absent' | 'present' | undefined
  let expiresAt: number | undefined
  let keepExpiry = false
  let wantsPrevious = false
  for (let i = 3; i < args.length; i++) {
    const option = word(args[i])
    if (option === 'NX' && condition !== 'present') condition = 'absent'
    else if (option === 'XX' && condition !== 'absent') condition = 'present'
    else if (option === 'GET') wantsPrevious = true
    else if (option === 'KEEPTTL' && expiresAt === undefined) keepExpiry = true
    else if (isExpiryUnit(option) && expiresAt === undefined && !keepExpiry && i + 1 < args.length) {
      expiresAt = instant(option, args[++i], 'set')
    } else throw new CommandError(syntaxError)
  }
  return {
    options: {
      ...(condition === undefined ? {} : { condition }),
      ...(expiresAt === undefined ? {} : { expiresAt }),
      ...(keepExpiry ? { keepExpiry } : {}),
      ...(wantsPrevious ? { returnPrevious: true } : {}),
    },
    wantsPrevious,
  }
}

function set({ server }: Session, args: Arguments): Promise<Reply> {
  const key = args[1] as Buffer
  const value = args[2] as Buffer
  if (args.length === 3) return server.bucket.put(key, value).then(answerOk)
  const { options, wantsPrevious } = setOptions(args)
  const written = server.bucket.put(key, value, options)
  if (!wantsPrevious) return written.then(answerOk, refusedCondition)
  return written.then(previousValue, async (failure) => {
    refusedCondition(failure)
    // Refused by XX: there was none. By NX: what was in the way, read afterwards.
    if (options.condition === 'present') return null
    return singleValue((await server.bucket.get(key)).values)
  })
}

function setIfAbsent({ server }: Session, args: Arguments): Promise<Reply> {
  return server.bucket
    .put(args[1] as Buffer, args[2] as Buffer, { condition: 'absent' })
    .then(answerOne, refusedAsZero)
}

function setExpiring(unit: 'EX' | 'PX', name: string): Command['run'] {
  return ({ server }, args) => {
    const expiresAt = instant(unit, args[2], name)
    return server.bucket.put(args[1] as Buffer, args[3] as Buffer, { expiresAt }).then(answerOk)
  }
}

function getSet({ server }: Session, args: Arguments): Promise<Reply> {
  return server.bucket.put(args[1] as Buffer, args[2] as Buffer, { returnPrevious: true }).then(previousValue)
}

function getDelete({ server }: Session, args: Arguments): Promise<Reply> {
  return server.bucket.delete(args[1] as Buffer, { returnPrevious: true }).then(previousValue)
}

function getExpire({ server }: Session, args: Arguments): Promise<Reply> {
  const key = args[1] as Buffer
  const { bucket } = server
  if (args.length === 2) return bucket.get(key).then(server.valueReply)
  const option = word(args[2])
  let expiresAt = 0
  if (isExpiryUnit(option) && args.length === 4) expiresAt = instant(option, args[3], 'getex')
  else if (option !== 'PERSIST' || args.length !== 3) throw new CommandError(syntaxError)
  // An instant that has passed takes the key away.
  if (expiresAt !== 0 && expiresAt <= Date.now()) {
    return bucket.delete(key, { returnPrevious: true }).then(previousValue)
  }
  return bucket.expire(key, expiresAt, { returnPrevious: true }).then(previousValue, refusedCondition)
}

async function getSeveral({ server }: Session, args: Arguments): Promise<Reply> {
  const replies: Reply[] = []
  let bytes = 0
  for (let start = 1; start < args.length; start += pageKeysMax) {
    const results = await server.bucket.getMany(args.slice(start, start + pageKeysMax))
    for (const result of results) {
      const reply = server.valueReply(result)
      bytes += replyBytes(reply)
      replies.push(reply)
    }
    if (bytes > replyBytesMax) {
      return error(
        `ERR OVERLOADED the values are more than ${replyBytesMax} bytes; ask for fewer keys at a time`,
      )
    }
  }
  return replies
}

function setSeveral({ server }: Session, args: Arguments): Promise<Reply> {
  if (args.length % 2 === 0) throw new CommandError(wrongArity('mset'))
  // The puts run beside each other, so a key that is named twice is written once: with the later value.
  const entries = new Map<string, readonly [Buffer, Buffer]>()
  for (let i = 1; i < args.length; i += 2) {
    const key = args[i] as Buffer
    entries.set(key.toString('latin1'), [key, args[i + 1] as Buffer])
  }
  return server.bucket.putMany([...entries.values()]).then(answerOk)
}

async function length({ server }: Session, args: Arguments): Promise<Reply> {
  const reply = server.valueReply(await server.bucket.get(args[1] as Buffer))
  if (reply === null) return 0
  return reply instanceof Uint8Array ? reply.length : reply
}

function getRange({ server }: Session, args: Arguments): Promise<Reply> {
  const from = integer(args[2])
  const to = integer(args[3])
  return server.bucket.get(args[1] as Buffer).then((result: GetResult<Uint8Array>) => {
    const value = server.valueReply(result)
    if (value === null) return ''
    if (!(value instanceof Uint8Array)) return value
    if (from < 0 && to < 0 && from > to) return ''
    // Places before the first byte are the first byte, as in Redis.
    const start = from < 0 ? Math.max(value.length + from, 0) : from
    const end = to < 0 ? Math.max(value.length + to, 0) : to
    return value.subarray(start, Math.max(end + 1, start))
  })
}

const read = { order: 'read', keys: [1, 1, 1], flags: ['readonly', 'fast'] } as const
const write = { order: 'write', keys: [1, 1, 1], flags: ['write', 'fast'] } as const

export const stringCommands: readonly Command[] = [
  { name: 'get', arity: 2, ...read, run: get },
  { name: 'strlen', arity: 2, ...read, run: length },
  { name: 'getrange', arity: 4, ...read, run: getRange },
  { name: 'substr', arity: 4, ...read, run: getRange },
  { name: 'mget', arity: -2, ...read, keys: [1, -1, 1], run: getSeveral },
  { name: 'set', arity: -3, ...write, run: set },
  { name: 'setnx', arity: 3, ...write, run: setIfAbsent },
  { name: 'setex', arity: 4, ...write, run: setExpiring('EX', 'setex') },
  { name: 'psetex', arity: 4, ...write, run: setExpiring('PX', 'psetex') },
  { name: 'getset', arity: 3, ...write, run: getSet },
  { name: 'getdel', arity: 2, ...write, run: getDelete },
  { name: 'getex', arity: -2, ...write, run: getExpire },
  { name: 'mset', arity: -3, ...write, keys: [1, -1, 2], run: setSeveral },
]
