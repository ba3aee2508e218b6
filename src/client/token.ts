// The context token: what versions/context-codec makes, and behind a dot the node that answered the read
// first, as a hint for who should coordinate the write that follows (Dynamo 5). The hint may be wrong.

import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { NodeId } from '../base/units.js'
import { decodeContext } from '../versions/context-codec.js'
import type { Context } from '../versions/object.js'
import type { ContextToken } from './api.js'

export type Secret = readonly [number, number]

export function writeToken(context: string, coordinator: NodeId): ContextToken {
  return coordinator === 0 ? context : `${context}.${coordinator.toString(36)}`
}

export function readToken(
  token: ContextToken | undefined,
  hash: number,
  secret: Secret,
): { readonly context: Context | undefined; readonly coordinator: NodeId } {
  if (token === undefined) return { context: undefined, coordinator: 0 }
  if (typeof token !== 'string') throw new RingspunError('context-invalid', 'a context is a text')
  const dot = token.lastIndexOf('.')
  if (dot < 0) return { context: decodeContext(token, hash, secret), coordinator: 0 }
  const hint = Number.parseInt(token.slice(dot + 1), 36)
  const known = Number.isInteger(hint) && hint > 0 && hint <= limits.nodesMax
  if (!known || token.length - dot > 3) throw new RingspunError('context-invalid', 'this is not a context')
  return { context: decodeContext(token.slice(0, dot), hash, secret), coordinator: hint }
}
