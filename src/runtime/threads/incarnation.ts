// The name of a life: of a node's, and of a gateway's in a thread of the application.

import { randomBytes } from 'node:crypto'
import type { Incarnation } from '../../base/units.js'

/** 53 random bits, never 0: see docs/decisions/incarnation.md for why that is enough. */
export function newIncarnation(): Incarnation {
  const bytes = randomBytes(8)
  return (bytes.readUInt32LE(0) & 0x1f_ffff) * 0x1_0000_0000 + bytes.readUInt32LE(4) || 1
}
