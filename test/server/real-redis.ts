// A real redis-server as the oracle of replies, where one is installed; undefined where none is.
// It listens on a free port of loopback, keeps nothing on disk, and is ended by its own process handle.
// Tests that use it are skipped without it.

import { spawn } from 'node:child_process'
import { type AddressInfo, connect, createServer } from 'node:net'
import { afterAll } from 'vitest'

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

export async function startRedis(): Promise<{ host: string; port: number } | undefined> {
  const port = await freePort()
  const child = spawn(
    'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', '/tmp'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  )
  const started = await new Promise<boolean>((resolve) => {
    child.on('error', () => resolve(false))
    child.on('exit', () => resolve(false))
    child.stdout.on('data', (text: Buffer) => {
      if (text.includes('Ready to accept connections')) resolve(true)
    })
  })
  if (!started || !(await answers(port))) return undefined
  afterAll(() => {
    child.kill()
  })
  return { host: '127.0.0.1', port }
}
