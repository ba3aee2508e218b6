// Reads numbers, options and instants from the arguments of a command, with the error texts of Redis.
// Invariant: nothing is guessed. Text that Redis would not take as a number is not taken here either.
// What the numbers mean for a key is left to the commands.

import type { Millis } from '../../base/units.js'
import type { ReadOptions, WriteOptions } from '../../client/api.js'
import type { Arguments } from './command.js'
import { CommandError, invalidExpiry, notAnInteger, syntaxError } from './errors.js'

/** 31 December 9999: the last instant at which a value may expire. */
export const expiresAtMax: Millis = 253_402_300_799_999

const integerForm = /^(?:0|-?[1-9][0-9]{0,18})$/

/** A signed 64-bit number as Redis takes it: no blank, plus or leading zero. Exact up to 2^53. */
export function integer(bytes: Buffer | undefined, message = notAnInteger): number {
  const text = bytes === undefined || bytes.length > 20 ? '' : bytes.toString('latin1')
  if (!integerForm.test(text)) throw new CommandError(message)
  if (text.length >= 19) {
    const exact = BigInt(text)
    if (exact > 0x7fff_ffff_ffff_ffffn || exact < -0x8000_0000_0000_0000n) throw new CommandError(message)
  }
  return Number(text)
}

/** An option or subcommand in upper case; text that is too long to be one is none. */
export function word(bytes: Buffer | undefined): string {
  if (bytes === undefined || bytes.length > 32) return ''
  return bytes.toString('latin1').toUpperCase()
}

export type ExpiryUnit = 'EX' | 'PX' | 'EXAT' | 'PXAT'

export function isExpiryUnit(option: string): option is ExpiryUnit {
  return option === 'EX' || option === 'PX' || option === 'EXAT' || option === 'PXAT'
}

/** The instant that an option like `EX 10` means. Zero, negative or beyond the year 9999 is refused. */
export function instant(unit: ExpiryUnit, amount: Buffer | undefined, command: string): Millis {
  const value = integer(amount)
  if (value <= 0) throw new CommandError(invalidExpiry(command))
  return instantOf(unit, value, command)
}

/** As `instant`, with zero and negative amounts allowed: they lie in the past. */
export function instantOf(unit: ExpiryUnit, value: number, command: string): Millis {
  const millis = unit === 'EX' || unit === 'EXAT' ? value * 1000 : value
  const at = unit === 'EX' || unit === 'PX' ? Date.now() + millis : millis
  if (at > expiresAtMax) throw new CommandError(invalidExpiry(command))
  return at
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

/** Pairs of a name and a value from place `start` on. A name twice is a mistake: nobody can say which one is meant. */
export function namedOptions(args: Arguments, start: number): ReadonlyMap<string, Buffer> {
  const named = new Map<string, Buffer>()
  for (let i = start; i < args.length; i += 2) {
    const [name, value] = [word(args[i]), args[i + 1]]
    if (value === undefined || named.has(name)) throw new CommandError(syntaxError)
    named.set(name, value)
  }
  return named
}

/** The options `CONTEXT c`, `W n`, `DW n` and `PW n` from place `start` on. */
export function writeOptions(args: Arguments, start: number): WriteOptions {
  const options: Mutable<WriteOptions> = {}
  for (const [name, value] of namedOptions(args, start)) {
    if (name === 'CONTEXT') options.context = value.toString('latin1')
    else if (name === 'W' || name === 'DW' || name === 'PW') {
      options[name.toLowerCase() as 'w' | 'dw' | 'pw'] = integer(value)
    } else throw new CommandError(syntaxError)
  }
  return options
}

/** R and PR of RS.GET. */
export function readOptions(args: Arguments, start: number): ReadOptions {
  const options: Mutable<ReadOptions> = {}
  for (const [name, value] of namedOptions(args, start)) {
    if (name === 'R') options.r = integer(value)
    else if (name === 'PR') options.pr = integer(value)
    else throw new CommandError(syntaxError)
  }
  return options
}
