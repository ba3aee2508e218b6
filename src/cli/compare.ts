// `ringspun verify` and `ringspun repair`: all replicas compared, and mended or not. verify ends with exit code 1
// when they are not equal, so that a script can ask.

import { type Option, optionLines, readArguments } from './arguments.js'
import { ask, serverOf, serverOptions } from './ask.js'
import { bytes, duration, print, printJson, table } from './table.js'

interface Answer {
  readonly equal: boolean
  readonly partitions: number
  readonly missing: number
  readonly listed: number
  readonly differing: number
  readonly damaged: number
  readonly mended: number
  readonly bytes: number
  readonly messages: number
  readonly ms: number
  readonly keys: readonly { readonly bucket: string; readonly key?: string; readonly hex?: string }[]
}

const verifyOptions: readonly Option[] = [
  { name: 'trees', help: 'compare the trees of versions only: quick, reads no object that need not be read' },
  ...serverOptions,
]

const repairOptions: readonly Option[] = [
  { name: 'now', help: 'compare at once; nodes do so by themselves all the time' },
  { name: 'deep', help: 'read every object and verify its checksum' },
  ...serverOptions,
]

const verifyHelp = `Usage: ringspun verify [--trees] [OPTIONS]

Compares all replicas of all objects with each other and reports. Reads every object and verifies its checksum;
changes nothing. Exit code 0 when all are equal, 1 when not.

Options:
${optionLines(verifyOptions)}`

const repairHelp = `Usage: ringspun repair [--now] [--deep] [OPTIONS]

Shows how many pairs of replicas each node has compared, and what that has mended. With --now all replicas are
compared at once, and what differs is mended.

Options:
${optionLines(repairOptions)}`

async function showVerify(args: readonly string[]): Promise<number> {
  const given = readArguments(args, verifyOptions)
  const words = given['trees'] === true ? ['RS.VERIFY', 'TREES'] : ['RS.VERIFY']
  const answer = (await ask(serverOf(given), words)) as Answer
  if (given['json'] === true) printJson(answer)
  else print(render(answer, false))
  return answer.equal ? 0 : 1
}

async function showRepair(args: readonly string[]): Promise<number> {
  const given = readArguments(args, repairOptions)
  if (given['now'] !== true && given['deep'] !== true) return showMended(given)
  const words = given['deep'] === true ? ['RS.REPAIR', 'DEEP'] : ['RS.REPAIR']
  const answer = (await ask(serverOf(given), words)) as Answer
  if (given['json'] === true) printJson(answer)
  else print(render(answer, true))
  return 0
}

async function showMended(given: Parameters<typeof serverOf>[0]): Promise<number> {
  const nodes = (await ask(serverOf(given), ['RS.NODES'])) as readonly {
    readonly node: number
    readonly compared: number
    readonly mended: number
    readonly hintsLost: number
  }[]
  if (given['json'] === true)
    printJson(nodes.map(({ node, compared, mended, hintsLost }) => ({ node, compared, mended, hintsLost })))
  else {
    const cells = nodes.map((each) =>
      [each.node, each.compared, each.mended, each.hintsLost].map((count) => count.toLocaleString('en')),
    )
    print(table(['node', 'pairs compared', 'objects mended', 'hints lost'], cells))
  }
  return 0
}

function render(answer: Answer, mends: boolean): string[] {
  const { partitions, missing, listed, differing, damaged, mended, messages, ms, keys } = answer
  const lines = [
    answer.equal
      ? `all replicas are equal (${partitions} partitions, ${duration(ms)})`
      : `replicas differ in ${differing.toLocaleString('en')} keys (${partitions} partitions, ${duration(ms)})`,
    `  ${messages.toLocaleString('en')} messages, ${listed.toLocaleString('en')} keys compared one by one`,
  ]
  if (damaged > 0) lines.push(`  ${damaged.toLocaleString('en')} copies with a wrong checksum`)
  if (missing > 0) lines.push(`  ${missing} partitions with a replica that could not be reached`)
  if (mends) lines.push(`  ${mended.toLocaleString('en')} objects sent, ${bytes(answer.bytes)}`)
  for (const { bucket, key, hex } of keys) lines.push(`  ${bucket}  ${key ?? `0x${hex}`}`)
  if (keys.length < differing) lines.push('  ...')
  return lines
}

export const verify = { run: showVerify, help: verifyHelp }
export const repair = { run: showRepair, help: repairHelp }
