// `ringspun plan`, `commit` and `transfers`: nodes that come and go. A plan is looked at before it is committed;
// committed it goes on by itself, and transfers shows how far it is.

import type { ChangeReport, Plan } from '../client/api.js'
import { type Option, optionLines, readArguments, UsageError, wholeNumber } from './arguments.js'
import { ask, serverOf, serverOptions } from './ask.js'
import { bytes, duration, print, printJson, table } from './table.js'

const planOptions: readonly Option[] = [
  {
    name: 'weight',
    value: 'W',
    help: 'share of the ring of the new node; with `weight`, of that node',
    default: '1',
  },
  { name: 'node-host', value: 'NAME', help: 'what fails with the new node: replicas are spread over hosts' },
  { name: 'zone', value: 'NAME', help: 'rack or room of the new node: replicas are spread over zones' },
  ...serverOptions,
]

const planHelp = `Usage: ringspun plan join [--weight W] [--node-host NAME] [--zone NAME] [OPTIONS]
       ringspun plan leave NODE [OPTIONS]
       ringspun plan replace NODE [--weight W] [--node-host NAME] [--zone NAME] [OPTIONS]
       ringspun plan weight NODE --weight W [OPTIONS]

Plans a change of members and shows what it would do: which partitions move, how many bytes, the balance and the
rows that name a node twice, before and after. Nothing happens until \`ringspun commit\`; a later plan takes the
place of an earlier one. replace is also for a node that is dead.

Options:
${optionLines(planOptions)}`

const commitHelp = `Usage: ringspun commit [OPTIONS]

Begins what was planned last. Clients are served all the time; \`ringspun transfers\` shows how far it is.

Options:
${optionLines(serverOptions)}`

const transfersHelp = `Usage: ringspun transfers [OPTIONS]

Shows which places pass from which node to which, how much of them has come, at which rate, and why others wait.

Options:
${optionLines(serverOptions)}`

const nodesMax = 64

async function showPlan(args: readonly string[]): Promise<number> {
  const [what, second, ...rest] = args
  const wantsNode = what === 'leave' || what === 'replace' || what === 'weight'
  if (what !== 'join' && !wantsNode)
    throw new UsageError('plan what? join, leave NODE, replace NODE or weight NODE')
  const given = readArguments(wantsNode ? rest : args.slice(1), planOptions)
  const words = ['RS.PLAN', what.toUpperCase()]
  if (wantsNode) words.push(String(wholeNumber({ node: second }, 'node', 1, nodesMax) ?? missing(what)))
  if (what === 'weight' && given['weight'] === undefined) throw new UsageError('plan weight needs --weight')
  for (const [name, word] of [
    ['weight', 'WEIGHT'],
    ['node-host', 'HOST'],
    ['zone', 'ZONE'],
  ] as const) {
    if (given[name] !== undefined) words.push(word, String(given[name]))
  }
  const plan = (await ask(serverOf(given), words)) as Plan
  if (given['json'] === true) printJson(plan)
  else print([...render(plan), '', 'nothing has happened yet: ringspun commit begins it'])
  return 0
}

function missing(what: string): never {
  throw new UsageError(`plan ${what} needs the number of a node`)
}

function render(plan: Plan): string[] {
  const { moved, replicaMoves, balanceBefore, balanceAfter, violationsBefore, violationsAfter } = plan
  const violations = (kinds: Plan['violationsBefore']) =>
    `${kinds.nodes} nodes, ${kinds.hosts} hosts, ${kinds.zones} zones`
  return [
    `${moved} partitions get another owner, ${replicaMoves} replicas move, about ${bytes(plan.bytes)}`,
    `balance     ${balanceBefore.toFixed(3)} before, ${balanceAfter.toFixed(3)} after`,
    `violations  ${violations(violationsBefore)} before; ${violations(violationsAfter)} after`,
    '',
    ...table(
      ['node', 'owns', 'will own', 'gains', 'loses'],
      plan.nodes.map(({ node, before, after, gained, lost }) =>
        [node, before, after, gained, lost].map(String),
      ),
    ),
  ]
}

async function showCommit(args: readonly string[]): Promise<number> {
  const given = readArguments(args, serverOptions)
  const plan = (await ask(serverOf(given), ['RS.COMMIT'])) as Plan
  if (given['json'] === true) printJson(plan)
  else print([...render(plan), '', 'it has begun: ringspun transfers shows how far it is'])
  return 0
}

const linesMax = 20

async function showTransfers(args: readonly string[]): Promise<number> {
  const given = readArguments(args, serverOptions)
  const report = (await ask(serverOf(given), ['RS.TRANSFERS'])) as ChangeReport
  if (given['json'] === true) {
    printJson(report)
    return 0
  }
  const { isChanging, partitions, moved, bytesPerSecond, etaMs, transfers } = report
  if (!isChanging) print([`nothing moves: all ${partitions} partitions are where they should be`])
  else {
    const left = etaMs === undefined ? 'unknown' : duration(etaMs)
    const waiting = transfers.filter(({ stage }) => stage === 'waiting').length
    const shown = transfers.filter(({ stage }) => stage !== 'done').slice(0, linesMax)
    print([
      `${moved} of ${partitions} partitions have moved, ${bytes(report.bytes)} at ${bytes(bytesPerSecond)}/s; ${left} left`,
      `${transfers.length} transfers: ${transfers.filter(({ stage }) => stage === 'done').length} done, ${waiting} wait`,
      '',
      ...table(
        ['partition', 'place', 'from', 'to', 'stage', 'objects', 'size', 'tries', 'why it waits'],
        shown.map((each) => [
          String(each.partition),
          String(each.place),
          String(each.giver),
          String(each.receiver),
          each.stage,
          each.objects.toLocaleString('en'),
          bytes(each.bytes),
          String(each.tries),
          each.reason,
        ]),
      ),
    ])
  }
  return 0
}

export const plan = { run: showPlan, help: planHelp }
export const commit = { run: showCommit, help: commitHelp }
export const transfers = { run: showTransfers, help: transfersHelp }
