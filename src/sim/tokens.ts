// Contexts as applications have them: a text that is handed out and comes back, signed (Dynamo 4.1: "opaque"). Of every
// few a damaged one, or one that was read elsewhere, is shown as well: it is to be refused by name.

import { RingspunError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { hashOf, type Ring } from '../ring/ring.js'
import { decodeContext, encodeContext } from '../versions/context-codec.js'
import type { Context } from '../versions/object.js'
import { internalKey } from './client.js'

/** Every so-many-th token is shown damaged first. */
const forgedEvery = 5

/** The context, after it was outside; `complain` hears of a token that should have been refused and was not. */
export function throughToken(
  ring: Ring,
  key: string,
  context: Context,
  index: number,
  complain: (text: string) => void,
): Context {
  const hash = hashOf(ring, internalKey(key))
  const token = encodeContext(context, hash, ring.seed)
  if (index % forgedEvery === 0) {
    const forged = forgedOf(token, index)
    const isElsewhere = forged === token
    try {
      decodeContext(forged as string, isElsewhere ? hash ^ 1 : hash, ring.seed)
      complain(`${key}: ${String(forged)} for ${token}`)
    } catch (error) {
      if (!(error instanceof RingspunError)) throw error
    }
  }
  return decodeContext(token, hash, ring.seed)
}

/** Something else than the token; or the token itself, to be shown for another key. */
function forgedOf(token: string, index: number): unknown {
  const at = index % token.length
  switch (Math.floor(index / forgedEvery) % 5) {
    case 0:
      return token
    case 1:
      return token.slice(0, at)
    case 2:
      return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
    case 3:
      return token.padEnd(limits.contextBytesMax * 2, 'A')
    default:
      return index
  }
}
