// What a command answers, as plain data: the same reply is written as RESP2 or RESP3 by writer.ts. Plain
// JavaScript values where there is a natural one, so that the hot replies (bytes, numbers, null) cost no
// wrapper: bytes and strings are bulk strings, numbers are integers, null is the missing value.

export interface TextReply {
  /** `verbatim` is a bulk string in RESP2. Line ends in `simple` and `error` become spaces. */
  readonly type: 'simple' | 'error' | 'verbatim'
  readonly text: string
}

export interface MapReply {
  readonly type: 'map'
  readonly entries: readonly (readonly [Reply, Reply])[]
}

export interface SetReply {
  readonly type: 'set' | 'push'
  readonly items: readonly Reply[]
}

/** `none`: nothing is sent at all (CLIENT REPLY OFF). */
export interface BareReply {
  readonly type: 'none'
}

export type Reply =
  | null
  | number
  | string
  | Uint8Array
  | readonly Reply[]
  | TextReply
  | MapReply
  | SetReply
  | BareReply

export const ok: Reply = { type: 'simple', text: 'OK' }
export const pong: Reply = { type: 'simple', text: 'PONG' }
export const none: Reply = { type: 'none' }

export function simple(text: string): Reply {
  return { type: 'simple', text }
}

/** `text` opens with its upper-case prefix: `ERR …`. */
export function error(text: string): Reply {
  return { type: 'error', text }
}

export function map(entries: readonly (readonly [Reply, Reply])[]): Reply {
  return { type: 'map', entries }
}

/** About how many bytes of memory and output a reply is: its contents, not its framing. */
export function replyBytes(reply: Reply): number {
  if (reply === null || typeof reply === 'number') return 8
  if (typeof reply === 'string' || reply instanceof Uint8Array) return reply.length + 8
  if (Array.isArray(reply)) return sumBytes(reply)
  const tagged = reply as Exclude<Reply, readonly Reply[] | null | number | string | Uint8Array>
  switch (tagged.type) {
    case 'map': {
      let bytes = 8
      for (const [key, value] of tagged.entries) bytes += replyBytes(key) + replyBytes(value)
      return bytes
    }
    case 'set':
    case 'push':
      return sumBytes(tagged.items)
    case 'none':
      return 8
    default:
      return tagged.text.length + 8
  }
}

function sumBytes(items: readonly Reply[]): number {
  let bytes = 8
  for (const item of items) bytes += replyBytes(item)
  return bytes
}
