// `ringspun hints`: what nodes keep for others that are away; held back, let go or given up by an operator.

import type { HintReport } from '../client/api.js'
import { type Option, optionLines, readArguments, UsageError, wholeNumber } from './arguments.js'
import { ask, serverOf, serverOptions } from './ask.js'
import { bytes, duration, print, printJson, table } from './table.js'

const options: readonly Option[] = [
  { name: 'pause', value: 'NODE', help: 'hold back what is kept for this node' },
  { name: 'resume', value: 'NODE', help: 'let it go again' },
  { name: 'drop', value: 'NODE', help: 'give it up; comparing replicas brings it back later' },
  ...serverOptions,
]

const help = `Usage: ringspun hints [--pause NODE | --resume NODE | --drop NODE] [OPTIONS]

Shows the writes that nodes keep for others that are away: who keeps how many for whom, their bytes, the age of
the oldest, and whether they are held back.

Options:
${optionLines(options)}`

const nodesMax = 64

async function showHints(args: readonly string[]): Promise<number> {
  const given = readArguments(args, options)
  const server = serverOf(given)
  const wanted = (['pause', 'resume', 'drop'] as const).filter((name) => given[name] !== undefined)
  if (wanted.length > 1) throw new UsageError(`--${wanted.join(' and --')} exclude each other`)
  const [what] = wanted
  if (what !== undefined) {
    const node = wholeNumber(given, what, 1, nodesMax) as number
    await ask(server, ['RS.HINTS', what.toUpperCase(), String(node)])
  }
  const reports = (await ask(server, ['RS.HINTS'])) as readonly HintReport[]
  if (given['json'] === true) printJson(reports)
  else print(render(reports))
  return 0
}

function render(reports: readonly HintReport[]): string[] {
  if (reports.length === 0) return ['nothing is kept for any node']
  return table(
    ['keeper', 'for node', 'hints', 'size', 'oldest', 'held back'],
    reports.map(({ keeper, owner, count, bytes: size, ageMs, paused }) => [
      String(keeper),
      String(owner),
      count.toLocaleString('en'),
      bytes(size),
      duration(ageMs),
      paused ? 'yes' : 'no',
    ]),
  )
}

export const hints = { run: showHints, help }
