// The store's own commands, for what Redis has no words for: any bucket, all siblings, contexts, quorums per
// request. Dynamo 4.1: get(key) answers the values and a context, put(key, context, value) gives it back.
//
// RS.GET answers the context first and then each sibling, or an empty array when there is no live value.

import type { BucketProperties, WriteResult } from '../../client/api.js'
import { map, ok, type Reply } from '../resp/reply.js'
import { integer, namedOptions, readOptions, word, writeOptions } from './arguments.js'
import type { Arguments, Command, Session } from './command.js'
import { CommandError, syntaxError } from './errors.js'

const answerContext = (result: WriteResult<Uint8Array>): Reply => result.context

async function get({ server }: Session, args: Arguments): Promise<Reply> {
  const bucket = server.bucketNamed((args[1] as Buffer).toString('latin1'))
  const options = readOptions(args, 3)
  const result = await bucket.get(args[2] as Buffer, options)
  if (result.values.length === 0) {
    server.statistics.misses++
    return []
  }
  server.statistics.hits++
  return [result.context ?? '', ...result.values]
}

function put({ server }: Session, args: Arguments): Promise<Reply> {
  const bucket = server.bucketNamed((args[1] as Buffer).toString('latin1'))
  const options = writeOptions(args, 4)
  return bucket.put(args[2] as Buffer, args[3] as Buffer, options).then(answerContext)
}

function remove({ server }: Session, args: Arguments): Promise<Reply> {
  const bucket = server.bucketNamed((args[1] as Buffer).toString('latin1'))
  return bucket.delete(args[2] as Buffer, writeOptions(args, 3)).then(answerContext)
}

type Mutable<T> = { -readonly [Name in keyof T]?: T[Name] }

function properties(args: Arguments): Mutable<BucketProperties> {
  const wanted: Mutable<BucketProperties> = {}
  for (const [name, value] of namedOptions(args, 2)) {
    const text = word(value).toLowerCase()
    if (name === 'N' || name === 'R' || name === 'W' || name === 'DW') {
      wanted[name.toLowerCase() as 'n' | 'r' | 'w' | 'dw'] = integer(value)
    } else if (name === 'CONFLICTS' && (text === 'siblings' || text === 'last-write-wins')) {
      wanted.conflicts = text
    } else if (name === 'DURABILITY' && (text === 'memory' || text === 'os' || text === 'disk')) {
      wanted.durability = text
    } else {
      throw new CommandError(syntaxError)
    }
  }
  return wanted
}

async function bucket({ server }: Session, args: Arguments): Promise<Reply> {
  const name = (args[1] as Buffer).toString('latin1')
  const wanted = properties(args)
  // Throws for a name that is none, also when nothing is set.
  const known = server.bucketNamed(name).properties
  const { conflicts, n, r, w, dw, durability } =
    args.length === 2 ? known : await server.cluster.setBucket(name, wanted)
  return map([
    ['conflicts', conflicts],
    ['n', n],
    ['r', r],
    ['w', w],
    ['dw', dw],
    ['durability', durability],
  ])
}

/** RS.FAULT KILL n | STALL n ms | WIPE n | ISOLATE n [from] | HEAL. */
async function fault({ server }: Session, args: Arguments): Promise<Reply> {
  if (!server.settings.faults) {
    throw new CommandError('ERR RS.FAULT is refused: the server was started without --faults')
  }
  const { faults } = server.cluster
  const [what, node, more] = [word(args[1]), args[2], args[3]]
  const isShaped = args.length === (what === 'HEAL' ? 2 : what === 'STALL' ? 4 : 3)
  if (what === 'ISOLATE' && more !== undefined && args.length === 4) {
    faults.isolate(integer(node), integer(more))
  } else if (!isShaped) {
    throw new CommandError(syntaxError)
  } else if (what === 'KILL') faults.kill(integer(node))
  else if (what === 'STALL') await faults.stall(integer(node), integer(more))
  else if (what === 'WIPE') await faults.wipe(integer(node))
  else if (what === 'ISOLATE') faults.isolate(integer(node))
  else if (what === 'HEAL') faults.heal()
  else throw new CommandError(syntaxError)
  return ok
}

const keyed = { keys: [2, 2, 1], bucketAt: 1 } as const

export const ringspunCommands: readonly Command[] = [
  { name: 'rs.get', arity: -3, order: 'read', flags: ['readonly'], ...keyed, run: get },
  { name: 'rs.put', arity: -4, order: 'write', flags: ['write'], ...keyed, run: put },
  { name: 'rs.del', arity: -3, order: 'write', flags: ['write'], ...keyed, run: remove },
  { name: 'rs.bucket', arity: -2, order: 'alone', flags: ['admin'], run: bucket },
  { name: 'rs.fault', arity: -2, order: 'alone', flags: ['admin'], run: fault },
]
