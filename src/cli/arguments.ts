// Command-line arguments: `--name value`, `--name=value` and `--flag`, by node:util parseArgs. What is wrong is
// said in one sentence with the nearest right name, and the process ends with exit code 64 (usage).

import { parseArgs } from 'node:util'

export interface Option {
  readonly name: string
  /** The word for its value in the help, or undefined for a flag. */
  readonly value?: string
  readonly help: string
  readonly default?: string
}

export class UsageError extends Error {}

export type Arguments = Readonly<Record<string, string | boolean | undefined>>

export function readArguments(args: readonly string[], options: readonly Option[]): Arguments {
  const config = Object.fromEntries(
    options.map((option) => [
      option.name,
      { type: option.value === undefined ? 'boolean' : 'string' } as const,
    ]),
  )
  try {
    const { values } = parseArgs({ args: [...args], options: config, strict: true, allowPositionals: false })
    return values as Arguments
  } catch (error) {
    throw new UsageError(explain((error as Error).message, options))
  }
}

function explain(message: string, options: readonly Option[]): string {
  const unknown = /Unknown option '(--?[^']+)'/.exec(message)?.[1]
  if (unknown === undefined) return message.split('. ')[0] ?? message
  const near = options.map((option) => `--${option.name}`).find((name) => distance(name, unknown) <= 2)
  return `there is no option ${unknown}${near === undefined ? '' : `; did you mean ${near}?`}`
}

/** Edits from one text to the other (Levenshtein), for suggestions. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, change))
    }
    row = next
  }
  return row[b.length] as number
}

export function wholeNumber(args: Arguments, name: string, min: number, max: number): number | undefined {
  const text = args[name]
  if (text === undefined) return undefined
  const value = Number(text)
  if (typeof text !== 'string' || !/^\d+$/.test(text) || value < min || value > max) {
    throw new UsageError(`--${name} is a whole number from ${min} to ${max}, got ${String(text)}`)
  }
  return value
}

export function oneOf<T extends string>(args: Arguments, name: string, choices: readonly T[]): T | undefined {
  const text = args[name]
  if (text === undefined) return undefined
  if (!choices.includes(text as T))
    throw new UsageError(`--${name} is one of ${choices.join(', ')}, got ${String(text)}`)
  return text as T
}

/** The options as aligned lines for a help page. */
export function optionLines(options: readonly Option[]): string {
  const heads = options.map(({ name, value }) => `  --${name}${value === undefined ? '' : ` ${value}`}`)
  const width = Math.max(...heads.map((head) => head.length)) + 2
  return options
    .map((option, i) => {
      const suffix = option.default === undefined ? '' : ` (default ${option.default})`
      return `${(heads[i] as string).padEnd(width)}${option.help}${suffix}`
    })
    .join('\n')
}
