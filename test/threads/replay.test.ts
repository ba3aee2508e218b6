// The simulated world is held against threads: a cluster of three nodes runs a load, a thread is ended in it, the
// process opens the directory a second time; then the same inputs go to nodes of the simulated world, life by life,
// turn by turn, and everything that they do and are must be the same.

import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { decodeEnvelope } from '../../dist/protocol/codec.js'
import { openRocksStore } from '../../dist/storage/rocksdb-store.js'
import type { Row, Store } from '../../dist/storage/store.js'
import { temporary } from './cluster-helpers.js'
import { buildRecording } from './trace-build.js'
import { textOf } from './trace-digest.mjs'
import { type LifeLine, Replay } from './trace-replay.js'

const nodes = [1, 2, 3]
/** As trace-load.mjs has it. Less than what is written: objects are evicted, and read back. */
const memoryBytes = 4 * 1024 * 1024
const load = fileURLToPath(new URL('./trace-load.mjs', import.meta.url))

/** Runs a part of the story in a process of its own; answers how that ended. */
function run(entry: string, dir: string, part: string): string {
  const args = [load, entry, dir, part]
  const { status, signal, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
  return `${signal ?? status}${stderr}`
}

function rowsOf(store: Pick<Store, 'walk'>): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const take = (error: Error | undefined, rows: readonly Row[]) => {
      if (error !== undefined) reject(error)
      else
        resolve(
          rows.map(({ row, value }) => `${Buffer.from(row, 'latin1').toString('hex')} ${textOf(value)}`),
        )
    }
    store.walk('', '\u00ff\u00ff', 1_000_000, take)
  })
}

async function rowsOnDisk(dir: string, node: number): Promise<string[]> {
  const home = readdirSync(dir, { recursive: true, encoding: 'utf8' }).find(
    (path) =>
      path.endsWith('objects') &&
      path.split(/[\\/]/).some((part) => new RegExp(`^\\D*0*${node}$`).test(part)),
  )
  const store = await new Promise<Store>((resolve, reject) => {
    openRocksStore(join(dir, home as string), {}, (error, opened) =>
      opened ? resolve(opened) : reject(error),
    )
  })
  const rows = await rowsOf(store)
  await new Promise<void>((resolve) => store.close(() => resolve()))
  return rows
}

interface Recorded {
  readonly lines: readonly unknown[]
  readonly memory: Uint8Array | undefined
}

function livesOf(traces: string, node: number): Recorded[] {
  const lives: Recorded[] = []
  const files = new Set(readdirSync(traces))
  for (let life = 1; files.has(`${node}-${life}.jsonl`); life++) {
    const lines = readFileSync(join(traces, `${node}-${life}.jsonl`), 'utf8').split('\n')
    // The last line of a thread that was ended may be cut.
    lines.pop()
    const image = `${node}-${life}.memory`
    const memory = files.has(image) ? readFileSync(join(traces, image)) : undefined
    lives.push({ lines: lines.map((line) => JSON.parse(line)), memory })
  }
  return lives
}

type Line = Readonly<Record<string, unknown>> & { readonly t: string }

/** Numbers of calls that read from the disk. */
type Reads = ReadonlySet<unknown>

/** A line of each kind with one thing in it changed; undefined for one in which that would say nothing. */
const changes: Readonly<Record<string, (line: Line, reads: Reads) => Line | undefined>> = {
  receive: (line) => copyChanged(line, 'replicate'),
  post: (line) => copyChanged(line, 'replicate'),
  call: (line) => (line['kind'] === 'commit' ? { ...line, asked: 'other writes' } : undefined),
  answer: (line, reads) =>
    reads.has(line['number']) && line['error'] === undefined ? { ...line, rows: 'other rows' } : undefined,
  digest: (line) => ({ ...line, parts: { ...(line['parts'] as object), more: 1 } }),
  'high-water': (line) => ({ ...line, sequence: (line['sequence'] as number) + 1 }),
}

/** An envelope of this type with one bit of its last byte but four flipped: of the value that it carries. */
function copyChanged(line: Line, type: string): Line | undefined {
  const bytes = Buffer.from(line['bytes'] as string, 'base64')
  if (decodeEnvelope(bytes, 0, bytes.length).message.type !== type) return undefined
  bytes[bytes.length - 5] = (bytes[bytes.length - 5] as number) ^ 1
  return { ...line, bytes: bytes.toString('base64') }
}

/** The lives with the first line of this kind changed that lies in the second half of its life's. */
function tampered(lives: readonly Recorded[], kind: string): Recorded[] {
  let done = false
  const changed = lives.map(({ lines, memory }) => {
    const looks = ['read', 'walk'] as unknown[]
    const calls = (lines as Line[]).filter(({ t, ...call }) => t === 'call' && looks.includes(call['kind']))
    const reads = new Set(calls.map((call) => call['number']))
    const line = (each: Line, at: number) => {
      const isDue = !done && at >= lines.length / 2 && each.t === kind
      const other = isDue ? changes[kind]?.(each, reads) : undefined
      if (other !== undefined) done = true
      return other ?? each
    }
    return { memory, lines: (lines as Line[]).map(line) }
  })
  expect(done, `there is a line of kind ${kind}`).toBe(true)
  return changed
}

test('what threads were given, given to the simulated world, comes to the same state and the same envelopes', {
  timeout: 240_000,
}, async () => {
  const home = temporary()
  const dir = join(home, 'data')
  const { entry, traces } = buildRecording(home)
  expect(run(entry, dir, 'deaths')).toBe('SIGKILL')
  expect(run(entry, dir, 'silence')).toBe('SIGKILL')
  expect(run(entry, dir, 'loss')).toBe('0')

  for (const node of nodes) {
    const lives = livesOf(traces, node)
    const replay = new Replay(lives[0]?.lines[0] as LifeLine, memoryBytes)
    for (const { lines, memory } of lives) replay.play(lines, memory)
    const here = rowsOf(replay.disk)
    replay.pump()
    expect(await here).toEqual(await rowsOnDisk(dir, node))
    expect(replay.counts.turns).toBeGreaterThan(100)
  }

  // A replay that notices nothing proves nothing: one bit of one line of a trace, and it must say so.
  const whole = livesOf(traces, 1)
  for (const kind of ['receive', 'post', 'call', 'answer', 'digest', 'high-water'] as const) {
    const changed = tampered(whole, kind)
    const replay = new Replay(changed[0]?.lines[0] as LifeLine, memoryBytes)
    expect(() => {
      for (const { lines, memory } of changed) replay.play(lines, memory)
      throw new Error('nothing was noticed')
    }, `a changed line of kind ${kind}`).toThrow(/node 1, life \d+, turn \d+|simulated disk|never made here/)
  }
})
