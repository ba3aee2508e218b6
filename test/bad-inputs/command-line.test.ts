// The sixty bad inputs (docs/decisions/bad-inputs.md) at the command line: one sentence on standard error, an exit
// code of sysexits, no stack, and no directory where none was. What the server is told at its port is in
// redis.test.ts; more of each kind stands in test/cli.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Connection, expectRefused, ringspun, serve, temporary } from '../cli/helpers.js'

const few = ['--nodes', '3', '--partitions', '16', '--memory', '16']

describe('before anything is made', () => {
  const table: readonly (readonly [string, string, number, string])[] = [
    ['#18 n = 65', '--n 65', 64, 'got number 65'],
    ['#18 n = 1.5', '--n 1.5', 64, '--n is a whole number from 0 to 1000, got 1.5'],
    ['#19 r > n', '--r 4', 64, '1 <= r <= n = 3, got number 4'],
    ['#19 dw > w', '--w 1 --dw 2', 64, '0 <= dw <= w = 1, got number 2'],
    ['#20 w = 0', '--w 0', 64, '1 <= w <= n = 3, got number 0'],
    ['#54 an option that is not there', '--replicas 3', 64, 'there is no option --replicas'],
    ['#54 a misspelt option', '--durabilty os', 64, 'did you mean --durability?'],
    ['#54 a wrong type', '--nodes three', 64, '--nodes is a whole number from 1 to 64, got three'],
    ['#54 port 70000', '--port 70000', 64, '--port is a whole number from 0 to 65535, got 70000'],
  ]

  test.each(table)('%s', (_title, line, status, sentence) => {
    const dir = join(temporary(), 'data')
    const ended = ringspun('serve', '--dir', dir, '--nodes', '3', ...line.split(' '))
    expectRefused(ended, status, sentence)
    expect(ended.stderr.trimEnd().split('\n')).toHaveLength(2)
    expect(existsSync(dir)).toBe(false)
  })

  test('#55 an address that is not known as loopback is served, with a warning; loopback without', async () => {
    // As IPv6 writes an IPv4 address: nobody from outside is let in by this test.
    const open = await serve('--dir', temporary(), ...few, '--host', '::ffff:127.0.0.1', '--quiet')
    expect(await (await Connection.open(open.port)).say('PING')).toBe('PONG')
    expect((await open.end('SIGTERM')).stderr).toMatch(
      /warn listening on ::ffff:127\.0\.0\.1: anybody who reaches/,
    )
    const closed = await serve('--dir', temporary(), ...few, '--quiet')
    expect((await closed.end('SIGTERM')).stderr).toBe('')
  })
})

describe('#56 the directory', () => {
  test('#56 a file: 78', () => {
    const file = join(temporary(), 'file')
    writeFileSync(file, 'precious')
    expectRefused(ringspun('serve', '--dir', file), 78, 'is not a directory')
    expect(readFileSync(file, 'utf8')).toBe('precious')
  })

  test('#56 of something else: 78', () => {
    const dir = temporary()
    mkdirSync(join(dir, 'thesis'))
    expectRefused(ringspun('serve', '--dir', dir), 78, 'holds "thesis" and no cluster')
    expect(readdirSync(dir)).toEqual(['thesis'])
  })

  test('#56 locked: 75, and the one who has it serves on; a newer format: 78', async () => {
    const dir = temporary()
    const first = await serve('--dir', dir, ...few)
    const connection = await Connection.open(first.port)
    await connection.say('SET', 'kept', 'before')
    expectRefused(ringspun('serve', '--dir', dir, '--port', '0'), 75, 'is open in another process')
    expect(await connection.say('GET', 'kept')).toBe('before')
    await first.end('SIGTERM')

    const file = join(dir, 'ringspun.json')
    const whole = readFileSync(file, 'utf8')
    writeFileSync(file, whole.replace('"format": 2', '"format": 3'))
    expectRefused(ringspun('serve', '--dir', dir, '--port', '0'), 78, 'has format 3, made by ringspun')
    writeFileSync(file, whole)
    const second = await serve('--dir', dir)
    expect(await (await Connection.open(second.port)).say('GET', 'kept')).toBe('before')
    await second.end('SIGTERM')
  })
})

test('#44 a command that asks a port where something else listens, or nothing: 69 or a sentence', async () => {
  const ended = ringspun('status', '--port', '1')
  expect(ended.status).toBe(69)
  expect(ended.stderr).toMatch(/^ringspun: .*1\b/)
  expect(ended.stderr).not.toMatch(/^\s+at /m)
})
