// `ringspun serve` as a process: one line when it serves, the Redis protocol on a plain socket, an orderly end
// by signals with everything there afterwards, and a refusal with its exit code when it cannot begin.

import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { Connection, expectRefused, ringspun, serve, temporary } from './helpers.js'

const few = ['--nodes', '3', '--partitions', '16', '--memory', '32'] as const

describe('serving', () => {
  test('prints one line on standard output and answers there', async () => {
    const serving = await serve('--dir', temporary(), ...few)
    expect(serving.stdout()).toBe(
      `ringspun ready resp=127.0.0.1:${serving.port} nodes=3 pid=${serving.child.pid}\n`,
    )
    expect(serving.port).toBeGreaterThan(0)
    const connection = await Connection.open(serving.port)
    expect(await connection.say('PING')).toBe('PONG')
    expect(await connection.say('SET', 'k', 'v')).toBe('OK')
    expect(await connection.say('GET', 'k')).toBe('v')
    const ended = await serving.end('SIGTERM')
    expect(ended.status).toBe(0)
    expect(ended.stdout.split('\n')).toHaveLength(2)
    expect(ended.stderr).toContain('node 1 is up')
    expect(ended.stderr).toContain('closed in order')
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'ends with 0 after %s, and has its data again',
    async (signal) => {
      const dir = temporary()
      const first = await serve('--dir', dir, '--quiet', ...few)
      const before = await Connection.open(first.port)
      await Promise.all(Array.from({ length: 300 }, (_, i) => before.say('SET', `k${i}`, `v${i}`)))
      const ended = await first.end(signal)
      expect(ended).toMatchObject({ status: 0, stderr: '' })

      const second = await serve('--dir', dir)
      expect(second.nodes).toBe(3)
      expect(second.stderr().match(/: closed in order/g)).toHaveLength(3)
      const after = await Connection.open(second.port)
      const values = await Promise.all(Array.from({ length: 300 }, (_, i) => after.say('GET', `k${i}`)))
      expect(values).toEqual(values.map((_, i) => `v${i}`))
      expect((await second.end(signal)).status).toBe(0)
    },
  )

  test('answers what it was told before SIGTERM, and keeps all that it acknowledged', async () => {
    const dir = temporary()
    const first = await serve('--dir', dir, ...few)
    const acknowledged: number[] = []
    let next = 0
    let stopped = false
    const writers = Array.from({ length: 4 }, async () => {
      const connection = await Connection.open(first.port)
      while (!stopped) {
        const batch = Array.from({ length: 20 }, () => next++)
        const told = batch.map(async (number) => {
          if ((await connection.say('SET', `k${number}`, `v${number}`)) === 'OK') acknowledged.push(number)
        })
        for (const { status } of await Promise.allSettled(told)) if (status === 'rejected') stopped = true
      }
    })
    while (acknowledged.length < 1_000) await new Promise((resolve) => setTimeout(resolve, 2))
    const ended = await first.end('SIGTERM')
    expect(ended.status).toBe(0)
    await Promise.all(writers)

    const second = await serve('--dir', dir)
    expect(second.stderr().match(/: closed in order/g)).toHaveLength(3)
    const connection = await Connection.open(second.port)
    const values = await Promise.all(acknowledged.map((number) => connection.say('GET', `k${number}`)))
    expect(acknowledged.filter((number, i) => values[i] !== `v${number}`)).toEqual([])
    await second.end('SIGTERM')
  })

  test('SIGKILL under load: everything acknowledged is there', async () => {
    const dir = temporary()
    const first = await serve('--dir', dir, ...few)
    const connection = await Connection.open(first.port)
    const acknowledged: number[] = []
    const told = Promise.allSettled(
      Array.from({ length: 5_000 }, async (_, number) => {
        await connection.say('SET', `k${number}`, `v${number}`)
        acknowledged.push(number)
      }),
    )
    while (acknowledged.length < 500) await new Promise((resolve) => setTimeout(resolve, 2))
    await first.end('SIGKILL')
    await told

    const second = await serve('--dir', dir)
    const again = await Connection.open(second.port)
    const values = await Promise.all(acknowledged.map((number) => again.say('GET', `k${number}`)))
    expect(acknowledged.filter((number, i) => values[i] !== `v${number}`)).toEqual([])
    await second.end('SIGTERM')
  })

  test.skipIf(process.platform === 'win32')('a Unix socket is served again after SIGKILL', async () => {
    const dir = temporary()
    const socket = `${temporary()}/door`
    const first = await serve('--dir', dir, '--socket', socket, ...few)
    expect(first.stdout()).toContain(` pid=${first.pid} socket=${socket}\n`)
    const before = await Connection.open(socket)
    expect(await before.say('SET', 'k', 'v')).toBe('OK')
    expectRefused(ringspun('serve', '--dir', temporary(), '--port', '0', '--socket', socket), 69, socket)
    await first.end('SIGKILL')
    const second = await serve('--dir', dir, '--socket', socket)
    expect(await (await Connection.open(socket)).say('GET', 'k')).toBe('v')
    expect(await (await Connection.open(second.port)).say('GET', 'k')).toBe('v')
    await second.end('SIGTERM')
  })

  test('as a cache, nothing but its identity is written', async () => {
    const dir = temporary()
    const serving = await serve('--dir', dir, '--durability', 'memory', '--dw', '0', ...few)
    const connection = await Connection.open(serving.port)
    expect(await connection.say('SET', 'k', 'v')).toBe('OK')
    expect(await connection.say('GET', 'k')).toBe('v')
    expect((await serving.end('SIGTERM')).status).toBe(0)
  })
})

describe('refused', () => {
  test('78: a directory that was made with another number of nodes', async () => {
    const dir = temporary()
    const first = await serve('--dir', dir, '--nodes', '5', '--partitions', '16', '--memory', '16')
    expect(first.nodes).toBe(5)
    await first.end('SIGTERM')
    const ended = ringspun('serve', '--dir', dir, '--nodes', '3', '--port', '0')
    expectRefused(ended, 78, `${dir} was made with 5 nodes; it cannot be opened with 3`)
  })

  test('78: a directory that is a file', () => {
    expectRefused(ringspun('serve', '--dir', import.meta.filename, '--port', '0'), 78, 'is not a directory')
  })

  test('75: a directory that another process has open', async () => {
    const dir = temporary()
    const first = await serve('--dir', dir, ...few)
    expectRefused(ringspun('serve', '--dir', dir, '--port', '0'), 75, 'is open in another process')
    const connection = await Connection.open(first.port)
    expect(await connection.say('PING')).toBe('PONG')
    await first.end('SIGTERM')
  })

  test('69: a port that is taken, and the directory is free again', async () => {
    const dir = temporary()
    const holder = createServer()
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
    const { port } = holder.address() as { port: number }
    const ended = ringspun('serve', '--dir', dir, '--port', String(port), '--quiet', ...few)
    expectRefused(ended, 69, String(port))
    holder.close()
    const serving = await serve('--dir', dir)
    expect((await serving.end('SIGTERM')).status).toBe(0)
  })
})

describe('RS.FAULT', () => {
  test('is refused by a server that was not started with --faults', async () => {
    const serving = await serve('--dir', temporary(), ...few)
    const connection = await Connection.open(serving.port)
    for (const words of [['KILL', '1'], ['HEAL'], ['NONSENSE']]) {
      await expect(connection.say('RS.FAULT', ...words)).rejects.toThrow('started without --faults')
    }
    expect((await serving.end('SIGTERM')).status).toBe(0)
  })

  test('hurts the nodes of one that was, and nothing that was written is lost', async () => {
    const serving = await serve('--dir', temporary(), '--faults', ...few)
    const connection = await Connection.open(serving.port)
    for (let i = 0; i < 100; i++) expect(await connection.say('SET', `k${i}`, `v${i}`)).toBe('OK')
    expect(await connection.say('RS.FAULT', 'KILL', '1')).toBe('OK')
    expect(await connection.say('RS.FAULT', 'STALL', '2', '500')).toBe('OK')
    expect(await connection.say('RS.FAULT', 'ISOLATE', '1', '3')).toBe('OK')
    expect(await connection.say('RS.FAULT', 'HEAL')).toBe('OK')
    expect(await connection.say('RS.FAULT', 'WIPE', '3')).toBe('OK')
    for (const words of [['KILL'], ['KILL', 'x'], ['STALL', '1'], ['HEAL', '1'], ['NONSENSE', '1']]) {
      await expect(connection.say('RS.FAULT', ...words)).rejects.toThrow('ERR')
    }
    await expect(connection.say('RS.FAULT', 'KILL', '9')).rejects.toThrow('option-invalid')
    const until = performance.now() + 30_000
    for (let i = 0; i < 100; ) {
      const value = await connection.say('GET', `k${i}`).catch(() => undefined)
      if (value === `v${i}`) i++
      expect(performance.now()).toBeLessThan(until)
    }
    expect((await serving.end('SIGTERM')).status).toBe(0)
  })
})
