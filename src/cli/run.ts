// Finds the command, runs it, and turns what goes wrong into a sentence and an exit code (sysexits): 64 for
// wrong usage, 78 for settings that do not fit the data, 69 for what is not available, 74 for the disk.

import { type ErrorCode, RingspunError } from '../base/errors.js'
import { version } from '../version.js'
import { UsageError } from './arguments.js'

const help = `ringspun ${version}: a replicated, durable key-value store inside a Node.js process

Usage: ringspun COMMAND [OPTIONS]

Commands:
  serve     run a cluster in this process and serve it over the Redis protocol
  status    show nodes, partitions, queues and rates of a running server
  ring      show who owns which partitions
  nodes     show how each node is
  plan      plan a change of members and show what it would do: join, leave, replace, weight
  commit    begin what was planned
  transfers show how far the ring is on its way
  hints     show what nodes keep for others that are away; hold it back, let it go, give it up
  repair    show what comparing replicas has mended; with --now compare them at once
  verify    compare all replicas of everything and report
  sim       run the cluster in a simulated world, with every fault, and check what it promises

  ringspun COMMAND --help says more about a command.
  --version prints the version.

Examples:
  ringspun serve --dir ./data --nodes 4
  redis-cli -p 7379 set greeting hello
  ringspun status`

interface Command {
  readonly run: (args: readonly string[]) => Promise<number>
  readonly help: string
}

const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.js')).serve,
  status: async () => (await import('./status.js')).status,
  ring: async () => (await import('./ring.js')).ring,
  nodes: async () => (await import('./ring.js')).nodes,
  plan: async () => (await import('./members.js')).plan,
  commit: async () => (await import('./members.js')).commit,
  transfers: async () => (await import('./members.js')).transfers,
  hints: async () => (await import('./hints.js')).hints,
  repair: async () => (await import('./compare.js')).repair,
  verify: async () => (await import('./compare.js')).verify,
  sim: async () => (await import('./sim.js')).sim,
}

export async function run(args: readonly string[]): Promise<void> {
  const [name, ...rest] = args
  try {
    process.exitCode = await dispatch(name, rest)
  } catch (error) {
    process.exitCode = report(error)
  }
}

async function dispatch(name: string | undefined, rest: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(`${help}\n`)
    return name === undefined ? 64 : 0
  }
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${version}\n`)
    return 0
  }
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (load === undefined) throw new UsageError(`there is no command ${JSON.stringify(name)}`)
  const command = await load()
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(`${command.help}\n`)
    return 0
  }
  return command.run(rest)
}

const exitCodes: Partial<Record<ErrorCode, number>> = {
  'option-invalid': 64,
  'option-unknown': 64,
  'quorum-invalid': 64,
  'data-dir-locked': 75,
  'data-dir-format': 78,
  'data-dir-layout': 78,
  'data-dir-invalid': 78,
  'storage-unavailable': 74,
  'storage-failed': 74,
  unavailable: 69,
  'address-in-use': 69,
}

function report(error: unknown): number {
  if (error instanceof UsageError) {
    process.stderr.write(`ringspun: ${error.message}\nringspun: see ringspun --help\n`)
    return 64
  }
  if (error instanceof RingspunError) {
    process.stderr.write(`ringspun: ${error.message}\nringspun: ${error.remedy} (${error.code})\n`)
    return exitCodes[error.code] ?? 70
  }
  process.stderr.write(
    `ringspun: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  )
  return 70
}
