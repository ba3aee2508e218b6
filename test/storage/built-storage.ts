// Child processes of the storage tests: they need compiled code, because Node 20 cannot load TypeScript, and
// the native bindings beside it.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { symlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Built, build } from '../threads/object-buffer-build.js'

export function buildStorage(): Built {
  const built = build(['src/storage/rocksdb-store.ts', 'src/storage/data-directory.ts'])
  const modules = fileURLToPath(new URL('../../node_modules', import.meta.url))
  symlinkSync(modules, fileURLToPath(built.url('node_modules')), 'junction')
  return built
}

export function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}

/** A child whose lines are read as they come. */
export class Child {
  readonly lines: string[] = []
  private readonly process: ChildProcess
  private rest = ''
  private ended = false
  private look: () => void = () => {}

  constructor(command: string, args: readonly string[]) {
    this.process = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.process.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (this.rest + chunk).split('\n')
      this.rest = lines.pop() as string
      this.lines.push(...lines)
      this.look()
    })
    this.process.on('close', () => {
      this.ended = true
      this.look()
    })
  }

  /** Waits until the child has printed a line that begins with `start`. */
  line(start: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.look = () => {
        if (this.lines.some((line) => line.startsWith(start))) resolve()
        else if (this.ended) reject(new Error(`the child ended before it said ${JSON.stringify(start)}`))
      }
      this.look()
    })
  }

  /** Like the out-of-memory killer: the child gets no chance to do anything. Waits until it is gone. */
  async kill(): Promise<void> {
    const closed = once(this.process, 'close')
    this.process.kill('SIGKILL')
    await closed
  }
}

export const hasStrace = spawnSync('strace', ['-V']).status === 0
