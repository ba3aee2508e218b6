// `ringspun status`: nodes, partitions, queues and rates of a running server as a table, or as JSON. Asks the
// server's RS.STATUS twice, a moment apart, so that rates are of now and not of the whole uptime.

import { setTimeout as pause } from 'node:timers/promises'
import type { ClusterStatus, NodeStatus } from '../client/api-status.js'
import { optionLines, readArguments } from './arguments.js'
import { ask, serverOf, serverOptions } from './ask.js'
import { bytes, duration, print, printJson, table } from './table.js'

const help = `Usage: ringspun status [OPTIONS]

Shows the nodes of a running server: state, life, partitions, objects, memory, what waits, and operations per
second over the last second.

Options:
${optionLines(serverOptions)}`

const sampleMs = 1000

async function showStatus(args: readonly string[]): Promise<number> {
  const given = readArguments(args, serverOptions)
  const server = serverOf(given)
  const first = (await ask(server, ['RS.STATUS'])) as ClusterStatus
  if (given['json'] === true) {
    printJson(first)
    return 0
  }
  await pause(sampleMs)
  const second = (await ask(server, ['RS.STATUS'])) as ClusterStatus
  print(render(first, second))
  return 0
}

function render(first: ClusterStatus, second: ClusterStatus): string[] {
  const seconds = Math.max(0.001, (second.uptimeMs - first.uptimeMs) / 1000)
  const { n, r, w, dw, durability, partitions, epoch, id } = second
  const head = [
    `cluster ${id}  ringspun ${second.version}  up ${duration(second.uptimeMs)}`,
    `n=${n} r=${r} w=${w} dw=${dw} durability=${durability}  ${partitions} partitions, ring epoch ${epoch}`,
    '',
  ]
  const titles = [
    'node',
    'state',
    'life',
    'partitions',
    'whole',
    'objects',
    'memory',
    'unflushed',
    'hints',
    'queued',
    'puts/s',
    'copies/s',
    'gets/s',
    'fsyncs/s',
    'delay',
  ]
  const rows = second.nodes.map((node, index) => {
    const before = first.nodes[index] as NodeStatus
    const rate = (name: 'puts' | 'gets' | 'replications' | 'fsyncs') =>
      Math.max(0, Math.round((node[name] - before[name]) / seconds)).toLocaleString('en')
    return [
      String(node.node),
      node.state,
      String(node.generation),
      String(node.partitions),
      node.complete ? 'yes' : 'no',
      node.objects.toLocaleString('en'),
      bytes(node.bufferBytes),
      bytes(node.dirtyBytes),
      node.hints.toLocaleString('en'),
      String(node.queued),
      rate('puts'),
      rate('replications'),
      rate('gets'),
      rate('fsyncs'),
      `${node.loopDelayMs} ms`,
    ]
  })
  return [...head, ...table(titles, rows)]
}

export const status = { run: showStatus, help }
