// Every command with its raw reply, in RESP2 and (where it differs) RESP3, and the errors of what is asked
// wrongly. Each story is one connection from an empty store: lines are asked one after the other. Where
// redis-server is installed, the stories without `ours` are also asked of it, and must be answered alike.

import { describe, expect, test } from 'vitest'
import { commandTable } from '../../../src/server/commands/table.js'
import { Client, request, startServer, words } from '../harness.js'
import { startRedis } from '../real-redis.js'

type Line = readonly [command: string, resp2: string, resp3?: string]

const far = 4_102_444_800
const nil = '$-1\r\n'
const arity = (name: string) => `-ERR wrong number of arguments for '${name}' command\r\n`
const notInteger = '-ERR value is not an integer or out of range\r\n'
const syntax = '-ERR syntax error\r\n'
const badExpiry = (name: string) => `-ERR invalid expire time in '${name}' command\r\n`
const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`
const array = (...items: readonly string[]) => `*${items.length}\r\n${items.join('')}`

const sameAsRedis: Readonly<Record<string, readonly Line[]>> = {
  connection: [
    ['PING', '+PONG\r\n'],
    ['ping hi', '$2\r\nhi\r\n'],
    ['PING a b', arity('ping')],
    ['ECHO x', '$1\r\nx\r\n'],
    ['ECHO', arity('echo')],
    ['SELECT 0', '+OK\r\n'],
    ['SELECT 99', '-ERR DB index is out of range\r\n'],
    ['SELECT x', notInteger],
    ['AUTH default x', '+OK\r\n'],
    ['AUTH a b', '-WRONGPASS invalid username-password pair or user is disabled.\r\n'],
    [
      'AUTH a',
      '-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n',
    ],
    ['HELLO 4', '-NOPROTO unsupported protocol version\r\n'],
    ['HELLO x', '-ERR Protocol version is not an integer or out of range\r\n'],
    ['HELLO 2 SETNAME', "-ERR Syntax error in HELLO option 'SETNAME'\r\n"],
    ['HELLO 2 FOO', "-ERR Syntax error in HELLO option 'FOO'\r\n"],
    ['HELLO 2 AUTH a b', '-WRONGPASS invalid username-password pair or user is disabled.\r\n'],
    ['foo a b', "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n"],
    ['foo', "-ERR unknown command 'foo', with args beginning with: \r\n"],
  ],
  client: [
    ['CLIENT GETNAME', nil, '_\r\n'],
    ['CLIENT SETNAME me', '+OK\r\n'],
    ['CLIENT GETNAME', '$2\r\nme\r\n'],
    ['CLIENT SETNAME', arity('client|setname')],
    ['CLIENT SETNAME a\nb', '-ERR Client names cannot contain spaces, newlines or special characters.\r\n'],
    ['CLIENT NO-EVICT on', '+OK\r\n'],
    ['CLIENT NO-EVICT foo', syntax],
    ['CLIENT REPLY foo', syntax],
    ['CLIENT LIST foo', syntax],
    ['CLIENT FOO', "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n"],
    ['CLIENT', arity('client')],
    ['CLIENT REPLY OFF', ''],
    ['PING', ''],
    ['CLIENT REPLY ON', '+OK\r\n'],
  ],
  config: [
    ['CONFIG GET save', '*2\r\n$4\r\nsave\r\n$0\r\n\r\n', '%1\r\n$4\r\nsave\r\n$0\r\n\r\n'],
    ['CONFIG GET', arity('config|get')],
    ['CONFIG GET nosuch', '*0\r\n', '%0\r\n'],
    ['CONFIG SET foo bar', "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'\r\n"],
    [
      'CONFIG SET databases 3',
      "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config\r\n",
    ],
    ['CONFIG SET', arity('config|set')],
    ['CONFIG RESETSTAT', '+OK\r\n'],
    ['CONFIG FOO', "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n"],
    ['COMMAND FOO', "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n"],
    ['COMMAND INFO nosuch', '*1\r\n$-1\r\n', '*1\r\n_\r\n'],
    ['COMMAND LIST FILTERBY foo', syntax],
    ['COMMAND DOCS nosuch', '*0\r\n', '%0\r\n'],
  ],
  values: [
    ['GET k', nil, '_\r\n'],
    ['SET k v', '+OK\r\n'],
    ['GET k', '$1\r\nv\r\n'],
    ['get k', '$1\r\nv\r\n'],
    ['SET k ""', '+OK\r\n'],
    ['GET k', '$0\r\n\r\n'],
    ['SET k a\r\nb\0\xff', '+OK\r\n'],
    ['GET k', '$6\r\na\r\nb\0\xff\r\n'],
    ['STRLEN k', ':6\r\n'],
    ['STRLEN nosuch', ':0\r\n'],
    ['GETRANGE k 0 0', '$1\r\na\r\n'],
    ['GETRANGE k -2 -1', '$2\r\n\0\xff\r\n'],
    ['GETRANGE k 5 2', '$0\r\n\r\n'],
    ['GETRANGE k -100 -100', '$1\r\na\r\n'],
    ['GETRANGE nosuch 0 -1', '$0\r\n\r\n'],
    ['GETRANGE k x 0', notInteger],
    ['SET k v NX', nil, '_\r\n'],
    ['SET j v XX', nil, '_\r\n'],
    ['SET j v NX', '+OK\r\n'],
    ['SET j w XX GET', '$1\r\nv\r\n'],
    ['SET j x NX GET', '$1\r\nw\r\n'],
    ['SET i x XX GET', nil, '_\r\n'],
    ['SET i x GET', nil, '_\r\n'],
    ['SETNX i y', ':0\r\n'],
    ['SETNX h y', ':1\r\n'],
    ['GETSET h z', '$1\r\ny\r\n'],
    ['GETDEL h', '$1\r\nz\r\n'],
    ['GETDEL h', nil, '_\r\n'],
    ['MSET a 1 b 2 a 3', '+OK\r\n'],
    [
      'MGET a b nosuch a',
      '*4\r\n$1\r\n3\r\n$1\r\n2\r\n$-1\r\n$1\r\n3\r\n',
      '*4\r\n$1\r\n3\r\n$1\r\n2\r\n_\r\n$1\r\n3\r\n',
    ],
    ['GET', arity('get')],
    ['GET a b', arity('get')],
    ['SET a', arity('set')],
    ['SET a b FOO', syntax],
    ['SET a b NX XX', syntax],
    ['SET a b EX', syntax],
    ['SET a b EX 1 PX 1', syntax],
    ['SET a b EX 1 KEEPTTL', syntax],
    ['SET a b EX x', notInteger],
    ['SET a b EX 1.5', notInteger],
    ['SET a b EX 0', badExpiry('set')],
    ['SET a b EX -1', badExpiry('set')],
    ['SET a b PX 9223372036854775808', notInteger],
    ['SET a b EX 9223372036854775807', badExpiry('set')],
    ['SETEX a 0 b', badExpiry('setex')],
    ['SETEX a x b', notInteger],
    ['PSETEX a -1 b', badExpiry('psetex')],
    ['MSET a', arity('mset')],
    ['MSET a b c', arity('mset')],
    ['MGET', arity('mget')],
  ],
  expiry: [
    ['TTL k', ':-2\r\n'],
    ['SET k v', '+OK\r\n'],
    ['TTL k', ':-1\r\n'],
    ['PTTL k', ':-1\r\n'],
    ['EXPIRETIME k', ':-1\r\n'],
    [`EXPIREAT k ${far}`, ':1\r\n'],
    ['EXPIRETIME k', `:${far}\r\n`],
    ['PEXPIRETIME k', `:${far}000\r\n`],
    [`EXPIREAT k ${far + 9} NX`, ':0\r\n'],
    [`EXPIREAT k ${far - 9} GT`, ':0\r\n'],
    [`EXPIREAT k ${far - 9} LT`, ':1\r\n'],
    [`EXPIREAT k ${far} XX GT`, ':1\r\n'],
    ['EXPIRETIME k', `:${far}\r\n`],
    ['SET k w KEEPTTL', '+OK\r\n'],
    ['EXPIRETIME k', `:${far}\r\n`],
    ['GETEX k', '$1\r\nw\r\n'],
    ['GETEX k PERSIST', '$1\r\nw\r\n'],
    ['TTL k', ':-1\r\n'],
    ['PERSIST k', ':0\r\n'],
    [`GETEX k EXAT ${far}`, '$1\r\nw\r\n'],
    ['PERSIST k', ':1\r\n'],
    [`EXPIREAT k ${far} XX`, ':0\r\n'],
    [`EXPIREAT k ${far} GT`, ':0\r\n'],
    [`PEXPIREAT k ${far}000 LT`, ':1\r\n'],
    ['SET k v', '+OK\r\n'],
    ['TTL k', ':-1\r\n'],
    ['SETEX k 100 v', '+OK\r\n'],
    ['TTL k', ':100\r\n'],
    ['PEXPIRE k 200000', ':1\r\n'],
    ['TTL k', ':200\r\n'],
    ['PSETEX k 100000 v', '+OK\r\n'],
    ['EXPIRE k 300', ':1\r\n'],
    ['TTL k', ':300\r\n'],
    ['EXPIRE nosuch 10', ':0\r\n'],
    ['EXPIRE nosuch 10 NX', ':0\r\n'],
    ['PERSIST nosuch', ':0\r\n'],
    ['GETEX nosuch EX 10', nil, '_\r\n'],
    ['EXPIRE k -1', ':1\r\n'],
    ['EXISTS k', ':0\r\n'],
    ['EXPIRE k -1', ':0\r\n'],
    ['SET k v PXAT 1', '+OK\r\n'],
    ['GET k', nil, '_\r\n'],
    ['EXPIRE k x', notInteger],
    ['EXPIRE k 10 FOO', '-ERR Unsupported option FOO\r\n'],
    ['EXPIRE k 10 NX XX', '-ERR NX and XX, GT or LT options at the same time are not compatible\r\n'],
    ['EXPIRE k 10 GT LT', '-ERR GT and LT options at the same time are not compatible\r\n'],
    ['EXPIRE k 9223372036854775807', badExpiry('expire')],
    ['EXPIREAT k 9223372036854775807', badExpiry('expireat')],
    ['SET k v', '+OK\r\n'],
    ['GETEX k EX 0', badExpiry('getex')],
    ['GETEX k FOO', syntax],
    ['GETEX k PERSIST EX 3', syntax],
  ],
  keys: [
    ['DBSIZE', ':0\r\n'],
    ['MSET a 1 b 2', '+OK\r\n'],
    ['DBSIZE', ':2\r\n'],
    ['EXISTS a', ':1\r\n'],
    ['EXISTS a a b c', ':3\r\n'],
    ['TOUCH a c', ':1\r\n'],
    ['TYPE a', '+string\r\n'],
    ['TYPE c', '+none\r\n'],
    ['KEYS a*', '*1\r\n$1\r\na\r\n'],
    ['KEYS', arity('keys')],
    ['SCAN 0 MATCH b COUNT 100', '*2\r\n$1\r\n0\r\n*1\r\n$1\r\nb\r\n'],
    ['SCAN 0 TYPE hash COUNT 100', '*2\r\n$1\r\n0\r\n*0\r\n'],
    ['SCAN x', '-ERR invalid cursor\r\n'],
    ['SCAN 0 COUNT 0', syntax],
    ['SCAN 0 COUNT x', notInteger],
    ['SCAN 0 FOO', syntax],
    ['SCAN 0 MATCH', syntax],
    ['DEL a c', ':1\r\n'],
    ['UNLINK a b', ':1\r\n'],
    ['DBSIZE x', arity('dbsize')],
    ['MSET a 1 b 2', '+OK\r\n'],
    ['FLUSHALL FOO', syntax],
    ['FLUSHDB ASYNC', '+OK\r\n'],
    ['DBSIZE', ':0\r\n'],
    ['FLUSHALL', '+OK\r\n'],
    ['DEL', arity('del')],
  ],
}

const ours: Readonly<Record<string, readonly Line[]>> = {
  hello: [
    [
      'HELLO 2 SETNAME me',
      array(
        ...['server', 'ringspun', 'version', '0.1.0', 'proto'].map(bulk),
        ':2\r\n',
        ...['id'].map(bulk),
        ':1\r\n',
        ...['mode', 'standalone', 'role', 'master', 'modules'].map(bulk),
        '*0\r\n',
      ),
    ],
    ['CLIENT GETNAME', '$2\r\nme\r\n'],
    ['CLIENT ID', ':1\r\n'],
    ['RESET', '+RESET\r\n'],
    ['CLIENT GETNAME', nil],
  ],
  limits: [
    ['SET "" v', '-ERR key-empty: the key has no bytes (use a key of 1 byte or more)\r\n'],
    ['SELECT 1', '-ERR DB index is out of range\r\n'],
    ['SCAN 77', '-ERR invalid cursor\r\n'],
    ['CLIENT SETINFO LIB-NAME mine', '+OK\r\n'],
    ['CLIENT SETINFO LIB-VER 1.2', '+OK\r\n'],
    ['CLIENT SETINFO foo bar', "-ERR Unrecognized option 'foo'\r\n"],
    ['CLIENT NO-TOUCH on', '+OK\r\n'],
    [
      'COMMAND INFO get',
      '*1\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*0\r\n*0\r\n*0\r\n*0\r\n',
      '*1\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*0\r\n*0\r\n*0\r\n*0\r\n',
    ],
    [
      'CONFIG GET appendonly',
      '*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n',
      '%1\r\n$10\r\nappendonly\r\n$2\r\nno\r\n',
    ],
    ['CONFIG SET appendonly no', '+OK\r\n'],
  ],
  'the store itself': [
    ['RS.GET carts k', '*0\r\n'],
    ['RS.PUT carts k v1', '$2\r\nc1\r\n'],
    ['RS.GET carts k', '*2\r\n$2\r\nc1\r\n$2\r\nv1\r\n'],
    ['RS.PUT carts k v2', '$4\r\nc1.2\r\n'],
    ['RS.GET carts k R 3', '*3\r\n$4\r\nc1.2\r\n$2\r\nv1\r\n$2\r\nv2\r\n'],
    ['RS.PUT carts k v3 CONTEXT c1.2 W 3 DW 0', '$2\r\nc3\r\n'],
    ['RS.GET carts k', '*2\r\n$2\r\nc3\r\n$2\r\nv3\r\n'],
    ['RS.DEL carts k CONTEXT c3', '$2\r\nc4\r\n'],
    ['RS.GET carts k', '*0\r\n'],
    ['RS.PUT default k v', '$2\r\nc5\r\n'],
    ['GET k', '$1\r\nv\r\n'],
    ['RS.GET carts k FOO', syntax],
    ['RS.GET carts k R x', notInteger],
    [
      'RS.GET carts k R 9',
      '-ERR quorum-invalid: n is 3 (use 1 <= r <= n, 1 <= w <= n, 0 <= dw <= w and n <= nodes)\r\n',
    ],
    ['RS.PUT carts k v CONTEXT', syntax],
    [
      'RS.PUT carts k v CONTEXT !',
      '-ERR context-invalid: not a context (pass the context of a get or put unchanged, or none at all)\r\n',
    ],
    ['RS.PUT carts k', arity('rs.put')],
    [
      'RS.GET b@d k',
      "-ERR bucket-invalid: bucket 'b@d' (use 1 to 64 characters of A-Z a-z 0-9 _ . : - for a bucket name)\r\n",
    ],
    [
      'RS.BUCKET carts',
      '*12\r\n$9\r\nconflicts\r\n$8\r\nsiblings\r\n$1\r\nn\r\n:3\r\n$1\r\nr\r\n:2\r\n$1\r\nw\r\n:2\r\n$2\r\ndw\r\n:0\r\n$10\r\ndurability\r\n$6\r\nmemory\r\n',
      '%6\r\n$9\r\nconflicts\r\n$8\r\nsiblings\r\n$1\r\nn\r\n:3\r\n$1\r\nr\r\n:2\r\n$1\r\nw\r\n:2\r\n$2\r\ndw\r\n:0\r\n$10\r\ndurability\r\n$6\r\nmemory\r\n',
    ],
    [
      'RS.BUCKET carts R 5',
      '-ERR quorum-invalid: n 3, r 5, w 2, dw 0 (use 1 <= r <= n, 1 <= w <= n, 0 <= dw <= w and n <= nodes)\r\n',
    ],
    ['RS.BUCKET carts CONFLICTS maybe', syntax],
    ['RS.BUCKET carts FOO 1', syntax],
  ],
}

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
