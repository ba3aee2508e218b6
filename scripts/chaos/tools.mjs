// What every round needs: lives that are begun, ended and asked, directories, and what must be noted.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('./life.mjs', import.meta.url))
const children = new Set()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

export const say = (text) => process.stdout.write(`${text}\n`)
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
export const isRoot = process.getuid?.() === 0
export const has = (program) => spawnSync(program, ['--version']).error === undefined

export function folder() {
  const path = mkdtempSync(join(tmpdir(), 'ringspun-chaos-'))
  process.once('exit', () => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A child that does not outlive this process. */
export function ending(child) {
  children.add(child)
  child.once('exit', () => children.delete(child))
}

export function must(program, ...args) {
  const done = spawnSync(program, args, { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${done.stderr || done.error}`)
  return done.stdout
}

export const defaults = {
  nodes: 3,
  partitions: 16,
  memory: 32 * 1024 * 1024,
  keys: 256,
  bucket: { n: 3, r: 2, w: 2, dw: 1 },
}

/** Begins a life; `report` is what it found, when it has looked. `wrap`: a program that runs it. */
export async function begin(dir, notes, settings = {}, wrap = []) {
  const args = [...wrap, process.execPath, script, dir, notes, JSON.stringify({ ...defaults, ...settings })]
  const child = spawn(args[0], args.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] })
  ending(child)
  let said = ''
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-4_000)
  })
  const exit = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  const told = []
  let hear
  lines.on('line', (line) => {
    told.push(JSON.parse(line))
    hear?.()
  })
  const next = async () => {
    while (told.length === 0) {
      const ended = await Promise.race([exit, new Promise((resolve) => (hear = resolve))])
      if (ended !== undefined && told.length === 0) throw new Error(`it ended (${ended}): ${said}`)
    }
    return told.shift()
  }
  const report = await next()
  return { child, exit, report, next, noted: () => (existsSync(notes) ? statSync(notes).size : 0) }
}

export async function end(life, signal = 'SIGKILL') {
  life.child.kill(signal)
  await life.exit
}

/** The last number of each key: how many writes were noted, and the notes made short. */
export function digest(notes) {
  const last = new Map()
  let count = 0
  if (!existsSync(notes)) return { count, last }
  for (const line of readFileSync(notes, 'latin1').split('\n')) {
    const [key, number] = line.split(' ')
    if (!number) continue
    count++
    last.set(key, Math.max(last.get(key) ?? 0, Number(number)))
  }
  writeFileSync(notes, [...last].map(([key, number]) => `${key} ${number}\n`).join(''))
  return { count: count, last }
}

/** Until so many bytes more are noted. */
export async function progress(life, bytes, msMax = 30_000) {
  const wanted = life.noted() + bytes
  const until = performance.now() + msMax
  while (life.noted() < wanted && performance.now() < until) await sleep(5)
  return life.noted() >= wanted
}

export class Tally {
  constructor(name, mustBeZero = true) {
    this.name = name
    this.mustBeZero = mustBeZero
    this.cycles = 0
    this.written = 0
    this.lost = []
    this.strange = []
    this.words = []
  }

  add({ lost, strange }) {
    this.cycles++
    this.lost.push(...lost)
    this.strange.push(...strange)
  }

  done() {
    const isWell = this.strange.length === 0 && (this.lost.length === 0 || !this.mustBeZero)
    const words = this.words.length === 0 ? '' : `; ${this.words.join('; ')}`
    say(
      `${isWell ? 'ok    ' : 'FAILED'} ${this.name}: ${this.cycles} cycles, ${this.written} writes acknowledged,` +
        ` ${this.lost.length} lost, ${this.strange.length} from nowhere${words}`,
    )
    if (!isWell) for (const line of [...this.lost, ...this.strange].slice(0, 10)) say(`         ${line}`)
    return isWell
  }
}
