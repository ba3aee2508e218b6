// The clients that people use, against the server: ioredis, redis (node-redis), redis-cli, redis-benchmark.
// The tools are skipped where they are not installed. Only what a user of these clients sees: the same stories
// run over the fake cluster (clients.test.ts) and over real threads (test/threads/clients.test.ts).

import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { describe, expect, onTestFinished, test } from 'vitest'

/** Begins a server with nothing in it, and sees to its end when the test is over. */
export type StartServer = () => Promise<{ readonly server: { readonly host: string; readonly port: number } }>

const bytes = Buffer.from([0, 255, 13, 10, 36, 42, 0])
const run = promisify(execFile)
const installed = (tool: string): boolean => spawnSync(tool, ['--version']).error === undefined

export function clientStories(startServer: StartServer): void {
  ioredisStories(startServer)
  nodeRedisStories(startServer)
  toolStories(startServer)
}

function ioredisStories(startServer: StartServer): void {
  describe('ioredis', () => {
    async function open(): Promise<Redis> {
      const { server } = await startServer()
      const redis = new Redis({ host: server.host, port: server.port, lazyConnect: true })
      onTestFinished(() => redis.disconnect())
      await redis.connect()
      return redis
    }

    test('values, binary and empty, conditions and expiry', async () => {
      const redis = await open()
      expect(await redis.set('k', 'v')).toBe('OK')
      expect(await redis.get('k')).toBe('v')
      expect(await redis.set('k', 'w', 'NX')).toBeNull()
      expect(await redis.set('k', 'w', 'EX', 100, 'XX')).toBe('OK')
      expect(await redis.ttl('k')).toBe(100)
      expect(await redis.persist('k')).toBe(1)
      await redis.set(bytes, bytes)
      expect(await redis.getBuffer(bytes)).toEqual(bytes)
      await redis.set('empty', '')
      expect(await redis.mget('k', 'empty', 'nosuch')).toEqual(['w', '', null])
      await redis.mset({ a: '1', b: '2' })
      expect(await redis.exists('a', 'b', 'c')).toBe(2)
      expect(await redis.del('a', 'b', 'c')).toBe(2)
      await expect(redis.incr('n')).rejects.toThrow(/NOTSUPPORTED 'incr'/)
    })

    test('a pipeline of ten thousand', async () => {
      const redis = await open()
      const pipeline = redis.pipeline()
      for (let i = 0; i < 10_000; i++) pipeline.set(`k${i}`, i)
      expect((await pipeline.exec())?.every(([error, reply]) => error === null && reply === 'OK')).toBe(true)
      expect(await redis.dbsize()).toBe(10_000)
      const values = await Promise.all(Array.from({ length: 10_000 }, (_, i) => redis.get(`k${i}`)))
      expect(values).toEqual(Array.from({ length: 10_000 }, (_, i) => String(i)))
    })

    test('scanning sees every key once, with patterns too', async () => {
      const redis = await open()
      await redis.mset(new Map(Array.from({ length: 1_000 }, (_, i) => [`user:${i}`, 'x'])))
      await redis.set('other', 'x')
      const seen: string[] = []
      for await (const keys of redis.scanStream({ match: 'user:*', count: 37 })) seen.push(...keys)
      expect(seen.length).toBe(1_000)
      expect(new Set(seen).size).toBe(1_000)
      expect((await redis.keys('user:99?')).length).toBe(10)
    })

    test('the own commands', async () => {
      const redis = await open()
      const context = await redis.call('RS.PUT', 'carts', 'k', 'v1')
      await redis.call('RS.PUT', 'carts', 'k', 'v2')
      const [seen, ...values] = (await redis.call('RS.GET', 'carts', 'k')) as string[]
      expect(values).toEqual(['v1', 'v2'])
      expect(seen).not.toBe(context)
      await redis.call('RS.PUT', 'carts', 'k', 'v3', 'CONTEXT', seen as string)
      expect(((await redis.call('RS.GET', 'carts', 'k')) as string[]).slice(1)).toEqual(['v3'])
    })
  })
}

function nodeRedisStories(startServer: StartServer): void {
  describe.each([2, 3] as const)('node-redis with RESP%i', (RESP) => {
    test('values, expiry, several keys, scan, pipelines', async () => {
      const { server } = await startServer()
      const client = createClient({ RESP, socket: { host: server.host, port: server.port } })
      onTestFinished(() => client.destroy())
      await client.connect()
      expect(await client.set('k', 'v', { expiration: { type: 'EX', value: 100 }, condition: 'NX' })).toBe(
        'OK',
      )
      expect(await client.set('k', 'v', { condition: 'NX' })).toBeNull()
      expect(await client.get('k')).toBe('v')
      expect(await client.ttl('k')).toBe(100)
      expect(await client.getDel('k')).toBe('v')
      expect(await client.get('k')).toBeNull()
      await client.mSet(Array.from({ length: 300 }, (_, i) => [`k${i}`, String(i)] as [string, string]))
      expect(await client.mGet(['k0', 'k299', 'nosuch'])).toEqual(['0', '299', null])
      const seen: string[] = []
      for await (const keys of client.scanIterator({ COUNT: 50 })) seen.push(...keys)
      expect(new Set(seen).size).toBe(300)
      const replies = await Promise.all(Array.from({ length: 10_000 }, (_, i) => client.get(`k${i % 300}`)))
      expect(replies[9_999]).toBe(String(9_999 % 300))
      expect(await client.configGet('save')).toMatchObject({ save: '' })
    })
  })
}

function toolStories(startServer: StartServer): void {
  test.skipIf(!installed('redis-cli'))('redis-cli (skipped where it is not installed)', async () => {
    const { server } = await startServer()
    const cli = async (...args: string[]): Promise<string> =>
      (await run('redis-cli', ['-p', String(server.port), ...args])).stdout.trim()
    expect(await cli('SET', 'k', 'v')).toBe('OK')
    expect(await cli('-3', 'GET', 'k')).toBe('v')
    expect(await cli('--scan')).toBe('k')
    expect(await cli('INFO', 'server')).toContain('ringspun_version')
  })

  test.skipIf(!installed('redis-benchmark'))(
    'redis-benchmark (skipped where it is not installed)',
    async () => {
      const { server } = await startServer()
      const args = [
        '-p',
        String(server.port),
        '-t',
        'ping,set,get,mset',
        '-n',
        '2000',
        '-P',
        '16',
        '-r',
        '500',
        '--csv',
      ]
      const { stdout } = await run('redis-benchmark', args, { timeout: 30_000 })
      expect(
        stdout
          .trim()
          .split('\n')
          .filter((line) => /^"(PING|SET|GET|MSET)/.test(line)).length,
      ).toBe(5)
    },
  )
}
