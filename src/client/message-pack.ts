// Looks through stored MessagePack before it is decoded: one value, whole, nested within bounds, plain data.
// The decoder by itself would follow record definitions, pointers and other extensions, and any depth.
//
// Of the extensions only two pass: the time stamp, and the one by which the encoder writes undefined.

import { limits } from '../base/limits.js'

const timeStamp = 0xff
const undefinedMark = 0

/** Where the scan is, and how many values are still to come at each depth. */
let at = 0
const open = new Float64Array(limits.nestingMax + 2)

/** Undefined when the bytes are one plain value; otherwise what is wrong with them. */
export function findFault(bytes: Uint8Array): string | undefined {
  at = 0
  let depth = 0
  open[0] = 1
  for (;;) {
    while ((open[depth] as number) === 0) {
      if (depth === 0) return at === bytes.length ? undefined : 'bytes after the value'
      depth--
    }
    ;(open[depth] as number)--
    const inside = token(bytes)
    if (inside === faulty) return `byte ${at} cannot be read`
    if (at > bytes.length) return 'cut short'
    if (inside < 0) continue
    if (depth > limits.nestingMax) return `nested deeper than ${limits.nestingMax}`
    // Each value is a byte at least: a count that cannot be true is not believed.
    if (inside > bytes.length - at) return 'cut short'
    open[++depth] = inside
  }
}

const scalar = -1
const faulty = -2

/** Steps over one token; answers how many values it holds, `scalar`, or `faulty`. */
function token(bytes: Uint8Array): number {
  const type = bytes[at++]
  if (type === undefined) return scalar
  if (type < 0x80 || type >= 0xe0) return scalar
  if (type < 0x90) return (type & 0x0f) * 2
  if (type < 0xa0) return type & 0x0f
  if (type < 0xc0) return skip(type & 0x1f)
  switch (type) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      return scalar
    case 0xc4:
    case 0xd9:
      return skip(length(bytes, 1))
    case 0xc5:
    case 0xda:
      return skip(length(bytes, 2))
    case 0xc6:
    case 0xdb:
      return skip(length(bytes, 4))
    case 0xdc:
      return length(bytes, 2)
    case 0xdd:
      return length(bytes, 4)
    case 0xde:
      return length(bytes, 2) * 2
    case 0xdf:
      return length(bytes, 4) * 2
    case 0xc7:
      return extension(bytes, length(bytes, 1))
    case 0xca:
      return skip(4)
    case 0xcb:
      return skip(8)
    default:
      return fixed(bytes, type)
  }
}

/** Numbers of fixed width, and extensions of fixed width. */
function fixed(bytes: Uint8Array, type: number): number {
  if (type >= 0xcc && type <= 0xcf) return skip(1 << (type - 0xcc))
  if (type >= 0xd0 && type <= 0xd3) return skip(1 << (type - 0xd0))
  if (type >= 0xd4 && type <= 0xd8) return extension(bytes, 1 << (type - 0xd4))
  return faulty
}

function extension(bytes: Uint8Array, size: number): number {
  const type = bytes[at++]
  const known = type === timeStamp ? size === 4 || size === 8 || size === 12 : type === undefinedMark
  if (!known || (type === undefinedMark && size !== 1)) return faulty
  return skip(size)
}

function skip(size: number): number {
  at += size
  return scalar
}

function length(bytes: Uint8Array, width: number): number {
  let value = 0
  for (let i = 0; i < width; i++) value = value * 256 + (bytes[at++] ?? 0)
  return value
}
