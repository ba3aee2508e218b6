// For whoever runs the cluster, over the same port: what `cluster.admin` does, answered as JSON in one bulk
// string, because that is what tools read. `ringspun ring`, `nodes`, `hints`, `repair` and `verify` ask these.

import type { Comparison, JoinOptions } from '../../client/api.js'
import { ok, type Reply } from '../resp/reply.js'
import { integer, word } from './arguments.js'
import type { Arguments, Command, Session } from './command.js'
import { CommandError, syntaxError } from './errors.js'

function status({ server }: Session): Reply {
  return JSON.stringify(server.cluster.status())
}

function ring({ server }: Session): Reply {
  return JSON.stringify(server.cluster.admin.ring())
}

function nodes({ server }: Session): Reply {
  return JSON.stringify(server.cluster.status().nodes)
}

/** RS.HINTS [PAUSE n | RESUME n | DROP n]. */
async function hints({ server }: Session, args: Arguments): Promise<Reply> {
  const { admin } = server.cluster
  if (args.length === 1) return JSON.stringify(await admin.hints())
  if (args.length !== 3) throw new CommandError(syntaxError)
  const node = integer(args[2])
  const what = word(args[1])
  if (what === 'PAUSE') await admin.pauseHints(node)
  else if (what === 'RESUME') await admin.resumeHints(node)
  else if (what === 'DROP') await admin.dropHints(node)
  else throw new CommandError(syntaxError)
  return ok
}

/** The last argument, when there is one, must be this word. */
function flag(args: Arguments, name: string): boolean {
  if (args.length > 2 || (args.length === 2 && word(args[1]) !== name)) throw new CommandError(syntaxError)
  return args.length === 2
}

/** Keys may be any bytes, and JSON has none: as text where they are, otherwise in hexadecimal. */
function toJson(comparison: Comparison): string {
  const keys = comparison.keys.map(({ bucket, key }) => {
    const text = Buffer.from(key).toString('utf8')
    const isText = Buffer.from(text, 'utf8').equals(key)
    return isText ? { bucket, key: text } : { bucket, hex: Buffer.from(key).toString('hex') }
  })
  return JSON.stringify({ ...comparison, keys })
}

/** RS.VERIFY [TREES]. */
async function verify({ server }: Session, args: Arguments): Promise<Reply> {
  return toJson(await server.cluster.verify({ deep: !flag(args, 'TREES') }))
}

/** RS.REPAIR [DEEP]. */
async function repair({ server }: Session, args: Arguments): Promise<Reply> {
  return toJson(await server.cluster.admin.repair({ deep: flag(args, 'DEEP') }))
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

/** What follows RS.PLAN JOIN, REPLACE n or WEIGHT n. */
function joinOptions(args: Arguments, from: number): Mutable<JoinOptions> {
  const join: Mutable<JoinOptions> = {}
  for (let i = from; i < args.length; i += 2) {
    const value = args[i + 1]
    if (value === undefined) throw new CommandError(syntaxError)
    const text = value.toString('utf8')
    const name = word(args[i])
    if (name === 'WEIGHT') join.weight = Number(text)
    else if (name === 'HOST') join.host = text
    else if (name === 'ZONE') join.zone = text
    else throw new CommandError(syntaxError)
  }
  return join
}

/** RS.PLAN JOIN [WEIGHT w] [HOST h] [ZONE z] | LEAVE n | REPLACE n [...] | WEIGHT n WEIGHT w. */
function plan({ server }: Session, args: Arguments): Reply {
  const what = word(args[1])
  const { admin } = server.cluster
  if (what === 'JOIN') return JSON.stringify(admin.plan({ join: [joinOptions(args, 2)] }))
  const node = integer(args[2])
  const join = joinOptions(args, 3)
  if (what === 'LEAVE' && args.length === 3) return JSON.stringify(admin.plan({ leave: [node] }))
  if (what === 'REPLACE') return JSON.stringify(admin.plan({ replace: [{ node, ...join }] }))
  if (what === 'WEIGHT' && join.weight !== undefined) {
    return JSON.stringify(admin.plan({ weight: [{ node, weight: join.weight }] }))
  }
  throw new CommandError(syntaxError)
}

async function commit({ server }: Session): Promise<Reply> {
  return JSON.stringify(await server.cluster.admin.commit())
}

function transfers({ server }: Session): Reply {
  return JSON.stringify(server.cluster.admin.transfers())
}

export const adminCommands: readonly Command[] = [
  { name: 'rs.status', arity: 1, order: 'free', flags: ['admin'], run: status },
  { name: 'rs.ring', arity: 1, order: 'free', flags: ['admin'], run: ring },
  { name: 'rs.nodes', arity: 1, order: 'free', flags: ['admin'], run: nodes },
  { name: 'rs.plan', arity: -2, order: 'alone', flags: ['admin'], run: plan },
  { name: 'rs.commit', arity: 1, order: 'alone', flags: ['admin'], run: commit },
  { name: 'rs.transfers', arity: 1, order: 'free', flags: ['admin'], run: transfers },
  { name: 'rs.hints', arity: -1, order: 'alone', flags: ['admin'], run: hints },
  { name: 'rs.verify', arity: -1, order: 'alone', flags: ['admin'], run: verify },
  { name: 'rs.repair', arity: -1, order: 'alone', flags: ['admin'], run: repair },
]
