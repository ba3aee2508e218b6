// Every command with its raw reply, in RESP2 and (where it differs) RESP3, and the errors of what is asked
// wrongly (stories.ts). Where redis-server is installed, the stories that hold for Redis too are asked of it
// as well, and must be answered alike.

import { describe, expect, test } from 'vitest'
import { commandTable } from '../../../src/server/commands/table.js'
import { Client, request, startServer, words } from '../harness.js'
import { startRedis } from '../real-redis.js'
import { arity, type Line, ours, sameAsRedis } from './stories.js'

async function play(client: Client, lines: readonly Line[], protocol: 2 | 3): Promise<void> {
  for (const [line, resp2, resp3] of lines) {
    const parts = words(line)
    const silent = resp2 === ''
    if (silent) client.send(request(...parts))
    else
      expect(`${line} -> ${await client.command(...parts)}`).toBe(
        `${line} -> ${protocol === 3 ? (resp3 ?? resp2) : resp2}`,
      )
  }
}

describe.each(Object.entries({ ...sameAsRedis, ...ours }))('%s', (name, lines) => {
  test('in RESP2', async () => {
    const { server } = await startServer()
    await play(await Client.open(server), lines, 2)
  })

  test.skipIf(name === 'hello')('in RESP3', async () => {
    const { server } = await startServer()
    const client = await Client.open(server)
    expect(await client.command('HELLO', '3')).toMatch(/^%7\r\n/)
    await play(client, lines, 3)
  })
})

const redis = await startRedis()
describe.skipIf(redis === undefined)('redis-server (skipped where it is not installed) answers alike', () => {
  test.each(Object.entries(sameAsRedis))('%s', async (_name, lines) => {
    const client = await Client.open(redis as { host: string; port: number })
    await client.command('FLUSHALL')
    await play(client, lines, 2)
  })
})

describe('the table', () => {
  test('what Redis knows and a last-write-wins store cannot promise is refused with its reason', async () => {
    const { server } = await startServer()
    const client = await Client.open(server)
    for (const [name, command] of commandTable()) {
      if (!command.flags.includes('refused') || name !== command.name) continue
      const reply = await client.command(name, 'a', 'b')
      expect(reply).toMatch(new RegExp(`^-ERR NOTSUPPORTED '${name}' [^\r\n]{20,}\r\n$`))
    }
  })

  test('every command is told of by COMMAND, and refused ones are not', async () => {
    const { server } = await startServer()
    const client = await Client.open(server)
    const names = [...commandTable().values()].filter(({ flags }) => !flags.includes('refused'))
    expect(await client.command('COMMAND', 'COUNT')).toBe(`:${new Set(names).size}\r\n`)
    const list = await client.command('COMMAND', 'LIST')
    expect(list).toContain('\r\nrs.put\r\n')
    expect(list).not.toContain('\r\nincr\r\n')
    expect(await client.command('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'rs.s*')).toBe(
      '*1\r\n$9\r\nrs.status\r\n',
    )
    expect(await client.command('COMMAND')).toMatch(new RegExp(`^\\*${new Set(names).size}\r\n`))
  })

  test('every command refuses too few arguments in the words of Redis', async () => {
    const { server } = await startServer()
    const client = await Client.open(server)
    for (const [name, command] of commandTable()) {
      if (name !== command.name || Math.abs(command.arity) < 2) continue
      expect(await client.command(name)).toBe(arity(name))
    }
  })

  test('INFO has the sections and lines that monitors look for', async () => {
    const { server } = await startServer()
    const client = await Client.open(server)
    await client.command('SET', 'a', 'b')
    const all = await client.command('INFO', 'all')
    for (const line of [
      '# Server',
      'redis_version:7',
      '# Clients',
      'connected_clients:1',
      '# Stats',
      '# Replication',
      'role:master',
      '# Ringspun',
      'cluster_id:fake',
      'loading:0',
      'db0:keys=1,',
    ]) {
      expect(all).toContain(line)
    }
    const usual = await client.command('INFO')
    expect(usual).toContain('# Replication')
    expect(usual).not.toContain('# Keyspace')
    expect(await client.command('INFO', 'clients')).toMatch(/^\$\d+\r\n# Clients\r\n/)
  })

  test('CLIENT LIST and INFO describe the connection; RS.STATUS is JSON', async () => {
    const { server } = await startServer()
    const client = await Client.open(server)
    await client.command('CLIENT', 'SETINFO', 'LIB-NAME', 'mine')
    expect(await client.command('CLIENT', 'LIST')).toMatch(
      /id=1 addr=127\.0\.0\.1:\d+ .* lib-name=mine lib-ver= resp=2\n\r\n$/,
    )
    expect(await client.command('CLIENT', 'INFO')).toContain('cmd=client')
    expect(await client.command('CLIENT', 'LIST', 'ID', '1', '7')).toContain('id=1 ')
    expect(await client.command('CLIENT', 'LIST', 'TYPE', 'pubsub')).toBe('$0\r\n\r\n')
    const status = await client.command('RS.STATUS')
    expect(JSON.parse(status.split('\r\n')[1] as string)).toMatchObject({ id: 'fake', n: 3 })
  })

  test('CLIENT REPLY SKIP leaves out one reply', async () => {
    const { server } = await startServer()
    const client = await Client.open(server)
    client.send(
      Buffer.concat([
        request('CLIENT', 'REPLY', 'SKIP'),
        request('PING', 'unheard'),
        request('PING', 'heard'),
      ]),
    )
    expect(await client.command('PING')).toBe('$5\r\nheard\r\n+PONG\r\n')
  })

  test('TIME is a time', async () => {
    const { server } = await startServer()
    expect(await (await Client.open(server)).command('TIME')).toMatch(
      /^\*2\r\n\$10\r\n\d{10}\r\n\$\d\r\n\d+\r\n$/,
    )
  })
})
