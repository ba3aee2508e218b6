// A Unix socket beside the port: the same server, the same commands, one end. Skipped where there are none.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { freeSocket } from '../../src/cli/free-socket.js'
import { startRedisServer } from '../../src/server/redis-server.js'
import { fakeCluster } from './fake-cluster.js'
import { startServer } from './harness.js'

function temporary(): string {
  const dir = mkdtempSync(join(tmpdir(), 'ringspun-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

function client(options: { readonly path?: string; readonly port?: number }): Redis {
  const redis = new Redis({ ...options, host: '127.0.0.1', enableAutoPipelining: true } as never)
  onTestFinished(() => redis.disconnect())
  return redis
}

describe.skipIf(process.platform === 'win32')('a Unix socket', () => {
  test('ioredis speaks through it as through the port, and both see the same', async () => {
    const path = join(temporary(), 'door')
    const { server } = await startServer({ socket: path })
    expect(server.socket).toBe(path)
    const near = client({ path })
    const far = client({ port: server.port })
    expect(await near.set('key', 'value')).toBe('OK')
    expect(await far.get('key')).toBe('value')
    const names = Array.from({ length: 500 }, (_, at) => `k${at}`)
    await Promise.all(names.map((name) => near.set(name, name)))
    expect(await Promise.all(names.map((name) => near.get(name)))).toEqual(names)
    expect(await near.call('CLIENT', 'INFO')).toContain(`addr=${path}:0`)
    expect(await far.call('CLIENT', 'INFO')).toContain('addr=127.0.0.1:')
  })

  test('is gone when the server is, and what was asked before is answered', async () => {
    const path = join(temporary(), 'door')
    const { server } = await startServer({ socket: path })
    const redis = client({ path })
    await redis.set('key', 'value')
    expect(existsSync(path)).toBe(true)
    await server.close()
    expect(existsSync(path)).toBe(false)
  })

  test('in use, or no path at all, is a typed error, and the port is let go', async () => {
    const path = join(temporary(), 'door')
    const { server } = await startServer({ socket: path })
    const second = startRedisServer({ cluster: fakeCluster(), port: 0, socket: path })
    await expect(second).rejects.toMatchObject({ code: 'address-in-use' })
    const probe = createServer()
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
    const { port } = probe.address() as { port: number }
    await new Promise((resolve) => probe.close(resolve))
    for (const wrong of ['', 'x'.repeat(104), `${temporary()}/none/door`]) {
      const refused = startRedisServer({ cluster: fakeCluster(), host: '127.0.0.1', port, socket: wrong })
      await expect(refused).rejects.toMatchObject({ code: 'option-invalid' })
    }
    const redis = client({ path })
    expect(await redis.ping()).toBe('PONG')
    expect(server.port).toBeGreaterThan(0)
  })

  test('of a server that was killed is removed; of one that lives, and a file, are not', async () => {
    const dir = temporary()
    const path = join(dir, 'door')
    await freeSocket(path)
    const { server } = await startServer({ socket: path })
    await expect(freeSocket(path)).rejects.toMatchObject({ code: 'address-in-use' })
    await server.close()
    const file = join(dir, 'file')
    writeFileSync(file, 'somebody needs this')
    await expect(freeSocket(file)).rejects.toMatchObject({ code: 'option-invalid' })
    expect(existsSync(file)).toBe(true)
  })
})
