// The sixty bad inputs (docs/decisions/bad-inputs.md) at the door for clients of Redis, on a real cluster: what is
// no request is answered in one line and the connection ends, what is a wrong request is answered and the connection
// goes on. Nothing is written, no other connection notices, and all nodes serve afterwards.

import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import {
  type RedisServer,
  type RedisServerOptions,
  startRedisServer,
} from '../../dist/server/redis-server.js'
import { Client, request } from '../server/harness.js'
import { type House, openHouse } from './house.js'

let house: House
let server: RedisServer
let bystander: Client
const log: string[] = []

const start = (options: Partial<RedisServerOptions> = {}) =>
  startRedisServer({
    cluster: house.cluster,
    port: 0,
    log: (level, text) => log.push(`${level}: ${text}`),
    ...options,
  })

beforeAll(async () => {
  house = await openHouse('default')
  server = await start()
})
afterAll(async () => {
  await server.close()
  await house.cluster.close()
})
beforeEach(async () => {
  await house.restore()
  bystander = await Client.open(server)
  log.length = 0
})

async function expectUnharmed(): Promise<void> {
  expect(await bystander.command('GET', 'kept')).toBe('$6\r\nbefore\r\n')
  await house.expectUnharmed()
}

describe('no request of the protocol: one line, and the connection ends', () => {
  const protocolError = (text: string) => `-ERR Protocol error: ${text}\r\n`
  const set = '*3\r\n$3\r\nSET\r\n$4\r\nkept\r\n'
  const table: readonly (readonly [string, string, string])[] = [
    ['#8 a value of 64 MiB is declared', `${set}$67108864\r\nabc`, 'invalid bulk length'],
    ['#9 a value of 2^31 bytes', `${set}$2147483648\r\n`, 'invalid bulk length'],
    ['#9 a value of 2^32 - 1 bytes', `${set}$4294967295\r\n`, 'invalid bulk length'],
    ['#9 a value of 2^53 bytes', `${set}$9007199254740992\r\n`, 'invalid bulk length'],
    ['#9 a value of -1 bytes', `${set}$-1\r\n`, 'invalid bulk length'],
    ['#9 2^31 arguments', '*2147483648\r\n', 'invalid multibulk length'],
    ['#9 2^53 arguments', '*9007199254740992\r\n', 'invalid multibulk length'],
    ['#12 an array inside an array', '*1\r\n*1\r\n', "expected '$', got '*'"],
    [
      '#13 a bulk with more behind it',
      '*1\r\n$4\r\nPINGPONG\r\n',
      'expected CRLF after the bytes of a bulk string',
    ],
    ['#44 a TLS hello', '\x16\x03\x01\x02\x00\x01\x00', 'this port speaks plain RESP, not TLS'],
    ['#12 unbalanced quotes', 'SET kept "after\r\n', 'unbalanced quotes in request'],
    ['#39 a line of 1 MB', '['.repeat(1e6), 'too big inline request'],
  ]

  test.each(table)('%s', async (_title, bytes, sentence) => {
    const client = await Client.open(server)
    client.send(bytes)
    expect(await client.hearEnd()).toBe(protocolError(sentence))
    expect(log.join()).toContain(`protocol error from`)
    await expectUnharmed()
  })

  const slow: readonly (readonly [string, string])[] = [
    ['#10 a value is declared, then silence', `${set}$100\r\nabc`],
    ['#11 a header that never ends', '*3\r\n$3'],
    ['#52 a line that never ends', 'SET kept aft'],
  ]

  test.each(slow)('%s', async (_title, bytes) => {
    const impatient = await start({ limits: { requestMsMax: 0 } })
    onTestFinished(() => impatient.close())
    const client = await Client.open(impatient)
    client.send(Buffer.concat([request('PING'), Buffer.from(bytes)]))
    const sentence = 'the request did not come to its end in time'
    expect(await client.hearEnd()).toBe(`+PONG\r\n${protocolError(sentence)}`)
    await expectUnharmed()
  })

  test('#11 sent byte by byte it is the same, and who sends whole requests is not hurried', async () => {
    const impatient = await start({ limits: { requestMsMax: 0 } })
    onTestFinished(() => impatient.close())
    const quiet = await Client.open(impatient)
    const client = await Client.open(impatient)
    for (let i = 0; !client.closed; i++) {
      client.send(i === 0 ? '*1\r\n$1000000\r\n' : 'x')
      // A round trip a byte: far below the rate that earns more time.
      await quiet.command('PING')
    }
    expect(client.taken()).toContain('did not come to its end in time')
    expect(await quiet.command('GET', 'kept')).toBe('$6\r\nbefore\r\n')
    await expectUnharmed()
  })
})

describe('HTTP is hung up on, and nothing of it is a command', () => {
  const body = 'SET kept after\r\nSET new x\r\n'
  const table: readonly (readonly [string, string])[] = [
    ['#44 a GET', `GET /kept HTTP/1.1\r\nHost: localhost\r\n\r\n${body}`],
    ['#44 a POST whose body is commands', `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 27\r\n\r\n${body}`],
    ['#45 Content-Length twice', `POST / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 27\r\n\r\n${body}`],
    ['#45 chunks and a length', `POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1b\r\n${body}\r\n`],
    ['#45 line feeds alone', `POST / HTTP/1.1\nHost: x\n\n${body}`],
    ['#46 two hosts', `PUT / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n${body}`],
    ['#46 a whole address', `GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n\r\n${body}`],
    ['#47 another host', `POST / HTTP/1.1\r\nHost: evil.com\r\n\r\n${body}`],
    ['#48 another origin', `POST / HTTP/1.1\r\nOrigin: https://evil\r\n\r\n${body}`],
    ['#48 a WebSocket', `GET / HTTP/1.1\r\nUpgrade: websocket\r\nOrigin: https://evil\r\n\r\n${body}`],
    ['#49 a header of 20 KB', `GET / HTTP/1.1\r\nX: ${'y'.repeat(20_000)}\r\n\r\n${body}`],
    ['#50 a path out of the tree', `GET /kv/../../etc/passwd HTTP/1.1\r\n\r\n${body}`],
    ['#50 the same, escaped', `GET /%2e%2e%2fetc/passwd%00%zz HTTP/1.1\r\n\r\n${body}`],
  ]

  test.each(table)('%s', async (_title, bytes) => {
    const client = await Client.open(server)
    client.send(bytes)
    expect(await client.hearEnd()).toBe('')
    expect(log.join()).toContain('HTTP sent to the Redis port')
    await expectUnharmed()
  })
})

describe('a request that is wrong: an answer, and the connection goes on', () => {
  const key = Buffer.alloc(65_537, 'k').toString('latin1')
  const table: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['#1 an empty key', ['SET', '', 'after'], /^-ERR key-empty: /],
    ['#1 an empty key of RS.PUT', ['RS.PUT', 'default', '', 'after'], /^-ERR key-empty: /],
    ['#2 a key of 65,537 bytes', ['SET', key, 'after'], /^-ERR key-too-large: .*65536/],
    ['#14 an unknown command', ['SAT', 'kept', 'after'], /^-ERR unknown command/],
    ['#14 a name of the prototype', ['__proto__', 'kept'], /^-ERR unknown command/],
    ['#14 a name of the prototype', ['CONSTRUCTOR'], /^-ERR unknown command/],
    ['#14 a subcommand of the prototype', ['CLIENT', '__PROTO__'], /^-ERR unknown subcommand/i],
    ['#15 protocol 0', ['HELLO', '0'], /^-NOPROTO/],
    ['#15 protocol 99', ['HELLO', '99'], /^-NOPROTO/],
    ['#18 n = 0', ['RS.BUCKET', 'default', 'N', '0'], /^-ERR quorum-invalid: /],
    ['#18 n = -1', ['RS.BUCKET', 'default', 'N', '-1'], /^-ERR quorum-invalid: /],
    ['#18 n = 1.5', ['RS.BUCKET', 'default', 'N', '1.5'], /^-ERR value is not an integer/],
    ['#18 n = 65', ['RS.BUCKET', 'default', 'N', '65'], /^-ERR quorum-invalid: /],
    ['#19 w > n', ['RS.PUT', 'default', 'kept', 'after', 'W', '4'], /^-ERR quorum-invalid: /],
    ['#19 dw > w', ['RS.PUT', 'default', 'kept', 'x', 'W', '1', 'DW', '2'], /^-ERR quorum-invalid: /],
    ['#20 w = 0', ['RS.PUT', 'default', 'kept', 'after', 'W', '0'], /^-ERR quorum-invalid: /],
    ['#20 r = 0', ['RS.GET', 'default', 'kept', 'R', '0'], /^-ERR quorum-invalid: /],
    [
      '#23 a context of random bytes',
      ['RS.PUT', 'default', 'kept', 'x', 'CONTEXT', 'AAEC'],
      /^-ERR context-/,
    ],
    [
      '#26 a context of 140 KB',
      ['RS.PUT', 'default', 'kept', 'x', 'CONTEXT', 'A'.repeat(140_000)],
      /^-ERR context-too-large/,
    ],
    ['#29 an expiry of 0', ['SET', 'kept', 'x', 'EX', '0'], /^-ERR invalid expire time/],
    ['#29 an expiry of -1', ['SET', 'kept', 'x', 'EX', '-1'], /^-ERR invalid expire time/],
    ['#29 an expiry of 10^18', ['SET', 'kept', 'x', 'EX', `1${'0'.repeat(18)}`], /^-ERR invalid expire time/],
    ['#29 an expiry of NaN', ['SET', 'kept', 'x', 'EX', 'nan'], /^-ERR value is not an integer/],
    ['#38 an option twice', ['SET', 'kept', 'x', 'EX', '9', 'PX', '9'], /^-ERR syntax error/],
    ['#38 W twice', ['RS.PUT', 'default', 'kept', 'x', 'W', '1', 'W', '3'], /^-ERR syntax error/],
    ['#38 R twice', ['RS.GET', 'default', 'kept', 'R', '1', 'R', '3'], /^-ERR syntax error/],
    ['#38 N twice', ['RS.BUCKET', 'default', 'N', '1', 'N', '3'], /^-ERR syntax error/],
    ['#41 a password where there is none', ['AUTH', 'secret'], /^-ERR AUTH <password> called without/],
    ['#41 a user that is not there', ['AUTH', 'admin', 'x'.repeat(1e6)], /^-WRONGPASS/],
    ['#43 faults on purpose', ['RS.FAULT', 'KILL', '1'], /^-ERR RS\.FAULT is refused/],
    ['#54 a bucket that has no such name', ['RS.BUCKET', 'a/../b'], /^-ERR bucket-invalid: /],
  ]

  test.each(table)('%s', async (_title, parts, reply) => {
    const client = await Client.open(server)
    const answer = await client.command(...parts)
    expect(answer).toMatch(reply)
    // One line, whatever was sent; no stack, nothing of the server's.
    expect(answer).toMatch(/^-[^\r\n]{5,600}\r\n$/)
    expect(await client.command('GET', 'kept')).toBe('$6\r\nbefore\r\n')
    await expectUnharmed()
  })

  test('#24 a context of another key', async () => {
    const client = await Client.open(server)
    const put = await client.command('RS.PUT', 'elsewhere', 'kept', 'x')
    const context = put.split('\r\n')[1] as string
    const answer = await client.command('RS.PUT', 'default', 'kept', 'after', 'CONTEXT', context)
    expect(answer).toMatch(/^-ERR context-mismatch: /)
    await expectUnharmed()
  })
})

describe('strange, and taken', () => {
  const table: readonly (readonly [string, readonly Uint8Array[]])[] = [
    ['#3 NUL, CR, LF and ESC', ['\0', '\r\n', 'a\x1b[2J', '\r\n+OK\r\n'].map((key) => Buffer.from(key))],
    ['#4 names of the prototype', ['__proto__', 'constructor', 'toString'].map((key) => Buffer.from(key))],
    ['#5 bytes that are no text', [Buffer.from([0xc3, 0x28]), Buffer.from([0xef, 0xbf, 0xbd])]],
    ['#40 what is packed is not unpacked', [Buffer.from('1f8b08000000000000034b04', 'hex')]],
    ['#51 what a browser or a table would run', ['<img onerror=x>', '=cmd()'].map((key) => Buffer.from(key))],
  ]

  test.each(table)('%s: keys and values like any other', async (_title, keys) => {
    const client = await Client.open(server)
    for (const key of keys) expect(await client.command('SET', key, key)).toBe('+OK\r\n')
    for (const key of keys) {
      const bulk = `$${key.length}\r\n${Buffer.from(key).toString('latin1')}\r\n`
      expect(await client.command('GET', key)).toBe(bulk)
    }
    expect(await client.command('DEL', ...keys)).toBe(`:${keys.length}\r\n`)
    await expectUnharmed()
  })

  test('#42 before any AUTH: there are no users, and the default one may all', async () => {
    const client = await Client.open(server)
    expect(await client.command('AUTH', 'default', 'anything')).toBe('+OK\r\n')
    expect(await client.command('GET', 'kept')).toBe('$6\r\nbefore\r\n')
    await expectUnharmed()
  })
})

describe('too much', () => {
  test('#17 ten thousand requests in one piece are answered, in order, a bounded number at once', async () => {
    const client = await Client.open(server)
    const answer = await client.ask(
      Buffer.concat(Array.from({ length: 10_000 }, () => request('GET', 'kept'))),
    )
    expect(answer).toBe('$6\r\nbefore\r\n'.repeat(10_000))
    await expectUnharmed()
  })

  test('#52 one connection too many is told so; those that are there are served', async () => {
    const narrow = await start({ connectionsMax: 2 })
    onTestFinished(() => narrow.close())
    const first = await Client.open(narrow)
    const second = await Client.open(narrow)
    await Promise.all([first.command('PING'), second.command('PING')])
    const third = await Client.open(narrow)
    expect(await third.hearEnd()).toBe('-ERR max number of clients reached\r\n')
    expect(await first.command('GET', 'kept')).toBe('$6\r\nbefore\r\n')
    await expectUnharmed()
  })

  test('#53 a client that never reads is closed; the others are served meanwhile', async () => {
    const narrow = await start({ limits: { outputStallMsMax: 0, outputBytesMax: 2 * 1024 * 1024 } })
    onTestFinished(() => narrow.close())
    await house.cluster.bucket('big', { codec: 'bytes' }).put('big', Buffer.alloc(512 * 1024))
    const deaf = connect(narrow)
    deaf.on('error', () => {})
    deaf.pause()
    const closed = new Promise<void>((resolve) => deaf.on('close', () => resolve()))
    deaf.write(Buffer.concat(Array.from({ length: 100 }, () => request('RS.GET', 'big', 'big'))))
    while (!log.some((line) => line.includes('bytes of replies not read'))) {
      expect(await bystander.command('GET', 'kept')).toBe('$6\r\nbefore\r\n')
    }
    deaf.resume()
    await closed
    await expectUnharmed()
  })
})
