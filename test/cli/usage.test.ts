// How the command is called: help on standard output, what is wrong with the options in one sentence on
// standard error, exit codes by sysexits: 64 for wrong usage.

import { describe, expect, test } from 'vitest'
import { version } from '../../dist/index.js'
import { expectRefused, ringspun } from './helpers.js'

describe('help', () => {
  test.each([['--help'], ['-h'], ['help']])('of the command: %s', (argument) => {
    const { status, stdout, stderr } = ringspun(argument)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain('Usage: ringspun COMMAND')
    for (const command of ['serve', 'status']) expect(stdout).toMatch(new RegExp(`^ +${command} `, 'm'))
    expect(stdout.split('\n').filter((line) => line.length > 110)).toEqual([])
  })

  test.each([
    [
      'serve',
      ['--dir', '--nodes', '--n', '--r', '--w', '--dw', '--durability', '--port', '--socket', '--quiet'],
    ],
    ['status', ['--host', '--port', '--json']],
  ])('of %s: names every option', (command, options) => {
    for (const flag of ['--help', '-h']) {
      const { status, stdout, stderr } = ringspun(command, flag)
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      expect(stdout).toContain(`Usage: ringspun ${command}`)
      for (const option of options) expect(stdout).toContain(`  ${option}`)
    }
  })

  test('wins over other options, also wrong ones', () => {
    expect(ringspun('serve', '--port', 'x', '--help').status).toBe(0)
  })

  test('is what a call without a command gets, and 64', () => {
    const { status, stdout } = ringspun()
    expect(status).toBe(64)
    expect(stdout).toContain('Usage: ringspun COMMAND')
  })

  test.each([['--version'], ['-v']])('%s', (argument) => {
    expect(ringspun(argument)).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' })
  })
})

describe('64 and a sentence', () => {
  const table: readonly (readonly [string, string])[] = [
    ['sirve', 'there is no command "sirve"'],
    ['constructor', 'there is no command "constructor"'],
    ['serve --prot 7000', 'there is no option --prot; did you mean --port?'],
    ['serve --node 3', 'there is no option --node; did you mean --nodes?'],
    ['serve --durabilty os', 'there is no option --durabilty; did you mean --durability?'],
    ['serve --replication-factor 3', 'there is no option --replication-factor'],
    ['serve -p 7000', 'there is no option -p'],
    ['serve extra', "Unexpected argument 'extra'"],
    ['serve --port', "Option '--port <value>' argument missing"],
    ['serve --quiet=yes', "Option '--quiet' does not take an argument"],
    ['serve --port 65536', '--port is a whole number from 0 to 65535, got 65536'],
    ['serve --port -1', '--port'],
    ['serve --port=-1', '--port is a whole number from 0 to 65535, got -1'],
    ['serve --port 7e3', '--port is a whole number from 0 to 65535, got 7e3'],
    ['serve --port=', '--port is a whole number from 0 to 65535, got '],
    ['serve --nodes 0', '--nodes is a whole number from 1 to 64, got 0'],
    ['serve --nodes 65', '--nodes is a whole number from 1 to 64, got 65'],
    ['serve --nodes 1.5', '--nodes is a whole number from 1 to 64, got 1.5'],
    ['serve --partitions 65537', '--partitions is a whole number from 1 to 65536, got 65537'],
    ['serve --memory 1', '--memory is a whole number from 4 to 4095, got 1'],
    ['serve --value-max 67108865', '--value-max is a whole number from 1 to 67108864'],
    ['serve --durability ram', '--durability is one of memory, os, disk, got ram'],
    ['serve --nodes 3 --n 4 --dir /nonexistent/x', '1 <= n <= nodes = 3, got number 4'],
    ['serve --nodes 3 --r 4 --dir /nonexistent/x', '1 <= r <= n = 3, got number 4'],
    ['serve --nodes 3 --w 0 --dir /nonexistent/x', '1 <= w <= n = 3, got number 0'],
    ['serve --w 1 --dw 2 --dir /nonexistent/x', '0 <= dw <= w = 1, got number 2'],
    ['status --json=1', "Option '--json' does not take an argument"],
    ['status --port 0', '--port is a whole number from 1 to 65535, got 0'],
    ['status --jsn', 'there is no option --jsn; did you mean --json?'],
  ]

  test.each(table)('ringspun %s', (line, sentence) => {
    const ended = ringspun(...line.split(' '))
    expectRefused(ended, 64, `ringspun: ${sentence.startsWith('--port') ? '' : sentence}`)
    expect(ended.stderr).toContain(sentence)
  })
})
