// An acknowledgement as one byte: its level in two bits, and what a gateway is told besides (bits 2 and 3).

import { Malformed } from '../base/bytes.js'
import type { Level, Replicated } from './write.js'

export const levels: readonly Level[] = ['memory', 'os', 'disk']
export const levelNumber: Readonly<Record<Level, number>> = { memory: 0, os: 1, disk: 2 }

/** The same message for all that say the same. */
const replicatedMessages: readonly (Replicated | undefined)[] = Array.from({ length: 16 }, (_, flags) => {
  const level = levels[flags & 3]
  if (level === undefined) return undefined
  const { existed, overtaken } = { existed: (flags & 4) !== 0, overtaken: (flags & 8) !== 0 }
  return { type: 'replicated', level, ...(existed && { existed }), ...(overtaken && { overtaken }) }
})

export function replicatedMessage(level: Level, existed: boolean, overtaken: boolean): Replicated {
  return replicatedMessages[levelNumber[level] | (existed ? 4 : 0) | (overtaken ? 8 : 0)] as Replicated
}

export function flagsOfReplicated({ level, existed, overtaken }: Replicated): number {
  return levelNumber[level] | (existed === true ? 4 : 0) | (overtaken === true ? 8 : 0)
}

/** Throws `Malformed` for what is none. */
export function replicatedOf(flags: number): Replicated {
  const message = replicatedMessages[flags]
  if (message === undefined) throw new Malformed('unknown level')
  return message
}
