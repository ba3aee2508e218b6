// `ringspun ring` and `ringspun nodes`: who owns what, and how the nodes are.

import type { RingReport } from '../client/api.js'
import type { NodeStatus } from '../client/api-status.js'
import { type Option, optionLines, readArguments } from './arguments.js'
import { ask, serverOf, serverOptions } from './ask.js'
import { bytes, print, printJson, table } from './table.js'

const ringOptions: readonly Option[] = [
  { name: 'partitions', help: 'show the nodes of every partition' },
  ...serverOptions,
]

const ringHelp = `Usage: ringspun ring [--partitions] [OPTIONS]

Shows the ring: its epoch, how many partitions each node owns and is a replica of, and how even that is.

Options:
${optionLines(ringOptions)}`

const nodesHelp = `Usage: ringspun nodes [OPTIONS]

Shows the nodes: state, life, partitions, objects, memory, what they keep for others what they mended and forgot.

Options:
${optionLines(serverOptions)}`

async function showRing(args: readonly string[]): Promise<number> {
  const given = readArguments(args, ringOptions)
  const report = (await ask(serverOf(given), ['RS.RING'])) as RingReport
  if (given['json'] === true) {
    printJson(report)
    return 0
  }
  const { epoch, partitions, copies, hash, nodes, preferences } = report
  const most = Math.max(...nodes.map((node) => node.owned))
  const balance = most === 0 ? 1 : partitions / nodes.length / most
  print([
    `ring epoch ${epoch}  ${partitions} partitions  ${copies} copies  hash ${hash}  balance ${balance.toFixed(3)}`,
    '',
    ...table(
      ['node', 'owns', 'replica of'],
      nodes.map(({ node, owned, replicas }) => [String(node), String(owned), String(replicas)]),
    ),
  ])
  if (given['partitions'] === true) {
    const rows = preferences.map((list, partition) => [String(partition), list.slice(0, copies).join(' ')])
    print(['', ...table(['partition', 'nodes'], rows)])
  }
  return 0
}

async function showNodes(args: readonly string[]): Promise<number> {
  const given = readArguments(args, serverOptions)
  const nodes = (await ask(serverOf(given), ['RS.NODES'])) as readonly NodeStatus[]
  if (given['json'] === true) printJson(nodes)
  else print(table(titles, nodes.map(cells)))
  return 0
}

const titles = [
  'node',
  'state',
  'life',
  'partitions',
  'whole',
  'objects',
  'memory',
  'hints',
  'compared',
  'mended',
  'reaped',
]

function cells(node: NodeStatus): string[] {
  return [
    String(node.node),
    node.state,
    String(node.generation),
    String(node.partitions),
    node.complete ? 'yes' : 'no',
    node.objects.toLocaleString('en'),
    bytes(node.bufferBytes),
    node.hints.toLocaleString('en'),
    node.compared.toLocaleString('en'),
    node.mended.toLocaleString('en'),
    node.reaped.toLocaleString('en'),
  ]
}

export const ring = { run: showRing, help: ringHelp }
export const nodes = { run: showNodes, help: nodesHelp }
