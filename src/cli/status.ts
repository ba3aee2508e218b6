// `ringspun status`: nodes, partitions, queues and rates of a running server as a table, or as JSON. Asks the
// server's RS.STATUS twice, a moment apart, so that rates are of now and not of the whole uptime.

import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { RingspunError } from '../base/errors.js'
import type { ClusterStatus, NodeStatus } from '../client/api.js'
import { type Option, optionLines, readArguments, wholeNumber } from './arguments.js'

const options: readonly Option[] = [
  { name: 'host', value: 'HOST', help: 'address of the server', default: '127.0.0.1' },
  { name: 'port', value: 'PORT', help: 'its port', default: '7379' },
  { name: 'json', help: 'print what the server answers, as JSON' },
  { name: 'help', help: 'show this page' },
]

const help = `Usage: ringspun status [OPTIONS]

Shows the nodes of a running server: state, life, partitions, objects, memory, what waits, and operations per
second over the last second.

Options:
${optionLines(options)}`

const sampleMs = 1000
const replyBytesMax = 4 * 1024 * 1024

async function showStatus(args: readonly string[]): Promise<number> {
  const given = readArguments(args, options)
  const host = String(given['host'] ?? '127.0.0.1')
  const port = wholeNumber(given, 'port', 1, 65_535) ?? 7379
  const first = await ask(host, port)
  if (given['json'] === true) {
    process.stdout.write(`${JSON.stringify(first, null, 2)}\n`)
    return 0
  }
  await pause(sampleMs)
  const second = await ask(host, port)
  process.stdout.write(`${render(first, second)}\n`)
  return 0
}

function ask(host: string, port: number): Promise<ClusterStatus> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host, port, timeout: 5000 }, () =>
      socket.write('*1\r\n$9\r\nRS.STATUS\r\n'),
    )
    let received = Buffer.alloc(0)
    const fail = (reason: string) => {
      socket.destroy()
      reject(new RingspunError('unavailable', `no status from ${host}:${port}: ${reason}`))
    }
    socket.on('error', (error) => fail(error.message))
    socket.on('timeout', () => fail('it does not answer'))
    socket.on('end', () => fail('it closed the connection'))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length > replyBytesMax) return fail('the answer is too long')
      const body = bulkString(received)
      if (body === 'incomplete') return
      socket.removeAllListeners('end')
      socket.end()
      try {
        resolve(JSON.parse(body) as ClusterStatus)
      } catch {
        fail('this is not a ringspun server')
      }
    })
  })
}

/** The text of one RESP bulk string, or 'incomplete'. */
function bulkString(bytes: Buffer): string {
  const end = bytes.indexOf('\r\n')
  if (end < 0) return 'incomplete'
  if (bytes[0] !== 0x24) return ''
  const length = Number(bytes.toString('latin1', 1, end))
  if (bytes.length < end + 2 + length + 2) return 'incomplete'
  return bytes.toString('utf8', end + 2, end + 2 + length)
}

function render(first: ClusterStatus, second: ClusterStatus): string {
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
  return [...head, ...table(titles, rows)].join('\n')
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = titles.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => (row[i] as string).length)),
  )
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => cell.padStart(widths[i] as number)).join('  ')
  return [line(titles), ...rows.map(line)]
}

function bytes(count: number): string {
  if (count < 1024) return `${count} B`
  if (count < 1024 * 1024) return `${(count / 1024).toFixed(1)} KiB`
  return `${(count / 1024 / 1024).toFixed(1)} MiB`
}

function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}

export const status = { run: showStatus, help }
