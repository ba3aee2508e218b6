// What a connection promises beyond single commands: replies in the order of the requests, commands beside
// each other where they do not meet, order where they do, bounds on everything, and an end that loses nothing.
// Operations are held back by the fake cluster, so that every order is made, not waited for.

import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { RingspunError } from '../../src/base/errors.js'
import { startRedisServer } from '../../src/server/redis-server.js'
import { fakeCluster } from './fake-cluster.js'
import { Client, request, startServer } from './harness.js'

/** Holds operations back until they are let go, and tells when they have come. */
function gate() {
  const held: (() => void)[] = []
  let arrived: (() => void) | undefined
  return {
    hold: (): Promise<void> =>
      new Promise((resolve) => {
        held.push(resolve)
        arrived?.()
      }),
    async holding(count: number): Promise<void> {
      while (held.length < count) {
        await new Promise<void>((resolve) => {
          arrived = resolve
        })
      }
    },
    release: (): void => {
      for (const go of held.splice(0)) go()
    },
  }
}

describe('order', () => {
  test('replies come in the order of the requests, although the first takes longest', async () => {
    const { server, cluster } = await startServer()
    const { hold, holding, release } = gate()
    cluster.before = (_operation, key) => (key === 'slow' ? hold() : undefined)
    const client = await Client.open(server)
    client.send(
      Buffer.concat([request('GET', 'slow'), request('PING'), request('SET', 'b', '1'), request('GET', 'b')]),
    )
    await holding(1)
    const reply = client.hear(1)
    release()
    expect(await reply).toBe('$-1\r\n+PONG\r\n+OK\r\n$1\r\n1\r\n')
  })

  test('a GET behind a SET of the same key waits for it; other keys do not', async () => {
    const { server, cluster } = await startServer()
    const { hold, holding, release } = gate()
    cluster.before = (operation, key) => (key === 'a' && operation === 'put' ? hold() : undefined)
    const client = await Client.open(server)
    const other = await Client.open(server)
    client.send(
      Buffer.concat([
        request('SET', 'a', '1'),
        request('GET', 'a'),
        request('MGET', 'b', 'a'),
        request('SET', 'c', '2'),
      ]),
    )
    await holding(1)
    while ((await other.command('EXISTS', 'c')) === ':0\r\n');
    expect(cluster.history.filter((line) => line.endsWith(' a'))).toEqual([])
    release()
    expect(await client.hear(33)).toBe('+OK\r\n$1\r\n1\r\n*2\r\n$-1\r\n$1\r\n1\r\n+OK\r\n')
  })

  test('reads of one key run beside each other, and a write waits for all of them', async () => {
    const { server, cluster } = await startServer()
    const { hold, holding, release } = gate()
    cluster.before = (operation) => (operation === 'get' ? hold() : undefined)
    const client = await Client.open(server)
    client.send(
      Buffer.concat([
        request('GET', 'a'),
        request('GET', 'a'),
        request('SET', 'a', 'x'),
        request('GET', 'a'),
      ]),
    )
    await holding(2)
    expect(cluster.history).toEqual([])
    cluster.before = undefined
    release()
    expect(await client.hear(20)).toBe('$-1\r\n$-1\r\n+OK\r\n$1\r\nx\r\n')
    expect(cluster.history).toEqual(['get a', 'get a', 'put a', 'get a'])
  })

  test('DBSIZE and FLUSHALL see all before them, and nothing behind them', async () => {
    const { server } = await startServer()
    const client = await Client.open(server)
    const parts = [
      request('SET', 'a', '1'),
      request('DBSIZE'),
      request('SET', 'b', '1'),
      request('FLUSHALL'),
      request('DBSIZE'),
      request('SET', 'c', '1'),
      request('DBSIZE'),
    ]
    expect(await client.ask(Buffer.concat(parts))).toBe('+OK\r\n:1\r\n+OK\r\n+OK\r\n:0\r\n+OK\r\n:1\r\n')
  })

  test('HELLO switches the replies behind it, not those before it', async () => {
    const { server, cluster } = await startServer()
    const { hold, holding, release } = gate()
    cluster.before = () => hold()
    const client = await Client.open(server)
    client.send(Buffer.concat([request('GET', 'a'), request('HELLO', '3'), request('GET', 'a')]))
    await holding(1)
    cluster.before = undefined
    release()
    const mark = await client.command('PING')
    expect(mark).toMatch(/^\$-1\r\n%7\r\n[^_]*_\r\n\+PONG\r\n$/)
  })

  test('a pipeline of ten thousand is answered in order, cut anywhere', async () => {
    const { server } = await startServer()
    const client = await Client.open(server)
    const requests: Buffer[] = []
    let expected = ''
    for (let i = 0; i < 5_000; i++) {
      requests.push(request('SET', `k${i % 700}`, String(i)), request('GET', `k${i % 700}`))
      expected += `+OK\r\n$${String(i).length}\r\n${i}\r\n`
    }
    const bytes = Buffer.concat(requests)
    for (let at = 0; at < bytes.length; at += 7_919) client.send(bytes.subarray(at, at + 7_919))
    expect(await client.ask('')).toBe(expected)
  })
})

describe('bounds', () => {
  test('at most 1,024 requests of one connection are under way', async () => {
    const { server, cluster } = await startServer({ limits: { inFlightBytesMax: 2 ** 40 } })
    const { hold, holding, release } = gate()
    let most = 0
    let open = 0
    cluster.before = async () => {
      most = Math.max(most, ++open)
      await hold()
      open--
    }
    const client = await Client.open(server)
    client.send(Buffer.concat(Array.from({ length: 3_000 }, (_, i) => request('GET', `k${i}`))))
    await holding(1_024)
    cluster.before = async () => {
      most = Math.max(most, ++open)
      open--
    }
    release()
    expect(await client.ask('')).toBe('$-1\r\n'.repeat(3_000))
    expect(most).toBe(1_024)
  })

  test('large replies narrow what is taken: the replies under way stay near the limit', async () => {
    const { server, cluster } = await startServer()
    const client = await Client.open(server)
    await client.command('SET', 'big', Buffer.alloc(1024 * 1024, 'x'))
    await client.command('GET', 'big')
    let open = 0
    let most = 0
    cluster.before = async () => {
      most = Math.max(most, ++open)
      await new Promise((resolve) => setImmediate(resolve))
      open--
    }
    const reply = await client.ask(Buffer.concat(Array.from({ length: 60 }, () => request('GET', 'big'))))
    expect(reply.length).toBe(60 * (1024 * 1024 + 12))
    expect(most).toBeLessThanOrEqual(8)
  })

  test('a client that never reads is closed; another one is served all the while', async () => {
    const started = await startServer({ limits: { outputStallMsMax: 0, outputBytesMax: 4 * 1024 * 1024 } })
    const other = await Client.open(started.server)
    await other.command('SET', 'big', Buffer.alloc(1024 * 1024, 'x'))
    const deaf = connect(started.server)
    deaf.on('error', () => {})
    deaf.pause()
    const closed = new Promise<void>((resolve) => deaf.on('close', () => resolve()))
    deaf.write(Buffer.concat(Array.from({ length: 200 }, () => request('GET', 'big'))))
    while (!started.lines.some((line) => line.includes('bytes of replies not read'))) {
      expect(await other.command('PING')).toBe('+PONG\r\n')
      await new Promise((resolve) => setImmediate(resolve))
    }
    deaf.resume()
    await closed
    expect(await other.command('STRLEN', 'big')).toBe(':1048576\r\n')
  })

  test('a value beyond the limit is refused before it is sent', async () => {
    const { server, lines } = await startServer({ cluster: fakeCluster({ valueBytesMax: 100_000 }) })
    const client = await Client.open(server)
    client.send('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100001\r\nabc')
    expect(await client.hearEnd()).toBe('-ERR Protocol error: invalid bulk length\r\n')
    expect(lines.join()).toContain('protocol error')
    const next = await Client.open(server)
    expect(await next.command('SET', 'k', Buffer.alloc(100_000))).toBe('+OK\r\n')
  })

  test('one connection too many is told so', async () => {
    const { server } = await startServer({ connectionsMax: 2 })
    const first = await Client.open(server)
    const second = await Client.open(server)
    await Promise.all([first.command('PING'), second.command('PING')])
    const third = await Client.open(server)
    expect(await third.hearEnd()).toBe('-ERR max number of clients reached\r\n')
    expect(await first.command('INFO', 'stats')).toContain('rejected_connections:1')
  })
})

describe('errors', () => {
  test.each([
    ['unavailable', 'GET', 'UNAVAILABLE'],
    ['overloaded', 'SET', 'OVERLOADED'],
    ['recovering', 'GET', 'LOADING'],
    ['deadline', 'SET', 'INDETERMINATE'],
    ['coordinator-lost', 'SET', 'INDETERMINATE'],
    ['deadline', 'GET', 'UNAVAILABLE'],
    ['too-many-siblings', 'SET', 'ERR'],
  ] as const)('%s in a %s is -%s', async (code, name, prefix) => {
    const { server, cluster } = await startServer()
    cluster.before = () => {
      throw new RingspunError(code, 'this is\r\nwhy')
    }
    const client = await Client.open(server)
    const reply = await client.command(...(name === 'GET' ? ['GET', 'k'] : ['SET', 'k', 'v']))
    expect(reply).toMatch(new RegExp(`^-${prefix} ${code}: this is why \\([^\r\n]+\\)\r\n$`))
    expect(await client.command('INFO', 'stats')).toContain('total_error_replies:1')
  })

  test('an unforeseen exception is logged, and its text does not leave the server', async () => {
    const { server, cluster, lines } = await startServer()
    cluster.before = () => {
      throw new TypeError('secret')
    }
    const client = await Client.open(server)
    expect(await client.command('GET', 'k')).toBe('-ERR internal error; see the log of the server\r\n')
    expect(lines.join()).toContain('secret')
  })

  test('requests before a protocol error are answered, then the error, then the end', async () => {
    const { server } = await startServer()
    const client = await Client.open(server)
    client.send(
      Buffer.concat([
        request('SET', 'a', '1'),
        request('GET', 'a'),
        Buffer.from('*1\r\n*1\r\n'),
        request('PING'),
      ]),
    )
    expect(await client.hearEnd()).toBe("+OK\r\n$1\r\n1\r\n-ERR Protocol error: expected '$', got '*'\r\n")
  })

  test.each([
    'GET / HTTP/1.1\r\nHost: localhost\r\n\r\nSET a 1\r\n',
    'PUT / HTTP/1.1\r\nHost: localhost\r\n\r\nSET a 1\r\n',
    'POST /x HTTP/1.1\r\n\r\nSET a 1\r\n',
    'POST\r\nSET a 1\r\n',
    'Host: localhost\r\nSET a 1\r\n',
  ])('HTTP is hung up on: %j', async (text) => {
    const { server, lines, cluster } = await startServer()
    const client = await Client.open(server)
    client.send(text)
    expect(await client.hearEnd()).toBe('')
    expect(lines.join()).toContain('HTTP sent to the Redis port')
    expect(cluster.history).toEqual([])
  })

  test('several values of a key of the default bucket are an error that says what to do', async () => {
    const { server } = await startServer()
    const client = await Client.open(server)
    await client.ask(
      Buffer.concat([
        request('RS.BUCKET', 'default', 'CONFLICTS', 'siblings'),
        request('SET', 'k', '1'),
        request('SET', 'k', '2'),
      ]),
    )
    expect(await client.command('GET', 'k')).toMatch(/^-ERR too-many-siblings: .*RS\.GET/)
    expect(await client.command('MGET', 'k')).toMatch(/^\*1\r\n-ERR too-many-siblings/)
  })
})

describe('the end', () => {
  test('QUIT answers OK and closes; what follows it is not run', async () => {
    const { server, cluster } = await startServer()
    const client = await Client.open(server)
    client.send(Buffer.concat([request('SET', 'a', '1'), request('QUIT'), request('SET', 'b', '1')]))
    expect(await client.hearEnd()).toBe('+OK\r\n+OK\r\n')
    expect(cluster.history).toEqual(['put a'])
  })

  test('a client that ends its side is answered first', async () => {
    const { server } = await startServer()
    const client = await Client.open(server)
    client.socket.end(Buffer.concat([request('SET', 'a', '1'), request('GET', 'a')]))
    expect(await client.hearEnd()).toBe('+OK\r\n$1\r\n1\r\n')
  })

  test('closing the server answers what is in flight and takes no more', async () => {
    const { server, cluster } = await startServer()
    const { hold, holding, release } = gate()
    cluster.before = () => hold()
    const client = await Client.open(server)
    const idle = await Client.open(server)
    client.send(request('SET', 'a', '1'))
    await holding(1)
    const closed = server.close()
    expect(await idle.hearEnd()).toBe('')
    release()
    expect(await client.hearEnd()).toBe('+OK\r\n')
    await closed
    const late = connect(server)
    const failure = await new Promise<NodeJS.ErrnoException>((resolve) => late.on('error', resolve))
    expect(failure.code).toBe('ECONNREFUSED')
  })

  test('a port in use is a typed error', async () => {
    const { server } = await startServer()
    const again = startRedisServer({ cluster: fakeCluster(), host: '127.0.0.1', port: server.port })
    await expect(again).rejects.toMatchObject({ code: 'address-in-use' })
    const wrong = startRedisServer({ cluster: fakeCluster(), host: '127.0.0.1', port: 70_000 })
    await expect(wrong).rejects.toMatchObject({ code: 'option-invalid' })
  })
})
