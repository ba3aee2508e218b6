// The tables of the README that are made from the source: limits from base/limits.ts with their comments,
// error codes from base/errors.ts. `UPDATE_README=1 npx vitest run test/readme.test.ts` writes them anew.

import { readFileSync } from 'node:fs'
import { errorTable } from '../../src/base/errors.js'
import { limits } from '../../src/base/limits.js'

const limitsSource = new URL('../../src/base/limits.ts', import.meta.url)

export function limitsTable(): string {
  const comments = limitComments()
  const rows = Object.entries(limits).map(([name, value]) => {
    return `| \`${name}\` | ${quantity(name, value)} | ${comments.get(name) ?? ''} |`
  })
  return ['| limit | value | of what |', '|---|---|---|', ...rows].join('\n')
}

/** The comment above each limit, its first sentence. */
function limitComments(): Map<string, string> {
  const text = readFileSync(limitsSource, 'utf8')
  const found = new Map<string, string>()
  for (const [, comment, name] of text.matchAll(/\/\*\* ([^*]+?) \*\/\s+(\w+):/g)) {
    const sentence = (comment as string).split(/(?<=[^.])\. /)[0] as string
    found.set(name as string, sentence.replace(/\.$/, '').replaceAll('|', '\\|'))
  }
  return found
}

export function quantity(name: string, value: number): string {
  if (name.includes('Bytes')) {
    if (value % (1024 * 1024) === 0) return `${value / (1024 * 1024)} MiB`
    if (value % 1024 === 0) return `${value / 1024} KiB`
  }
  if (name.includes('Ms')) return value % 60_000 === 0 ? `${value / 60_000} min` : `${value / 1000} s`
  return value.toLocaleString('en')
}

export function errorsTable(): string {
  const rows = Object.entries(errorTable).map(
    ([code, { outcome, remedy }]) => `| \`${code}\` | ${outcome} | ${remedy} |`,
  )
  return ['| code | outcome | what to do |', '|---|---|---|', ...rows].join('\n')
}
