// Servers of others, for comparison: started on loopback in a directory of their own, spoken to until they answer,
// and ended by their process id, also when the benchmark fails half-way. Answers undefined where the program is not
// installed, and says so once.

import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

const running = new Set()
const missing = new Set()

// What this process began must not outlive it, whatever ends it.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))

/** Starts `program` in `dir`; undefined when there is none. `stop` waits until it is gone. */
export async function startProgram(program, args, dir, env = {}) {
  mkdirSync(dir, { recursive: true })
  const child = spawn(program, args, { stdio: 'ignore', cwd: dir, env: { ...process.env, ...env } })
  const failed = await new Promise((resolve) => {
    child.once('error', () => resolve(true))
    child.once('spawn', () => resolve(false))
  })
  if (failed) {
    say(program)
    return undefined
  }
  running.add(child)
  const gone = new Promise((resolve) => child.once('exit', resolve))
  gone.then(() => running.delete(child))
  return {
    pid: child.pid,
    stop: async () => {
      child.kill('SIGTERM')
      const killed = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await gone
      clearTimeout(killed)
    },
  }
}

/** Asks until `ask` neither throws nor answers false: for at most 30 seconds. */
export async function until(what, ask) {
  const end = performance.now() + 30_000
  let last
  while (performance.now() < end) {
    try {
      if ((await ask()) !== false) return
    } catch (error) {
      last = error
    }
    await pause(100)
  }
  throw new Error(`${what} did not get ready in 30 seconds`, { cause: last })
}

/** A package that may be missing. */
export async function optional(name) {
  try {
    return await import(name)
  } catch {
    say(name)
    return undefined
  }
}

function say(name) {
  if (!missing.has(name)) console.log(`${name} is not installed: left out`)
  missing.add(name)
}

export function freePorts(count) {
  return Promise.all(Array.from({ length: count }, freePort))
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
